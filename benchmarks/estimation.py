"""Figures without outcomes, and the bet on late ones: ``python -m benchmarks.estimation``.

Windows are drawn from a reference that keeps its outcomes, with weights that move the applicants and leave
what becomes of each as it is (covariate shift). What is estimated without outcomes is set beside what their
outcomes say, and beside NannyML's CBPE on the same rows, which runs in an environment of its own.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.given import refusing
from benchmarks.monitor import FILE
from benchmarks.results import record
from monitoring.outcomes import ALARM, Calibrator, capital, estimate, matured
from monitoring.realised import auc
from monitoring.reference import PREDICTION, read_reference
from scoring.decision import COSTS, REFUSED
from scoring.tables.decisions import AUDIT

TARGET = f"{AUDIT}target"
SHIFTED = ("EXT_SOURCE_2", "EXT_SOURCE_3", "age_years", "AMT_CREDIT", "AMT_INCOME_TOTAL", PREDICTION)
STRENGTH = 0.5  # of the weights, in standard deviations' log-odds
AUC_APART, COST_APART = 0.01, 0.03
YEARS, LABELS, LATE_DAYS, YEAR = 2, 3_000, 20, 365
Vector = NDArray[np.float64]


def weights(table: pl.DataFrame, column: str, sign: int) -> Vector:
    """Return weights that prefer high values of a column, or low ones; missing values stay as they are."""
    ranks = table[column].rank("average").to_numpy().astype(float)
    middle = np.nan_to_num((ranks - np.nanmean(ranks)) / np.nanstd(ranks))
    found = np.exp(sign * STRENGTH * middle)
    return np.asarray(found / found.sum())


def cost_of(y: Vector, refused: NDArray[np.bool_]) -> float:
    """Return what decisions cost, per 1,000, by their outcomes."""
    return float(1_000 * np.where(refused, COSTS.false_positive * (1 - y), COSTS.false_negative * y).mean())


def windows(table: pl.DataFrame, rows: int, seed: int) -> list[tuple[str, pl.DataFrame]]:
    """Draw a window for each shift: of each column up and down, and of none."""
    found = [("no shift", table.sample(rows, with_replacement=True, seed=seed))]
    for number, column in enumerate(name for name in SHIFTED if name in table.columns):
        for sign in (1, -1):
            rng = np.random.default_rng([seed, number, sign + 1])
            taken = rng.choice(table.height, rows, p=weights(table, column, sign))
            found.append((f"{column} {'higher' if sign > 0 else 'lower'}", table[taken]))
    return found


def nannyml(python: Path, reference: pl.DataFrame, drawn: list[tuple[str, pl.DataFrame]]) -> dict[str, Any]:
    """Ask NannyML's CBPE for the same windows, each a chunk."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder)
        for name, table in (("reference", reference), ("windows", pl.concat([one for _, one in drawn]))):
            table.select(
                p=PREDICTION, refused=(pl.col("decision") == REFUSED).cast(pl.Int8), y=TARGET
            ).write_parquet(plain / f"{name}.parquet")
        script = Path(__file__).with_name("nannyml_cbpe.py")
        call = [str(python), str(script), folder, str(drawn[0][1].height)]
        call += [str(COSTS.false_negative), str(COSTS.false_positive)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(f"NannyML failed: {done.stderr.strip().splitlines()[-1:]}")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return said


def lives(times: float, number: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return after how many outcomes each life of a model raises the alarm: in their turn, and as they come.

    Loans are granted over two years; a default is known after 60 to 365 days, a repaid loan after a year, and
    each report is late by 20 days in the mean. What is known after two and a half years is bet on. More than
    there are where no alarm was raised.
    """
    turned: list[int] = []
    came: list[int] = []
    for life in range(number):
        rng = np.random.default_rng([seed, life])
        p = rng.beta(1.2, 14, LABELS)
        y = rng.random(LABELS) < np.minimum(times * p, 1.0)
        day = rng.integers(0, YEARS * YEAR, LABELS)
        age = np.where(y, rng.integers(60, YEAR, LABELS), YEAR) + rng.exponential(LATE_DAYS, LABELS)
        seen = day + age.astype(int)
        known = seen <= (YEARS + 0.5) * YEAR
        epoch = pl.lit(0).cast(pl.Date)
        table = pl.DataFrame({"y": y, "day": day, "seen": seen, PREDICTION: p}).filter(pl.Series(known))
        table = table.select(
            event_id=pl.int_range(pl.len()).cast(pl.String),
            time=(epoch + pl.duration(days="day")).cast(pl.Datetime("us", "UTC")),
            model=pl.lit("m"),
            decision=pl.lit("granted"),
            probability_of_default=PREDICTION,
            outcome=pl.when("y").then(pl.lit("defaulted")).otherwise(pl.lit("repaid")),
            observed_on=(epoch + pl.duration(days="seen")).cast(pl.Date),
        )
        ripe, naive = matured(table, "m"), table.sort("observed_on")
        for found, one in ((turned, ripe), (came, naive)):
            grown = capital((one["outcome"] == "defaulted").to_numpy(), one[PREDICTION].to_numpy())
            passed = np.flatnonzero(grown >= np.log(ALARM))
            found.append(int(passed[0]) + 1 if len(passed) else LABELS + 1)
    return np.array(turned), np.array(came)


@refusing
def main(
    scorer: Annotated[
        Path, typer.Option(help="Folder of a champion whose reference keeps its outcomes: trained anew.")
    ],
    rows: Annotated[int, typer.Option(help="Decisions of a window.", min=1_000)] = 20_000,
    number: Annotated[int, typer.Option("--lives", help="Simulated lives of the bet.", min=0)] = 1_000,
    peer: Annotated[
        Path | None,
        typer.Option("--nannyml", help="Python of an environment with NannyML (benchmarks/nannyml.txt)."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the reference is of, for the record.")] = "demo",
    is_held_out: Annotated[
        bool,
        typer.Option("--held-out/--whole", help="Draw windows from applicants whose outcomes are not used."),
    ] = True,
    seed: Annotated[int, typer.Option(help="Of windows and lives.")] = 1,
    keep: Annotated[bool, typer.Option("--keep/--dry", help="Keep the figures in monitor.json.")] = True,
) -> None:
    """Measure figures without outcomes beside the real ones and NannyML's, and false alarms of the bet.

    Example: python -m benchmarks.estimation --scorer var/scorer --nannyml var/bench/nannyml/bin/python
    """
    console, started = Console(width=140), perf_counter()
    again = f"python -m benchmarks.estimation --scorer DIR/scorer --rows {rows} --lives {number}"
    again += f" --name {name!r} --seed {seed}" + ("" if is_held_out else " --whole")
    again += " --nannyml var/bench/nannyml/bin/python" if peer else ""

    def said(what: str, figure: float, unit: str, target: float | None, is_met: bool | None) -> None:
        console.print(f"{what}: {figure:.4g} {unit}", highlight=False)
        if keep:
            record(f"monitor: {what}", figure, unit, target=target, met=is_met, command=again, file=FILE)

    table = read_reference(scorer).table
    if TARGET not in table.columns:
        raise ValueError(f"the reference of {scorer} was written without outcomes; train again.")
    table = table.with_columns(pl.col(TARGET).cast(pl.Float64))
    known = table
    if is_held_out:
        mixed = table.sample(fraction=1.0, shuffle=True, seed=seed)
        known, table = mixed[: mixed.height // 2], mixed[mixed.height // 2 :]
        name = f"{name}, outcomes of other applicants"
    calibrator = Calibrator.of(known[PREDICTION], known[TARGET])
    drawn = windows(table, rows, seed)
    other = nannyml(peer, known, drawn) if peer else None
    heads = ("AUC", "estimated", "NannyML", "cost", "estimated", "NannyML", "default rate", "estimated")
    shown = Table("shift", *heads)
    apart: dict[str, list[float]] = {"AUC": [], "cost": [], "NannyML AUC": [], "NannyML cost": [], "rate": []}
    for place, (label, window) in enumerate(drawn):
        y, p = window[TARGET].to_numpy(), window[PREDICTION].to_numpy()
        refused = (window["decision"] == REFUSED).to_numpy()
        real, cost = auc(y, p), cost_of(y, refused)
        found = estimate(p, refused, COSTS, calibrator)
        if real is None or found.auc is None:
            continue
        theirs = (other["auc"][place], 1_000 * other["value"][place]) if other else None
        apart["AUC"].append(abs(found.auc - real.value))
        apart["cost"].append(abs(found.cost / cost - 1))
        apart["rate"].append(abs(found.default_rate / y.mean() - 1))
        if theirs:
            apart["NannyML AUC"].append(abs(theirs[0] - real.value))
            apart["NannyML cost"].append(abs(theirs[1] / cost - 1))
        beside = (f"{theirs[0]:.4f}", f"{theirs[1]:.1f}") if theirs else ("", "")
        shown.add_row(
            *(label, f"{real.value:.4f}", f"{found.auc:.4f}", beside[0]),
            *(f"{cost:.1f}", f"{found.cost:.1f}", beside[1]),
            *(f"{y.mean():.4f}", f"{found.default_rate:.4f}"),
        )
    console.print(shown)
    for what, most in (("AUC", AUC_APART), ("cost", COST_APART), ("rate", None)):
        for kind in ("", "NannyML "):
            if values := apart.get(f"{kind}{what}"):
                unit = "AUC" if what == "AUC" else "share"
                label = f"{name}, {len(values)} windows, {kind or 'ours, '}{what} without outcomes"
                worst, target = max(values), most if not kind else None
                is_met = None if target is None else worst <= target
                said(f"{label}: off at most", worst, unit, target, is_met)
                said(f"{label}: off in the mean", float(np.mean(values)), unit, None, None)
    if number:
        right, came = lives(1.0, number, seed)
        worse, _ = lives(1.5, number, seed)
        label = f"{number} lives of {LABELS:,} late labels"
        false = float((right <= LABELS).mean())
        said(f"{label}, right scores called wrong", false, "share", 0.01, false <= 0.01)
        naive = float((came <= LABELS).mean())
        said(f"{label}, the same if labels count as they come", naive, "share", None, None)
        found_in = float((worse <= 1_000).mean())
        said(f"{label}, default rate +50% found in 1,000", found_in, "share", 0.9, found_in >= 0.9)
    console.print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
