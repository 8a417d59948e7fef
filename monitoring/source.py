"""What is compared: the model's reference, and the decisions of that model in the inference log."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from scoring import inference_log
from scoring.schema import Purpose

MOST_DAYS = 36_500
PREDICTION = "probability_of_default"


class InputError(ValueError):
    """The log or the reference cannot be used; the text says which, and what to do."""


@dataclass(frozen=True)
class Reference:
    """What a model was validated on, and what its ``scorer.json`` says of its inputs.

    Attributes
    ----------
    table : polars.DataFrame
        Out-of-fold rows in the inference log's columns.
    model : str or None
        Exact tag in the model store; None for a reference from elsewhere.
    importance : mapping of str to float
        Share of each input in the model's mean absolute contributions; sums to 1.
    levels : mapping of str to collection of str
        Levels of each category that training saw; the reference holds a sample of the rows only.
    """

    table: pl.DataFrame
    model: str | None
    importance: Mapping[str, float]
    levels: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Traffic:
    """The decisions of one model, and a count of all that was left out.

    Attributes
    ----------
    table : polars.DataFrame
        The reference's columns, ordered by time.
    model : str or None
        Tag that decided; None in an empty log.
    other_models : mapping of str to int
        Decisions of other models.
    outside : int
        Decisions before the window, or not of the simulation.
    other_purposes : mapping of str to int
        What the log has that was asked for another purpose: it decides nothing, and is nobody's traffic.
    quarantined : mapping of str to int
        Lines of the log that are no records, by cause.
    duplicates : int
        Records of an event that was there already.
    """

    table: pl.DataFrame
    model: str | None
    other_models: Mapping[str, int]
    outside: int
    quarantined: Mapping[str, int]
    duplicates: int
    other_purposes: Mapping[str, int] = field(default_factory=dict)


def read_reference(path: Path, model: str | None = None) -> Reference:
    """Read the reference of a scorer: its folder, or a Parquet file in the log's columns.

    Without a ``scorer.json`` beside the file all inputs count the same.

    Raises
    ------
    InputError
        If there is no reference, or it cannot be read.
    """
    file = path / "reference.parquet" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"there is no reference {file}; give a scorer's folder, or import a model first.")
    try:
        table = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputError(f"the reference {file} is not Parquet; import the model again.") from error
    lacking = [name for name in inference_log.COLUMNS if name not in table.columns]
    if lacking or table.is_empty():
        what = f"lacks the column {lacking[0]!r}" if lacking else "has no rows"
        raise InputError(f"the reference {file} {what}; import the model again.")
    inputs = [name for name in table.columns if name not in inference_log.COLUMNS]
    declared = _declared(file.with_name("scorer.json"))
    try:
        weights = {name: float(declared.get(name, {}).get("importance", 0.0)) for name in inputs}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file.with_name('scorer.json')} does not describe a scorer; import the model again."
        ) from error
    if not declared:
        weights = dict.fromkeys(inputs, 1.0)
    total = sum(weights.values()) or 1.0
    return Reference(
        table,
        model,
        {name: weight / total for name, weight in weights.items()},
        {name: item["levels"] for name, item in declared.items() if "levels" in item},
    )


def _declared(file: Path) -> dict[str, Any]:
    """Return what scorer.json says of each input, by name."""
    if not file.is_file():
        return {}
    try:
        return {item["name"]: item for item in json.loads(file.read_text(encoding="utf-8"))["features"]}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} does not describe a scorer; import the model again.") from error


def read_traffic(
    log: Path,
    reference: Reference,
    window_days: float | None = None,
    events: Collection[str] | None = None,
    purpose: Purpose = "decision",
) -> Traffic:
    """Read the log's decisions of the reference's model.

    Parameters
    ----------
    log : Path
        Folder of the inference log.
    reference : Reference
        Without a tag of its own it takes the log's only model.
    window_days : float, optional
        Keep this many days up to the newest of the model's decisions.
    events : collection of str, optional
        Keep these decisions only.
    purpose : str
        What they were asked for; all else is counted and left out.

    Raises
    ------
    InputError
        If there is no log or it cannot be read, it holds several models and none is named, a named event is
        not in it, a column has another type than in the reference, or the window is none.
    """
    try:
        read = inference_log.read(log)
    except FileNotFoundError as error:
        raise InputError(f"{error} --log takes it.") from error
    except inference_log.LogError as error:
        raise InputError(str(error)) from error
    purposes = dict(read.table.group_by("purpose").len().sort("purpose").iter_rows())
    table, model = read.table.filter(pl.col("purpose") == purpose), reference.model
    tags = dict(table.group_by("model").len().sort("model").iter_rows())
    if model is None and len(tags) > 1:
        raise InputError(f"the log {log} holds decisions of {', '.join(tags)}; choose with --model.")
    model = model or next(iter(tags), None)
    of_model = table.filter(pl.col("model").eq_missing(pl.lit(model)))
    kept = of_model
    if events is not None:
        kept = of_model.filter(pl.col("event_id").is_in(list(events)))
        if lost := len(set(events)) - kept.height:
            raise InputError(
                f"{lost} of {len(set(events))} decisions that the service gave are not in the log {log}; "
                "give the service's own CREDIT_SCORING_LOG with --log."
            )
    if window_days is not None and not 0 < window_days <= MOST_DAYS:
        raise InputError(f"a window of {window_days:g} days selects nothing; give --window 1 to {MOST_DAYS}.")
    if window_days is not None:
        kept = kept.filter(pl.col("time") > pl.col("time").max() - timedelta(days=window_days))
    causes: dict[str, int] = {}
    for line in read.quarantined:
        causes[line.why] = causes.get(line.why, 0) + line.count
    return Traffic(
        _aligned(kept, reference.table, log),
        model,
        {tag: count for tag, count in tags.items() if tag != model},
        of_model.height - kept.height,
        causes,
        read.duplicates,
        {name: count for name, count in purposes.items() if name != purpose},
    )


def _aligned(table: pl.DataFrame, like: pl.DataFrame, log: Path) -> pl.DataFrame:
    """Return a table with another's columns and types; a column that no record has is missing everywhere."""
    if table.is_empty():
        return like.clear()
    columns = []
    for name, dtype in like.schema.items():
        if name not in table.columns or table[name].null_count() == table.height:
            columns.append(pl.lit(None, dtype=dtype).alias(name))
        elif (table.schema[name] == pl.String) == (dtype == pl.String):
            columns.append(pl.col(name).cast(dtype))
        else:
            raise InputError(
                f"{name} is {table.schema[name]} in the log {log} and {dtype} in the reference; "
                "give the reference of the model that decided."
            )
    return table.with_columns(columns).select(like.columns)
