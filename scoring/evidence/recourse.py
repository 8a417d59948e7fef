"""What would turn refusals: whom a change within policy turns, how large it is, and whether it holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring import features, tables
from scoring.counterfactual import Advisor
from scoring.decision import GRANTED
from scoring.judge import Judge
from scoring.schema import ApplicationRequest, Counterfactual
from scoring.scorer import Scorer
from scoring.scorer.model import Vector
from scoring.tables import Portfolio

NEAR = 2.0  # times the threshold: refusals below it are asked about


@dataclass(frozen=True)
class Recourses:
    """What the answers say to refusals below twice the threshold.

    Attributes
    ----------
    applications : int
        Those that were asked about.
    turned : float
        Share for which a change within policy turns the decision; no such change is known for the others.
    size : float or None
        Median size of the nearest change: 1 is all that policy lets one lever do.
    by_lever : mapping of str to float
        Share of the turned ones whose nearest change moves a lever.
    held : float
        Share of all alternatives that, made anew and scored as /score scores, are granted with the very
        probability that was said.
    """

    applications: int
    turned: float
    size: float | None
    by_lever: Mapping[str, float]
    held: float


def near_refusals(scorer: Scorer, default: Vector, count: int) -> list[int]:
    """Return the rows of the first refusals below twice the threshold."""
    rows = np.flatnonzero((default >= scorer.threshold) & (default < NEAR * scorer.threshold))
    return [int(row) for row in rows[:count]]


def recourses(scorer: Scorer, portfolio: Portfolio, count: int) -> Recourses | None:
    """Ask what would turn some refusals, and score every answer again; None if nobody is refused so near."""
    rows = near_refusals(scorer, scorer.probability(features.build(portfolio)), count)
    if not rows:
        return None
    requests = tables.to_requests(portfolio, rows)
    advisor, judge = Advisor(scorer, "measured"), Judge(scorer)
    answers = [advisor.find(ApplicationRequest.model_validate(request)) for request in requests]
    nearest = [answer.alternatives[0] for answer in answers if answer.alternatives]
    held = [
        one for request, answer in zip(requests, answers, strict=True) for one in hold(judge, request, answer)
    ]
    moved = Counter(lever for one in nearest for lever in one.levers)
    return Recourses(
        len(rows),
        len(nearest) / len(rows),
        float(np.median([one.size for one in nearest])) if nearest else None,
        {lever: number / len(nearest) for lever, number in moved.most_common()},
        float(np.mean(held)) if held else 1.0,
    )


def hold(judge: Judge, request: Mapping[str, Any], answer: Counterfactual) -> list[bool]:
    """Say of each alternative whether it is granted with the probability that was said, to the bit."""
    found = []
    for one in answer.alternatives:
        changed = changed_by(request, {change.field: change.becomes for change in one.changes})
        (again,) = judge.judge([ApplicationRequest.model_validate(changed)])
        is_same = again.said["probability_of_default"] == one.probability_of_default
        found.append(is_same and again.said["decision"] == GRANTED)
    return found


def changed_by(request: Mapping[str, Any], changes: Mapping[str, float]) -> dict[str, Any]:
    """Return an application with the changes of an alternative, made anew from its JSON."""
    changed: dict[str, Any] = json.loads(json.dumps(request))
    for path, becomes in changes.items():
        *places, name = path.replace("[", ".").replace("]", "").split(".")
        record: Any = changed
        for place in places:
            record = record[int(place)] if place.isdigit() else record[place]
        record[name] = becomes
    return changed
