"""The validation pack: all that a validator asks of a run, as one page for each language."""

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on
