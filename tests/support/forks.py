"""Commands of Python in forks of one process: what takes long to import is imported once for all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120  # a command that does not end is ended, as by a test that loses its patience

SERVE = """
import importlib, json, os, runpy, signal, sys

for library in sys.argv[2:]:
    importlib.import_module(library)
for line in sys.stdin:
    words, environment, folder = json.loads(line)
    forked = os.fork()
    if forked == 0:
        signal.alarm(int(sys.argv[1]))
        for number, name in enumerate((os.devnull, folder + "/stdout", folder + "/stderr")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = words[:1] + words[2:]
        if words[0] == "-m":
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        else:
            exec(words[1], {"__name__": "__main__"})
        break
    code = os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1])
    sys.stdout.write(f"{code}\\n")
    sys.stdout.flush()
"""


class Forks:
    """A process that has imported what all of the commands need."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *words: str, env: Mapping[str, str] = os.environ) -> subprocess.CompletedProcess[str]:
        """Run ``-m MODULE …`` or ``-c CODE …`` to its end."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            self._process.stdin.write(json.dumps([words, {**env}, folder]) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            said = [(Path(folder) / name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(words, code, *said)


@contextmanager
def forks(*libraries: str, env: Mapping[str, str] = os.environ) -> Iterator[Forks]:
    """Give such a process until the end of the block.

    What it imports may have no threads at once, and may read nothing that a command is to find otherwise: of
    ours, `scoring.schema` reads the extension.
    """
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, str(PATIENCE_S), *libraries],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()
