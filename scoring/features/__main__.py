"""Print the table of features as Markdown: ``python -m scoring.features > docs/FEATURES.md``."""

from __future__ import annotations

import sys

import typer

from scoring.features import FEATURES, GROUPS, protected_by

DIRECTIONS = {1: "raises", -1: "lowers", 0: ""}
HEAD = """# Features

Made by `python -m scoring.features > docs/FEATURES.md`; a test compares it with the code. *Risk*: what a
higher value does to the risk by domain knowledge (a monotone constraint of the model). *Policy*: the
attributes whose protection takes the feature out.
"""


def table() -> str:
    """Give the whole document: one section per group, one line per feature."""
    parts = [f"{HEAD}\n{len(FEATURES)} features.\n"]
    for key, group in GROUPS.items():
        members = [f for f in FEATURES if f.group == key]
        parts.append(f"## {group.en} / {group.fr} ({len(members)})\n")
        parts.append(
            "| feature | table | unit | English | français | risk | policy |\n|---|---|---|---|---|---|---|"
        )
        parts += [
            f"| `{f.name}` | {f.table} | {f.unit} | {f.en} | {f.fr} | {DIRECTIONS[f.direction]} "
            f"| {', '.join(sorted(protected_by(f)))} |"
            for f in members
        ]
        parts.append("")
    return "\n".join(parts)


def main() -> None:
    """Print the table of features as Markdown.

    Example: python -m scoring.features > docs/FEATURES.md
    """
    sys.stdout.write(table())


if __name__ == "__main__":
    typer.run(main)
