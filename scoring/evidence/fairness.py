"""How decisions fall on groups of people: who is granted, who of the good ones, how true the forecast is.

The protected attributes are read here to audit, never to decide. Intervals are 95 % percentile bootstrap
intervals over applications. A group below a minimum size is never shown, nor is it a reference.

Every group is compared with the one that fares best by the same measure at the same cut-off, as the
four-fifths rule does (29 CFR 1607.4 D): the ratio with the group granted most often, the gap with the group
whose good clients are granted most often. Which group that is, is read from the data once and held in every
bootstrap sample: chosen anew in each, no ratio could ever be above 1, and an interval could not tell that two
groups fare alike. Calibration needs no reference: a group's forecast is held against its own outcomes.
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
RULE_OF_THUMB = 0.80  # approval ratio below which US practice looks closer (four fifths, of hiring)
CUTS = np.arange(0.10, 0.96, 0.05)  # shares of approval at which every group is looked at again
PARTS = 5  # of the applications by forecast: in each, a group's calibration is looked at again
AGES = (30, 40, 50, 62)  # 62: Regulation B's "elderly"
CHILDREN = (1, 3)

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class AuditGroup:
    """One group at the cut-off in force. The ratio of the group granted most often is 1.

    Attributes
    ----------
    name : str
    applications : int
        Rounded to ten, so that a hidden group cannot be had by subtraction.
    granted : Measured
        Share granted.
    ratio : Measured
        Share granted, divided by that of the group granted most often.
    gap : Measured
        Share granted among those who repaid, less that of the group where it is highest (for which it is 0).
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


@dataclass(frozen=True, eq=False)
class Audit:
    """One attribute: its groups at the cut-off in force, and at every other.

    Attributes
    ----------
    attribute : str
        ``gender``, ``family_status``, ``age`` or ``household``.
    reference, gap_reference : str
        The group granted most often in force, and the one whose good clients are.
    groups : tuple of Group
    hidden : int
        How many groups were too small to be shown.
    cuts : tuple of float
        Shares of all applications granted.
    ratios, gaps : mapping of str to tuple of Measured
        Per group, at each of ``cuts``, against the group that fares best there.
    edges : tuple of float
        Forecasts that part the applications into fifths.
    calibration : mapping of str to tuple of (Measured or None)
        Per group and fifth: observed less forecast default rate; None where the group is too small there.
    calibration_spread : Measured
        Calibration of the group furthest above its forecast, less that of the one furthest below.
    drawn : ndarray of shape (n_replicates,)
        What ``worst`` is in each bootstrap sample; audits of the same applications draw the same samples.
    """

    attribute: str
    reference: str
    gap_reference: str
    groups: tuple[AuditGroup, ...]
    hidden: int
    cuts: tuple[float, ...]
    ratios: dict[str, tuple[Measured, ...]]
    gaps: dict[str, tuple[Measured, ...]]
    edges: tuple[float, ...]
    calibration: dict[str, tuple[Measured | None, ...]]
    calibration_spread: Measured
    drawn: Vector

    @property
    def lowest(self) -> AuditGroup:
        """The group with the lowest approval ratio at the cut-off in force."""
        others = (group for group in self.groups if group.name != self.reference)
        return min(others, key=lambda group: group.ratio.value)

    @property
    def furthest(self) -> AuditGroup:
        """The group with the widest gap among good clients at the cut-off in force."""
        others = (group for group in self.groups if group.name != self.gap_reference)
        return min(others, key=lambda group: group.gap.value)

    @property
    def worst(self) -> Measured:
        """The lowest approval ratio of a group at the cut-off in force."""
        return self.lowest.ratio

    @property
    def widest(self) -> Measured:
        """The gap furthest below 0 among good clients at the cut-off in force."""
        return self.furthest.gap

    @property
    def worst_anywhere(self) -> tuple[float, Measured]:
        """The lowest approval ratio of a group at any cut-off, and the share granted there."""
        return self._least(self.ratios)

    @property
    def widest_anywhere(self) -> tuple[float, Measured]:
        """The widest gap among good clients at any cut-off, and the share granted there."""
        return self._least(self.gaps)

    def _least(self, curves: dict[str, tuple[Measured, ...]]) -> tuple[float, Measured]:
        found = [(c, m) for curve in curves.values() for c, m in zip(self.cuts, curve, strict=True)]
        return min(found, key=lambda pair: pair[1].value)


