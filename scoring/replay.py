"""Score a logged decision again with the very model that made it: ``python -m scoring.replay EVENT_ID``.

A row depends on its own inputs only, and the log keeps them with every bit, so the same model must answer
with the same bits. Where it does not, what differs is named.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.markup import escape

from scoring import settings
from scoring.explanation import explain
from scoring.inference_log import LogError, find, inputs_hash
from scoring.options import HOME, LOG, LogFolder, ModelStore
from scoring.scorer import Scorer, ScorerError
from scoring.store import StoreError, stored
from scoring.trial import load

DIFFERENT, BAD_INPUT = 1, 2


class ReplayError(ValueError):
    """A decision cannot be scored again."""


@dataclass(frozen=True)
class Replay:
    """A decision, as it was logged and as it comes out now.

    Attributes
    ----------
    event_id, model : str
    logged, again : mapping
        ``probability_of_default``, ``threshold``, ``decision`` and, if they were given, ``reasons``.
    differences : tuple of str
        What is not the same, bit for bit; empty if all is.
    """

    event_id: str
    model: str
    logged: Mapping[str, Any]
    again: Mapping[str, Any]
    differences: tuple[str, ...]


def replay(record: Mapping[str, Any], scorer: Scorer) -> Replay:
    """Score a record of the log again, and compare.

    Parameters
    ----------
    record : mapping
        As `inference_log.find` gives it.
    scorer : Scorer
        The one of the record's ``model``.

    Raises
    ------
    ReplayError
        If the record does not hold the features that the scorer reads.
    """
    return compare(record, scorer, inputs_of(record, scorer))


def inputs_of(record: Mapping[str, Any], scorer: Scorer) -> pl.DataFrame:
    """Return what the scorer read, as a table of one row; raises as `replay`."""
    numbers, categories = record["inputs"]["numbers"], record["inputs"]["categories"]
    inputs = {**numbers, **categories}
    if lost := [name for name in scorer.feature_names if name not in inputs]:
        raise ReplayError(
            f"the model reads {lost[0]!r}, which the record does not hold: it is another model."
        )
    if extra := sorted(inputs.keys() - set(scorer.feature_names)):
        raise ReplayError(
            f"the record holds {extra[0]!r}, which the model does not read: it is another model."
        )
    if wrong := [name for name in categories if name not in scorer.categories]:
        raise ReplayError(f"{wrong[0]!r} is a word in the record and a number to the model.")
    return pl.DataFrame(
        [
            pl.Series(name, [inputs[name]], pl.String if name in scorer.categories else pl.Float64)
            for name in scorer.feature_names
        ]
    )


def compare(
    record: Mapping[str, Any],
    scorer: Scorer,
    table: pl.DataFrame,
    explanation: Mapping[str, Any] | None = None,
) -> Replay:
    """Score the inputs of a record again, and compare; see `replay`.

    ``explanation``: of these inputs, where it is known already.
    """
    decided = scorer.decide(table).row(0, named=True)
    again = {name: decided[name] for name in ("probability_of_default", "threshold", "decision")}
    if record["audit"]["reasons"] is not None:
        explanation = explanation or explain(scorer, table)[0]
        again["reasons"] = [reason.feature for reason in explanation["reasons"]]
    logged = {name: {**record, **record["audit"]}[name] for name in again}
    differences = [
        f"{name} was {logged[name]!r} and is {again[name]!r}"
        for name in again
        if not _is_same(logged[name], again[name])
    ]
    if inputs_hash(record["inputs"]) != record["audit"]["inputs_sha256"]:
        differences.insert(0, "the inputs in the record are not those that were scored: it was changed")
    if differences:
        differences += _versions(scorer)
    return Replay(record["event_id"], record["model"], logged, again, tuple(differences))


def _is_same(one: object, other: object) -> bool:
    """Compare bit for bit: 0.1 + 0.2 is not 0.3."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return struct.pack("<d", one) == struct.pack("<d", other)
    return one == other


def _versions(scorer: Scorer) -> list[str]:
    """Name the libraries that are not those of the training."""
    found = []
    for library, then in dict(scorer.lineage.get("libraries") or {}).items():
        try:
            now = version(library)
        except PackageNotFoundError:
            now = "absent"
        if now != then:
            found.append(f"{library} was {then} at training and is {now} here")
    return found


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m scoring.replay 3f0c2a... --log var/log")
def main(
    event_id: Annotated[str, typer.Argument(help="Id of the decision, as the service answered it.")],
    log: LogFolder = LOG,
    model_store: ModelStore = HOME,
) -> None:
    """Recompute a logged decision with its own model, and say whether it is the same, bit for bit.

    Exit codes: 0 the same, 1 different, 2 no such decision or model.
    """
    settings.warn_of_unknown()
    console, errors = Console(soft_wrap=True, highlight=False), Console(stderr=True, soft_wrap=True)
    try:
        record = find(log, event_id)
        if record is None:
            raise ReplayError(f"there is no decision {event_id} in the log {log}.")
        _, folder = stored(record["model"], model_store.expanduser())
        done = replay(record, load(folder))
    except (ReplayError, StoreError, ScorerError, LogError, FileNotFoundError) as error:
        errors.print(f"[bold red]Not replayed:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(BAD_INPUT) from None
    console.print(f"{done.event_id}, {record['time']:%Y-%m-%d %H:%M:%S} UTC, {done.model}", markup=False)
    console.print(f"Model store: {model_store}", markup=False)
    tell(done, console)
    if done.differences:
        raise typer.Exit(DIFFERENT)


def tell(done: Replay, console: Console) -> None:
    """Print what was decided then and what is decided now."""
    for name, value in done.logged.items():
        mark = "=" if _is_same(value, done.again[name]) else "≠"
        console.print(f"  {name:22}  {_shown(value)}  {mark}  {_shown(done.again[name])}", markup=False)
    if not done.differences:
        console.print("The same, bit for bit.")
        return
    console.print("[bold red]Different[/]:")
    for difference in done.differences:
        console.print(f"  {difference}", markup=False)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value!r} ({value.hex()})"
    return ", ".join(value) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    app()
