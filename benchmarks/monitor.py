"""What the monitor sees of 25 faults, and how often it cries wolf: ``python -m benchmarks.monitor``.

Clean traffic is a synthetic portfolio of another seed than the training's. Each fault is put into its raw
tables, features are computed anew, the champion scores them, and windows are drawn from that. Evidently's
drift preset, with its defaults, looks at the same windows beside.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.given import refusing
from benchmarks.monitor_faults import Injected, faults
from benchmarks.results import record
from monitoring import operations, origins
from monitoring.causes import explain
from monitoring.judgement import judge
from monitoring.reference import PREDICTION, Reference, read_reference
from monitoring.tally import Tally
from scoring import features, tables
from scoring.decision import GRANTED, REFUSED
from scoring.scorer import Scorer
from scoring.synthetic.writing import write
from scoring.tables import Portfolio

HERE = Path(__file__).resolve().parent
FILE = HERE / "monitor.json"
CLIENTS = 200  # in a window of which clients are repeated
TARGET_500, TARGET_5000, TARGET_FALSE, TARGET_FIRST, TARGET_KIND = 0.9, 0.95, 0.01, 0.9, 0.8
SPARE = 3  # times the decisions of the largest clean window
SMALL, LARGE = 500, 5_000


@dataclass(frozen=True)
class Pool:
    """Traffic with one fault, from which windows are drawn."""

    fault: Injected | None
    table: pl.DataFrame
    codes: np.ndarray[Any, Any]

    def window(self, rows: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Return the rows of a window."""
        if self.fault is not None and self.fault.is_repeating:
            return rng.choice(rng.choice(len(self.codes), CLIENTS, replace=False), rows)
        return rng.choice(len(self.codes), rows, replace=rows > len(self.codes))


def decided(portfolio: Portfolio, scorer: Scorer) -> pl.DataFrame:
    """Return probability, threshold and what the model reads."""
    inputs = features.build(portfolio)[scorer.feature_names]
    known = {PREDICTION: scorer.probability(inputs), "threshold": np.full(len(portfolio), scorer.threshold)}
    return pl.DataFrame(known).hstack(inputs)


def pools(portfolio: Portfolio, scorer: Scorer, reference: Reference, seed: int, only: str) -> Iterator[Pool]:
    """Give clean traffic, then each fault."""
    watch, clean = reference.detector, decided(portfolio, scorer)
    y = portfolio.applications["TARGET"].to_numpy()
    yield Pool(None, clean, watch.bins.codes(clean))
    categories = [name for name in scorer.feature_names if name in scorer.categories]
    top = max(
        (n for n in categories if n in portfolio.applications.columns), key=lambda n: scorer.importance[n]
    )
    level = clean[top].drop_nulls().mode().sort()[0]
    for number, fault in enumerate(faults(top, level)):
        if only and only not in fault.name:
            continue
        rng = np.random.default_rng([seed, number])
        table = clean
        if fault.raw is not None:
            table = decided(fault.raw(portfolio, rng), scorer)
        elif fault.decided is not None:
            table = fault.decided(clean, y, rng)
            if fault.name == "every input permuted":
                p = pl.Series(PREDICTION, scorer.probability(table[scorer.feature_names]))
                table = table.with_columns(p)
        yield Pool(fault, table, watch.bins.codes(table))


@dataclass
class Seen:
    """What became of the windows of one fault and size."""

    windows: int = 0
    caught: int = 0
    first: int = 0


def look(pool: Pool, reference: Reference, rows: int, windows: int, seed: int) -> Seen:
    """Judge windows of a pool."""
    seen, watch = Seen(windows), reference.detector
    for number in range(windows):
        taken = pool.window(rows, np.random.default_rng([seed, rows, number]))
        found = watch.compare(watch.bins.count(pool.codes[taken]))
        thresholds = dict(pool.table["threshold"][taken].value_counts().iter_rows())
        repeated = rows - len(np.unique(taken))
        done = operations.Operations(rows, 0, repeated, thresholds)
        alarms = operations.alarms(done, reference.thresholds)
        seen.caught += found.is_drift or bool(alarms)
        if found.is_drift and pool.fault is not None and pool.fault.origins:
            named = origins.find(watch.bins, found, PREDICTION)
            seen.first += named[0].name in pool.fault.origins
    return seen


