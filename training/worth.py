"""Whether a model knows more than one answer for everybody: what it must, to be served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.decision import COSTS
from scoring.evidence.paired import Difference
from scoring.metrics import SURE

REPLICATES = 500
Costs = NDArray[np.float64]


@dataclass(frozen=True)
class Worth:
    """A model beside giving everybody the same answer, out of fold; below 0 the model is ahead.

    Attributes
    ----------
    answer : {"granting", "refusing"}
        The answer that costs less when everybody gets it.
    cost : Difference
        Per 1,000 applications, with a 95 % interval.
    log_loss : Difference
        Against the default rate as everybody's probability, in nats.
    """

    answer: str
    cost: Difference
    log_loss: Difference

    @property
    def is_better(self) -> bool:
        """Whether its decisions are cheaper, or its probabilities better, beyond chance."""
        return self.cost.high < 0 or self.log_loss.high < 0

    def __str__(self) -> str:
        """Say it in words."""
        better = "" if self.is_better else "not "
        return (
            f"{better}better than {self.answer} everybody: its decisions cost {self.cost} per 1,000 "
            f"applications, its log-loss is {self.log_loss} apart"
        )


def worth(said: pl.DataFrame, seed: int = 0) -> Worth:
    """Set a model against the same answer for everybody, application by application.

    Parameters
    ----------
    said : polars.DataFrame
        From ``runs.read_out_of_fold``.
    """
    y, p = said["y"].to_numpy(), np.clip(said["probability"].to_numpy(), SURE, 1 - SURE)
    rate = np.full(len(y), y.mean())
    granting, refusing = COSTS.false_negative * y, COSTS.false_positive * (1.0 - y)
    answer, costs = ("granting", granting) if granting.sum() <= refusing.sum() else ("refusing", refusing)
    return Worth(
        answer,
        _difference(1_000 * (decision_costs(said) - costs), seed, 1),
        _difference(_log_losses(y, p) - _log_losses(y, rate), seed, 5),
    )


def decision_costs(said: pl.DataFrame) -> Costs:
    """Return what each decision cost."""
    y, refused = said["y"].to_numpy(), refusals(said)
    return np.where(refused, COSTS.false_positive * (1 - y), COSTS.false_negative * y)


def refusals(said: pl.DataFrame) -> NDArray[np.bool_]:
    """Return whether each application was refused."""
    return np.asarray(said["probability"].to_numpy() >= said["threshold"].to_numpy())


def _log_losses(y: NDArray[np.int8], p: Costs) -> Costs:
    return -np.log(np.where(y == 1, p, 1 - p))


def _difference(each: Costs, seed: int, digits: int) -> Difference:
    """Return the mean with its 95 % bootstrap interval over applications."""
    random, n = np.random.default_rng(seed), len(each)
    means = [each[random.integers(0, n, n)].mean() for _ in range(REPLICATES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(each.mean()), float(low), float(high), digits)
