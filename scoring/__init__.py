"""Credit scoring of consumer loan applications."""

import errno
import os
import sys
from pathlib import Path
from types import TracebackType

__version__ = "0.9.0"

# What `sys.argv` begins with while a program of this project is imported, or a room of it by `python -m`.
PROGRAMS = frozenset({"-m", "train.py", "import_model.py", "run.py", "credit-scoring-client"})


def end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what went wrong, but no traceback to who stops a program, or has a full disk."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        sys.stderr.write("Not finished: no space is left to write to; make room, and say the same again.\n")
    elif not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


if sys.argv and Path(sys.argv[0]).name in PROGRAMS:  # a program of somebody else's keeps its own ways
    sys.excepthook = end_quietly
    if sys.stdout is None:  # closed by who started it: what is said goes nowhere, and into no file
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
