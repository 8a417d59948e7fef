"""The answer as an officer reads it: decision, distance, change, reasons, and where the points come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from scoring.decision import Points
from scoring.features.wording import written
from scoring.schema import Contribution, Explanation
from ui import form
from ui.charts import Bar, bars, gauge
from ui.figures import Language, digits_to_tell, number, percent
from ui.service import Model
from ui.words import counted, say

MOST_BARS = 8  # facts drawn one by one; the others are summed in one line, so that the total is exact
MOST_CHECKS = 5  # odd values shown at once; one absurd amount makes twenty derived ones odd too
MARKS = {"granted": "✓", "refused": "✕"}  # a sign beside the colour


def distance(answer: Explanation, points: Points, lang: Language) -> list[str]:
    """Return the sentences that say how far the application is from the threshold."""
    p, t = answer.probability_of_default, answer.threshold
    digits = digits_to_tell(p, t)
    key = "at" if p == t else "above" if answer.decision == "refused" else "below"
    apart = round(abs(round(100 * p, digits) - round(100 * t, digits)), digits)  # as a reader subtracts
    # English says "0.5 percentage points", French "1,5 point".
    is_one = apart == 1 if lang == "en" else apart < 2
    gap = say("gap_one" if is_one else "gap_many", lang, gap=number(apart, lang, digits))
    line = round(float(points.of(t)))
    more = answer.score - line
    side = say(
        "points_more" if more > 0 else "points_fewer" if more < 0 else "points_same", lang, n=abs(more)
    )
    return [
        say(key, lang, p=percent(p, lang, digits), t=percent(t, lang, digits), gap=gap),
        say("score_is", lang, score=number(answer.score, lang), gap=side, line=number(line, lang)),
    ]


def change(first: Explanation, now: Explanation, lang: Language) -> str:
    """Return the sentence that compares an edited application with its first score."""
    before, after = first.probability_of_default, now.probability_of_default
    digits = digits_to_tell(before, after)
    key = "stays" if before == after else "falls" if after < before else "rises"
    turn = "same" if first.decision == now.decision else "turns"
    moved = say(key, lang, first=percent(before, lang, digits), now=percent(after, lang, digits))
    return f"{say('change', lang)}, {moved} {say(f'{turn}_{now.decision}', lang)}."


def edits(opened: Mapping[str, Any], edited: Mapping[str, Any], lang: Language) -> list[str]:
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


def feature_label(feature: Mapping[str, Any], name: str, lang: Language) -> str:
    """Return the words for a feature; its name if the model has none for it."""
    return str(feature.get("label", {}).get(lang) or name)


def feature_value(feature: Mapping[str, Any], value: float | str | None, lang: Language) -> str:
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


def waiting(lang: Language) -> str:
    """Return what stands in the place of the result before there is one."""
    return (
        f'<section class="card empty"><h2>{escape(say("waiting", lang))}</h2>'
        f"<p>{escape(say('waiting_note', lang))}</p></section>"
    )


def trouble(sentence: str, details: Sequence[tuple[str, str]] = ()) -> str:
    """Return an error as a sentence and, for each fault, a link to its fact."""
    items = "".join(
        f'<li><a href="#fact-{escape(name)}">{escape(text)}</a></li>' if name else f"<li>{escape(text)}</li>"
        for name, text in details
    )
    listed = f"<ul>{items}</ul>" if items else ""
    return f'<div class="card trouble" role="alert"><p>{escape(sentence)}</p>{listed}</div>'


def render(
    answer: Explanation,
    lang: Language,
    model: Model,
    *,
    first: Explanation | None = None,
    changed: Sequence[str] = (),
) -> str:
    """Return the whole result as HTML; `first` and `changed` when an edited application was scored again."""
    decision = _decision(answer, lang, model.points, first, changed)
    return decision + _reasons(answer, lang) + _ledger(answer, lang, model)


def _decision(
    answer: Explanation, lang: Language, points: Points, first: Explanation | None, changed: Sequence[str]
) -> str:
    """Return the first card: the verdict, the gauge, the distance and the change."""
    verdict = answer.decision
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in distance(answer, points, lang))
    compared = ""
    if first is not None:
        items = "".join(f"<li>{escape(line)}</li>" for line in changed)
        compared = f'<div class="change"><p>{escape(change(first, answer, lang))}</p><ul>{items}</ul></div>'
    drawn = gauge(answer.probability_of_default, answer.threshold, verdict, lang)
    small = say("small_print", lang, model=answer.model, event=answer.event_id)
    return (
        f'<section class="card verdict {verdict}" role="status" aria-label="{escape(say("result", lang))}">'
        f'<div class="drawn">{drawn}</div><div class="told">'
        f'<h2><span class="mark" aria-hidden="true">{MARKS[verdict]}</span>{escape(say(verdict, lang))}</h2>'
        f'<p class="points"><strong>{number(answer.score, lang)}</strong> {escape(say("points", lang))}</p>'
        f'{told}{compared}</div><p class="small">{escape(small)}</p></section>'
    )


def _reasons(answer: Explanation, lang: Language) -> str:
    """Return the second card: at most four reasons, and the values that training never saw."""
    sentences = [reason.text[lang] for reason in answer.reasons]
    body = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    told = f"<ol>{body}</ol>" if body else f"<p>{escape(say('no_reasons', lang))}</p>"
    return (
        f'<section class="card reasons"><h2>{escape(say("reasons", lang))}</h2>{told}{_odd(answer, lang)}'
        "</section>"
    )


def _odd(answer: Explanation, lang: Language) -> str:
    """Return the values that training never saw: what the officer can change first, a long rest folded."""
    facts = form.fields()
    ordered = sorted(answer.warnings, key=lambda warning: warning.feature not in facts)
    checks = [f"<li>{escape(warning.text[lang])}</li>" for warning in ordered]
    if not checks:
        return ""
    shown, rest = checks[:MOST_CHECKS], checks[MOST_CHECKS:]
    title = counted("more_warnings", lang, len(rest), n=len(rest))
    folded = f"<details><summary>{escape(title)}</summary><ul>{''.join(rest)}</ul></details>" if rest else ""
    return f'<div class="odd"><h3>{escape(say("warnings", lang))}</h3><ul>{"".join(shown)}</ul>{folded}</div>'


def _ledger(answer: Explanation, lang: Language, model: Model) -> str:
    """Return the third card: the contributions as a sentence, a chart and a table."""
    base, facts, others, n_others = ledger(answer, model.points)
    drawn = []
    for part, whole in facts:
        feature = model.feature(part.feature)
        value = feature_value(feature, part.value, lang)
        drawn.append(Bar(feature_label(feature, part.feature, lang), value, whole))
    score = number(answer.score, lang)
    if drawn:
        most, effect = drawn[0].fact, number(drawn[0].points, lang, signed=True)
        note = say("contributions_note", lang, base=number(base, lang), score=score, most=most, points=effect)
    else:
        note = say("no_contributions", lang)
    rows = [(say("base", lang), "", number(base, lang))]
    rows += [(bar.fact, bar.value, number(bar.points, lang, signed=True)) for bar in drawn]
    rows.append(
        (
            counted("other_facts", lang, n_others, n=number(n_others, lang)),
            "",
            number(others, lang, signed=True),
        )
    )
    body = "".join(
        f'<tr><th scope="row">{escape(fact)}</th><td>{escape(value)}</td><td>{escape(effect)}</td></tr>'
        for fact, value, effect in rows
    )
    total = f'<tr><th scope="row">{escape(say("total", lang))}</th><td></td><td>{score}</td></tr>'
    head = "".join(f'<th scope="col">{escape(say(key, lang))}</th>' for key in ("fact", "value", "effect"))
    return (
        f'<section class="card ledger"><h2>{escape(say("contributions", lang))}</h2><p>{escape(note)}</p>'
        f'<div class="pair"><div>{bars(drawn, note, lang)}</div>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody><tfoot>{total}</tfoot></table></div></section>"
    )
