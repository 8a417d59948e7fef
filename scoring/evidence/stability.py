"""Whether the model holds: on applications like the later ones, in the order of time, and fitted again.

The source has no calendar: every date counts from the application, and SK_ID_CURR is in no order. What
separates the labelled applications from the later ones is learned instead. The probability of being one of
the later ones then orders the labelled ones as time would: the last fifth is what tomorrow looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.candidates import PROBE, TrainingSet, fit_rows
from scoring.candidates.coding import Coded
from scoring.evaluation import Evaluation
from scoring.metrics import Measured, Outcomes, Vector, measure, with_intervals
from scoring.scorer.model import probability

PARTS = 5
DOMAIN_ROUNDS = 60  # trees: the two populations are told apart by few columns
MOST_ROWS = 10_000  # of each population
NAMED = 8  # features that separate the populations most


@dataclass(frozen=True, eq=False)
class Resemblance:
    """How the labelled applications lie to the later ones.

    Attributes
    ----------
    likeness : ndarray of shape (n_applications,)
        Out-of-fold probability that a labelled application is one of the later ones.
    auc : float
        0.5: the two populations look the same; 1: nothing in common.
    telling : tuple of (str, float)
        Features that separate them most, with their share of the gain.
    """

    likeness: Vector
    auc: float
    telling: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class PartFigures:
    """The figures of one part of the applications."""

    number: int
    applications: int
    default_rate: float
    forecast: float
    auc: Measured
    cost_per_1000: Measured


@dataclass(frozen=True)
class Spread:
    """What another seed changes.

    Attributes
    ----------
    auc, cost_per_1000 : tuple of float
        One per seed; the cost where the same share is granted by all.
    share_granted : float
        That share.
    same_decision : float
        Share of applications that all seeds decide alike there.
    probability_gap : float
        Mean distance between the highest and the lowest calibrated probability of an application.
    """

    auc: tuple[float, ...]
    cost_per_1000: tuple[float, ...]
    share_granted: float
    same_decision: float
    probability_gap: float


def resemblance(labelled: pl.DataFrame, later: pl.DataFrame, seed: int = 0) -> Resemblance:
    """Learn what separates labelled applications from later ones, out of fold in two halves.

    Parameters
    ----------
    labelled, later : polars.DataFrame of shape (n_applications, n_features)
        The same features; of more than 10,000 rows of either, so many are learned from.
    seed : int
    """
    coded = Coded.of(pl.concat([labelled, later]))
    is_later = np.repeat([0, 1], [len(labelled), len(later)]).astype(np.int8)
    random = np.random.default_rng(seed)
    both = TrainingSet(coded, is_later, seed=seed)
    half = random.permutation(len(is_later)) % 2
    said = np.empty(len(is_later))
    gains = np.zeros(len(coded.names))
    for part in (0, 1):
        learn = [
            random.permutation(np.flatnonzero((half != part) & (is_later == c)))[:MOST_ROWS] for c in (0, 1)
        ]
        rows = np.sort(np.concatenate(learn))
        encoding, function = fit_rows(PROBE, both.take(rows), DOMAIN_ROUNDS)
        said[half == part] = probability(function.raw(coded.encode(encoding, half == part)))
        gains += function.gains()
    first = np.argsort(-gains, kind="stable")[:NAMED]
    telling = tuple((coded.names[i], float(gains[i] / gains.sum())) for i in first if gains[i] > 0)
    return Resemblance(said[: len(labelled)], measure(is_later, said, 0.5)["auc"], telling)


def slices(
    y: Outcomes, p: Vector, thresholds: Vector, order: Vector, parts: int = PARTS, seed: int = 0
) -> list[PartFigures]:
    """Measure the decisions in parts of equal size, from the lowest to the highest ``order``.

    A part without both outcomes is left out: it has no AUC.
    """
    found = []
    for number, rows in enumerate(np.array_split(np.argsort(order, kind="stable"), parts), start=1):
        if not 0 < y[rows].sum() < len(rows):
            continue
        metrics = with_intervals(y[rows], p[rows], thresholds[rows], seed=seed)
        found.append(
            PartFigures(
                number,
                len(rows),
                float(y[rows].mean()),
                float(p[rows].mean()),
                metrics["auc"],
                metrics["cost_per_1000"],
            )
        )
    return found


def spread(y: Outcomes, evaluations: Sequence[Evaluation], share_granted: float) -> Spread:
    """Compare what the refits by seed say of the same applications, out of fold.

    Each is calibrated out of fold, and cut where it grants the same share: a threshold that is meant for the
    model in force would say how far a refit on fewer applications is shrunk, not how far seeds differ.

    Parameters
    ----------
    y : ndarray of shape (n_applications,)
    evaluations : sequence of Evaluation
        One per seed.
    share_granted : float
        In (0, 1).
    """
    said = np.array([one.probability for one in evaluations])
    cuts = [float(np.quantile(p, share_granted)) for p in said]
    refused = np.array([p >= cut for p, cut in zip(said, cuts, strict=True)])
    return Spread(
        tuple(one.metrics["auc"].value for one in evaluations),
        tuple(measure(y, p, cut)["cost_per_1000"] for p, cut in zip(said, cuts, strict=True)),
        share_granted,
        float((refused == refused[0]).all(axis=0).mean()),
        float((said.max(axis=0) - said.min(axis=0)).mean()),
    )
