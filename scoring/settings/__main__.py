"""Writes docs/SETTINGS.md: every setting."""

from __future__ import annotations

import sys
from math import isfinite
from typing import Any

from scoring.settings import DECLARED
from scoring.settings.setting import Setting

HEADER = """# Settings

Every setting is an environment variable; an empty one is one that is absent. The service and the page do not
start with a value that cannot be used, nor with a variable that begins with `CREDIT_SCORING_` and is not in
this table; commands that read a setting warn of the latter. What Kubernetes sets for a service of that name
(`CREDIT_SCORING_SERVICE_HOST`, `CREDIT_SCORING_PORT_3000_TCP` and the like) is let through. A relative path
counts from the code for the service, from the working directory for commands. A bento keeps its log and its
key in `~/.credit_scoring` instead of `var`. † holds for each worker.
`python -m scoring.settings > docs/SETTINGS.md` writes this file.

| variable | default | what it does | value | read by |
|---|---|---|---|---|
"""


def row(setting: Setting[Any]) -> str:
    """Return the first three cells of a setting in a table: name, default, what it does."""
    match setting.default:
        case None | () | "":
            default = "none"
        case bool(is_on):
            default = "`on`" if is_on else "`off`"
        case float(value):
            default = f"`{value:g}`"
        case value:
            default = f"`{value}`"
    return f"| `{setting.name}` | {setting.default_words or default} | {setting.help} |"


def document() -> str:
    """Return docs/SETTINGS.md."""
    lines = []
    for setting in DECLARED.values():
        low, high = setting.bounds
        bounds = f", {low:,g} to {high:,.0f}" if isfinite(high) else ""
        kind = setting.kind.__name__.replace("_", " ")
        lines.append(f"{row(setting)} {kind}{bounds} | {', '.join(setting.readers)} |\n")
    return HEADER + "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document())
