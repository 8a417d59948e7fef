"""A log of invented decisions and a scorer's folder, as far as the monitor reads them."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from scoring.inference_log import COLUMNS, Entry, InferenceLog

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TAG = "credit_scoring:first"
CATEGORIES = ("NAME_CONTRACT_TYPE",)
IMPORTANCE = {"ext_mean": 0.6, "AMT_CREDIT": 0.2, "NAME_CONTRACT_TYPE": 0.1, "flag": 0.05, "empty": 0.05}


def population(rows: int, seed: int, **changes: pl.Expr) -> pl.DataFrame:
    """Decisions in the log's columns, with five inputs, one of which nobody ever fills in."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1.2, 12, rows)
    return pl.DataFrame(
        {
            "model": TAG,
            "probability_of_default": probability,
            "threshold": 0.09,
            "decision": np.where(probability >= 0.09, "refused", "granted"),
            "ext_mean": np.where(rng.random(rows) < 0.02, np.nan, rng.beta(5, 5, rows)),
            "AMT_CREDIT": np.round(rng.lognormal(13, 0.7, rows), 1),
            "NAME_CONTRACT_TYPE": rng.choice(["Cash loans", "Revolving loans"], rows, p=[0.904, 0.096]),
            "flag": (rng.random(rows) < 0.003).astype(float),
            "empty": pl.Series([None] * rows, dtype=pl.Float64),
        },
        nan_to_null=True,
    ).with_columns(**changes)


def write_reference(folder: Path, table: pl.DataFrame) -> Path:
    """A scorer's folder, as far as monitoring reads it."""
    folder.mkdir(parents=True)
    inputs = [name for name in table.columns if name not in COLUMNS]
    log = [
        (pl.col(name) if name in table.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    table.select(*log, *inputs).write_parquet(folder / "reference.parquet")
    features = [
        {"name": name, "kind": "number", "importance": IMPORTANCE[name]}
        | ({"levels": ["Cash loans", "Revolving loans", "Rare loans"]} if name in CATEGORIES else {})
        for name in inputs
    ]
    (folder / "scorer.json").write_text(json.dumps({"format": 1, "features": features}))
    return folder


def write_log(
    folder: Path,
    table: pl.DataFrame,
    model: str = TAG,
    now: datetime = NOW,
    worker: str = "w1",
    clients: int = 10**6,
    first: int = 0,
    categories: tuple[str, ...] = CATEGORIES,
) -> Path:
    inputs = [name for name in table.columns if name not in COLUMNS]
    log = InferenceLog(folder, worker, b"k" * 32, model, categories=categories)
    entries = [
        Entry(
            event_id=f"{worker}-{i}",
            applicant=first + i % clients,
            request_id="r",
            probability_of_default=row["probability_of_default"],
            threshold=row["threshold"],
            decision=row["decision"],
            features={name: row[name] for name in inputs},
        )
        for i, row in enumerate(table.iter_rows(named=True))
    ]
    log.record(entries, now)
    log.close()
    return folder


def days_of(folder: Path, tables: dict[int, pl.DataFrame]) -> Path:
    """Write a log of several days, each counted back from now."""
    for ago, table in tables.items():
        write_log(
            folder, table, now=datetime.now(UTC) - timedelta(days=ago), worker=f"d{ago}", first=10_000 * ago
        )
    return folder


def loans(n: int = 500, **changes: pl.Expr) -> pl.DataFrame:
    """What `scoring.outcomes export` writes of the first decisions of a log: one in five defaulted."""
    return pl.DataFrame(
        {
            "event_id": [f"w1-{i}" for i in range(n)],
            "time": [NOW] * n,
            "model": [TAG] * n,
            "decision": ["granted"] * n,
            "probability_of_default": [0.05] * n,
            "threshold": [0.09] * n,
            "review": ["none"] * n,
            "outcome": ["defaulted" if i % 5 == 0 else "repaid" for i in range(n)],
            "observed_on": [date(2027, 1, 1) + timedelta(days=i) for i in range(n)],
        }
    ).with_columns(**changes)
