"""What each of the champion's settings is worth: taken back in turn, out of fold, against its candidate.

``python -m benchmarks.settings --portfolio FILE``.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.given import FOLDS, Given, MadeBy, command, judge, read, refusing
from benchmarks.peers import MODEL_FILE
from benchmarks.results import record
from scoring import features as declared
from scoring.candidates import LIGHTGBM, LIGHTGBM_FREE, Candidate
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evidence.paired import FoldScores, differences

VARIANTS: dict[str, Candidate] = {
    "the champion's candidate": LIGHTGBM,
    "2 boosters": replace(LIGHTGBM, boosters=2),
    "31 leaves, a fifth of the features a tree": replace(
        LIGHTGBM, settings={**LIGHTGBM.settings, "num_leaves": 31, "feature_fraction": 0.2}
    ),
    "no directions": LIGHTGBM_FREE,
}


@refusing
def main(
    portfolio: Given,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
    name: Annotated[str, typer.Option(help="Keep the figures in model.json under this name.")] = "",
    made_by: MadeBy = "",
) -> None:
    """Measure each setting against the champion's candidate, with paired 95 % intervals.

    Intervals are over applications, the fitted models as given: another fit adds to them.

    Example: python -m benchmarks.settings --portfolio with-history-10k.zip
    """
    console, started = Console(), perf_counter()
    known, y = read(portfolio, declared.READS)
    coded = Coded.of(declared.build(known).select(declared.names(DEFAULT_PROTECTED)))
    del known
    table = Table(title=f"{portfolio.name}: {len(y):,} applications, {FOLDS} folds")
    for title in ("settings", "trees", "AUC", "cost per 1,000", "AUC gained", "cost saved"):
        table.add_column(title, justify="left" if title == "settings" else "right", overflow="fold")
    again = command("settings", portfolio, made_by, seed=seed, name=name)
    champion: FoldScores | None = None
    with console.status("") as status:
        for what, candidate in VARIANTS.items():
            status.update(f"Fitting: {what}")
            judged, (found,), _ = judge(what, candidate, coded, y, repeats=1, seed=seed)
            gaps = differences(judged, champion, seed) if champion else ()
            champion = champion or judged
            trees = round(float(np.mean(found.rounds))) * candidate.boosters
            cost = f"{judged.cost_per_1000:.0f}"
            table.add_row(what, f"{trees:,}", f"{judged.auc():.4f}", cost, *map(str, gaps or ("", "")))
            figures = [("AUC", judged.auc(), "AUC"), ("cost", judged.cost_per_1000, "per 1,000")]
            figures += [("trees", trees, "trees")]
            for key, figure, unit in figures if name else ():
                record(f"settings, {name}: {what}, {key}", figure, unit, command=again, file=MODEL_FILE)
    console.print(table)
    console.print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
