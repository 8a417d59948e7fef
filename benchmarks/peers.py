"""Our champion beside the recipes of earlier systems: same applications, same folds, paired differences.

``python -m benchmarks.peers --portfolio FILE``. Every system chooses the threshold that is cheapest on its
own out-of-fold scores, as the earlier ones did.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.given import FOLDS, Given, MadeBy, command, judge, read, refusing
from benchmarks.recipes import RECIPES, Recipe
from benchmarks.results import FILE, record
from scoring import features as declared
from scoring.candidates import LIGHTGBM
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import deal_folds
from scoring.evidence.paired import FoldScores, differences
from scoring.metrics import Outcomes

MODEL_FILE = FILE.with_name("model.json")
FEWEST = 13  # of each outcome: a recipe deals four fifths of them into five folds again, two in each
Vector = NDArray[np.float64]
Report = Callable[[str], object]


def theirs(recipe: Recipe, columns: pl.DataFrame, y: Outcomes, repeats: int, seed: int) -> FoldScores:
    """Cross-validate an earlier system's recipe on the same folds."""
    matrix = columns.to_numpy()
    scored = np.empty((repeats, len(y)))
    for repeat in range(repeats):
        folds = deal_folds(y, FOLDS, seed + repeat)
        for fold in range(FOLDS):
            outside = folds == fold
            scored[repeat, outside] = recipe.fit(
                matrix[~outside], y[~outside], matrix[outside], y[outside], seed + repeat
            )
    return FoldScores(recipe.name, y, scored)


def compare(portfolio: Path, repeats: int, seed: int, report: Report) -> tuple[FoldScores, list[FoldScores]]:
    """Run all systems on a portfolio; ours first."""
    known, y = read(portfolio, fewest=FEWEST)
    report("ours")
    coded = Coded.of(declared.build(known).select(declared.names(DEFAULT_PROTECTED)))
    champion, *_ = judge("ours", LIGHTGBM, coded, y, repeats=repeats, seed=seed)
    peers = []
    for recipe in RECIPES:
        report(recipe.name)
        peers.append(theirs(recipe, recipe.columns(known), y, repeats, seed))
    return champion, peers


@refusing
def main(
    portfolio: Given,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of the cross-validation.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first folds.")] = 0,
    name: Annotated[str, typer.Option(help="Keep the figures in model.json under this name.")] = "",
    made_by: MadeBy = "",
) -> None:
    """Compare the champion with earlier systems, out of fold, with paired 95 % intervals.

    Intervals are over applications, the fitted models as given: another fit adds to them.

    Example: python -m benchmarks.peers --portfolio with-history-10k.zip --repeats 3
    """
    console, started = Console(), perf_counter()
    with console.status("Reading the portfolio") as status:
        champion, peers = compare(portfolio, repeats, seed, lambda what: status.update(f"Fitting: {what}"))
    table = Table(title=f"{portfolio.name}: {len(champion.y):,} applications, {repeats} x {FOLDS} folds")
    for title in ("system", "AUC", "score", "cost per 1,000", "threshold", "ours: AUC", "ours: cost saved"):
        table.add_column(title, justify="left" if title == "system" else "right", overflow="fold")
    _row(table, champion)
    again = command("peers", portfolio, made_by, repeats=repeats, seed=seed, name=name)
    for peer in peers:
        auc, cost = differences(champion, peer, seed)
        _row(table, peer, str(auc), str(cost))
        if name:
            for what, unit, gap in (("AUC", "AUC", auc), ("cost", "per 1,000", cost)):
                label = f"peers, {name}, {what}: ours ahead of {peer.name}"
                record(label, gap.value, unit, target=0.0, met=gap.low > 0, command=again, file=MODEL_FILE)
                record(
                    f"{label}, lower bound",
                    gap.low,
                    unit,
                    target=0.0,
                    met=gap.low > 0,
                    command=again,
                    file=MODEL_FILE,
                )
    console.print(table)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    console.print(f"{perf_counter() - started:.0f} s, peak memory {peak:.1f} GiB")


def _row(table: Table, judged: FoldScores, *gaps: str) -> None:
    threshold = float(np.mean(judged.thresholds))
    table.add_row(
        judged.name,
        f"{judged.auc():.4f}",
        f"{judged.business_score:.4f}",
        f"{judged.cost_per_1000:.0f}",
        f"{threshold:.3f}",
        *(gaps or ("", "")),
    )


if __name__ == "__main__":
    typer.run(main)
