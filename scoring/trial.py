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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scoring.scorer import Scorer

ROOT = (
    Path(__file__).resolve().parent.parent
)  # where the package lies: also in a bento, or beside an MLflow model
SECONDS = 180.0  # a champion takes two; a machine that does much else takes longer than a minute
MEMORY = 8 << 30  # bytes of address space; a champion of 500 features reserves one and a half GiB
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
    if fault := Trial(folder, tag, seconds).fault():
        from scoring.scorer import ScorerError  # here: who tries need not load what is tried

        raise ScorerError(fault)


def load(folder: Path, seconds: float = SECONDS) -> Scorer:
    """Load a scorer that another process could load and score with.

    Its golden examples are not looked at: a decision of last year is scored again with its own model.

    Raises
    ------
    ScorerError
        As `try_out`.
    """
    from scoring.scorer import Scorer

    try_out(folder, "", seconds)
    return Scorer.load(folder)


class Trial:
    """A trial that has begun, in a process of its own.

    Parameters
    ----------
    folder, tag, seconds
        As for `try_out`.
    module : str
        What is run: it hands to `answer` what may fail.
    """

    def __init__(
        self, folder: Path, tag: str, seconds: float = SECONDS, module: str = "scoring.trial"
    ) -> None:
        self.folder = folder
        self.seconds = seconds
        # -P: not the code of a checkout, say, in which a bento of another version is served.
        command = [sys.executable, "-P", "-m", module, str(folder.resolve()), tag, str(seconds)]
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        quiet = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
        self._process = subprocess.Popen(
            command, env=os.environ | quiet, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def fault(self) -> str:
        """Wait for the end, and return what is wrong; "" if nothing is."""
        folder = self.folder
        try:
            answer, _ = self._process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            return (
                f"{folder} was not read within {self.seconds:g} s by a process of its own; "
                "import the model again."
            )
        finally:
            self.end()
        code = self._process.returncode
        if code < 0:
            return f"{folder} ended the process that tried it ({_name(-code)}); import the model again."
        try:
            return str(json.loads(answer))
        except ValueError:
            return f"{folder} could not be tried (exit code {code})."

    def end(self) -> None:
        """End the process, if it has not ended."""
        with self._process as process:
            process.kill()


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


class Unproven(Exception):
    """What is wrong, in a sentence."""


def answer(look: Callable[[], None], folder: str, seconds: str) -> None:
    """Say on the standard output, in JSON, what is wrong with a scorer; libraries write elsewhere.

    ``look`` raises an `Unproven`. It imports what it needs, so that a library that is not there is named.
    """
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    bound(float(seconds))
    fault = ""
    try:
        look()
    except Unproven as error:
        fault = str(error)
    except MemoryError:
        fault = f"{folder} asks for more than {MEMORY >> 30} GiB of memory; import the model again."
    except ImportError as error:
        fault = f"{error}; install the pinned versions."
    except OSError as error:  # of whatever else is looked at: the model need not be at fault
        fault = f"{error.filename or folder} cannot be used: {error.strerror or type(error).__name__}."
    except Exception as error:
        fault = f"{folder} could not be tried ({type(error).__name__}); report this."
    with said:
        json.dump(fault[:LONGEST], said)


def _main(folder: str, tag: str, seconds: str) -> None:
    def look() -> None:
        from scoring.proof import prove
        from scoring.scorer import ScorerError

        try:
            prove(Path(folder), tag)
        except ScorerError as error:
            raise Unproven(str(error)) from error

    answer(look, folder, seconds)


if __name__ == "__main__":
    _main(*sys.argv[1:])