def labels(applications: pl.DataFrame) -> dict[str, Labels]:
    """Return each application's group by attribute, empty where it is unknown; whatever columns are absent.

    Parameters
    ----------
    applications : polars.DataFrame
        With some of CODE_GENDER, NAME_FAMILY_STATUS, DAYS_BIRTH (days before the application, below 0) and
        CNT_CHILDREN, which is what a household is told by here: the members of the family count a spouse too.
    """
    found: dict[str, Labels] = {}
    for attribute, column in (("gender", "CODE_GENDER"), ("family_status", "NAME_FAMILY_STATUS")):
        if column in applications.columns:
            values = applications[column].fill_null("").replace(["XNA", "Unknown"], ["", ""])
            found[attribute] = values.to_numpy().astype(np.str_)
    if "DAYS_BIRTH" in applications.columns:
        found["age"] = _banded(-_numbers(applications["DAYS_BIRTH"]) / DAYS_A_YEAR, AGES, BANDS["age"])
    if "CNT_CHILDREN" in applications.columns:
        found["household"] = _banded(_numbers(applications["CNT_CHILDREN"]), CHILDREN, BANDS["household"])
    return found


def audit(
    attribute: str,
    groups: Labels,
    y: Outcomes,
    probability: Vector,
    thresholds: Vector,
    *,
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
    plain = tally.rates(np.ones(len(code)))
    random = np.random.default_rng(seed)
    samples = [
        tally.rates(np.bincount(random.integers(0, len(code), len(code)), minlength=len(code)).astype(float))
        for _ in range(replicates)
    ]
    drawn = {name: np.array([one[name] for one in samples]) for name in plain}
    best = plain["share"].argmax(axis=0), plain["good"].argmax(axis=0)  # at each cut-off; in force is last
    ratio, ratios = _against(plain["share"], drawn["share"], best[0], np.divide)
    gap, gaps = _against(plain["good"], drawn["good"], best[1], np.subtract)
    off = plain["calibration"]
    high, low = int(off.argmax()), int(off.argmin())
    spread = drawn["calibration"][:, high] - drawn["calibration"][:, low]
    order = BANDS.get(attribute, tuple(shown))
    places = sorted(range(len(shown)), key=lambda g: order.index(shown[g]))
    last = len(CUTS)
    lowest = min((g for g in places if g != best[0][last]), key=lambda g: ratio[g, last])
    return Audit(
        attribute=attribute,
        reference=shown[best[0][last]],
        gap_reference=shown[best[1][last]],
        groups=tuple(
            AuditGroup(
                name=shown[g],
                applications=int(round(tally.size[g], -1)),
                granted=_measured(plain["share"][g, last], drawn["share"][:, g, last]),
                ratio=_measured(ratio[g, last], ratios[:, g, last]),
                gap=_measured(gap[g, last], gaps[:, g, last]),
                default_rate=float(y[groups == shown[g]].mean()),
                forecast=float(probability[groups == shown[g]].mean()),
                calibration=_measured(off[g], drawn["calibration"][:, g]),
            )
            for g in places
        ),
        hidden=hidden,
        cuts=tuple(float(cut) for cut in CUTS),
        ratios={
            shown[g]: tuple(_measured(ratio[g, c], ratios[:, g, c]) for c in range(last)) for g in places
        },
        gaps={shown[g]: tuple(_measured(gap[g, c], gaps[:, g, c]) for c in range(last)) for g in places},
        edges=tuple(float(edge) for edge in tally.edges),
        calibration={
            shown[g]: tuple(
                _measured(plain["parts"][g, part], drawn["parts"][:, g, part])
                if tally.is_shown(g, part, smallest)
                else None
                for part in range(PARTS)
            )
            for g in places
        },
        calibration_spread=_measured(off[high] - off[low], spread),
        drawn=ratios[:, lowest, last],
    )


class _Tally:
    """Counts by group, outcome and cut-off, made so that a bootstrap sample is a vector of weights."""

    def __init__(self, code: NDArray[np.intp], n: int, y: Outcomes, p: Vector, thresholds: Vector) -> None:
        self.n, self.error = n, y - p
        self.size = np.bincount(code, minlength=n)
        # An application is granted at every cut-off from its own bin on, and in force below its threshold.
        bins = np.searchsorted(np.quantile(p, CUTS), p, side="left")
        self.side = len(CUTS) + 1
        self.cell = (code * 2 + y) * self.side + bins
        self.now = (code * 2 + y) * 2 + (p < thresholds)
        self.edges = np.quantile(p, np.arange(1, PARTS) / PARTS)
        self.part = code * PARTS + np.searchsorted(self.edges, p, side="left")
        self.part_size = np.bincount(self.part, minlength=n * PARTS).reshape(n, PARTS)
        self.part_bad = np.bincount(self.part, y, n * PARTS).reshape(n, PARTS)

    def is_shown(self, group: int, part: int, smallest: int) -> bool:
        """Tell whether a group is large enough in a fifth, with both outcomes."""
        size, bad = self.part_size[group, part], self.part_bad[group, part]
        return bool(size >= smallest and 0 < bad < size)

    def rates(self, weights: Vector) -> dict[str, Vector]:
        """Return each group's rates: granted by cut-off (in force last), calibration in all and by fifth."""
        cells = np.bincount(self.cell, weights, self.n * 2 * self.side).reshape(self.n, 2, self.side)
        now = np.bincount(self.now, weights, self.n * 4).reshape(self.n, 2, 2)
        granted = np.concatenate((cells.cumsum(axis=2)[:, :, :-1], now[:, :, 1:]), axis=2)
        totals = now.sum(axis=2)
        error = np.bincount(self.part, weights * self.error, self.n * PARTS).reshape(self.n, PARTS)
        sizes = np.bincount(self.part, weights, self.n * PARTS).reshape(self.n, PARTS)
        with np.errstate(divide="ignore", invalid="ignore"):  # a sample without such applications is left out
            return {
                "share": granted.sum(axis=1) / totals.sum(axis=1)[:, None],
                "good": granted[:, 0] / totals[:, :1],
                "calibration": error.sum(axis=1) / sizes.sum(axis=1),
                "parts": error / sizes,
            }


def _against(
    plain: Vector, drawn: Vector, best: NDArray[np.intp], compare: np.ufunc
) -> tuple[Vector, Vector]:
    """Compare every group with the best one of each cut-off, on the data and in every sample."""
    cuts = np.arange(len(best))
    with np.errstate(divide="ignore", invalid="ignore"):  # nobody granted, or nobody drawn
        return compare(plain, plain[best, cuts]), compare(drawn, drawn[:, best, cuts][:, None])


def _measured(value: float, drawn: Vector) -> Measured:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Measured(float(value), float(low), float(high))


def _numbers(column: pl.Series) -> Vector:
    return np.asarray(column.cast(pl.Float64).fill_null(float("nan")).to_numpy(), dtype=np.float64)


def _banded(values: Vector, edges: tuple[int, ...], names: tuple[str, ...]) -> Labels:
    """Return the name of each value's band; empty where there is no value."""
    return np.where(np.isnan(values), "", np.array(names)[np.searchsorted(edges, values, side="right")])


def _bands(edges: tuple[int, ...], first: str) -> tuple[str, ...]:
    """Name the bands between whole numbers, without words."""
    middle = (f"{low}–{high - 1}" for low, high in pairwise(edges))
    return (first, *middle, f"≥ {edges[-1]}")


BANDS = {"age": _bands(AGES, f"< {AGES[0]}"), "household": _bands(CHILDREN, "0")}
