"""How a reference was cut, and what chance makes of it: computed once, and kept in the ledger."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from typing import Any

import numpy as np

from monitoring.bins import Axis, Bins, Pair
from monitoring.ledger import Ledger
from monitoring.origins import origins_of
from monitoring.reference import Reference
from monitoring.segments import PartCount, Segments
from monitoring.statistic import Chance, Detector
from monitoring.windows import judge_id

CELLS, COUNTS, PARTS = "cells", "counts", "parts"


def recall(reference: Reference, ledger: Ledger) -> None:
    """Give a reference its cells and what was drawn from it before; where there are none, keep them."""
    key = _key(reference)
    found = ledger.kept(key)
    if CELLS not in found:
        bins, usual = reference.bins, reference.segments.usual
        said: dict[str, Any] = {
            "axes": [asdict(axis) for axis in bins.axes],
            "pairs": [asdict(pair) for pair in bins.pairs],
        }
        said[PARTS] = {key: [one.rows, one.refused, one.expected] for key, one in usual.items()}
        counts = {"whole": reference.detector.counts}
        counts |= {f"part {key}": one.counts for key, one in usual.items()}
        ledger.keep(key, {CELLS: json.dumps(said).encode(), COUNTS: _packed(**counts)})
        return
    said, counts = json.loads(found[CELLS]), _unpacked(found[COUNTS])
    bins = Bins(tuple(map(_axis, said["axes"])), tuple(map(_pair, said["pairs"])))
    detector = Detector(bins, lambda: bins.codes(reference.table), counts=counts["whole"])
    segments = Segments(reference.table, bins, lambda: detector.codes, reference.segments_by)
    usual = {
        key: PartCount(rows, refused, expected, counts[f"part {key}"])
        for key, (rows, refused, expected) in said[PARTS].items()
    }
    for name, content in found.items():
        if name not in (CELLS, COUNTS):
            rows, _, part = name.partition(" ")
            chances = segments.chances.setdefault(part, {}) if part else detector.chances
            drawn = _unpacked(content)
            chances[int(rows)] = Chance(int(rows), **(drawn | {"limit": float(drawn["limit"])}))
    # A cached property is what stands under its name.
    vars(segments).update(usual=usual)
    vars(reference).update(bins=bins, detector=detector, segments=segments)


def remember(reference: Reference, ledger: Ledger) -> None:
    """Keep what was drawn from a reference."""
    key = _key(reference)
    known = ledger.kept(key)
    drawn = {str(rows): one for rows, one in reference.detector.chances.items()}
    for part, chances in reference.segments.chances.items():
        drawn |= {f"{rows} {part}": one for rows, one in chances.items()}
    new = {
        name: _packed(
            mean=one.mean, variance=one.variance, limit=np.float64(one.limit), strongest=one.strongest
        )
        for name, one in drawn.items()
        if name not in known
    }
    if new:
        ledger.keep(key, new)


def _key(reference: Reference) -> str:
    """Return what changes with all that cells and chance depend on."""
    sources = {name: sorted(origins_of(name)) for name in reference.inputs}
    levels = {name: sorted(some) for name, some in reference.levels.items()}
    said = [reference.id, dict(reference.importance), levels, sources, [*reference.segments_by], judge_id()]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _axis(said: dict[str, Any]) -> Axis:
    levels = said["levels"]
    return Axis(said["name"], tuple(said["edges"]), None if levels is None else tuple(levels))


def _pair(said: dict[str, Any]) -> Pair:
    first, second = said["merged"]
    return Pair(said["first"], said["second"], (tuple(first), tuple(second)))


def _packed(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)
    return sink.getvalue()


def _unpacked(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}
