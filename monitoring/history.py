"""The judged windows as the service hands them on to supervisors: see `scoring.schema.MonitorView`."""

from __future__ import annotations

from monitoring.page import word_of
from monitoring.report import DRIFT, VERDICTS, Report
from monitoring.windows import Window
from monitoring.words import Said
from scoring.language import languages
from scoring.schema import JudgedWindow, MonitorView

SHOWN = 30  # windows of each length


def history(report: Report) -> MonitorView:
    """Return the verdict and the latest windows, in every language."""
    groups = report.judgement.groups if report.judgement else ()
    first = groups[0].origin if groups and report.code == DRIFT else ""
    cause = next((one for one in report.causes if one.origin == first), None)
    is_replayed = cause is not None and cause.rows > 0
    windows = [one for some in report.windows.values() for one in some[-SHOWN:]]
    return MonitorView(
        model=report.model or "",
        made=report.now,
        is_drift=report.code == DRIFT,
        verdict=_each(Said(VERDICTS[report.code])),
        since=report.standing.since if report.code == DRIFT else None,
        next=_each(report.next()),
        origin=first,
        cause={} if cause is None else _each(cause.said),
        changed=cause.changed if cause is not None and is_replayed else None,
        looked_at=cause.rows if cause is not None and is_replayed else None,
        cost=None if cause is None else cause.cost,
        windows=[_judged(one) for one in sorted(windows, key=lambda one: (one.start, one.end), reverse=True)],
    )


def _judged(window: Window) -> JudgedWindow:
    found = window.judgement
    return JudgedWindow(
        length=window.length,
        start=window.start,
        end=window.end,
        is_closed=window.is_closed,
        is_drift=found.is_drift or bool(found.alarms),
        verdict=_each(Said(word_of(window))),
        decisions=found.rows,
        refused=found.refused,
        origin=found.groups[0].origin if found.groups else "",
    )


def _each(said: Said) -> dict[str, str]:
    return {code: said(code) for code in languages()}
