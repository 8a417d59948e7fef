"""Decisions on many applications as bytes: the same fields in Arrow and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, get_args, get_origin

import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from scoring.decider import DecidedSlice
from scoring.schema import Decision, InputWarning
from scoring.scorer import remarks

OUTSIDE, UNSEEN = get_args(InputWarning.model_fields["problem"].annotation)[::-1]


def arrow_type(kind: Any) -> pa.DataType:
    """Return the type of a field of an answer; a list of parts has their fields as texts, without words.

    The words of a part, a text for each language, are what JSON is asked for.
    """
    if get_origin(kind) is UnionType:  # with null: each column of Arrow may have one
        return arrow_type(get_args(kind)[0])
    if get_origin(kind) is list:
        if not hasattr(part := get_args(kind)[0], "model_fields"):
            return pa.list_(arrow_type(part))
        fields = part.model_fields.items()
        texts = [(name, pa.string()) for name, field in fields if get_origin(field.annotation) is not dict]
        return pa.list_(pa.struct(texts))
    return {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}.get(kind, pa.string())


def schema_of(answer: type[BaseModel]) -> pa.Schema:
    """Return the columns of an answer in Arrow: its fields, in their order."""
    return pa.schema([(name, arrow_type(field.annotation)) for name, field in answer.model_fields.items()])


ANSWER = schema_of(Decision)
"""Columns of the decisions in Arrow; a row without warnings has null there."""


def as_arrow(parts: Iterable[DecidedSlice]) -> bytes:
    """Return decisions as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, ANSWER) as writer:
        for decisions, marks in parts:
            value = pl.col("word").fill_null(pl.col("number").cast(pl.String))
            problem = pl.when(pl.col("word").is_null()).then(pl.lit(OUTSIDE)).otherwise(pl.lit(UNSEEN))
            listed = marks.group_by("row", maintain_order=True).agg(
                pl.struct("feature", problem.alias("problem"), value.alias("value")).alias("warnings")
            )
            whole = decisions.with_row_index("row").join(listed, on="row", how="left", maintain_order="left")
            writer.write_table(whole.select(ANSWER.names).to_arrow().cast(ANSWER))
    return bytes(sink.getvalue())


def as_json(parts: Iterable[DecidedSlice], ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """Return decisions as JSON, as a few applications get it."""
    pieces: list[str] = []
    for decisions, marks in parts:
        warned = {row: json.dumps(warnings) for row, warnings in remarks.listed(ranges, marks).items()}
        lines = decisions.select(pl.struct(pl.all()).struct.json_encode()).to_series()
        pieces += [
            f'{line[:-1]},"warnings":{warned.get(row, "[]")}}}' for row, line in enumerate(lines.to_list())
        ]
    return f"[{','.join(pieces)}]".encode()
