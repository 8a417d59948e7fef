"""Whether a scorer decides here as it did in training: its golden examples say so."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from polars.exceptions import PanicException

from scoring import features
from scoring.judge import Judge
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, ScorerError, read_examples, read_reference
from scoring.tables import from_requests

TOLERANCE = 1e-9  # of a golden probability: another processor may round the last bits of a sum differently
WARM = 3  # golden examples that are answered to compile what is compiled at the first use


def check(scorer: Scorer, examples: Sequence[Mapping[str, Any]]) -> None:
    """Prove that this code decides as training did; `scorer.read_examples` gives the golden examples.

    Raises
    ------
    ScorerError
        If the scorer reads other features than this code makes, has no example, or at the first example
        that is refused or decided otherwise.
    """
    scorer.check_features(features.names(scorer.policy))
    if not examples:
        raise ScorerError("the scorer has no golden example to show that it decides as in training.")
    requests = [_request(number, example) for number, example in enumerate(examples, start=1)]
    decided = Judge(scorer).table(from_requests(requests, columns=features.READS)).said.to_dicts()
    for number, (example, now) in enumerate(zip(examples, decided, strict=True), start=1):
        expected, found = example["probability_of_default"], now["probability_of_default"]
        if not abs(found - expected) <= TOLERANCE or now["decision"] != example["decision"]:
            raise ScorerError(
                f"golden example {number}: training gave {expected!r}, {example['decision']}; here it is "
                f"{found!r}, {now['decision']}. Train again, or install the pinned versions."
            )


def warm(scorer: Scorer, examples: Sequence[Mapping[str, Any]]) -> None:
    """Judge a few golden examples in each way, so that no client waits.

    Raises
    ------
    ScorerError
        If that fails.
    """
    judge = Judge(scorer)
    requests = [_request(number, example) for number, example in enumerate(examples[:WARM], start=1)]
    for is_explained in (False, True):
        try:
            judge.judge(requests, is_explained)
        except Exception as error:
            fault = f"the model cannot answer its own golden examples ({type(error).__name__}); train again."
            raise ScorerError(fault) from error


def _request(number: int, example: Mapping[str, Any]) -> ApplicationRequest:
    """Read the request of a golden example as the middleware reads a request: from JSON."""
    try:
        return ApplicationRequest.model_validate_json(json.dumps(example["request"]))
    except ValueError as error:  # pydantic's, which must not quote a value
        raise ScorerError(f"golden example {number} is no valid request any more; train again.") from error


def prove(folder: Path, tag: str) -> None:
    """Do in this process what `trial.try_out` asks of another one.

    Raises
    ------
    ScorerError
        Whatever is wrong with the scorer.
    """
    scorer = Scorer.load(folder)
    try:
        row = np.full((1, len(scorer.feature_names)), np.nan)
        if not np.isfinite(scorer.calibration.of(scorer.model.function.raw(row))).all():
            raise ScorerError(f"{folder} gives no finite score; train again.")
        scorer.apportion(row)
        if tag:
            examples = read_examples(folder)
            check(scorer, examples)
            warm(scorer, examples)
            read_reference(folder)
    except (ScorerError, MemoryError):
        raise
    # Numbers that no training gives: they overflow, or have no logarithm.
    except (Exception, PanicException) as error:
        why = " ".join(str(error).split())[:200].rstrip(".")
        raise ScorerError(f"{folder} cannot decide ({type(error).__name__}: {why}); train again.") from error
