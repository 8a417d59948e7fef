"""A recorded decision as it is found again: what was decided, why, what a person said, what became of it."""

from __future__ import annotations

from scoring.decision import Points
from scoring.language import day, moment, number, percent
from scoring.schema import Explanation, FoundDecision, RecordedDecision
from ui import letter, result
from ui.form import Wording
from ui.header import addresses
from ui.people import AT_THE_MACHINE, Person
from ui.rendering import render
from ui.service import ServedModel
from ui.words import say


def card(found: FoundDecision, model: ServedModel, wording: Wording, person: Person = AT_THE_MACHINE) -> str:
    """Return a recorded decision as HTML, with what the person can do about it."""
    lang = wording.lang
    reviewed = found.reviewed
    return render(
        "record",
        lang,
        found=found,
        languages=addresses() if found.purpose == "decision" else [],
        has_pdf=letter.chromium() is not None,
        replay=_replay(found, lang),
        shown=result.card(explanation(found, model), model, wording, recorded=decided(found, lang)),
        reviewed=reviewed
        and say(
            f"reviewed_{reviewed.verdict}",
            lang,
            time=moment(reviewed.time, lang),
            by=reviewed.operator or say("nobody", lang),
            now=say(f"{reviewed.decision}_side", lang),
        ),
        can_review=may_review(found, person),
        is_own=is_own(found, person) and reviewed is None,
        other=say("granted_side" if found.decision == "refused" else "refused_side", lang),
        outcomes=[
            say(
                "observed_defaulted" if outcome.defaulted else "observed_repaid",
                lang,
                day=day(outcome.observed_on, lang),
            )
            for outcome in found.outcomes
        ],
    )


def last(found: RecordedDecision | None, answer: Explanation | None, points: Points | None, lang: str) -> str:
    """Return what is on record of a client, told apart from the preview below it.

    Parameters
    ----------
    found : RecordedDecision, optional
        The newest decision; None where there is none.
    answer : Explanation, optional
        The preview below.
    points : Points, optional
        The scale of the score; None where nobody knows.
    """
    if found is None:
        return render("onrecord", lang, found=None, note="on_record_none")
    by, time = found.operator or say("nobody", lang), moment(found.time, lang)
    p = found.probability_of_default
    score = number(int(points.of(p)), lang) if points else ""
    return render(
        "onrecord",
        lang,
        found=found,
        decided=say("recorded_decision", lang, time=time, by=by),
        was=say("on_record_was", lang, p=percent(p, lang, 1), score=score) if points else "",
        review=say("on_record_review", lang, state=say(f"review_{found.review}", lang))
        if found.review != "none"
        else "",
        otherwise=answer is not None and answer.decision != found.decision,
    )


def not_looked_up(lang: str) -> str:
    """Return that nobody could say whether a decision is on record."""
    return render("onrecord", lang, found=None, note="on_record_unknown")


def may_review(found: FoundDecision, person: Person) -> bool:
    """Say whether a person may review a decision: four eyes, so not the one who took it."""
    is_open = found.purpose == "decision" and found.reviewed is None
    return is_open and person.may("review") and not is_own(found, person)


def is_own(found: FoundDecision, person: Person) -> bool:
    """Say whether it was this person who took a decision."""
    return found.purpose == "decision" and bool(person.name) and found.operator == person.name


def decided(found: FoundDecision, lang: str) -> str:
    """Say when and by whom it was decided."""
    by, time = found.operator or say("nobody", lang), moment(found.time, lang)
    if found.purpose == "decision":
        return say("recorded_decision", lang, time=time, by=by)
    purpose = say(f"purpose_{found.purpose.replace('-', '_')}", lang)
    return say("recorded_look", lang, time=time, by=by, purpose=purpose)


def explanation(found: FoundDecision, model: ServedModel) -> Explanation:
    """Return a recorded decision in the form of a fresh answer; without the model, it has no reasons."""
    again = found.explanation
    return Explanation(
        event_id=found.event_id,
        SK_ID_CURR=0,
        probability_of_default=found.probability_of_default,
        score=int(model.points.of(found.probability_of_default)),
        threshold=found.threshold,
        decision=found.decision,
        model=found.model,
        warnings=[],
        probability_low=None,  # what is written down is the verdict, not how sure it was
        probability_high=None,
        review=None,
        review_reasons=[],
        base_value=again.base_value if again else 0.0,
        raw_score=again.raw_score if again else 0.0,
        contributions=again.contributions if again else [],
        base_points=again.base_points if again else 0,
        groups=again.groups if again else [],
        reasons=again.reasons if again else [],
        reasons_suffice=again.reasons_suffice if again else None,
        reasons_note=again.reasons_note if again else None,
    )


def _replay(found: FoundDecision, lang: str) -> str:
    """Say whether the decision comes out today as it was recorded."""
    if found.explanation is None:
        return say("replay_none", lang)
    return say("replay_differs" if found.differences else "replay_same", lang)
