"""What would turn a refusal: the smallest changes within policy, each decided again as /score decides.

Nothing is drawn at random and no clock ends the search, so the same application is told the same each time.
Steps of one lever and of any two are tried out all; of three and more only where these find nothing, first
far apart, then closer together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, islice
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.counterfactual.policy import FACTS, POLICY, Lever
from scoring.counterfactual.variations import Rater, Steps, Variations
from scoring.decision import GRANTED
from scoring.language import by_language, number, say, texts
from scoring.schema import ApplicationRequest, Change, Counterfactual, Recourse, Request
from scoring.scorer import Scorer
from scoring.scorer.model import Vector

__all__ = ["FACTS", "POLICY", "Advisor", "Lever", "straight"]

Outcome = Literal["granted", "found", "none", "nothing"]

MOST = 3  # alternatives: more are not read
TRIED = 200  # granted points of a lattice that are looked at, the nearest first
LOOKED = 40  # of these, where steps lie so far apart that the way has to be rated step by step
COARSE = ((3, 4), (4, 6), (5, 8), (4, 3), (5, 3))  # rounds: levers together, steps at a time

OUTCOMES = texts(
    "counterfactual",
    {
        "granted": "The application is granted as it is; nothing has to change.",
        "found": "These changes, each for itself, would turn the decision.",
        "none": "No change within policy turns the decision.",
        "nothing": "Nothing that may change is known here and read by the model, so no change can turn "
        "the decision.",
    },
)
SENTENCE = texts("counterfactual", {"way": "The loan would be granted if you {steps}."})["way"]


class Way(NamedTuple):
    """Steps of levers that turn the decision, and how large a change that is: 1 is all of one lever."""

    levers: tuple[Lever, ...]
    steps: tuple[int, ...]
    size: float

    @classmethod
    def of(cls, levers: tuple[Lever, ...], steps: Sequence[int] | Steps) -> Way:
        """Return the way of so many steps of each lever."""
        size = sum(step / lever.steps for step, lever in zip(steps, levers, strict=True))
        return cls(levers, tuple(int(step) for step in steps), float(size))


class Lattice(NamedTuple):
    """All steps of some levers together: points of shape (n_points, n_levers), and how many on each axis."""

    levers: tuple[Lever, ...]
    steps: Steps
    shape: tuple[int, ...]

    @classmethod
    def of(cls, levers: tuple[Lever, ...], at_a_time: int) -> Lattice:
        """Lay out the steps of some levers, so many at a time."""
        axes = [np.unique([*range(0, lever.steps, at_a_time), lever.steps]) for lever in levers]
        steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(levers))
        return cls(levers, steps, tuple(len(axis) for axis in axes))

    def fair(self, risks: Vector, holds: NDArray[np.bool_]) -> Iterator[Steps]:
        """Give the steps of points that hold and to which the way over the lattice is fair, by size."""
        places = np.indices(self.shape).reshape(len(self.levers), -1)
        holds = holds & (places > 0).all(axis=0)
        sizes = (self.steps / [lever.steps for lever in self.levers]).sum(axis=1)
        order = np.flatnonzero(holds)[np.argsort(sizes[holds], kind="stable")]
        for point in order[:TRIED]:
            if _is_fair(risks.reshape(self.shape)[tuple(straight(places[:, point]).T)]):
                yield self.steps[point]


class Advisor:
    """Finds what would turn the decisions of a scorer; threads may share it.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Its exact tag.
    allowed : collection of str
        Levers of `POLICY` that the lender allows.
    """

    def __init__(self, scorer: Scorer, model: str, allowed: Collection[str] = tuple(POLICY)) -> None:
        self.scorer = scorer
        self.model = model
        self._reader = Rater(scorer)
        self._levers = [
            lever for name, lever in POLICY.items() if name in allowed and self._reader.moves(lever)
        ]

    def find(
        self, application: Request | ApplicationRequest, wanted: Collection[str] | None = None
    ) -> Counterfactual:
        """Return the smallest changes that turn a refusal, at most three that differ in kind.

        Parameters
        ----------
        application : Request or ApplicationRequest
        wanted : collection of str, optional
            Levers that the client would use; all that the lender allows if None.
        """
        here = Variations(self._reader, application)
        said = self._reader.decide(here.plain)
        outcome: Outcome = "granted"
        alternatives: list[Recourse] = []
        if said["decision"] != GRANTED:
            levers = [
                lever
                for lever in self._levers
                if (wanted is None or lever.name in wanted) and here.can(lever)
            ]
            found = self._search(here, levers)
            alternatives = [one for way in found if (one := self._told(here, way)) is not None]
            outcome = "found" if alternatives else "none" if levers else "nothing"
        return Counterfactual(
            SK_ID_CURR=application.SK_ID_CURR,
            probability_of_default=said["probability_of_default"],
            score=said["score"],
            threshold=said["threshold"],
            decision=said["decision"],
            model=self.model,
            outcome=outcome,
            text=by_language(lambda language: say(OUTCOMES[outcome], language)),
            alternatives=alternatives,
        )

    def _search(self, here: Variations, levers: Sequence[Lever]) -> list[Way]:
        """Return the nearest way of each kind, the nearest first; more levers add nothing to fewer."""
        found = self._all(here, levers)
        for many, at_a_time in COARSE:
            found = found or self._apart(here, levers, many, at_a_time)
        chosen: list[Way] = []
        for way in sorted(found, key=lambda way: (way.size, len(way.levers))):
            if not any(set(other.levers) < set(way.levers) for other in chosen):
                chosen.append(way)
        return chosen[:MOST]

    def _all(self, here: Variations, levers: Sequence[Lever]) -> list[Way]:
        """Return the nearest way of each lever and of any two; every step of theirs is rated."""
        lattices = [Lattice.of(kind, 1) for many in (1, 2) for kind in _kinds(levers, many)]
        found = []
        for lattice, risks in zip(lattices, self._rate(here, levers, lattices), strict=True):
            granted = (risks < self.scorer.threshold).reshape(lattice.shape)
            further = (np.minimum(np.arange(n) + 1, n - 1) for n in lattice.shape)
            # A step further must be granted too: what holds at one point of a jagged model only is no advice.
            holds = granted & granted[np.ix_(*further)]
            best = next(lattice.fair(risks, holds.reshape(-1)), None)
            if best is not None:
                found.append(Way.of(lattice.levers, best))
        return found

    def _apart(self, here: Variations, levers: Sequence[Lever], many: int, at_a_time: int) -> list[Way]:
        """Return a near way of each kind of so many levers; so many steps of theirs are rated at a time."""
        lattices = [Lattice.of(kind, at_a_time) for kind in _kinds(levers, many)]
        walked = [
            Lattice(lattice.levers, _walk(lattice.levers, steps), ())
            for lattice, risks in zip(lattices, self._rate(here, levers, lattices), strict=True)
            for steps in islice(lattice.fair(risks, risks < self.scorer.threshold), LOOKED)
        ]
        found: dict[tuple[Lever, ...], Way] = {}
        for (kind, steps, _), risks in zip(walked, self._rate(here, levers, walked), strict=True):
            if kind not in found and self._is_advice(risks):
                best = tuple(int(step) for step in steps[-1])
                nearer = self._nearer(here, kind, best)
                is_better = self._is_advice(here.rate(kind, _walk(kind, nearer)))
                found[kind] = Way.of(kind, nearer if is_better else best)
        return list(found.values())

    def _rate(self, here: Variations, levers: Sequence[Lever], parts: Sequence[Lattice]) -> list[Vector]:
        """Rate the steps of all parts together, among levers that stay where they are."""
        if not parts:
            return []
        steps = np.zeros((sum(len(part.steps) for part in parts), len(levers)), dtype=np.intp)
        ends = np.cumsum([len(part.steps) for part in parts])
        for part, end in zip(parts, ends, strict=True):
            steps[end - len(part.steps) : end, [levers.index(lever) for lever in part.levers]] = part.steps
        return np.split(here.rate(levers, steps), ends[:-1])

    def _is_advice(self, risks: Vector) -> bool:
        """Say of a walk whether a step beyond its end is granted too, and the way to it fair."""
        return bool(risks[0] < self.scorer.threshold) and _is_fair(risks[1:])

    def _nearer(self, here: Variations, levers: tuple[Lever, ...], best: tuple[int, ...]) -> tuple[int, ...]:
        """Take back steps of one lever after the other, as long as the decision holds."""
        for place in range(len(levers)):
            fewer = np.arange(1, best[place] + 1)
            steps = np.tile(np.array(best, dtype=np.intp), (len(fewer), 1))
            steps[:, place] = fewer
            granted = here.rate(levers, steps) < self.scorer.threshold
            last = np.flatnonzero(~granted)
            best = (*best[:place], int(fewer[last[-1] + 1] if last.size else 1), *best[place + 1 :])
        return best

    def _told(self, here: Variations, way: Way) -> Recourse | None:
        """Decide what is proposed as /score does, and say it in words; None if it is refused even so."""
        plain, moved = here.after(way.levers, way.steps)
        said = self._reader.decide(plain)
        if said["decision"] != GRANTED:
            return None
        told = here.told(way.levers, way.steps)

        def sentence(language: str) -> str:
            steps = [
                say(lever.does, language, before=_amount(before, language), after=_amount(after, language))
                for lever, (before, after) in zip(way.levers, told, strict=True)
            ]
            return say(SENTENCE, language, steps="; ".join(steps))

        return Recourse(
            levers=[lever.name for lever in way.levers],
            size=way.size,
            changes=[Change(field=m.field, value=m.value, becomes=m.becomes) for m in moved],
            probability_of_default=said["probability_of_default"],
            score=said["score"],
            text=by_language(sentence),
        )


def _kinds(levers: Sequence[Lever], many: int) -> Iterator[tuple[Lever, ...]]:
    """Give the sets of so many levers that go together."""
    for kind in combinations(levers, many):
        names = {lever.name for lever in kind}
        if not any(lever.against & names for lever in kind):
            yield kind


def _walk(levers: Sequence[Lever], steps: Sequence[int] | Steps) -> Steps:
    """Return the point a step further on each lever, as far as it goes, then the straight way to a point."""
    further = np.minimum(np.asarray(steps) + 1, [lever.steps for lever in levers])
    return np.asarray(np.vstack([further, straight(steps)]), dtype=np.intp)


def straight(place: Sequence[int] | Steps) -> Steps:
    """Return the points of the straight way to a point, shape (n_points, n_levers), the beginning first."""
    return np.asarray(np.rint(np.outer(np.linspace(0, 1, max(place) + 1), place)), dtype=np.intp)


def _is_fair(risks: Vector) -> bool:
    """Say whether the risk is nowhere on a way higher than at its beginning."""
    return bool((risks <= risks[0]).all())


def _amount(value: float, language: str) -> str:
    return number(value, language, 2, is_trimmed=True)
