"""A whole report: what is said of the latest windows, as JSON for programs and as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from monitoring.audited import LenderGroup
from monitoring.judgement import MIN_ROWS, Finding, Judgement
from monitoring.limits import DetectionLimits
from monitoring.outcomes import ALARM, Estimate, Watched
from monitoring.realised import Realised
from monitoring.reference import PREDICTION, Reference
from monitoring.rejections import Rejections
from monitoring.retraining import Proposal
from monitoring.statistic import FLOOR
from monitoring.windows import Standing, Window, standing
from monitoring.words import Said, days
from scoring.language import ENGLISH

if TYPE_CHECKING:
    from monitoring.attachment import Attachment  # brings evidently, which takes seconds to import
    from monitoring.causes import Cause  # brings the model

NO_DRIFT, DRIFT, NOT_ENOUGH, BAD_INPUT, STALE = range(5)
VERDICTS = {NO_DRIFT: "no_drift", DRIFT: "drift", NOT_ENOUGH: "not_enough", STALE: "stale"}
JSON_VERSION = 2  # of summary.json
LEVELS = 5  # named of those that training never saw


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that a report says.

    Attributes
    ----------
    reference : Reference
    model : str or None
        Whose decisions were judged.
    purpose : str
    windows : mapping of str to sequence of Window
        By length, the oldest first; of a selection one.
    now : datetime
    last : datetime, optional
        When the last decision was taken.
    notes : sequence of Said
    min_rows : int
    stale : timedelta, optional
        Without a decision for so long the verdict is stale; None: however old.
    evidently : Attachment, optional
    causes : sequence of Cause
        Of the first findings.
    estimates : pair of Estimate, optional
        Of the window and of the reference, as the scores expect it.
    watched : Watched, optional
        What outcomes say.
    realised : Realised, optional
        How loans ended, by the time of their decision and by their age.
    audited : sequence of LenderGroup
        Groups that no model reads.
    limits : DetectionLimits, optional
        What the window cannot show.
    proposal : Proposal, optional
        A retraining, where costs have risen.
    rejected : Rejections
        Requests that never came to a decision.
    again : str
        The command that made it.
    """

    reference: Reference
    model: str | None
    purpose: str
    windows: Mapping[str, Sequence[Window]]
    now: datetime
    last: datetime | None = None
    notes: Sequence[Said] = ()
    min_rows: int = MIN_ROWS
    stale: timedelta | None = None
    evidently: Attachment | None = None
    causes: Sequence[Cause] = ()
    estimates: tuple[Estimate, Estimate] | None = None
    watched: Watched | None = None
    realised: Realised | None = None
    audited: Sequence[LenderGroup] = ()
    limits: DetectionLimits | None = None
    proposal: Proposal | None = None
    rejected: Rejections = field(default_factory=Rejections)
    again: str = ""
    _standing: dict[str, Standing] = field(default_factory=dict)

    @property
    def standing(self) -> Standing:
        """What the windows say together: drift if those of any length do."""
        if not self._standing:
            self._standing.update({name: standing(windows) for name, windows in self.windows.items()})
        known = [one for one in self._standing.values() if one.window is not None]
        return next(
            (one for one in known if one.is_drift), known[0] if known else Standing(False, None, None)
        )

    @property
    def judgement(self) -> Judgement | None:
        """What is said of the window to look at."""
        window = self.standing.window
        return None if window is None else window.judgement

    @property
    def code(self) -> int:
        """The exit code."""
        judgement = self.judgement
        if self.standing.is_drift or (self.watched is not None and self.watched.alarm is not None):
            return DRIFT
        if self.rejected.alarms:
            return DRIFT
        if (self.realised is not None and self.realised.alarms) or any(one.is_alarm for one in self.audited):
            return DRIFT
        if judgement is None or not judgement.rows:
            return NOT_ENOUGH
        if self.is_stale:
            return STALE
        return NO_DRIFT if judgement.is_judged else NOT_ENOUGH

    @property
    def is_stale(self) -> bool:
        """Whether decisions have ceased."""
        return self.stale is not None and self.last is not None and self.now - self.last > self.stale

    def lead(self) -> list[Said]:
        """Return what stands under the verdict."""
        window, judgement = self.standing.window, self.judgement
        if window is None or judgement is None or not judgement.rows:
            few = Said("too_few", {"rows": 0, "least": self.min_rows})
            return [Said("nobody"), few, *self.rejected.alarms]
        said = [
            Said(
                "compared",
                {
                    "rows": judgement.rows,
                    "model": self.model or "",
                    "window": named(window),
                    "reference": self.reference.table.height,
                },
            )
        ]
        if self.is_stale and self.last is not None:
            gone = (self.now - self.last).days
            said.append(Said("no_decision", {"last": f"{self.last:%Y-%m-%d %H:%M}", "days": days(gone)}))
        if not judgement.is_judged:
            rows = min(judgement.rows, self.reference.table.height)
            said.append(Said("too_few", {"rows": rows, "least": self.min_rows}))
        elif not judgement.is_drift:
            said.append(Said("nothing_moved", {"inputs": judgement.inputs, "name": judgement.strongest_name}))
        return [*said, *judgement.alarms, *self.rejected.alarms, *parted(judgement)]

    def next(self) -> Said:
        """Return what is to be done first."""
        judgement = self.judgement
        if self.code == STALE:
            return Said("next_stale")
        if self.rejected.alarms and not self.standing.is_drift:
            return Said("next_rejected")
        if judgement is None or self.code == NOT_ENOUGH:
            return Said("next_few")
        if self.code == NO_DRIFT:
            return Said("next_none")
        if self.standing.is_drift:
            if judgement.alarms:
                return Said("next_alarm")
            if judgement.groups:
                first = judgement.groups[0]
                if first.origin == PREDICTION:
                    return Said("next_score")
                kind = next((one.kind for one in self.causes if one.origin == first.origin), "unknown")
                is_broken = kind not in ("mix", "unknown") or (kind == "unknown" and first.is_source)
                return Said("next_source" if is_broken else "next_mix", {"origin": first.origin})
            return Said("next_part")
        return Said("next_retrain")

    def of_outcomes(self) -> Iterator[Said]:
        """Give what scores and outcomes say."""
        if self.estimates is not None:
            now, then = self.estimates
            values = {"share": now.default_rate, "figure": now.cost}
            values |= {"usual_share": then.default_rate, "other": then.cost}
            yield Said("estimate", values)
            if self.reference.calibrator is not None:
                yield Said(
                    "calibration", {"share": now.default_rate, "other_share": now.default_rate - now.apart}
                )
        if (found := self.watched) is not None:
            counts = {"n": found.known, "defaults": found.defaults, "awaited": found.awaited}
            yield Said("watched", counts | {"expected": round(found.expected)})
            if found.early:
                yield Said("early", {"n": found.early})
            if found.alarm is not None:
                yield Said("bet_lost", {"n": found.alarm})
            elif found.known:
                yield Said("bet_open", {"figure": found.capital, "other": ALARM})
        yield from chain.from_iterable(group.said() for group in self.audited)
        for part in (self.realised, self.proposal):
            if part is not None:
                yield from part.said()

    def whole(self) -> list[Said]:
        """Return the verdict's grounds, what outcomes say, and what cannot be seen."""
        judgement = self.judgement
        if judgement is None or not judgement.rows:
            return self.lead()
        blind = self.limits.said() if self.limits is not None else []
        return [*self.lead(), *self.of_outcomes(), *blind]


