"""Where the points come from: from the average application to this one, group by group, exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.features.wording import written
from scoring.language import MINUS, number, percent
from scoring.schema import Contribution, Explanation
from ui import form
from ui.service import ServedModel
from ui.words import of_service, one_minus, say

MOST_FACTS = 8  # of a group, one by one; the others are summed in one line
LEAST = 0.05  # points; what moves the score by less is among the others


@dataclass(frozen=True)
class WaterfallBar:
    """One group of facts: what it does to the score, and where its bar stands.

    Attributes
    ----------
    title : str
        Of the group.
    kind : str
        ``lowers``, ``raises`` or ``keeps``.
    points : str
        Whole points, signed.
    left, width : float
        Of the bar, in percent of its track.
    facts : sequence of (str, str, str)
        The facts of the group that move the score most: words, value, points with a decimal.
    """

    title: str
    kind: str
    points: str
    left: float
    width: float
    facts: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class ThemeWeight:
    """What share of the movement of the score a theme has: in one decision, and in all of them."""

    title: str
    here: float
    everywhere: float
    texts: tuple[str, str]


@dataclass(frozen=True)
class Waterfall:
    """The steps from the average application to this one.

    Attributes
    ----------
    base, score : str
        Points before the first step and after the last one.
    base_at, score_at : float
        Where they stand on the track, in percent.
    steps : sequence of WaterfallBar
        The heaviest first.
    note : str
        The same in a sentence.
    weights : sequence of ThemeWeight
        The same themes beside what they weigh in all decisions.
    """

    base: str
    score: str
    base_at: float
    score_at: float
    steps: Sequence[WaterfallBar]
    note: str
    weights: Sequence[ThemeWeight]


def of(answer: Explanation, model: ServedModel, wording: form.Wording) -> Waterfall:
    """Return the ledger of an answer, in the words of the model that gave it."""
    lang, base = wording.lang, answer.base_points
    facts: dict[str, list[Contribution]] = {}
    for part in answer.contributions:
        facts.setdefault(model.feature(part.feature).get("group", ""), []).append(part)
    order = sorted(answer.groups, key=lambda one: (-abs(one.points), -abs(one.contribution)))
    ends, now = [base], base
    for one in order:
        now += one.points
        ends.append(now)
    low, high = min(ends), max(ends)
    room = (high - low) or 1

    def at(points: int) -> float:
        return 100 * (points - low) / room

    steps = [
        WaterfallBar(
            title=of_service(model.facts["groups"].get(one.group, {}), lang) or one.group,
            kind="lowers" if one.points < 0 else "raises" if one.points else "keeps",
            points=signed(one.points, lang),
            left=at(min(before, before + one.points)),
            width=100 * abs(one.points) / room,
            facts=_facts(facts.get(one.group, []), model, wording),
        )
        for one, before in zip(order, ends, strict=False)
    ]
    score = number(answer.score, lang)
    note = say("no_contributions", lang)
    if any(one.points for one in order):
        note = say(
            "contributions_note",
            lang,
            base=number(base, lang),
            score=score,
            most=steps[0].title,
            points=steps[0].points,
        )
    return Waterfall(
        number(base, lang), score, at(base), at(answer.score), steps, note, _weights(answer, model, lang)
    )


def _weights(answer: Explanation, model: ServedModel, lang: str) -> list[ThemeWeight]:
    """Return the themes with their shares here and everywhere, the weightiest of all decisions first."""
    everywhere: dict[str, float] = {}
    for feature in model.facts["features"]:
        group = feature["group"]
        everywhere[group] = everywhere.get(group, 0.0) + feature.get("importance", 0.0)
    here = {one.group: abs(one.contribution) for one in answer.groups}
    whole, whole_here = sum(everywhere.values()) or 1, sum(here.values()) or 1
    shares = {
        group: (here.get(group, 0.0) / whole_here, weight / whole) for group, weight in everywhere.items()
    }
    return [
        ThemeWeight(
            of_service(model.facts["groups"].get(group, {}), lang) or group,
            *found,
            (percent(found[0], lang), percent(found[1], lang)),
        )
        for group, found in sorted(shares.items(), key=lambda item: -item[1][1])
    ]


def signed(points: float, lang: str, digits: int = 0) -> str:
    """Return points with their sign."""
    return number(points, lang, digits, is_signed=True, minus=MINUS)


def feature_label(feature: Mapping[str, Any], name: str, lang: str) -> str:
    """Return the words for a feature; its name if the model has none for it."""
    return of_service(feature.get("label", {}), lang) or name


def feature_value(feature: Mapping[str, Any], value: float | str | None, wording: form.Wording) -> str:
    """Return a feature's value with its unit, as the reasons quote it."""
    if isinstance(value, str):
        return form.in_house(value, wording)
    return one_minus(written(feature.get("unit", "ratio"), value, wording.lang))


def _facts(
    parts: Sequence[Contribution], model: ServedModel, wording: form.Wording
) -> list[tuple[str, str, str]]:
    """Return the facts of a group that move the score, and all others in one line."""
    lang, factor = wording.lang, model.points.factor
    ranked = sorted(parts, key=lambda part: -abs(part.contribution))
    shown = [part for part in ranked[:MOST_FACTS] if factor * abs(part.contribution) >= LEAST]
    rows = []
    for part in shown:
        feature = model.feature(part.feature)
        value = feature_value(feature, part.value, wording)
        rows.append(
            (feature_label(feature, part.feature, lang), value, signed(-factor * part.contribution, lang, 1))
        )
    if others := ranked[len(shown) :]:
        rest = -factor * sum(part.contribution for part in others)
        rows.append((say("other_facts", lang, len(others)), "", signed(rest, lang, 1)))
    return rows
