"""The answer as an officer reads it: what is recommended, how near, why, and by which points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.decision import Points
from scoring.language import number, percent
from scoring.schema import Explanation
from ui import about, charts, form, place, waterfall
from ui.probabilities import digits_apart
from ui.rendering import render
from ui.service import ServedModel
from ui.words import of_service, say

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


def interval(answer: Explanation, digits: int, lang: str) -> list[str]:
    """Return the sentence that says how sure the probability is, where the model knows."""
    low, high = answer.probability_low, answer.probability_high
    if low is None or high is None:
        return []
    return [say("interval", lang, low=percent(low, lang, digits), high=percent(high, lang, digits))]


def change(first: Explanation, now: Explanation, digits: int, lang: str) -> str:
    """Return the sentences that compare an edited application with its first score."""
    before, after = first.probability_of_default, now.probability_of_default
    move = "stays" if before == after else "falls" if after < before else "rises"
    outcome = "stays" if first.decision == now.decision else "turns"
    moved = say(move, lang, first=percent(before, lang, digits), now=percent(after, lang, digits))
    return f"{moved} {say(f'{outcome}_{now.decision}', lang)}"


def edits(opened: Mapping[str, Any], edited: Mapping[str, Any], wording: form.Wording) -> list[str]:
    """Return one line per fact that differs from the opened application."""
    return [
        say(
            "edited",
            wording.lang,
            fact=form.label(column, wording.lang),
            before=form.in_words(column, opened.get(name), wording),
            after=form.in_words(column, edited.get(name), wording),
        )
        for name, column in form.fields().items()
        if opened.get(name) != edited.get(name)
    ]


def waiting(lang: str) -> str:
    """Return what stands in the place of the result before there is one."""
    return render("waiting", lang, title=say("waiting", lang), note=say("waiting_note", lang))


def unanswered(lang: str) -> str:
    """Return what stands there while an application is open and the service has given no result."""
    return render("waiting", lang, title=say("unanswered", lang), note=say("unanswered_note", lang))


def card(
    answer: Explanation,
    model: ServedModel,
    wording: form.Wording,
    comparison: EditComparison | None = None,
    recorded: str = "",
    link: bool = False,
) -> str:
    """Return the whole result as HTML: recommendation, reasons, and where the points come from.

    Parameters
    ----------
    recorded : str
        When and by whom it was decided, in a sentence; "" where nothing was.
    link : bool
        Whether to lead to the record.
    """
    lang = wording.lang
    shares = [answer.probability_of_default, answer.threshold]
    if comparison is not None:
        shares.append(comparison.first.probability_of_default)
    digits = digits_apart(*shares)
    warnings = unusual(answer, lang)
    compared = set() if recorded else {item["name"] for item in model.compared}
    return render(
        "result",
        lang,
        answer=answer,
        recorded=recorded,
        link=link,
        may_decide=wording.may_decide,
        scale=wording.house.scale,
        gauge=charts.gauge(answer, digits, lang),
        distance=[
            *distance(answer, model.points, digits, lang),
            *interval(answer, digits, lang),
        ],
        doubts=[say(f"why_{reason}", lang) for reason in answer.review_reasons],
        change=comparison and change(comparison.first, answer, digits, lang),
        other_model=other_model(answer, model, comparison, lang),
        edits=comparison.edits if comparison else [],
        client=answer.SK_ID_CURR or place.NEW,
        reasons=[
            (of_service(reason.text, lang), reason.feature if reason.feature in compared else "")
            for reason in answer.reasons
        ],
        warnings=warnings[:MOST_CHECKS],
        more_warnings=warnings[MOST_CHECKS:],
        model=about.short(model, lang) if model.tag == answer.model else "",
        ledger=waterfall.of(answer, model, wording),
    )


def other_model(answer: Explanation, model: ServedModel, comparison: EditComparison | None, lang: str) -> str:
    """Return the sentence that says that the first score was another model's; "" where it was not."""
    if comparison is None or comparison.first.model == answer.model:
        return ""
    return say("other_model", lang, model=about.short(model, lang))


def unusual(answer: Explanation, lang: str) -> list[str]:
    """Return the values that training never saw: first what the officer can change."""
    facts = form.fields()
    ordered = sorted(answer.warnings, key=lambda warning: warning.feature not in facts)
    return [of_service(warning.text, lang) for warning in ordered]
