"""The owner's view: what each threshold would approve and cost, on whom it falls, what the model weighs."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from scoring import features
from scoring.comparison.bins import TENS
from scoring.language import Text, by_language, say
from scoring.schema import OwnerCut, OwnerGroup, OwnerView, OwnerWeight
from scoring.scorer import REFERENCE, Scorer
from scoring.scorer.model import Vector
from scoring.tables.decisions import AUDIT

CUTS = 100  # shares of approvals that are looked at
SMALLEST = 100  # applications in a group that is shown: below it, nobody could hide
TARGET, FOLD = AUDIT + "target", AUDIT + "fold"
NOTE = Text(
    "owner.note",
    "Out of fold, on the reference of the model. Bad rate and cost are what its calibrated probabilities "
    "expect. Fairness is how the decisions fell on groups that no model knows of; none of fewer than 100 "
    "applications is shown, and the validation pack has the intervals.",
)


@dataclass(frozen=True, eq=False)
class AuditedGroup:
    """One group of a protected attribute: its probabilities out of fold, rising, with their outcomes.

    ``grain``: persons that its figures are rounded to. The whole is known, so where persons of an attribute
    are left out, the others taken from it would tell of them; the largest group is not as exact then.
    """

    attribute: str
    name: str
    default: Vector
    is_bad: NDArray[np.bool_]
    grain: int = 0

    def approved(self, threshold: float) -> float:
        """Return the share that a threshold would grant."""
        return self._share(int(np.searchsorted(self.default, threshold, side="left")))

    def good_approved(self, threshold: float) -> float:
        """Return the share of those who paid back that a threshold would grant."""
        good = self.default[~self.is_bad]
        return self._share(int(np.searchsorted(good, threshold, side="left")), len(good))

    @property
    def default_rate(self) -> float:
        """The share that defaulted."""
        return self._share(self.is_bad.sum())

    @property
    def expected(self) -> float:
        """The share that its probabilities expect to default."""
        return self._share(self.default.sum())

    def _share(self, of: float, whole: int | None = None) -> float:
        whole = len(self.default) if whole is None else whole
        if not self.grain:
            return float(of / whole)
        rounded = self.grain * round(float(of) / self.grain)
        return min(1.0, rounded / max(self.grain * round(whole / self.grain), self.grain))


def owner_view(scorer: Scorer, model: str, folder: Path) -> OwnerView:
    """Return the strategy curve and the global importance of a scorer.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Its exact tag.
    folder : Path
        Where its reference lies.
    """
    file = folder / REFERENCE
    default = np.sort(pl.read_parquet(file, columns=["probability_of_default"]).to_series().to_numpy())
    audited = _audited(file)
    cuts = np.unique([*np.round(np.quantile(default, np.arange(1, CUTS) / CUTS), 4), scorer.threshold])
    groups: dict[str, float] = {}
    for name, weight in scorer.importance.items():
        group = features.FEATURE_BY_NAME[name].group
        groups[group] = groups.get(group, 0.0) + weight
    labels = {name: features.GROUPS[name].title for name in groups}
    labels |= {name: features.FEATURE_BY_NAME[name].label for name in scorer.importance}

    def ordered(weights: dict[str, float]) -> list[OwnerWeight]:
        return [
            OwnerWeight(name=name, label=by_language(partial(say, labels[name])), importance=weight)
            for name, weight in sorted(weights.items(), key=lambda item: (-item[1], item[0]))
        ]

    return OwnerView(
        model=model,
        threshold=scorer.threshold,
        applications=len(default),
        cuts=[_cut(scorer, default, audited, float(cut)) for cut in cuts],
        metrics={name: dict(metric) for name, metric in scorer.metrics.items()},
        fairness=_fairness(audited, scorer.threshold),
        groups=ordered(groups),
        features=ordered(dict(scorer.importance)),
        text=by_language(lambda language: say(NOTE, language)),
    )


def _audited(file: Path) -> list[AuditedGroup]:
    """Return the groups of protected attributes that are large enough; none of a reference without them."""
    names = [n for n in pl.read_parquet_schema(file) if n.startswith(AUDIT) and n not in (TARGET, FOLD)]
    if not names:
        return []
    table = pl.read_parquet(file, columns=["probability_of_default", TARGET, *names])
    table = table.sort("probability_of_default")
    default, is_bad = table["probability_of_default"].to_numpy(), table[TARGET].to_numpy() == 1
    found = []
    for name in names:
        attribute, shown = name.removeprefix(AUDIT), list[AuditedGroup]()
        groups = table[name].fill_null("").to_numpy()
        for group in sorted(set(groups.tolist()) - {""}, key=_in_order):
            rows = groups == group
            # One without a default, or with nothing else, would tell the outcome of each of its persons.
            if rows.sum() >= SMALLEST and 0 < is_bad[rows].sum() < rows.sum():
                shown.append(AuditedGroup(attribute, group, default[rows], is_bad[rows]))
        if shown and sum(len(one.default) for one in shown) < len(default):
            largest = max(range(len(shown)), key=lambda place: len(shown[place].default))
            shown[largest] = replace(shown[largest], grain=TENS)
        found += shown
    return found


def _in_order(group: str) -> tuple[int, bool, str]:
    """Return where a group stands beside the others of its attribute: bands by their numbers."""
    number = re.search(r"\d+", group)
    return int(number[0]) if number else 0, not group.startswith("<"), group


def _fairness(audited: list[AuditedGroup], threshold: float) -> list[OwnerGroup]:
    """Return how the decisions at a threshold fall on each group."""
    most = _most(audited, threshold)
    return [
        OwnerGroup(
            attribute=one.attribute,
            name=one.name,
            applications=TENS * round(len(one.default) / TENS),
            approved=one.approved(threshold),
            ratio=one.approved(threshold) / most[one.attribute] if most[one.attribute] else None,
            good_approved=one.good_approved(threshold),
            default_rate=one.default_rate,
            expected=one.expected,
        )
        for one in audited
    ]


def _most(audited: list[AuditedGroup], threshold: float) -> dict[str, float]:
    """Return the share granted of the group of each attribute that is granted most often."""
    found: dict[str, float] = {}
    for one in audited:
        found[one.attribute] = max(found.get(one.attribute, 0.0), one.approved(threshold))
    return found


def _cut(scorer: Scorer, default: Vector, audited: list[AuditedGroup], cut: float) -> OwnerCut:
    """Return what a threshold would do; ``default`` is sorted."""
    granted = default[: np.searchsorted(default, cut, side="left")]
    refused = default[len(granted) :]
    costs = scorer.costs
    cost = costs.false_negative * granted.sum() + costs.false_positive * (1 - refused).sum()
    return OwnerCut(
        threshold=cut,
        approved=len(granted) / len(default),
        bad_rate=float(granted.mean()) if len(granted) else None,
        cost_per_1000=1_000 * float(cost) / len(default),
        fairness={
            attribute: min(one.approved(cut) / share for one in audited if one.attribute == attribute)
            for attribute, share in _most(audited, cut).items()
            if share
        },
    )
