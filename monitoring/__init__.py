"""Drift monitoring: what the service decided, compared with what its model learned from.

Two tables of one kind are compared: the inference log and the reference that training kept. No model is
loaded. ``python -m monitoring --help`` says how; `rule` says when something counts as drift.
"""

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on