def parted(judgement: Judgement) -> list[Said]:
    """Return what is wrong with parts of the applicants: of inputs only where the whole has not moved."""
    said = [one for part in judgement.parts for one in part.said()]
    return [one for one in said if not (judgement.groups and one.name == "part_moved")]


def named(window: Window) -> Said:
    """Return the name of a window."""
    start, last = window.start.isoformat(), (window.end - timedelta(days=1)).isoformat()
    if window.length == "day" and window.days == 1:
        return Said("window_day", {"start": start})
    if window.length == "week" and window.days == 7:
        return Said("window_week", {"start": start})
    return Said("window_span", {"start": start, "end": last})


def lines(group: Finding, causes: Sequence[Cause] = ()) -> list[Said]:
    """Return what is said of an origin: its name first, then its cause."""
    inputs = {"origin": group.origin, "inputs": group.inputs}
    said = [Said("origin_parted" if group.is_parted else "origin", inputs)]
    is_mix = any(cause.origin == group.origin and cause.kind == "mix" for cause in causes)
    # The score comes from no source: where it alone moved, the model answers otherwise.
    if group.is_source and not group.is_parted and not is_mix and group.origin != PREDICTION:
        said.append(Said("origin_source"))
    for cause in causes:
        if cause.origin == group.origin:
            said += _caused(cause)
    said += [one.said() for one in group.moved]
    if group.unseen:
        listed = list(group.unseen.items())[:LEVELS]
        levels = ", ".join(f"{level!r} ({share:.1%})" for level, share in listed)
        said.append(Said("new_levels", {"levels": levels}))
    if group.inputs > len(group.moved):
        said.append(Said("more", {"n": group.inputs - len(group.moved)}))
    return said


def _caused(cause: Cause) -> Iterator[Said]:
    yield cause.said
    if cause.kind != "unknown":
        yield Said("explained", {"share": cause.explained})
    if cause.rows:
        yield Said("changed", {"changed": cause.changed, "rows": cause.rows})
    if cause.cost is not None:
        yield Said("cost", {"figure": cause.cost})


