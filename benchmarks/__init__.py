"""What is measured, and how: each module is a command."""

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on
