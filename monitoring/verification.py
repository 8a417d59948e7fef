"""Whether verdicts stand: their chain, the counts that they were reached by, and the log behind these."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl

from monitoring.judgement import judge
from monitoring.ledger import FIRST, Ledger, Verdict
from monitoring.packed import digest
from monitoring.reading import aligned
from monitoring.reference import Reference
from monitoring.tally import Tally, together, without_clients
from monitoring.windows import Window, before_it, judge_id
from scoring.inference_log import Anchor, Checkpoint
from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.chain import CHAINED
from scoring.inference_log.disk import lines
from scoring.inference_log.packing import open_log
from scoring.inference_log.pieces import SetAside
from scoring.inference_log.reader import inputs_behind

ERASED = b'"kind":"erased"'


@dataclass(frozen=True)
class Testimony:
    """What is said of a verdict.

    Attributes
    ----------
    number : int
        In the chain; 0 speaks of the chain itself.
    what : str
        The window.
    faults, notes : tuple of str
        What is wrong, and what could not be looked at.
    """

    number: int
    what: str
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def verify(
    ledger: Ledger, log: Path, anchors: Path, reference: Reference, head: str | None = None
) -> Iterator[Testimony]:
    """Check every verdict that was reached by a reference, and the chain of all.

    Parameters
    ----------
    anchors : Path
        Folder of the log's anchors: they say which files its retention has removed.
    head : str, optional
        Hash of the last verdict, as it was noted elsewhere (each report says it).
    """
    before, seen = FIRST, set()
    windows: dict[tuple[str, str], list[Window]] = {}
    for number, verdict in enumerate(ledger.verdicts(), start=1):
        what = f"{verdict.length} of {verdict.window['start']}"
        faults: list[str] = []
        notes: list[str] = []
        if hashlib.sha256(verdict.text.encode()).hexdigest() != verdict.hash:
            faults.append("the verdict was changed")
        if verdict.number != number or verdict.before != before:
            faults.append("the verdict does not follow the one before it")
        before = verdict.hash
        seen.add(verdict.hash)
        if digest(verdict.tally) != verdict.evidence["counts"]:
            faults.append("the counts are not those that were judged")
        done = windows.setdefault((verdict.scope, verdict.length), [])
        for say, kind in _looked_at(verdict, log, anchors, reference, done):
            (faults if kind else notes).append(say)
        done.append(Window.of_json(verdict.window))
        yield Testimony(verdict.number, what, tuple(faults), tuple(notes))
    if head is not None and head not in seen:
        said = f"no verdict has the hash {head}: the last ones were cut off or changed"
        yield Testimony(0, "chain", (said,))


def _looked_at(
    verdict: Verdict, log: Path, anchors: Path, reference: Reference, done: list[Window]
) -> Iterator[tuple[str, bool]]:
    """Give what is found of one verdict; True: it is a fault."""
    evidence = verdict.evidence
    if evidence["reference"] != reference.id or not verdict.scope.endswith(reference.bins.id):
        yield "reached by another reference: give that model's with --model or --reference", False
        return
    if evidence["judge"] != judge_id():
        yield "reached by another version of the monitor: not judged again", False
    elif evidence.get("own") != reference.own_id:
        yield "reached beside other scores of the model, or none: not judged again", False
    else:
        window = Window.of_json(verdict.window)
        again = judge(
            verdict.tally,
            reference,
            window.days,
            before_it(done),
            evidence["min_rows"],
            evidence.get("others"),
        )
        if replace(window, judgement=again).to_json() != window.to_json():
            yield "the counts judged again give another verdict", True
    counted, gone, erased = [], [], 0
    for name, (seq, kept) in evidence["log"].items():
        state, rows = _file(log, anchors, name, seq, kept)
        if state == "purged":
            gone.append(name)
        elif state:
            yield f"{name}: {state}", True
            return
        else:
            erased += rows
            counted.append(name)
    if gone:
        yield (
            f"{len(gone)} of {len(evidence['log'])} files of the log were purged: the counts stand for them",
            False,
        )
        return
    model, purpose = verdict.scope.split(" ")[:2]
    whole = _counted(log, reference, model, purpose, verdict)
    apart = int((whole.counts != verdict.tally.counts).sum())
    missing = verdict.tally.rows - whole.rows
    if apart and 0 < missing <= erased:
        yield f"{missing} decisions were erased since: the counts stand for them", False
    elif apart or missing:
        yield f"the log gives other counts: {whole.rows} decisions, not {verdict.tally.rows}", True


def _file(log: Path, anchors: Path, name: str, seq: int, kept: str) -> tuple[str, int]:
    """Say what is wrong with a file up to a record, or nothing; and how many of its lines were erased."""
    try:
        opened = open_log(log / name)
    except FileNotFoundError:
        return _gone(anchors, name, seq), 0
    with opened:
        head, erased = "", 0
        for line in lines(opened):
            found = CHAINED.fullmatch(line)
            if found is None or (head and found[2].decode() != head):
                return "its records do not follow each other; see `python -m scoring.inference_log verify`", 0
            head = found[3].decode()
            erased += ERASED in line
            if int(found[1]) == seq and head == kept:
                return "", erased
    return f"its record {seq} is not the one that was counted", 0


def _gone(anchors: Path, name: str, seq: int) -> str:
    try:
        anchor: Anchor | None = read_anchor(anchors / f"{name}{ANCHOR}", None)
    except ValueError as error:
        return str(error)
    if anchor is None:
        return "it is not a file of this log"
    return "purged" if anchor.state == "purged" and anchor.seq >= seq else "it is gone, and was not purged"


def _counted(log: Path, reference: Reference, model: str, purpose: str, verdict: Verdict) -> Tally:
    """Count the decisions of a window once more, as far as the log was counted then."""
    start, end = (date.fromisoformat(verdict.window[name]) for name in ("start", "end"))
    ours = (pl.col("model") == model) & (pl.col("purpose") == purpose)
    ours &= (pl.col("time").dt.date() >= start) & (pl.col("time").dt.date() < end)
    tallies: list[Tally] = []
    ids = pl.Series(dtype=pl.String)
    for name, (seq, _) in sorted(verdict.evidence["log"].items()):
        for part, _ in inputs_behind(log, SetAside(), name, Checkpoint.start(name), seq):
            own = part.filter(ours).unique("event_id", maintain_order=True)
            own = own.filter(~pl.col("event_id").is_in(ids.implode()))
            ids = pl.concat([ids, own["event_id"]])
            tallies.append(Tally.of(aligned(own, reference.table, log), reference.bins))
    return without_clients(together(tallies, reference.bins))
