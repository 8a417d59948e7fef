"""Our own decider for the peers that can carry it: the same checks, features, kernel and durable log."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from scoring.decider import Decider
from scoring.features.checks import DECODER
from scoring.inference_log import InferenceLog
from scoring.scorer import Scorer
from scoring.serving.batches import Batches
from scoring.serving.job import Job
from scoring.serving.problem import Rejection
from scoring.serving.reading import parse

MODEL, LOG = Path(os.environ["BENCH_MODEL"]), Path(os.environ["BENCH_LOG"])


def batches() -> Batches:
    """Load the model and open a log of this process."""
    scorer = Scorer.load(MODEL)
    worker = f"w{uuid.uuid4().hex[:8]}"
    log = InferenceLog(LOG, worker, bytes(32), "bench", categories=list(scorer.categories))
    return Batches(Decider(scorer, "bench", log))


def job(body: bytes) -> Job:
    """Check a request as our door does."""
    return Job(uuid.uuid4().hex, parse(body, 1_000, DECODER))


def text(answer: bytes | Rejection) -> bytes:
    """Return an answer, or fail loudly: a benchmark must not count rejections."""
    if isinstance(answer, Rejection):
        raise RuntimeError(answer.detail)
    return answer
