"""Print the table of features as Markdown: ``python -m scoring.features > docs/FEATURES.md``."""

from __future__ import annotations

import sys

import typer

from scoring.features import FEATURES, GROUPS, protected_by
from scoring.language import languages, name_of, say

DIRECTIONS = {1: "raises", -1: "lowers", 0: ""}
HEAD = """# Features

Made by `python -m scoring.features > docs/FEATURES.md`; a test compares it with the code. *Risk*: what a
higher value does to the risk by domain knowledge (a monotone constraint of the model). *Policy*: the
attributes whose protection takes the feature out.
"""


def table() -> str:
    """Give the whole document: one section per group, one line per feature."""
    spoken = languages()
    named = " | ".join(name_of(language) for language in spoken)
    head = f"| feature | table | unit | {named} | risk | policy |\n|{'---|' * (5 + len(spoken))}"
    parts = [f"{HEAD}\n{len(FEATURES)} features.\n"]
    for key, group in GROUPS.items():
        members = [f for f in FEATURES if f.group == key]
        title = " / ".join(say(group.title, language) for language in spoken)
        parts.append(f"## {title} ({len(members)})\n\n{head}")
        for f in members:
            labels = " | ".join(say(f.label, language) for language in spoken)
            policy = ", ".join(sorted(protected_by(f)))
            parts.append(
                f"| `{f.name}` | {f.table} | {f.unit} | {labels} | {DIRECTIONS[f.direction]} | {policy} |"
            )
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Print the table of features as Markdown.

    Example: python -m scoring.features > docs/FEATURES.md
    """
    sys.stdout.write(table())


if __name__ == "__main__":
    typer.run(main)
