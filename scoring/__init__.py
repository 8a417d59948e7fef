"""Credit scoring of consumer loan applications."""

import errno
import os
import sys
from pathlib import Path
from types import TracebackType

__version__ = "0.9.0"

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = frozenset({"train.py", "import_model.py", "run.py"})
COMMAND = "credit-scoring-client"  # what pip makes of `scoring.client`
ROOMS = frozenset({"scoring", "ui", "monitoring", "validation", "benchmarks", "notebooks"})


def is_ours() -> bool:
    """Say whether the program that is being started is one of this project, and not one that imports it."""
    program = Path(sys.argv[0] if sys.argv else "")
    if program.name == "-m":  # so it stands there as long as `python -m` looks for what is asked
        asked = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
        return asked.split(".")[0] in ROOMS
    return program.name == COMMAND or (program.name in SCRIPTS and program.resolve().parent == ROOT)


def end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what went wrong, but no traceback to who stops a program, or has a full disk."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        sys.stderr.write("Not finished: no space is left to write to; make room, and say the same again.\n")
    elif not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


if is_ours():  # a program of somebody else's keeps its own ways
    sys.excepthook = end_quietly
    if sys.stdout is None:  # closed by who started it: what is said goes nowhere, and into no file
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
