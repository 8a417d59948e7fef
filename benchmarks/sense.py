"""What common sense as a law costs: the same folds with and without it, by trees or by the regression.

With it, every feature that moves on a way to a smaller loan or a higher income keeps the direction that the
way asks for (`scoring.evidence.sense`). Without it, these features have none; all others keep theirs.
"""

from __future__ import annotations

import os
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when LightGBM is imported: see train.py

import numpy as np
import polars as pl
import typer
from rich.console import Console

from benchmarks import results
from benchmarks.given import MadeBy, command, refusing
from scoring import features as declared
from scoring import tables
from scoring.candidates import LIGHTGBM, LOGISTIC_REGRESSION, Candidate, TrainingSet, fit_rows
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import deal_folds
from scoring.evidence.alternatives import directions as own_directions
from scoring.evidence.paired import FoldScores, differences
from scoring.evidence.sense import NOTHING, WAYS, directions, walk
from scoring.metrics import Outcomes
from scoring.scorer.model import probability

FILE = Path(__file__).resolve().parent / "verdict.json"
WALKED = 1_000  # applicants, none of whom the model that rates them learned from
SEED = 3
console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Family(StrEnum):
    """What can be held to the law."""

    lightgbm = "lightgbm"
    logistic_regression = "logistic_regression"


class Tried:
    """A way to hold directions, cross-validated: what it says, and for whom the risk rises on each way."""

    def __init__(
        self,
        name: str,
        coded: Coded,
        y: Outcomes,
        held: dict[str, int],
        *,
        steps: dict[str, list[pl.DataFrame]],
        size: tuple[int, int],
        candidate: Candidate,
    ) -> None:
        folds, rounds = size
        dealt = deal_folds(y, folds, SEED)
        data, raw = TrainingSet(coded, y, held, SEED), np.empty(len(y))
        self.rose, self.ended = dict[str, float](), dict[str, float]()
        for fold in range(folds):
            outside = dealt == fold
            encoding, function = fit_rows(candidate, data.take(~outside), rounds)
            raw[outside] = function.raw(coded.encode(encoding, outside))
            if fold == 0:
                for way, walked in steps.items():
                    rated = np.array([probability(function.raw(encoding.encode(t))) for t in walked])
                    self.rose[way] = float((np.diff(rated, axis=0) > NOTHING).any(axis=0).mean())
                    self.ended[way] = float((rated[-1] > rated[0] + NOTHING).mean())
        self.judged = FoldScores(name, y, probability(raw)[None, :])


@app.command(epilog="Example: python -m benchmarks.sense --portfolio var/demo")
@refusing
def main(
    path: Annotated[Path, typer.Option("--portfolio", help="Applications with outcomes.")],
    applicants: Annotated[int, typer.Option(min=1_000, help="That many of them, drawn.")] = 12_000,
    folds: Annotated[int, typer.Option(min=2)] = 3,
    boosters: Annotated[int, typer.Option(min=1, help="Grown in each fit.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Trees of each.")] = 100,
    family: Annotated[Family, typer.Option(help="Of the models that are fitted.")] = Family.lightgbm,
    is_kept: Annotated[bool, typer.Option("--keep", help="Keep the figures in verdict.json.")] = False,
    made_by: MadeBy = "",
) -> None:
    """Fit with and without the law; compare AUC, cost, and for how many the risk rises on the way."""
    portfolio = tables.read(path, "train", columns=declared.READS)
    everybody = len(portfolio.applications)
    drawn = np.sort(np.random.default_rng(SEED).permutation(everybody)[:applicants])
    portfolio = tables.take(portfolio, drawn)
    y = portfolio.applications["TARGET"].to_numpy().astype(np.int8)
    names = declared.names(DEFAULT_PROTECTED)
    coded = Coded.of(declared.build(portfolio).select(names))
    first = np.flatnonzero(deal_folds(y, folds, SEED) == 0)[:WALKED]
    steps = {way: walk(tables.take(portfolio, first), way, names) for way in WAYS}
    asked, torn = directions(steps)
    law = own_directions(names)
    free = {name: 0 if name in asked else side for name, side in law.items()}
    boosted = family is Family.lightgbm
    candidate = replace(LIGHTGBM, boosters=boosters) if boosted else LOGISTIC_REGRESSION
    without, held = (
        Tried(name, coded, y, sides, steps=steps, size=(folds, rounds), candidate=candidate)
        for name, sides in (("without", free), ("law", law))
    )
    other = {} if boosted else {"family": family.value}
    said = command("sense", path, made_by, applicants=applicants, **other) + " --keep"
    where = f"{path.stem}, {len(y):,} applicants" + ("" if boosted else ", logistic regression")

    def keep(
        name: str,
        figure: float,
        unit: str,
        target: float | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        met = None if target is None else figure <= target
        console.print(f"{name}: {figure:.4g} {unit}")
        if is_kept:
            results.record(
                f"common sense, {where}: {name}",
                figure,
                unit,
                target=target,
                met=met,
                command=said,
                file=FILE,
                bounds=bounds,
            )

    auc, saved = differences(held.judged, without.judged)
    console.print(f"AUC {auc}, cost saved {saved}; {len(asked)} features move; torn: {torn or 'none'}")
    keep("features that move", len(asked), "features")
    keep("AUC without the law", without.judged.auc(), "AUC")
    keep("AUC gained by the law", auc.value, "AUC", bounds=(auc.low, auc.high))
    keep("saved by the law", saved.value, "per 1,000", bounds=(saved.low, saved.high))
    for way in steps:
        keep(f"{way}, before: rises at some step", without.rose[way], "share")
        keep(f"{way}, before: ends higher", without.ended[way], "share")
        keep(f"{way}, with the law: rises at some step", held.rose[way], "share", 0.001)
        keep(f"{way}, with the law: ends higher", held.ended[way], "share", 0.001)


if __name__ == "__main__":
    app()
