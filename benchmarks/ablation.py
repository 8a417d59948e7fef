"""What each block of features is worth: added one after the other, out of fold, against the step before.

``python -m benchmarks.ablation --portfolio FILE``. The last two steps take the products and polynomials away
again, and let null importance choose, inside the folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.given import FOLDS, Given, MadeBy, command, judge, read, refusing
from benchmarks.peers import MODEL_FILE
from benchmarks.results import record
from scoring import features as declared
from scoring.candidates import LIGHTGBM
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evidence.alternatives import BLOCKS
from scoring.evidence.paired import FoldScores, differences

TITLES = {  # of the blocks of `alternatives.BLOCKS`, in the records
    "application": "raw application columns",
    "terms": "+ terms of the loan",
    "ratios": "+ ratios",
    "scores": "+ summaries of the external scores",
    "products": "+ products and polynomials",
    "bureau": "+ bureau",
    "previous": "+ previous applications",
    "repayment": "+ POS, cards, instalments",
    "cross": "+ cross-table ratios",
}


@dataclass(frozen=True)
class Step:
    """One line of the table: what it is measured against, and how its features are chosen inside a fold."""

    name: str
    before: str | None
    names: tuple[str, ...]
    is_chosen: bool = False


def steps(allowed: Sequence[str]) -> Iterator[Step]:
    """Give the steps in order; a block that the portfolio's policy leaves empty is left out."""
    have: list[str] = []
    before: str | None = None
    for key, belongs in BLOCKS.items():
        name = TITLES[key]
        block = [n for n in allowed if n not in have and belongs(declared.FEATURE_BY_NAME[n])]
        have += block
        if block:
            yield Step(name, before, tuple(n for n in allowed if n in have))
            before = name
    plain = tuple(n for n in allowed if not BLOCKS["products"](declared.FEATURE_BY_NAME[n]))
    yield Step("all but products and polynomials", before, plain)
    yield Step("all, chosen by null importance", before, tuple(allowed), is_chosen=True)


@refusing
def main(
    portfolio: Given,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats of the cross-validation.")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first folds.")] = 0,
    name: Annotated[str, typer.Option(help="Keep the figures in model.json under this name.")] = "",
    made_by: MadeBy = "",
) -> None:
    """Measure each block of features against the step before, with paired 95 % intervals.

    Intervals are over applications, the fitted models as given: another fit adds to them.

    Example: python -m benchmarks.ablation --portfolio with-history-10k.zip --repeats 3
    """
    console, started = Console(), perf_counter()
    known, y = read(portfolio, declared.READS)
    allowed = declared.names(DEFAULT_PROTECTED)
    features = declared.build(known).select(allowed)
    del known
    filled = [n for n in allowed if features[n].n_unique() > 1]  # a table that is absent is no step
    coded = Coded.of(features.select(filled))
    table = Table(title=f"{portfolio.name}: {len(y):,} applications, {repeats} x {FOLDS} folds")
    for title in ("features", "number", "AUC", "cost per 1,000", "AUC gained", "cost saved"):
        table.add_column(title, justify="left" if title == "features" else "right", overflow="fold")
    again = command("ablation", portfolio, made_by, repeats=repeats, seed=seed, name=name)
    done: dict[str, FoldScores] = {}
    with console.status("") as status:
        for step in steps(filled):
            status.update(f"Fitting: {step.name}")
            own = coded.only(step.names)
            judged, _, width = judge(
                step.name, LIGHTGBM, own, y, repeats=repeats, seed=seed, is_choosing=step.is_chosen
            )
            done[step.name] = judged
            figures = {"AUC": judged.auc()}
            gaps = differences(judged, done[step.before], seed) if step.before else ()
            if gaps:
                figures["AUC gained"] = gaps[0].value
            for what, figure in figures.items() if name else ():
                record(
                    f"ablation, {name}: {step.name}, {what}", figure, "AUC", command=again, file=MODEL_FILE
                )
            cost = f"{judged.cost_per_1000:.0f}"
            table.add_row(step.name, f"{width:.0f}", f"{judged.auc():.4f}", cost, *map(str, gaps or ("", "")))
    console.print(table)
    console.print(f"{perf_counter() - started:.0f} s")


if __name__ == "__main__":
    typer.run(main)
