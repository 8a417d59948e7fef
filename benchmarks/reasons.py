"""Whether the reasons of all who are refused in a portfolio are complete: tried one by one, all together.

A scorer of the champion's family is trained on the portfolio and asked about every application that it
refuses (`scoring.evidence.completeness`).
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when LightGBM is imported: see train.py

import numpy as np
import typer
from rich.console import Console

from benchmarks import results
from benchmarks.given import MadeBy, command, read, refusing
from scoring import features as declared
from scoring import tables
from scoring.assembly import assemble
from scoring.candidates import LIGHTGBM, TrainingSet
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import cross_validate, deal_folds, evaluate
from scoring.evidence.alternatives import directions
from scoring.evidence.completeness import complete

FILE = Path(__file__).resolve().parent / "verdict.json"
SEED = 3
console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m benchmarks.reasons --portfolio var/demo")
@refusing
def main(
    path: Annotated[Path, typer.Option("--portfolio", help="Applications with outcomes.")],
    applicants: Annotated[int, typer.Option(min=1_000, help="That many of them, drawn.")] = 1_000_000,
    folds: Annotated[int, typer.Option(min=2)] = 3,
    boosters: Annotated[int, typer.Option(min=2, help="Grown in each fit.")] = 3,
    is_kept: Annotated[bool, typer.Option("--keep", help="Keep the figures in verdict.json.")] = False,
    made_by: MadeBy = "",
) -> None:
    """Train, explain everybody who is refused, and try every reason."""
    portfolio, y = read(path, declared.READS)
    drawn = np.sort(np.random.default_rng(SEED).permutation(len(y))[:applicants])
    portfolio, y = tables.take(portfolio, drawn), y[drawn]
    table = declared.build(portfolio).select(declared.names(DEFAULT_PROTECTED))
    data = TrainingSet.of(table, y, directions(table.columns), SEED)
    candidate, dealt = replace(LIGHTGBM, boosters=boosters), deal_folds(y, folds, SEED)
    found = cross_validate(candidate, data, dealt)
    evaluation = evaluate(y, found.raw, dealt, replicates=1, seed=SEED)
    scorer = assemble(
        candidate, table, data, evaluation, policy=DEFAULT_PROTECTED, lineage={}, rounds=found.best_rounds
    )
    tried = complete(scorer, table)
    if tried is None:
        raise ValueError("nobody is refused, so there is no reason to try.")
    said = (
        command("reasons", path, made_by, applicants=applicants, folds=folds, boosters=boosters) + " --keep"
    )
    for name, figure, unit, target in (
        ("refused applications", tried.applications, "applications", None),
        ("reasons told", tried.reasons, "reasons", None),
        ("all of them turn the refusal", tried.turned, "share", None),
        ("else the answer says that further causes act", tried.noted, "share", 1.0),
        ("the risk falls without one", tried.fell, "share", 1.0),
        ("a group not told weighs more, unsaid", tried.outweighed, "share", 0.0),
        ("values quoted", tried.quoted, "values", None),
        ("a value speaks for the applicant", tried.quoted_for, "share", 0.0),
    ):
        console.print(f"{name}: {figure:.5g} {unit}")
        if is_kept:
            met = None if target is None else figure == target
            where = f"reasons, {path.stem}, {len(y):,} applicants"
            results.record(f"{where}: {name}", figure, unit, target=target, met=met, command=said, file=FILE)


if __name__ == "__main__":
    app()
