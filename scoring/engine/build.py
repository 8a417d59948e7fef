"""Compile the kernels with whatever C compiler there is; several processes may do so at a time."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from scoring.engine import native
from scoring.engine.native import FLAGS, built, sources

COMPILERS = ("cc", "gcc", "clang")
BUILT = "kernels-*.so"


class BuildError(OSError):
    """The kernels cannot be built here; the text says why, and the remedy."""


def compiler() -> list[str]:
    """Return the command of a C compiler: CC, else a usual one, else that of the ziglang package.

    Raises
    ------
    BuildError
        If there is none.
    """
    if given := os.environ.get("CC"):
        return shlex.split(given)
    for name in COMPILERS:
        if found := shutil.which(name):
            return [found]
    if find_spec("ziglang"):
        # Left alone, zig compiles for the processor that it runs on; the file may be carried to another.
        return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]
    raise BuildError("there is no C compiler; install gcc or clang, or `pip install ziglang`")


def build() -> Path:
    """Compile the kernels, put the file in its place at once, and remove those of other sources.

    ``CFLAGS`` is added to our own flags. What exists already is built again.

    Raises
    ------
    BuildError
        If there is no compiler, it fails, or the folder cannot be written to.
    """
    target, command = built(), compiler()
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    try:
        with tempfile.TemporaryDirectory(prefix=".kernels-", dir=native.FOLDER) as folder:
            draft = Path(folder) / target.name
            for clones in ([], ["-DCLONES="]):  # not every linker lets the loader choose by processor
                line = [*command, *FLAGS, *clones, *extra, "-o", str(draft), *map(str, sources())]
                run = subprocess.run(line, capture_output=True, text=True)
                if draft.is_file() and not run.returncode:
                    break
            else:
                said = (run.stderr or run.stdout).strip().splitlines() or ["it said nothing"]
                raise BuildError(f"{shlex.join(line)} failed: {said[0]}")
            draft.replace(target)
    except OSError as error:
        if isinstance(error, BuildError):
            raise
        raise BuildError(f"the kernels cannot be built: {error}") from error
    for file in native.FOLDER.glob(BUILT):
        if file != target:
            file.unlink(missing_ok=True)
    return target
