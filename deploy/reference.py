"""Write the reference of the commands: ``python deploy/reference.py > docs/COMMANDS.md``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

COMMANDS = {
    "python train.py": "train",
    "python import_model.py": "import_model",
    "python -m ui": "ui.__main__",
    "python -m validation": "validation.__main__",
    "python -m validation.duties": "validation.duties",
    "python -m monitoring": "monitoring.__main__",
    "python -m scoring.client": "scoring.client.__main__",
    "python -m scoring.portfolio": "scoring.portfolio.__main__",
    "python -m scoring.outcomes": "scoring.outcomes",
    "python -m scoring.decisions": "scoring.decisions.__main__",
    "python -m scoring.inference_log": "scoring.inference_log.__main__",
    "python -m scoring.replay": "scoring.replay",
    "python -m scoring.extension": "scoring.extension",
    "python -m scoring.synthetic": "scoring.synthetic.__main__",
    "python -m scoring.engine": "scoring.engine.__main__",
    "python -m scoring.language": "scoring.language.__main__",
}
"""Each program that a user starts, and the module that declares it."""

HEADER = """# Commands

`python deploy/reference.py > docs/COMMANDS.md` writes this page from the programs; each also has
`--help`. They run here after `. .venv/bin/activate; export BENTOML_HOME=$PWD/var/bentoml`.
`make help` lists the targets that set up what these need.
"""


def command_of(module: str) -> Any:
    """Return the command that a module declares as its ``app``: click's, under typer's own copy of it."""
    return typer.main.get_command(importlib.import_module(module).app)


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Give a command, or each of its parts, under the name by which it is called."""
    if parts := getattr(command, "commands", None):
        for part, inner in parts.items():
            yield from leaves(f"{name} {part}", inner)
    else:
        yield name, command


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


def _rows(command: Any) -> Iterator[str]:
    for parameter in command.params:
        if getattr(parameter, "hidden", False) or parameter.name == "help":
            continue
        is_option = parameter.param_type_name == "option"
        name = ", ".join(parameter.opts) if is_option else parameter.name.upper()
        default = parameter.default
        is_told = not (callable(default) or default is None or default is False or default in ((), [], ""))
        said = f"`{default}`".replace(f"{ROOT}/", "") if is_told else ""
        variable = f" (`{parameter.envvar}`)" if parameter.envvar else ""
        needed = "required" if parameter.required else said
        words = _plain(getattr(parameter, "help", "")).replace("|", "\\|")
        yield f"| `{name}` | {needed} | {words}{variable} |"


def document() -> str:
    """Return the page."""
    parts = [HEADER]
    for program, module in COMMANDS.items():
        for name, command in leaves(program, command_of(module)):
            words = (command.help or "").replace("\b", "")
            said = [_plain(part) for part in re.split(r"\n\s*\n", words)]
            parts.append(f"\n## `{name}`\n\n" + "\n\n".join(filter(None, said)) + "\n")
            if rows := list(_rows(command)):
                parts.append("\n| | default | |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(document())
