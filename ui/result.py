"""The answer as an officer reads it: decision, distance, change, reasons, and where the points come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.decision import Points
from scoring.features.wording import written
from scoring.language import MINUS, number, percent
from scoring.schema import Contribution, Explanation
from ui import charts, form
from ui.charts import FactBar
from ui.probabilities import digits_apart
from ui.rendering import render
from ui.service import ServedModel
from ui.words import of_service, say

MOST_BARS = 8  # facts drawn one by one; the others are summed in one line, so that the total is exact
MOST_CHECKS = 5  # odd values shown at once; one absurd amount makes twenty derived ones odd too


@dataclass(frozen=True)
class EditComparison:
    """An edited application that was scored again: its first decision, and what was edited since."""

    first: Explanation
    edits: Sequence[str]


def distance(answer: Explanation, points: Points, digits: int, lang: str) -> list[str]:
    """Return the sentences that say how far the application is from the threshold."""
    p, t = answer.probability_of_default, answer.threshold
    written_p, written_t = percent(p, lang, digits), percent(t, lang, digits)
    if p == t:
        first = say("at", lang, p=written_p)
    else:
        apart = round(abs(round(100 * p, digits) - round(100 * t, digits)), digits)  # as a reader subtracts
        side = "above" if answer.decision == "refused" else "below"
        first = say(side, lang, apart, digits=digits, p=written_p, t=written_t)
    line = round(float(points.of(t)))
    more = answer.score - line
    side = "score_above" if more > 0 else "score_below" if more < 0 else "score_at"
    score = say(side, lang, abs(more), score=number(answer.score, lang), line=number(line, lang))
    return [first, score]


def change(first: Explanation, now: Explanation, digits: int, lang: str) -> str:
    """Return the sentences that compare an edited application with its first score."""
    before, after = first.probability_of_default, now.probability_of_default
    move = "stays" if before == after else "falls" if after < before else "rises"
    outcome = "stays" if first.decision == now.decision else "turns"
    moved = say(move, lang, first=percent(before, lang, digits), now=percent(after, lang, digits))
    return f"{moved} {say(f'{outcome}_{now.decision}', lang)}"


def edits(opened: Mapping[str, Any], edited: Mapping[str, Any], lang: str) -> list[str]:
    """Return one line per fact that differs from the opened application."""
    return [
        say(
            "edited",
            lang,
            fact=form.label(column, lang),
            before=form.in_words(column, opened.get(name), lang),
            after=form.in_words(column, edited.get(name), lang),
        )
        for name, column in form.fields().items()
        if opened.get(name) != edited.get(name)
    ]


def feature_label(feature: Mapping[str, Any], name: str, lang: str) -> str:
    """Return the words for a feature; its name if the model has none for it."""
    return of_service(feature.get("label", {}), lang) or name


def feature_value(feature: Mapping[str, Any], value: float | str | None, lang: str) -> str:
    """Return a feature's value with its unit, as the reasons quote it."""
    return written(feature.get("unit", "ratio"), value, lang)


def ledger(answer: Explanation, points: Points) -> tuple[int, list[tuple[Contribution, int]], int, int]:
    """Return where the points come from, in whole points that add up to the score.

    Returns
    -------
    base : int
        Points of the average application.
    facts : list of (Contribution, int)
        The heaviest contributions, the heaviest first.
    others : int
        Points of all other facts together.
    n_others : int
        How many they are.

    Notes
    -----
    Rounding is by largest remainder, so that base + facts + others = score, exactly.
    """
    ranked = sorted(answer.contributions, key=lambda part: -abs(part.contribution))
    shown = [part for part in ranked[:MOST_BARS] if part.contribution]
    exact = [points.offset - points.factor * answer.base_value]
    exact += [-points.factor * part.contribution for part in shown]
    exact.append(-points.factor * sum(part.contribution for part in ranked[len(shown) :]))
    whole = _largest_remainder(exact, answer.score)
    return whole[0], list(zip(shown, whole[1:-1], strict=True)), whole[-1], len(ranked) - len(shown)


def _largest_remainder(exact: Sequence[float], total: int) -> list[int]:
    """Round numbers so that they add up to a whole total; what no rounding explains goes to the last."""
    floors = [int(value // 1) for value in exact]
    missing = total - sum(floors)
    order = sorted(range(len(exact)), key=lambda i: floors[i] - exact[i])
    for i in order[: max(0, min(missing, len(exact)))]:
        floors[i] += 1
    floors[-1] += total - sum(floors)
    return floors


def waiting(lang: str) -> str:
    """Return what stands in the place of the result before there is one."""
    return render("waiting", lang)


def card(answer: Explanation, model: ServedModel, lang: str, comparison: EditComparison | None = None) -> str:
    """Return the whole result as HTML: decision, reasons, and where the points come from."""
    shares = [answer.probability_of_default, answer.threshold]
    if comparison is not None:
        shares.append(comparison.first.probability_of_default)
    digits = digits_apart(*shares)
    warnings = unusual(answer, lang)
    rows, drawn = points_table(answer, model, lang)
    return render(
        "result",
        lang,
        answer=answer,
        gauge=charts.gauge(answer, digits, lang),
        distance=distance(answer, model.points, digits, lang),
        change=comparison and change(comparison.first, answer, digits, lang),
        edits=comparison.edits if comparison else [],
        reasons=[of_service(reason.text, lang) for reason in answer.reasons],
        warnings=warnings[:MOST_CHECKS],
        more_warnings=warnings[MOST_CHECKS:],
        note=contributions_note(answer, rows, drawn, lang),
        rows=rows,
        bars=charts.bars(drawn, lang),
        height=charts.height(len(drawn)),
    )


def unusual(answer: Explanation, lang: str) -> list[str]:
    """Return the values that training never saw: first what the officer can change."""
    facts = form.fields()
    ordered = sorted(answer.warnings, key=lambda warning: warning.feature not in facts)
    return [of_service(warning.text, lang) for warning in ordered]


def points_table(
    answer: Explanation, model: ServedModel, lang: str
) -> tuple[list[tuple[str, str, str]], list[FactBar]]:
    """Return where the points come from: every row of the table, and the facts that are drawn too."""
    base, facts, others, n_others = ledger(answer, model.points)
    drawn = []
    for part, points in facts:
        feature = model.feature(part.feature)
        value = feature_value(feature, part.value, lang)
        drawn.append(FactBar(feature_label(feature, part.feature, lang), value, points))
    return [
        (say("base", lang), "", number(base, lang)),
        *((bar.fact, bar.value, _effect(bar.points, lang)) for bar in drawn),
        (say("other_facts", lang, n_others), "", _effect(others, lang)),
    ], drawn


def contributions_note(
    answer: Explanation, rows: Sequence[tuple[str, str, str]], drawn: Sequence[FactBar], lang: str
) -> str:
    """Return the table in a sentence."""
    if not drawn:
        return say("no_contributions", lang)
    most, points = drawn[0].fact, _effect(drawn[0].points, lang)
    score, base = number(answer.score, lang), rows[0][-1]
    return say("contributions_note", lang, base=base, score=score, most=most, points=points)


def _effect(points: int, lang: str) -> str:
    return number(points, lang, is_signed=True, minus=MINUS)
