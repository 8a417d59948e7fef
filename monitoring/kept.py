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
from monitoring.reference import WHOLE, Reference
from monitoring.segments import PartCount
from monitoring.statistic import Chance, Detector
from monitoring.windows import judge_id

CELLS, COUNTS, PARTS, OWN = "cells", "counts", "parts", "own"


def recall(reference: Reference, ledger: Ledger) -> None:
    """Give a reference its cells, what was drawn from it and its model's scores; keep what is not there."""
    key = _key(reference)
    found = ledger.kept(key)
    if OWN in found:
        # A cached property is what stands under its name.
        vars(reference)["own"] = _unpacked(found[OWN])
    if CELLS in found:
        _restore(reference, found)
    else:
        bins, usual = reference.bins, reference.segments.usual
        said: dict[str, Any] = {
            "axes": [asdict(axis) for axis in bins.axes],
            "pairs": [asdict(pair) for pair in bins.pairs],
        }
        said[PARTS] = {key: [one.rows, one.refused, one.expected] for key, one in usual.items()}
        counts = {WHOLE: reference.detector.counts}
        counts |= {f"part {key}": one.counts for key, one in usual.items()}
        ledger.keep(key, {CELLS: json.dumps(said).encode(), COUNTS: _packed(**counts)})
    if OWN not in found and reference.own:
        ledger.keep(key, {OWN: _packed(**reference.own)})


def _restore(reference: Reference, found: dict[str, bytes]) -> None:
    said, counts = json.loads(found[CELLS]), _unpacked(found[COUNTS])
    bins = Bins(tuple(map(_axis, said["axes"])), tuple(map(_pair, said["pairs"])))
    vars(reference)["bins"] = bins
    segments, own = reference.segments, reference.own.get(WHOLE)
    vars(segments)["usual"] = {
        key: PartCount(rows, refused, expected, counts[f"part {key}"])
        for key, (rows, refused, expected) in said[PARTS].items()
    }
    detector = Detector(bins, lambda: bins.codes(reference.table), counts=counts[WHOLE], own=own)
    vars(reference)["detector"] = detector
    for name, content in found.items():
        if name not in (CELLS, COUNTS, OWN):
            rows, _, part = name.partition(" ")
            chances = segments.chances.setdefault(part, {}) if part else detector.chances
            drawn = _unpacked(content)
            chances[int(rows)] = Chance(int(rows), **(drawn | {"limit": float(drawn["limit"])}))


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
