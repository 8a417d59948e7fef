"""Notebooks: what a portfolio holds, and how its champion came about."""

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on
