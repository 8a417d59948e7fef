"""Write what one group of packages installs: the part of requirements.txt that an extra needs.

Example: ``python deploy/group.py run > .venv/run.txt``. It runs before anything is installed, so it needs the
standard library alone.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS: dict[str, list[str]] = PROJECT["optional-dependencies"]
NAME = re.compile(r"[A-Za-z0-9._-]+")
USER = re.compile(r"^ +#(?: via)? +([A-Za-z0-9._-]+)$", re.MULTILINE)  # of "# via", or of the lines below it
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[.*\])?==")


def normal(name: str) -> str:
    """Return a distribution's name as locks write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(requirements: Iterable[str]) -> Iterator[str]:
    """Give the names of requirements; an extra of our own stands for what it asks for."""
    for requirement in requirements:
        found = NAME.match(requirement)
        assert found, requirement
        if normal(found[0]) != PROJECT["name"]:
            yield normal(found[0])
            continue
        for group in re.findall(r"[\w-]+", requirement[found.end() :]):
            yield from asked(GROUPS[group])


def blocks(lock: str) -> dict[str, list[str]]:
    """Return the text of each pin, with its hashes and the names of those that need it, by distribution."""
    found: dict[str, list[str]] = {}
    for block in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        pin = PIN.match(block)
        assert pin, block[:80]
        found.setdefault(normal(pin[1]), []).append(block)
    return found


def selected(group: str, lock: str) -> str:
    """Return the pins of a group, of all that they need in turn, and no others."""
    pins = blocks(lock)
    needed_by = {
        name: {normal(user) for text in texts for user in USER.findall(text)} for name, texts in pins.items()
    }
    chosen = {*asked(PROJECT["dependencies"]), *asked(GROUPS[group])}
    while more := {name for name, users in needed_by.items() if users & chosen} - chosen:
        chosen |= more
    if missing := chosen - pins.keys():
        raise SystemExit(f"requirements.txt does not pin {', '.join(sorted(missing))}; run `make lock`.")
    return "".join(block for name in sorted(chosen) for block in pins[name])


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in GROUPS:
        raise SystemExit(f"usage: python deploy/group.py GROUP, one of {', '.join(GROUPS)}")
    sys.stdout.write(selected(sys.argv[1], (ROOT / "requirements.txt").read_text(encoding="utf-8")))
