"""What the monitor says, for supervisors: its verdict, since when, cause and cost, and the judged windows."""

from __future__ import annotations

from datetime import timedelta

from scoring.language import day, moment, number, percent
from scoring.schema import JudgedWindow, MonitorView
from ui.rendering import render
from ui.words import of_service, say

NONE = "–"


def card(view: MonitorView, lang: str) -> str:
    """Return the monitor's newest report as HTML."""
    if view.made is None:
        return render(
            "monitored",
            lang,
            facts=[],
            windows=[],
            next=say("monitored_none", lang),
        )
    facts = [
        (say("monitored_verdict", lang), of_service(view.verdict, lang)),
        (say("monitored_since", lang), "" if view.since is None else day(view.since, lang)),
        (say("monitored_cause", lang), " ".join(filter(None, (view.origin, of_service(view.cause, lang))))),
        (
            say("monitored_changed", lang),
            ""
            if view.changed is None or view.looked_at is None
            else say("monitored_of", lang, n=number(view.changed, lang), whole=number(view.looked_at, lang)),
        ),
        (say("monitored_cost", lang), "" if view.cost is None else number(view.cost, lang, 1)),
        (say("monitored_made", lang), moment(view.made, lang)),
    ]
    return render(
        "monitored",
        lang,
        facts=[fact for fact in facts if fact[1]],
        windows=[_row(window, lang) for window in view.windows],
        next=of_service(view.next, lang),
        is_drift=view.is_drift,
    )


def _row(window: JudgedWindow, lang: str) -> tuple[str, str, str, str, str]:
    last = window.end - timedelta(days=1)
    span = day(window.start, lang)
    if last > window.start:
        span = say("monitored_span", lang, start=span, end=day(last, lang))
    if not window.is_closed:
        span = say("monitored_open", lang, span=span)
    refused = percent(window.refused / window.decisions, lang, 1) if window.decisions else NONE
    verdict = of_service(window.verdict, lang)
    return span, verdict, number(window.decisions, lang), refused, window.origin or NONE
