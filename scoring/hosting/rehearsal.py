"""What would stop every worker is found by one process, while they load their libraries."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bentoml.exceptions import BentoMLException

from scoring.trial import SECONDS, Trial, Unproven, answer


class Rehearsal:
    """The first start of a service, which may fail.

    Parameters
    ----------
    folder : Path
        Of the scorer.
    tag : str
        Its exact tag.
    """

    def __init__(self, folder: Path, tag: str) -> None:
        self._trial = Trial(folder, tag, SECONDS, module="scoring.hosting.rehearsal")

    def succeed(self) -> None:
        """Wait for the end.

        Raises
        ------
        BentoMLException
            If the service cannot start; the sentence says why.
        """
        if fault := self._trial.fault():
            raise BentoMLException(f"The service cannot start: {fault}")

    def end(self) -> None:
        """End it, if it goes on."""
        self._trial.end()


def rehearse(folder: Path, tag: str) -> None:
    """Look at all that a worker needs, in the process of a trial.

    Raises
    ------
    Unproven
        If a worker could not start.
    """
    import scoring.serving.large  # noqa: F401 - if it cannot be had, that is found now
    from scoring.hosting.log import open_log
    from scoring.inference_log import LogError
    from scoring.proof import prove
    from scoring.scorer import ScorerError
    from scoring.serving.settings import Settings

    try:
        settings = Settings.read(os.environ)
        if settings.log is not None and (log := open_log(settings, "start-up", tag, ())) is not None:
            log.check()
            if "://" in settings.index:
                from scoring.decisions import place_of  # here: it takes 0.15 s, and a file needs no look

                place_of(settings.index, settings.log)
        prove(folder, tag)
    except (LogError, ScorerError) as error:
        raise Unproven(str(error)) from error


def _main(folder: str, tag: str, seconds: str) -> None:
    answer(lambda: rehearse(Path(folder), tag), folder, seconds)


if __name__ == "__main__":
    _main(*sys.argv[1:])
