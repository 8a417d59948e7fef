"""Questions that decide nothing, answered beside decisions: what would turn one, where it stands."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import ClassVar

from polars.exceptions import PanicException
from pydantic import BaseModel

from scoring.comparison import Peers
from scoring.comparison.curve import CurveDrawer
from scoring.counterfactual import Advisor
from scoring.schema import ApplicationRequest, Request
from scoring.scorer import Scorer
from scoring.serving.job import Job
from scoring.serving.problem import Rejection, late, rejection_of
from scoring.serving.turns import Rest

Question = Callable[["Questions", Request | ApplicationRequest, Job], BaseModel]


class Questions:
    """Answers for one scorer; nothing is recorded, and whatever fails, fails its own request.

    Parameters
    ----------
    scorer : Scorer
    model : str
        Its exact tag.
    changes : collection of str
        What the lender lets a client change: keys of `counterfactual.POLICY`.
    folder : Path
        The scorer's, with its reference.
    rest : Rest
        Between two applications, while decisions are taken.
    """

    def __init__(
        self, scorer: Scorer, model: str, changes: Collection[str], folder: Path, rest: Rest
    ) -> None:
        self._rest = rest
        self._advisor = Advisor(scorer, model, changes)
        self._peers = Peers(scorer, folder)
        self._curves = CurveDrawer(scorer, folder)

    def answer(self, job: Job, question: str) -> bytes | Rejection:
        """Answer one question about each application of a request, in their order, as JSON."""
        ask, answers = self.ANSWERS[question], list[bytes]()
        try:
            for application in job.applications:
                if job.is_abandoned:
                    return late()
                with self._rest.afterwards():
                    answers.append(ask(self, application, job).model_dump_json().encode())
        except (Exception, PanicException) as error:  # polars' panics are no exceptions of Python's own
            return rejection_of(error)
        return b"[%b]" % b",".join(answers)

    def _counterfactual(self, application: Request | ApplicationRequest, job: Job) -> BaseModel:
        return self._advisor.find(application, job.parameters)

    def _compare(self, application: Request | ApplicationRequest, job: Job) -> BaseModel:
        return self._peers.compare(application, **job.parameters)

    def _curve(self, application: Request | ApplicationRequest, job: Job) -> BaseModel:
        return self._curves.draw(application, **job.parameters)

    ANSWERS: ClassVar[dict[str, Question]] = {
        "counterfactual": _counterfactual,
        "compare": _compare,
        "curve": _curve,
    }