def kinds(pool: Pool, reference: Reference, scorer: Scorer, rows: int, windows: int, seed: int) -> Seen:
    """Explain windows of a pool by undoing; ``first`` counts those whose first cause is of the right kind."""
    seen = Seen()
    for number in range(windows):
        taken = pool.window(rows, np.random.default_rng([seed, rows, number]))
        tally = Tally(reference.bins.count(pool.codes[taken]), operations.Operations(rows))
        found = judge(tally, reference).groups
        if found and pool.fault is not None and pool.fault.kinds and not pool.fault.is_repeating:
            table = as_logged(pool.table[taken], reference)
            first = explain(reference, table, found, scorer)[0]
            seen.caught += 1
            seen.first += first.kind in pool.fault.kinds
    return seen


def evidently(pool: Pool, reference: Reference, rows: int, seed: int) -> tuple[int, bool]:
    """Return how many columns Evidently's defaults flag in one window, and whether it says drift."""
    from monitoring.attachment import run  # takes seconds to import

    taken = pool.window(rows, np.random.default_rng([seed, rows, 0]))
    found = run(reference.table, pool.table[taken], [PREDICTION, *reference.inputs], seed)
    return (len(found.flagged), found.is_drift) if found else (0, False)


def made(applicants: int, seed: int) -> Portfolio:
    """Return a synthetic portfolio of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "traffic", applicants, 0, seed)
        return tables.read(path, "train", columns=features.READS)


def as_logged(table: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Return what was decided in the columns of a reference."""
    refused = pl.col(PREDICTION) >= pl.col("threshold")
    decision = pl.when(refused).then(pl.lit(REFUSED)).otherwise(pl.lit(GRANTED)).alias("decision")
    own = table.with_columns(decision)
    missing = [
        pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in reference.table.schema.items()
        if name not in own.columns
    ]
    return own.with_columns(missing).select(reference.table.columns)


@dataclass
class Cried:
    """Windows of unchanged traffic, and those of them that were called drift: the whole, a part, either."""

    windows: int = 0
    whole: int = 0
    parts: int = 0
    either: int = 0


def cry(pool: pl.DataFrame, reference: Reference, rows: int, windows: int, seed: int) -> Cried:
    """Judge windows of unchanged traffic, with their parts."""
    found, watch, segments = Cried(windows), reference.detector, reference.segments
    codes = watch.bins.codes(pool)
    own = pool.select(PREDICTION, "decision", *(one.column for one in segments.dimensions))
    for number in range(windows):
        rng = np.random.default_rng([seed, rows, number])
        taken = rng.choice(len(codes), rows, replace=rows > len(codes))
        parts = segments.count(own[taken], codes[taken])
        whole = watch.compare(watch.bins.count(codes[taken])).is_drift
        part = any(one.is_drift for one in segments.compare(parts))
        found.whole, found.parts, found.either = (
            found.whole + whole,
            found.parts + part,
            found.either + (whole or part),
        )
    return found


