"""Tables of decisions that were taken."""

from __future__ import annotations

import polars as pl

COLUMNS: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "model": pl.String(),
    "applicant": pl.String(),
    "request_id": pl.String(),
    "probability_of_default": pl.Float64(),
    "threshold": pl.Float64(),
    "decision": pl.String(),
}
"""The columns that stand before the model's input features, in the log and in a scorer's reference."""

LOGGED: dict[str, pl.DataType] = COLUMNS | {"purpose": pl.String()}
"""Those of the log: what each was asked for, too."""

AUDIT = "audit."
"""How columns of a reference begin that no model reads: ``audit.target``, ``audit.fold``, groups."""

OUTCOMES: dict[str, pl.DataType] = {
    "event_id": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "model": pl.String(),
    "decision": pl.String(),
    "probability_of_default": pl.Float64(),
    "threshold": pl.Float64(),
    "review": pl.String(),
    "outcome": pl.String(),
    "observed_on": pl.Date(),
}
"""Those of decisions and of how their loans ended, as `scoring.outcomes export` writes them."""