METRIC, RUN_TIME = "credit_scoring_monitor_", "run_timestamp_seconds"


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    window, judgement = report.standing.window, report.judgement
    return {
        "version": JSON_VERSION,
        "verdict": Said(VERDICTS[report.code])().lower(),
        "exit_code": report.code,
        "next": report.next()(),
        "since": report.standing.since.isoformat() if report.standing.since else None,
        "model": report.model,
        "purpose": report.purpose,
        "made": report.now.isoformat(),
        "again": report.again,
        "last_decision": report.last.isoformat() if report.last else None,
        "reference_rows": report.reference.table.height,
        "cells": report.reference.bins.id,
        "said": [one() for one in report.whole()],
        "origins": [
            {
                "origin": group.origin,
                "is_source": group.is_source,
                "is_parted": group.is_parted,
                "inputs": group.inputs,
                "said": [one() for one in lines(group, report.causes)],
                "cause": next(
                    (asdict(cause) for cause in report.causes if cause.origin == group.origin), None
                ),
            }
            for group in (judgement.groups if judgement else ())
        ],
        "window": window.to_json() if window else None,
        "windows": {length: [one.to_json() for one in windows] for length, windows in report.windows.items()},
        "estimates": None
        if report.estimates is None
        else {name: asdict(one) for name, one in zip(("window", "reference"), report.estimates, strict=True)},
        "rejected": [
            {"client": client, "column": column, "fault": fault, "requests": n}
            for (client, column, fault), n in report.rejected.rows
        ],
        "outcomes": None if report.watched is None else asdict(report.watched),
        "realised": None if report.realised is None else _dated(asdict(report.realised)),
        "audited": [asdict(group) for group in report.audited],
        "limits": None if report.limits is None else asdict(report.limits),
        "proposal": None if report.proposal is None else _dated(asdict(report.proposal)),
        "notes": [note() for note in report.notes],
        "evidently": None
        if report.evidently is None
        else {
            "compared": report.evidently.compared,
            "flagged": list(report.evidently.flagged),
            "is_drift": report.evidently.is_drift,
        },
        "floor": FLOOR,
    }


def _dated(said: Any) -> Any:
    """Return JSON values: days as they are written."""
    if isinstance(said, dict):
        return {key: _dated(value) for key, value in said.items()}
    if isinstance(said, (list, tuple)):
        return [_dated(value) for value in said]
    return said.isoformat() if isinstance(said, date) else said


def metrics(report: Report) -> str:
    """Return the report as Prometheus' node exporter reads it from a file: no label has a person's value."""
    window, found = report.standing.window, report.judgement
    values = {
        "verdict_code": (report.code, "Exit code of the last run: 0 no drift, 1 drift, 2 too few, 4 stale."),
        RUN_TIME: (report.now.timestamp(), "When the monitor ran."),
        "last_decision_timestamp_seconds": (
            report.last.timestamp() if report.last else 0.0,
            "When the last decision was taken.",
        ),
        "window_decisions": (found.rows if found else 0, "Decisions of the window that was judged."),
        "window_start_timestamp_seconds": (
            datetime.combine(window.start, time(), UTC).timestamp() if window else 0.0,
            "When the window begins.",
        ),
        "evidence_ratio": (
            found.strongest / found.limit if found and found.limit else 0.0,
            "Strongest evidence, of what chance allows.",
        ),
        "moved_inputs": (found.moved if found else 0, "Inputs and pairs that moved."),
        "alarms": (len(found.alarms) if found else 0, "Alarms of how decisions are taken."),
    }
    lines = []
    for name, (value, meaning) in values.items():
        full = f"{METRIC}{name}"
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} gauge", f"{full} {float(value):.17g}"]
    return "\n".join(lines) + "\n"


def text(report: Report, code: str = ENGLISH) -> list[tuple[int, str]]:
    """Return the report as lines, each with its depth: 0 the verdict, 1 what it stands on, 2 details."""
    said = [
        (0, headline(report, code)),
        *((1, one(code)) for one in report.whole()),
        (1, report.next()(code)),
    ]
    for group in report.judgement.groups if report.judgement else ():
        first, *others = lines(group, report.causes)
        said.append((1, first(code)))
        said += [(2, one(code)) for one in others]
    if report.evidently is not None:
        said.append((1, evidently(report.evidently)(code)))
    return said + [(1, note(code)) for note in report.notes]


def headline(report: Report, code: str = ENGLISH) -> str:
    """Return the verdict."""
    verdict = Said(VERDICTS[report.code])(code)
    since = report.standing.since
    if since is None or report.code != DRIFT:
        return verdict
    return f"{verdict}, {Said('since', {'day': since.isoformat()})(code)}"


def evidently(found: Attachment) -> Said:
    """Say what Evidently found."""
    verdict = Said("drift" if found.is_drift else "no_drift")
    values = {"compared": found.compared, "flagged": len(found.flagged), "verdict": verdict}
    return Said("evidently", values)