@refusing
def main(
    scorer: Annotated[
        Path, typer.Option(help="Folder of the champion: var/scorer, or one of the model store.")
    ],
    applicants: Annotated[
        int, typer.Option(help="Clean applications to draw windows from.", min=2_000)
    ] = 20_000,
    windows: Annotated[int, typer.Option(help="Windows of each fault and size.", min=1)] = 200,
    clean: Annotated[int, typer.Option(help="Clean windows of each size.", min=1)] = 1_000,
    sizes: Annotated[str, typer.Option(help="Decisions of a window, with commas.")] = "500,1000,5000",
    references: Annotated[
        int,
        typer.Option(help="References, by each of which clean windows and their parts are judged.", min=0),
    ] = 5,
    cried: Annotated[str, typer.Option(help="Decisions of those windows, with commas.")] = "500,2000,20000",
    has_faults: Annotated[bool, typer.Option("--faults/--no-faults", help="Put the faults in.")] = True,
    causes: Annotated[int, typer.Option(help="Windows of each fault that are explained.", min=0)] = 5,
    with_evidently: Annotated[
        bool,
        typer.Option("--evidently/--no-evidently", help="One window of each fault by Evidently's defaults."),
    ] = True,
    only: Annotated[str, typer.Option(help="Only faults whose name holds this.")] = "",
    seed: Annotated[int, typer.Option(help="Of traffic, faults and windows; not the training's.")] = 1_001,
    keep: Annotated[bool, typer.Option("--keep/--dry", help="Keep the figures in monitor.json.")] = True,
) -> None:
    """Measure detection, false alarms and first origins.

    Example: python -m benchmarks.monitor --scorer var/scorer --windows 20 --clean 100
    """
    console, started = Console(width=140), perf_counter()
    model, reference = Scorer.load(scorer), read_reference(scorer)
    lengths = [int(size) for size in sizes.split(",")]
    portfolio = made(applicants, seed)
    again = f"python -m benchmarks.monitor --scorer DIR/scorer --applicants {applicants} --windows {windows}"
    again += f" --clean {clean} --sizes {sizes} --causes {causes} --seed {seed}"
    again += f" --references {references} --cried {cried}"
    columns = ("first origin", "right kind", "Evidently", "its verdict")
    shown = Table("fault", *(f"{rows:,}" for rows in lengths), *columns)

    def said(name: str, figure: float, target: float | None, is_met: bool | None) -> None:
        if keep:
            record(f"monitor: {name}", figure, "share", target=target, met=is_met, command=again, file=FILE)

    if references:
        total = {int(size): Cried() for size in cried.split(",")}
        # Windows are drawn from several times as many: those of as many would all be the same rows.
        traffic = decided(made(SPARE * max(applicants, *total), seed), model)
        for number in range(references):
            table = as_logged(decided(made(applicants, seed + 100 + number), model), reference)
            other = replace(reference, table=table)
            for rows, sum_ in total.items():
                one = cry(
                    as_logged(traffic, reference), other, rows, max(clean // references, 1), seed + number
                )
                for field in ("windows", "whole", "parts", "either"):
                    setattr(sum_, field, getattr(sum_, field) + getattr(one, field))
                console.print(f"reference {number + 1}, {rows:,} decisions: {sum_}", highlight=False)
        for rows, sum_ in total.items():
            for what, count in (
                ("whole", sum_.whole),
                ("parts", sum_.parts),
                ("whole or parts", sum_.either),
            ):
                share = count / sum_.windows
                label = f"{sum_.windows} clean windows of {rows:,} decisions, {references} references, {what}"
                said(f"{label}: called drift", share, TARGET_FALSE, share <= TARGET_FALSE)
    if not has_faults:
        console.print(f"{perf_counter() - started:.0f} s")
        return
    for pool in pools(portfolio, model, reference, seed, only):
        name, cells = pool.fault.name if pool.fault else "clean traffic", []
        firsts = [0, 0]
        for rows in lengths:
            seen = look(pool, reference, rows, windows if pool.fault else clean, seed)
            share = seen.caught / seen.windows
            cells.append(f"{share:.3g}")
            if pool.fault is None:
                said(
                    f"{name}, {rows:,} decisions, windows called drift",
                    share,
                    TARGET_FALSE,
                    share <= TARGET_FALSE,
                )
                continue
            target = TARGET_500 if rows == SMALL and pool.fault.at_500 else None
            target = TARGET_5000 if rows == LARGE and pool.fault.at_5000 else target
            said(
                f"{name}, {rows:,} decisions, caught",
                share,
                target,
                None if target is None else share >= target,
            )
            firsts = [firsts[0] + seen.first, firsts[1] + seen.caught]
        first = ""
        if pool.fault and pool.fault.origins and firsts[1]:
            share = firsts[0] / firsts[1]
            first = f"{share:.3g}"
            said(f"{name}, of those caught, right origin first", share, TARGET_FIRST, share >= TARGET_FIRST)
        explained = kinds(pool, reference, model, max(lengths), causes, seed)
        kind = ""
        if explained.caught:
            share = explained.first / explained.caught
            kind = f"{share:.3g}"
            said(f"{name}, of those explained, right kind", share, TARGET_KIND, share >= TARGET_KIND)
        flagged, verdict = evidently(pool, reference, max(lengths), seed) if with_evidently else (0, False)
        if with_evidently and keep:
            record(
                f"monitor: {name}, columns that Evidently flags", flagged, "columns", command=again, file=FILE
            )
        beside = (str(flagged), "drift" if verdict else "no drift") if with_evidently else ("", "")
        shown.add_row(name, *cells, first, kind, *beside)
        console.print(f"{name}: {' '.join(cells)} {first} {kind} {beside[0]}", highlight=False)
    console.print(shown)
    console.print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
