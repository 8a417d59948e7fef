"""What the comparisons of models share: the portfolio, a candidate out of fold, the command for a record."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape

from scoring import features as declared
from scoring import tables
from scoring.candidates import Candidate, TrainingSet, vectorise
from scoring.candidates.coding import Coded
from scoring.candidates.selection import importance
from scoring.evaluation import OutOfFold, cross_validate, deal_folds
from scoring.evidence.paired import FoldScores
from scoring.metrics import Outcomes
from scoring.scorer.model import probability
from scoring.tables import Portfolio

FOLDS = 5
BAD_INPUT = 2
Given = Annotated[Path, typer.Option(help="Kaggle folder, the Kaggle zip, or a folder of Parquet.")]
MadeBy = Annotated[
    str, typer.Option(metavar="COMMAND", help="What makes a synthetic portfolio; kept with the figures.")
]
P = ParamSpec("P")


def refusing(command: Callable[P, None]) -> Callable[P, None]:
    """Make a command say in one sentence why it cannot measure what it is given, and exit with 2."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> None:
        try:
            command(*args, **options)
        except (ValueError, OSError) as error:
            said = f"[bold red]Nothing is measured:[/] {escape(str(error))}"
            Console(stderr=True).print(said, highlight=False, soft_wrap=True)
            raise typer.Exit(BAD_INPUT) from error

    return run


def read(
    path: Path, columns: Mapping[str, Collection[str]] | None = None, fewest: int = 2 * FOLDS
) -> tuple[Portfolio, Outcomes]:
    """Read a portfolio and its outcomes.

    Raises
    ------
    ValueError
        If it cannot be read, has no TARGET, one class only, or fewer than ``fewest`` of either outcome.
    """
    portfolio = tables.read(path, "train", columns=columns)
    y = vectorise(portfolio.applications["TARGET"])
    deal_folds(y, FOLDS)
    for outcome, word in ((1, "defaults"), (0, "repaid credits")):
        if (n := int((y == outcome).sum())) < fewest:
            raise ValueError(
                f"{path} has {n} {word}; this comparison needs {fewest}: give more applications."
            )
    return portfolio, y


def judge(
    name: str,
    candidate: Candidate,
    coded: Coded,
    y: Outcomes,
    *,
    repeats: int,
    seed: int,
    is_choosing: bool = False,
) -> tuple[FoldScores, list[OutOfFold], float]:
    """Cross-validate a candidate under the declared directions, repeat after repeat.

    Parameters
    ----------
    is_choosing : bool
        Whether null importance chooses the features inside each fold.

    Returns
    -------
    tuple of FoldScores, list of OutOfFold and float
        What it said, repeat by repeat, and the mean number of features that it read.
    """
    directions = {feature: declared.FEATURE_BY_NAME[feature].direction for feature in coded.names}
    found: list[OutOfFold] = []
    widths: list[int] = []
    for own in range(seed, seed + repeats):
        folds, chosen = deal_folds(y, FOLDS, own), None
        data = TrainingSet(coded, y, directions, own)
        if is_choosing:
            chosen = [importance(data.take(folds != fold)).kept for fold in range(FOLDS)]
        found.append(cross_validate(candidate, data, folds, chosen=chosen))
        widths += [len(names) for names in chosen] if chosen else [len(coded.names)]
    return (
        FoldScores(name, y, np.array([probability(one.raw) for one in found])),
        found,
        float(np.mean(widths)),
    )


def shown(path: Path) -> str:
    """Return a portfolio as a record names it: as it was given, but no path of one machine's own."""
    if path.suffix == ".zip":
        return path.name  # licensed data: whoever has it knows where
    if path.is_absolute():
        here = Path.cwd()
        return str(path.relative_to(here)) if path.is_relative_to(here) else f"DIR/{path.name}"
    return str(path)


def command(module: str, portfolio: Path, made_by: str = "", **options: object) -> str:
    """Return the command that makes a figure again, the one that makes the portfolio before it."""
    words = ["python", "-m", f"benchmarks.{module}", "--portfolio", shown(portfolio)]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return f"{made_by} && {shlex.join(words)}" if made_by else shlex.join(words)
