"""Options that several commands have in common, each declared once; and dataclasses of options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from scoring import settings

LOG, KEY_FILE = settings.LOG.default, settings.KEY_FILE.default
HOME = Path("~/bentoml")

LogFolder = Annotated[Path, typer.Option("--log", help="Folder of the log.", envvar=settings.LOG.name)]
AnchorsFolder = Annotated[
    Path | None,
    typer.Option(help="Folder of the anchors; LOG-anchors by default.", envvar=settings.LOG_ANCHORS.name),
]
KeyFile = Annotated[Path, typer.Option(help="The log's key.", envvar=settings.KEY_FILE.name)]
ModelStore = Annotated[Path, typer.Option(help="BentoML's home.", envvar="BENTOML_HOME")]


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command line give each field of a parameter that is a dataclass, and the command take it whole.

    Examples
    --------
    >>> @app.command()
    ... @flat
    ... def score(asked: PortfolioAsked, model: ModelTag) -> None: ...
    """
    hints: dict[str, Any] = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters: list[Parameter] = []
    for one in signature(command).parameters.values():
        if one.name not in groups:
            parameters.append(one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[one.name]))
            continue
        kinds = get_type_hints(groups[one.name], include_extras=True)
        for field in fields(groups[one.name]):
            default = Parameter.empty if field.default is MISSING else field.default
            parameters.append(
                Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=kinds[field.name])
            )

    @wraps(command)
    def told(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    told.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return told
