"""Credit scoring of consumer loan applications."""

import sys
from pathlib import Path
from types import TracebackType

__version__ = "0.9.0"

# What `sys.argv` begins with while a program of this project is imported, or a room of it by `python -m`.
PROGRAMS = frozenset({"-m", "train.py", "import_model.py", "run.py", "credit-scoring-client"})


def end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show what went wrong, but no traceback to who stops a program with Ctrl-C while it is imported."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


if sys.argv and Path(sys.argv[0]).name in PROGRAMS:  # a program of somebody else's keeps its own ways
    sys.excepthook = end_quietly
