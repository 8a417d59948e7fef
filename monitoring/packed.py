"""How the monitor's memory keeps a tally: texts and packed numbers."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from monitoring.operations import Operations
from monitoring.segments import PartCount
from monitoring.tally import Tally


def packed(tally: Tally | None) -> tuple[Any, ...]:
    """Return a tally as it is kept: first and last time, what is said in JSON, counts, clients and parts."""
    if tally is None:
        return (None,) * 6
    operations = asdict(tally.operations) | {"thresholds": list(tally.operations.thresholds.items())}
    parts = {key: [one.rows, one.refused, one.expected] for key, one in tally.parts.items()}
    said = {"operations": operations, "unseen": tally.unseen, "parts": parts}
    cells = [one.counts for one in tally.parts.values()]
    return (
        tally.first.isoformat() if tally.first else None,
        tally.last.isoformat() if tally.last else None,
        json.dumps(said, ensure_ascii=False),
        zlib.compress(tally.counts.astype(np.int64).tobytes(), 1),
        zlib.compress(tally.clients.tobytes(), 1),
        zlib.compress(np.array(cells, dtype=np.int64).tobytes(), 1),
    )


def unpacked(
    first: str | None, last: str | None, said: str, counts: bytes, clients: bytes | None, parts: bytes
) -> Tally:
    """Return the tally that was packed."""
    known = json.loads(said)
    operations = known["operations"] | {"thresholds": dict(map(tuple, known["operations"]["thresholds"]))}
    cells = np.frombuffer(zlib.decompress(parts), np.int64)
    cells = cells.reshape(len(known["parts"]), -1) if known["parts"] else cells
    times = [datetime.fromisoformat(time).astimezone(UTC) if time else None for time in (first, last)]
    return Tally(
        np.frombuffer(zlib.decompress(counts), np.int64),
        Operations(**operations),
        np.frombuffer(zlib.decompress(clients), np.uint64) if clients else np.zeros(0, np.uint64),
        known["unseen"],
        times[0],
        times[1],
        {
            key: PartCount(rows, refused, expected, own)
            for (key, (rows, refused, expected)), own in zip(known["parts"].items(), cells, strict=True)
        },
    )


def digest(tally: Tally) -> str:
    """Return a hash of counts, and of all that is kept beside them of a window."""
    _, _, told, _, _, _ = packed(tally)
    cells = [tally.counts, *(one.counts for one in tally.parts.values())]
    content = b"".join(one.astype(np.int64).tobytes() for one in cells)
    return hashlib.sha256(content + str(told).encode()).hexdigest()
