"""How decisions fall on groups of people: who is granted, who of the good ones, how true the forecast is.

The protected attributes are read here to audit, never to decide. Intervals are 95 % percentile bootstrap
intervals over applications. A group below a minimum size is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring.features.base import DAYS_A_YEAR
from scoring.metrics import Measured, Outcomes, Vector

SMALLEST = 100  # applications in a group that is shown: below it, nobody could hide and nothing is certain
REPLICATES = 400
RULE_OF_THUMB = 0.80  # approval ratio below which US practice looks closer ("four fifths"); not a law
CUTS = np.arange(0.10, 0.96, 0.05)  # shares of approval at which every group is looked at again
AGES = (30, 40, 50, 62)  # 62: Regulation B's "elderly"

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class Group:
    """One group at the cut-off in force. The reference group's ratio is 1 and its gap 0.

    Attributes
    ----------
    name : str
    applications : int
        Rounded to ten, so that a hidden group cannot be had by subtraction.
    granted : Measured
        Share granted.
    ratio : Measured
        Share granted, divided by the reference group's.
    gap : Measured
        Share granted among those who repaid, less the reference group's.
    default_rate, forecast : float
        Observed and mean forecast default rate of all its applications.
    calibration : Measured
        Observed less forecast default rate.
    """

    name: str
    applications: int
    granted: Measured
    ratio: Measured
    gap: Measured
    default_rate: float
    forecast: float
    calibration: Measured


@dataclass(frozen=True)
class Audit:
    """One attribute: its groups at the cut-off in force, and at every other.

    Attributes
    ----------
    attribute : str
        ``gender``, ``family_status`` or ``age``.
    reference : str
        The largest group.
    groups : tuple of Group
    hidden : int
        How many groups were too small to be shown.
    cuts : tuple of float
        Shares of all applications granted.
    ratios : mapping of str to tuple of Measured
        Per group, at each of ``cuts``.
    """

    attribute: str
    reference: str
    groups: tuple[Group, ...]
    hidden: int
    cuts: tuple[float, ...]
    ratios: dict[str, tuple[Measured, ...]]

    @property
    def worst(self) -> Measured:
        """The lowest approval ratio of a group at the cut-off in force."""
        return min((group.ratio for group in self.groups), key=lambda ratio: ratio.value)

    @property
    def widest(self) -> Measured:
        """The gap furthest from 0 among the good clients granted."""
        return max((group.gap for group in self.groups), key=lambda gap: abs(gap.value))

    @property
    def worst_anywhere(self) -> tuple[float, Measured]:
        """The lowest approval ratio of a group at any cut-off, and the share granted there."""
        found = [(c, r) for ratios in self.ratios.values() for c, r in zip(self.cuts, ratios, strict=True)]
        return min(found, key=lambda pair: pair[1].value)


def labels(applications: pl.DataFrame) -> dict[str, Labels]:
    """Return each application's group by attribute, empty where it is unknown; whatever columns are absent.

    Parameters
    ----------
    applications : polars.DataFrame
        With some of CODE_GENDER, NAME_FAMILY_STATUS and DAYS_BIRTH (days before the application, below 0).
    """
    found: dict[str, Labels] = {}
    for attribute, column in (("gender", "CODE_GENDER"), ("family_status", "NAME_FAMILY_STATUS")):
        if column in applications.columns:
            values = applications[column].fill_null("").replace(["XNA", "Unknown"], ["", ""])
            found[attribute] = values.to_numpy().astype(np.str_)
    if "DAYS_BIRTH" in applications.columns:
        age = -applications["DAYS_BIRTH"].cast(pl.Float64).fill_null(float("nan")).to_numpy() / DAYS_A_YEAR
        found["age"] = np.where(
            np.isnan(age), "", np.array(_bands())[np.searchsorted(AGES, age, side="right")]
        )
    return found


def audit(
    attribute: str,
    groups: Labels,
    y: Outcomes,
    probability: Vector,
    thresholds: Vector,
    smallest: int = SMALLEST,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Audit | None:
    """Compare the groups of one attribute; None if fewer than two are large enough.

    Parameters
    ----------
    attribute : str
        What the groups are.
    groups : ndarray of str of shape (n_applications,)
        From ``labels``; empty is left out.
    y, probability, thresholds : ndarray of shape (n_applications,)
        Outcomes, and out-of-fold probability and threshold of each application.
    smallest : int
        Groups with fewer applications, or without a default or a repaid credit, are not shown.
    """
    names, sizes = np.unique(groups, return_counts=True)
    shown = [
        str(name)
        for name, size in zip(names, sizes, strict=True)
        if name and size >= smallest and 0 < y[groups == name].sum() < size
    ]
    if len(shown) < 2:
        return None
    hidden = sum(bool(name) for name in names.tolist()) - len(shown)
    kept = np.isin(groups, shown)
    code = np.searchsorted(shown, groups[kept])
    tally = _Tally(code, len(shown), y[kept], probability[kept], thresholds[kept])
    plain = tally.rates(np.ones(int(kept.sum())))
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(replicates):
        sample = random.integers(0, len(code), len(code))
        drawn.append(tally.rates(np.bincount(sample, minlength=len(code)).astype(np.float64)))
    spread = {name: np.nanquantile([d[name] for d in drawn], [0.025, 0.975], axis=0) for name in plain}
    first = int(np.argmax(tally.size))

    def measured(what: str, *place: int) -> Measured:
        low, high = spread[what]
        return Measured(float(plain[what][place]), float(low[place]), float(high[place]))

    last = len(CUTS)
    order = _bands() if attribute == "age" else shown
    members = (
        Group(
            name,
            int(round(tally.size[g], -1)),
            measured("granted", g, last),
            measured("ratio", g, last),
            measured("gap", g, last),
            float(y[groups == name].mean()),
            float(probability[groups == name].mean()),
            measured("calibration", g),
        )
        for g, name in enumerate(shown)
    )
    return Audit(
        attribute,
        shown[first],
        tuple(sorted(members, key=lambda group: order.index(group.name))),
        hidden,
        tuple(float(cut) for cut in CUTS),
        {
            name: tuple(measured("ratio", shown.index(name), c) for c in range(last))
            for name in order
            if name in shown
        },
    )


class _Tally:
    """Counts by group, outcome and cut-off, made so that a bootstrap sample is a vector of weights."""

    def __init__(self, code: NDArray[np.intp], n: int, y: Outcomes, p: Vector, thresholds: Vector) -> None:
        self.n, self.code, self.error = n, code, y - p
        self.size = np.bincount(code, minlength=n)
        # An application is granted at every cut-off from its own bin on, and in force below its threshold.
        bins = np.searchsorted(np.quantile(p, CUTS), p, side="left")
        self.side = len(CUTS) + 1
        self.cell = (code * 2 + y) * self.side + bins
        self.now = (code * 2 + y) * 2 + (p < thresholds)

    def rates(self, weights: Vector) -> dict[str, Vector]:
        """Return every rate by group and cut-off, the one in force last; the largest group is reference."""
        cells = np.bincount(self.cell, weights, self.n * 2 * self.side).reshape(self.n, 2, self.side)
        now = np.bincount(self.now, weights, self.n * 4).reshape(self.n, 2, 2)
        granted = np.concatenate((cells.cumsum(axis=2)[:, :, :-1], now[:, :, 1:]), axis=2)
        totals = now.sum(axis=2)
        first = int(np.argmax(self.size))
        with np.errstate(divide="ignore", invalid="ignore"):  # a sample without such applications is left out
            share = granted.sum(axis=1) / totals.sum(axis=1)[:, None]
            good = granted[:, 0] / totals[:, :1]
            ratio = share / share[first]
            error = np.bincount(self.code, weights * self.error, self.n) / totals.sum(axis=1)
        return {
            "granted": share,
            "ratio": ratio,
            "gap": good - good[first],
            "calibration": error,
        }


def _bands() -> list[str]:
    """Name the age bands in years, without words."""
    middle = [f"{low}–{high - 1}" for low, high in pairwise(AGES)]
    return [f"< {AGES[0]}", *middle, f"≥ {AGES[-1]}"]
