"""From contributions to reasons: why an application was decided as it was, in words.

The contributions are exact (they sum with the base to the calibrated log-odds). A reason is one cause:
the features of a group are summed first, and compared with granted applicants, because a refused client
asks what sets them apart from those (Nair et al., arXiv 2204.12365). Each reason is tried before it is told:
with its features as they usually are among granted applicants, the risk must fall.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from math import fsum
from typing import Any, Literal

import numpy as np
import polars as pl

from scoring import features as declared
from scoring.features.wording import Value, in_words
from scoring.language import Text, by_language, in_sentence, say
from scoring.schema import Reason
from scoring.scorer import Scorer
from scoring.scorer.model import Matrix, Vector, probability

MOST = 4  # reasons a person is told: Regulation B, commentary on 1002.9(b)(2)
TINY = 0.05  # log-odds; a cause below it moves the odds by less than 5 %
WEIGHTY = 0.25  # of the group's heaviest feature: a fact lighter than that does not stand for the group
NEVER = frozenset(f.name for f in declared.FEATURES if declared.protected_by(f))
"""Features that read a protected attribute: never in a reason, whatever the policy lets the model read."""

BARE = Text("reason.bare", "{cause}.")
QUOTED = Text("reason.quoted", "{cause} ({fact}: {value}).")
COMPARED = Text("reason.compared", "{cause} ({fact}: {value}; granted applicants: {usual}).")
TOGETHER = Text("reason.together", "Further causes act together with these.")


def explain(scorer: Scorer, features: pl.DataFrame) -> list[dict[str, Any]]:
    """Explain every application of a feature table.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame of shape (n_applications, n_features)
        As `scoring.features.build` gives it.

    Returns
    -------
    list of dict
        Per application ``base_value`` and ``raw_score`` (log-odds), ``contributions`` (every feature, in
        the model's order; they sum with the base to the raw score), ``base_points`` and ``groups`` (the same
        by each of `features.GROUPS`, also in whole points that sum with the base's to the score) and
        ``reasons`` (at most four, the weightiest first), with ``reasons_suffice`` and ``reasons_note`` as
        `schema.Explanation` has them.
    """
    rows = scorer.encode(features)
    matrix, base = scorer.apportion(rows)
    inputs = features.select(scorer.feature_names).iter_rows(named=True)
    scores = scorer.points.of(probability(scorer.calibration.of(scorer.model.function.raw(rows))))
    return explained(scorer, inputs, rows, matrix, base, scores.tolist())


def explained(
    scorer: Scorer,
    inputs: Iterable[Mapping[str, Value]],
    rows: Matrix,
    matrix: Matrix,
    base: float,
    scores: Iterable[int],
) -> list[dict[str, Any]]:
    """Return the explanations of applications whose contributions are known: see `explain`.

    Parameters
    ----------
    scorer : Scorer
    inputs : iterable of mapping
        Per application the value of each feature of the model.
    rows : ndarray of shape (n_applications, n_features)
        What the model reads.
    matrix : ndarray of shape (n_applications, n_features)
    base : float
        As `Scorer.contributions` gives them.
    scores : iterable of int
        In points.
    """
    names = scorer.feature_names
    places = _members(tuple(names))
    explanations = []
    for values, encoded, row, score in zip(inputs, rows, matrix.tolist(), scores, strict=True):
        contributions = dict(zip(names, row, strict=True))
        shares = [fsum([row[place] for place in members]) for members in places.values()]
        base_points, points = scorer.points.split(base, shares, score)
        told, suffice = _told(scorer, values, contributions, Again(scorer, encoded))
        explanations.append(
            {
                "base_value": base,
                "raw_score": base + sum(row),
                "base_points": base_points,
                "groups": [
                    {"group": group, "contribution": share, "points": whole}
                    for group, share, whole in zip(places, shares, points, strict=True)
                ],
                "contributions": [
                    {"feature": name, "value": values[name], "contribution": contributions[name]}
                    for name in names
                ],
                "reasons": told,
                "reasons_suffice": suffice,
                "reasons_note": by_language(partial(say, TOGETHER)) if suffice is False else None,
            }
        )
    return explanations


def reasons(scorer: Scorer, values: Mapping[str, Value], contributions: Mapping[str, float]) -> list[Reason]:
    """Give the principal causes that speak against one application.

    Parameters
    ----------
    scorer : Scorer
        Knows the mean contribution and the usual value of each feature among granted applicants.
    values, contributions : mapping
        Per feature of the model: the applicant's own value, and its share of the log-odds.

    Returns
    -------
    list of Reason
        At most four, the weightiest first. Empty when nothing speaks against the application more than
        against granted ones. ``contribution`` is the group's, in log-odds above that of granted
        applicants.
    """
    return _told(scorer, values, contributions, None)[0]


class Again:
    """One application, scored again with some of its features as they usually are among granted applicants.

    Parameters
    ----------
    scorer : Scorer
    row : ndarray of shape (n_features,)
        What the model reads.
    """

    def __init__(self, scorer: Scorer, row: Vector) -> None:
        self._scorer = scorer
        self._row = row
        self._usual = _usual(scorer)

    def log_odds(self, sets: Sequence[Sequence[int]]) -> list[float]:
        """Return the calibrated log-odds of the application as it is, then with each set of places so."""
        rows = np.repeat(self._row[np.newaxis], len(sets) + 1, axis=0)
        for row, places in zip(rows[1:], sets, strict=True):
            row[places] = self._usual[places]
            gaps = np.isnan(row) & ~np.isnan(self._row)
            row[gaps] = self._row[gaps]  # nothing is usual there
        found: list[float] = self._scorer.calibration.of(self._scorer.model.function.raw(rows)).tolist()
        return found


@lru_cache(maxsize=8)  # one for each model that serves
def _usual(scorer: Scorer) -> Vector:
    """Return what the model reads of a usual granted applicant; NaN where nothing is known."""
    encoding, usual = scorer.model.encoding, scorer.granted_values
    table = pl.DataFrame(
        [
            pl.Series(name, [usual.get(name)], pl.String if name in encoding.levels else pl.Float64)
            for name in encoding.names
        ]
    )
    return np.asarray(encoding.codes(table)[0])


def _told(
    scorer: Scorer, values: Mapping[str, Value], contributions: Mapping[str, float], again: Again | None
) -> tuple[list[Reason], bool | None]:
    """Return the reasons, and whether they suffice for a refusal: None for who is granted, or untried."""
    names, usual = tuple(contributions), scorer.granted_contributions
    against = [contribution - usual.get(name, 0.0) for name, contribution in contributions.items()]
    groups = _groups(names)
    weights = {group: sum([against[place] for place in places]) for group, places in groups.items()}
    causes = sorted((group for group in weights if weights[group] >= TINY), key=lambda group: -weights[group])
    speaks_for: frozenset[str] = frozenset()
    suffice: bool | None = None
    if again is not None:
        now, *then = again.log_odds([groups[group] for group in causes])
        idle = {group for group, without in zip(causes, then, strict=True) if without >= now}
        causes = [group for group in causes if group not in idle][:MOST]
        alone = [place for group in causes for place in _heavy(groups[group], against)]
        whole = [place for group in causes for place in groups[group]]
        _, all_replaced, *then = again.log_odds([whole, *([place] for place in alone)])
        speaks_for = frozenset(
            names[place] for place, without in zip(alone, then, strict=True) if without > now
        )
        if _is_refused(scorer, now):
            least = min((weights[group] for group in causes), default=0.0)
            members = _members(names)  # with what may not be told
            others = [places for group, places in members.items() if group not in {*causes, *idle}]
            heaviest = max((sum([against[place] for place in places]) for places in others), default=0.0)
            suffice = not _is_refused(scorer, all_replaced) and heaviest <= least
    reasons = [
        _reason(
            scorer,
            group,
            {names[place]: against[place] for place in groups[group]},
            weights[group],
            values,
            speaks_for,
        )
        for group in causes[:MOST]
    ]
    return reasons, suffice


def _is_refused(scorer: Scorer, log_odds: float) -> bool:
    return float(probability(np.array([log_odds]))[0]) >= scorer.threshold


def _heavy(places: Sequence[int], against: Sequence[float]) -> list[int]:
    """Return the places of a group's features that are heavy enough to be quoted."""
    weighty = WEIGHTY * max(against[place] for place in places)
    return [place for place in places if against[place] >= weighty]


@lru_cache(maxsize=8)  # one for each model that serves
def _members(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the places of the features of every group, of those too that are never a reason."""
    places: dict[str, list[int]] = {group: [] for group in declared.GROUPS}
    for place, name in enumerate(names):
        places[declared.FEATURE_BY_NAME[name].group].append(place)
    return places


@lru_cache(maxsize=8)  # one for each model that serves
def _groups(names: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the places of the features that may be a reason, under the groups that are told as one."""
    groups: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        group = declared.FEATURE_BY_NAME[name].group
        if name not in NEVER and declared.GROUPS[group].gives_reasons:
            groups.setdefault(group, []).append(place)
    return groups


def _reason(
    scorer: Scorer,
    group: str,
    members: Mapping[str, float],
    weight: float,
    values: Mapping[str, Value],
    speaks_for: Collection[str],
) -> Reason:
    cause, name, is_quoted = _telling(scorer, group, members, values, speaks_for)
    feature, value, usual = declared.FEATURE_BY_NAME[name], values[name], scorer.granted_values.get(name)

    def sentence(language: str) -> str:
        said = say(cause, language)
        if not is_quoted:
            return say(BARE, language, cause=said)
        fact, own = in_sentence(feature.label, language), in_words(feature, value, language)
        if usual is None:
            return say(QUOTED, language, cause=said, fact=fact, value=own)
        others = in_words(feature, usual, language)
        return say(COMPARED, language, cause=said, fact=fact, value=own, usual=others)

    return Reason(group=group, feature=name, value=value, contribution=weight, text=by_language(sentence))


def _telling(
    scorer: Scorer,
    group: str,
    members: Mapping[str, float],
    values: Mapping[str, Value],
    speaks_for: Collection[str],
) -> tuple[Text, str, bool]:
    """Choose the sentence that a group is told by, the feature that it names, and whether to quote its value.

    A claim is made only with a weighty fact that bears it out. Where half of what speaks against the
    application is not known, that is said. Else the cause is named without a claim, by the weightiest fact
    that does not speak for the application, or by none. Those in ``speaks_for`` do so, whatever their side.
    """
    words = declared.GROUPS[group]
    weighty = WEIGHTY * max(members.values())
    ordered = sorted((n for n in members if members[n] >= weighty), key=lambda n: -members[n])
    sides = {name: "safe" if name in speaks_for else _side(scorer, name, values[name]) for name in ordered}
    if words.claim:
        for name in ordered:
            if sides[name] == "risky":
                return words.claim, name, True
    speaking = sum(share for share in members.values() if share > 0)
    gaps = [name for name, share in members.items() if share > 0 and values[name] is None]
    if words.unknown and 2 * sum(members[name] for name in gaps) >= speaking:
        return words.unknown, max(gaps, key=lambda name: members[name]), False
    assert words.weighs  # or the group is never a reason
    for name in ordered:
        if sides[name] in ("risky", "other"):
            return words.weighs, name, True
    return words.weighs, ordered[0], False


def _side(scorer: Scorer, name: str, value: Value) -> Literal["risky", "safe", "other", "none"]:
    """Say on which side of the usual a value lies: risky, safe, other (no side is known), none (no fact)."""
    feature, usual = declared.FEATURE_BY_NAME[name], scorer.granted_values.get(name)
    if not feature.is_plain or value is None or value == usual:
        return "none"
    if isinstance(value, str):  # levels stand from the lowest default rate to the highest
        levels = scorer.categories.get(name, ())
        is_known = value in levels and usual in levels
        return "safe" if is_known and levels.index(value) < levels.index(str(usual)) else "other"
    if usual is None or isinstance(usual, str):
        return "other"
    if feature.side:
        return "risky" if (value - usual) * feature.side > 0 else "safe"
    return "safe" if (value - usual) * feature.direction < 0 else "other"
