"""A scorer from outside is tried in a process of its own first: whatever it does there, this one goes on.

Most of what can be wrong with a scorer is a `ScorerError` of `Scorer.load`. But the libraries below are not
made for files that mean harm: LightGBM ends its process over some texts, others could take all the memory,
or never end.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from polars.exceptions import PanicException

from scoring import features
from scoring.judge import Judge
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, ScorerError, read_examples, read_reference
from scoring.tables import from_requests

ROOT = (
    Path(__file__).resolve().parent.parent
)  # where the package lies: also in a bento, or beside an MLflow model
SECONDS = 180.0  # a champion takes two; a machine that does much else takes longer than a minute
MEMORY = 8 << 30  # bytes of address space; a champion of 500 features reserves one and a half GiB
TOLERANCE = 1e-9  # of a golden probability: another processor may round the last bits of a sum differently
WARM = 3  # golden examples that are answered to compile what is compiled at the first use
LONGEST = 2_000  # characters of what the child may answer


def try_out(folder: Path, tag: str, seconds: float = SECONDS) -> None:
    """Prove in another process that a scorer loads, and decides here as it did in training.

    Parameters
    ----------
    folder : Path
        Of the scorer.
    tag : str
        What its decisions would name.
    seconds : float
        Time that it is given.

    Raises
    ------
    ScorerError
        If it does not: also if the process was ended by what it read, or had to be.
    """
    _ask(folder, tag, seconds)


def load(folder: Path, seconds: float = SECONDS) -> Scorer:
    """Load a scorer that another process could load and score with.

    Its golden examples are not looked at: a decision of last year is scored again with its own model.

    Raises
    ------
    ScorerError
        As `try_out`.
    """
    _ask(folder, "", seconds)
    return Scorer.load(folder)


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
    """Do in this process what `try_out` asks of another one.

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


def _ask(folder: Path, tag: str, seconds: float) -> None:
    command = [sys.executable, "-m", "scoring.trial", str(folder.resolve()), tag, str(seconds)]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    quiet = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=os.environ | quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ScorerError(
            f"{folder} was not read within {seconds:g} s by a process of its own; import the model again."
        ) from error
    if done.returncode < 0:
        raise ScorerError(
            f"{folder} ended the process that tried it ({_name(-done.returncode)}); import the model again."
        )
    try:
        fault = json.loads(done.stdout)
    except ValueError:
        fault = f"{folder} could not be tried (exit code {done.returncode})."
    if fault:
        raise ScorerError(fault)


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def bound(seconds: float) -> None:
    """Let this process end before it harms others: it is the first that a system out of memory ends."""
    with suppress(OSError):  # Linux only
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, 4 * int(seconds) + 4),  # should who asked be gone
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):  # there is a lower one
            resource.setrlimit(what, (most, most))


def _main(folder: str, tag: str, seconds: str) -> None:
    """Say on the standard output, in JSON, what is wrong with a scorer; libraries write elsewhere."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    bound(float(seconds))
    fault = ""
    try:
        prove(Path(folder), tag)
    except ScorerError as error:
        fault = str(error)[:LONGEST]
    except MemoryError:
        fault = f"{folder} asks for more than {MEMORY >> 30} GiB of memory; import the model again."
    with answer:
        json.dump(fault, answer)


if __name__ == "__main__":
    _main(*sys.argv[1:])
