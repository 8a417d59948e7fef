"""The officer's page: opens a client, shows the decision and its reasons, scores files.

It speaks HTTP to the service through `scoring.client` and loads no model.
"""

import scoring  # noqa: F401 - first of all: Ctrl-C shows no traceback from here on
