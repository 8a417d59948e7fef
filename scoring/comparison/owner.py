"""The owner's view: what each threshold would approve and cost, and what the model weighs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from scoring import features
from scoring.language import Text, by_language, say
from scoring.schema import OwnerCut, OwnerView, OwnerWeight
from scoring.scorer import REFERENCE, Scorer

CUTS = 100  # shares of approvals that are looked at
NOTE = Text(
    "owner.note",
    "Out of fold, on the reference of the model. Bad rate and cost are what its calibrated probabilities "
    "expect; fairness by group needs protected attributes, which the reference does not hold: the validation "
    "pack has it.",
)


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
    default = pl.read_parquet(folder / REFERENCE, columns=["probability_of_default"]).to_series().to_numpy()
    default = np.sort(default)
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
        cuts=[_cut(scorer, default, float(cut)) for cut in cuts],
        metrics={name: dict(metric) for name, metric in scorer.metrics.items()},
        groups=ordered(groups),
        features=ordered(dict(scorer.importance)),
        text=by_language(lambda language: say(NOTE, language)),
    )


def _cut(scorer: Scorer, default: np.ndarray[tuple[int], np.dtype[np.float64]], cut: float) -> OwnerCut:
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
    )
