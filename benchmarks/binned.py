"""A training in a process of its own, over features that `benchmarks.learning` put on the disk.

``python -m benchmarks.binned FOLDER FIRST HELD_OUT`` trains on the first buckets and prints, as JSON, the AUC
on the last ones and the most memory of the process. It imports little, for that is measured too.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

SAMPLED = 20_000  # rows from which the bounds of the bins are taken
ROUNDS = 300


class Coded(lgb.Sequence):
    """The coded features of one bucket, read from the disk where they are asked for."""

    batch_size = 4_096

    def __init__(self, file: Path, width: int) -> None:
        self._file, self._width = file, width
        self._rows = file.stat().st_size // (8 * width)

    def __len__(self) -> int:
        """Return the number of applicants."""
        return self._rows

    def __getitem__(self, which: int | slice | list[int]) -> Any:
        """Return one row, or some."""
        if isinstance(which, list):
            return np.stack([self[row] for row in which])
        first, last = (which, which + 1) if not isinstance(which, slice) else which.indices(self._rows)[:2]
        count = max(0, last - first) * self._width
        found = np.fromfile(self._file, np.float64, count, offset=8 * first * self._width)
        return found if not isinstance(which, slice) else found.reshape(-1, self._width)


def fit(out: Path, first: int, held_out: int) -> dict[str, float]:
    """Train on the first buckets; return rows, the AUC on the last buckets, and the peak in bytes."""
    told = json.loads((out / "coded.json").read_text(encoding="utf-8"))
    names, files = told["names"], sorted(out.glob("*.f64"))
    y = outcomes(files[:first])
    settings = told["settings"] | {
        "bin_construct_sample_cnt": min(SAMPLED, len(y)),
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": len(os.sched_getaffinity(0)),
        "verbosity": -1,
        "seed": 0,
    }
    rows = [Coded(file, len(names)) for file in files[:first]]
    data = lgb.Dataset(rows, y, feature_name=list(names), params=settings)
    booster = lgb.train(settings, data, ROUNDS)
    said = [booster.predict(np.fromfile(f, np.float64).reshape(-1, len(names))) for f in files[-held_out:]]
    return {"rows": len(y), "auc": auc(outcomes(files[-held_out:]), np.concatenate(said)), "peak": peak()}


def auc(y: Any, said: Any) -> float:
    """Return P(a defaulter is said to be worse than another), ties half."""
    _, which, count = np.unique(said, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[which]
    bad = int(y.sum())
    return float((rank[y == 1].sum() - bad * (bad + 1) / 2) / (bad * (len(y) - bad)))


def outcomes(files: Sequence[Path]) -> Any:
    """Return the outcomes of some buckets."""
    return np.concatenate([np.load(file.with_suffix(".outcomes.npy")) for file in files])


def peak() -> int:
    """Return the most memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(fit(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))) + "\n")
