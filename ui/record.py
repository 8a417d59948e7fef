"""A recorded decision as it is found again: what was decided, why, what a person said, what became of it."""

from __future__ import annotations

from scoring.language import day, moment
from scoring.schema import Explanation, FoundDecision
from ui import letter, result
from ui.form import Wording
from ui.header import addresses
from ui.rendering import render
from ui.service import ServedModel
from ui.words import say


def card(found: FoundDecision, model: ServedModel, wording: Wording) -> str:
    """Return a recorded decision as HTML, with what can be done about it."""
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
        can_review=found.purpose == "decision" and reviewed is None,
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
