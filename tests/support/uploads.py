"""The page's way with a file, without a service and without a portfolio behind it."""

from __future__ import annotations

import polars as pl

from scoring.schema import KEY
from ui import batch
from ui.service import ServedModel


class Nobody:
    """A portfolio without clients."""

    def histories(self, numbers: pl.Series) -> pl.DataFrame:
        return pl.DataFrame({KEY: numbers.head(0).cast(pl.Int64, strict=False)})


def score(upload: batch.Upload, ask: batch.Score, lang: str = "en") -> batch.ScoredFile:
    """Score an upload by whatever answers a table."""
    model = ServedModel({"model": "credit_scoring:tested", "features": []})
    return batch.scored(upload, [part for _, part in batch.score(upload, ask, model, Nobody(), lang)])


def granted(table: pl.DataFrame) -> pl.DataFrame:
    """Answer every application of a table: granted, and nothing else said."""
    names = (*batch.DECIDED, "warnings")
    answers = {name: pl.repeat(None, table.height, eager=True) for name in names}
    return pl.DataFrame(answers | {"decision": pl.repeat("granted", table.height, eager=True)})
