"""One report, from the log: windows judged, what moved explained, outcomes added."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from monitoring import audited, reading
from monitoring.judgement import judge
from monitoring.kept import recall, remember
from monitoring.ledger import Ledger
from monitoring.limits import limits
from monitoring.outcomes import Outcomes, estimate, watch
from monitoring.reading import Selected
from monitoring.realised import realised
from monitoring.reference import PREDICTION, Reference
from monitoring.report import Report
from monitoring.retraining import propose
from monitoring.windows import Window, ahead, judged, latest
from monitoring.words import Said
from scoring.decision import COSTS, REFUSED

if TYPE_CHECKING:
    from scoring.scorer import Scorer

TOP = 20  # columns for Evidently, by importance


@dataclass(frozen=True)
class Assignment:
    """What is to be judged, and by what."""

    log: Path
    reference: Reference
    model: str | None
    purpose: str
    min_rows: int
    has_evidently: bool


def counted(
    asked: Assignment,
    ledger: Ledger,
    window: int | None,
    stale_days: float,
    *,
    now: datetime,
    progress: Callable[[int, int], None],
) -> Report:
    """Judge the closed windows that are new and what there is of the open ones, or the latest days as one.

    ``progress`` is told how many files of the log are read, and of how many.
    """
    reference, model, purpose = asked.reference, asked.model or "", asked.purpose
    with ledger.alone():
        recall(reference, ledger)
        reading.update(ledger, asked.log, reference, model, progress)
        cells = reference.bins.id
        last, outside, late = ledger.last(model, purpose, cells, ahead(now)), 0, 0
        known = ledger.decisions(model, purpose, cells)
        if window is None:
            windows = judged(ledger, reference, model, purpose, now, asked.min_rows)
            late = _late(windows["day"], known)
        else:
            windows, outside = latest(
                ledger, reference, model, purpose, days=window, now=now, min_rows=asked.min_rows
            )
        remember(reference, ledger)
    others = Counter({(tag, what): rows for tag, what, rows in ledger.rows(cells)})
    del others[model, purpose]
    dated = {day: rows for day, rows in known.items() if day >= ahead(now)}
    skewed = [Said("ahead", {"n": sum(dated.values()), "day": max(dated).isoformat()})] if dated else []
    skewed += [Said("late", {"n": late})] if late else []
    return Report(
        reference,
        asked.model,
        purpose,
        windows,
        now,
        last,
        [*skewed, *_notes(others, outside, *ledger.aside(cells))],
        asked.min_rows,
        timedelta(days=stale_days) if window is None else None,
    )


def looked_at(report: Report, asked: Assignment) -> Report:
    """Look at rows of the window that the verdict is about, where there is one."""
    window = report.standing.window
    if window is None or not window.judgement.is_judged:
        return report
    # Where nothing moved nothing is to be explained, and Evidently looks at few.
    wanted = None if window.judgement.groups else _top(report.reference)
    rows = reading.sample(
        asked.log,
        asked.reference,
        asked.model,
        asked.purpose,
        since=window.start,
        until=window.end,
        inputs=wanted,
    )
    return _completed(report, rows, asked)


def _late(days: Sequence[Window], known: Mapping[date, int]) -> int:
    """Return how many decisions came to days after the verdict on them was kept."""
    closed = [window for window in days if window.is_closed]
    end = max((window.end for window in closed), default=date.min)
    there = sum(rows for day, rows in known.items() if day < end)
    return max(0, there - sum(window.judgement.rows for window in closed))


def selected(asked: Assignment, events: frozenset[str], now: datetime) -> Report:
    """Judge named decisions."""
    found: Selected = reading.select(asked.log, asked.reference, asked.model, asked.purpose, events)
    tally = found.tally
    first, last = (tally.first or now).date(), (tally.last or now).date()
    judgement = judge(tally, asked.reference, (last - first).days + 1, min_rows=asked.min_rows)
    report = Report(
        asked.reference,
        asked.model,
        asked.purpose,
        {"selection": [Window("selection", first, last + timedelta(days=1), True, judgement)]},
        now,
        tally.last,
        _notes(found.others, found.outside, found.aside, found.duplicates),
        asked.min_rows,
    )
    return _completed(report, found.sample, asked) if judgement.is_judged else report


def _completed(report: Report, rows: pl.DataFrame, asked: Assignment) -> Report:
    """Add the causes of what moved, by undoing them on the rows, and what Evidently says of the same rows."""
    found = report.judgement.groups if report.judgement else ()
    model: Scorer | None = None
    if found and rows.height:
        # Here: where nothing moved, nothing is undone.
        from monitoring.causes import explain

        model = report.reference.champion
        report = replace(report, causes=explain(report.reference, rows, found, model))
    if rows.is_empty():
        return report
    costs = model.costs if model is not None else COSTS
    calibrator = report.reference.calibrator
    sides = [
        estimate(side[PREDICTION], side["decision"] == REFUSED, costs, calibrator)
        for side in (rows, report.reference.table)
    ]
    report = replace(report, estimates=(sides[0], sides[1]))
    if report.judgement is not None and report.judgement.rows:
        report = replace(report, limits=limits(report.reference, report.judgement.rows))
    report = replace(report, proposal=propose(report.reference, rows, None, report.model or "", costs))
    if not asked.has_evidently:
        return report
    # It takes seconds to import: help, errors and thin windows need not wait for it.
    from monitoring.attachment import run as attach

    columns = [PREDICTION, *_top(report.reference)]
    return replace(report, evidently=attach(report.reference.table, rows, columns))


def _top(reference: Reference) -> list[str]:
    """Return the inputs that the model reads most of."""
    weight = reference.importance
    return sorted(weight, key=lambda name: -weight[name])[:TOP]


def with_outcomes(report: Report, found: Outcomes, groups: Path | None, memory: Ledger) -> Report:
    """Add how loans ended: the bet, vintages, what so many outcomes show, and a retraining they ask for."""
    reference, model, decided = report.reference, report.model or "", found.table
    strangers = reading.strangers(memory, reference.bins.id, decided.filter(pl.col("outcome") != "unknown"))
    notes = [Said("outcomes_twice", {"n": found.twice})] if found.twice else []
    notes += [Said("outcomes_of_nobody", {"n": strangers})] if strangers else []
    report = replace(report, notes=[*report.notes, *notes])
    known = watch(decided, model)
    report = replace(report, watched=known, realised=realised(decided, model))
    if groups is not None:
        report = replace(report, audited=audited.audit(decided, audited.read(groups), model, reference))
    if report.judgement is not None and report.judgement.rows:
        report = replace(report, limits=limits(reference, report.judgement.rows, known.known))
    proposal = propose(reference, reference.table.clear(), decided, model)
    return report if proposal is None else replace(report, proposal=proposal)


def _notes(
    others: Counter[tuple[str, str]], outside: int, aside: Counter[str] | dict[str, int], twice: int
) -> list[Said]:
    notes = [
        Said("others", {"n": rows, "model": tag, "purpose": what})
        for (tag, what), rows in sorted(others.items())
        if rows
    ]
    notes += [Said("outside", {"n": outside})] if outside else []
    notes += [Said("aside", {"n": count, "why": why}) for why, count in aside.items()]
    return notes + ([Said("twice", {"n": twice})] if twice else [])
