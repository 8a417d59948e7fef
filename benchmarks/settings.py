"""What each of the champion's settings is worth: taken back in turn, out of fold, against its candidate.

``python -m benchmarks.settings --portfolio FILE``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.peers import FOLDS, MODEL_FILE
from benchmarks.results import record
from scoring import features as declared
from scoring import tables
from scoring.candidates import LIGHTGBM, LIGHTGBM_FREE, Candidate, vectorise
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import cross_validate, deal_folds
from scoring.evidence.paired import Judged, differences
from scoring.scorer.model import probability

VARIANTS: dict[str, Candidate] = {
    "the champion's candidate": LIGHTGBM,
    "2 boosters": replace(LIGHTGBM, boosters=2),
    "31 leaves, a fifth of the features a tree": replace(
        LIGHTGBM, settings={**LIGHTGBM.settings, "num_leaves": 31, "feature_fraction": 0.2}
    ),
    "no directions": LIGHTGBM_FREE,
}


def main(
    portfolio: Annotated[Path, typer.Option(help="Kaggle folder, the Kaggle zip, or a folder of Parquet.")],
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
    name: Annotated[str, typer.Option(help="Keep the figures in model.json under this name.")] = "",
) -> None:
    """Measure each setting against the champion's candidate, with paired 95 % intervals.

    Intervals are over applications, the fitted models as given: another fit adds to them.

    Example: python -m benchmarks.settings --portfolio with-history-10k.zip
    """
    console, started = Console(), perf_counter()
    read = tables.read(portfolio, "train", columns=declared.READS)
    y = vectorise(read.applications["TARGET"])
    allowed = declared.names(DEFAULT_PROTECTED)
    coded = Coded.of(declared.build(read).select(allowed))
    del read
    folds, directions = (
        deal_folds(y, FOLDS, seed),
        {n: declared.FEATURE_BY_NAME[n].direction for n in allowed},
    )
    table = Table(title=f"{portfolio.name}: {len(y):,} applications, {FOLDS} folds")
    for title in ("settings", "trees", "AUC", "cost per 1,000", "AUC gained", "cost saved"):
        table.add_column(title, justify="left" if title == "settings" else "right", overflow="fold")
    command = f"python -m benchmarks.settings --portfolio {portfolio.name}"
    champion: Judged | None = None
    with console.status("") as status:
        for what, candidate in VARIANTS.items():
            status.update(f"Fitting: {what}")
            found = cross_validate(candidate, coded, y, folds, directions, seed)
            judged = Judged(what, y, probability(found.raw)[None, :])
            gaps = differences(judged, champion, seed) if champion else ()
            champion = champion or judged
            trees = round(float(np.mean(found.rounds))) * candidate.boosters
            cost = f"{judged.cost_per_1000:.0f}"
            table.add_row(what, f"{trees:,}", f"{judged.auc():.4f}", cost, *map(str, gaps or ("", "")))
            figures = [("AUC", judged.auc(), "AUC"), ("cost", judged.cost_per_1000, "per 1,000")]
            figures += [("trees", trees, "trees")]
            for key, figure, unit in figures if name else ():
                record(f"settings, {name}: {what}, {key}", figure, unit, None, None, command, MODEL_FILE)
    console.print(table)
    console.print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
