"""Requests merged into batches, and lone ones at once: to each its decisions as bytes, or its rejection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from time import sleep

from polars.exceptions import PanicException

from scoring.decider import Decider
from scoring.decider.few import Answer
from scoring.inference_log import LogError, strict_json
from scoring.serving.job import Job
from scoring.serving.problem import Rejection, late, rejection_of

LOOKS = 16  # of the event loop between two decisions: it takes one new connection a look, in 2 microseconds
GIVE_WAY_MS = 8  # before each half of an explanation; it takes 2 ms itself


class Batches:
    """Answers jobs by what a decider says; whatever fails, fails its own request, and nothing is raised.

    Parameters
    ----------
    decider : Decider
    """

    def __init__(self, decider: Decider) -> None:
        self.decider = decider
        self._turn = asyncio.Lock()
        self._at_once = 0

    def answer(self, jobs: Sequence[Job], is_explained: bool = False) -> list[bytes | Rejection]:
        """Answer each request: its decisions as JSON, or the rejection of all of it."""
        waiting = [job for job in jobs if not job.is_abandoned]
        # A batch of explanations would keep the log, and those whose scores it must hold, for all of it.
        groups = [[job] for job in waiting] if is_explained else [waiting] * bool(waiting)
        answers: dict[int, bytes | Rejection] = {}
        for group in groups:
            answers |= self._answers(group, is_explained)
        return [answers.get(id(job)) or late() for job in jobs]

    async def answer_at_once(self, job: Job) -> bytes | Rejection:
        """Answer a small request here and now, on the event loop; only the disk is waited for elsewhere."""
        self._at_once += 1
        try:
            async with self._turn:
                (decided,) = self.decider.judge([job])
                for _ in range(LOOKS):
                    await asyncio.sleep(0)
            await self.decider.record_together(decided)
            return _json(decided.decisions)
        except (Exception, PanicException) as error:
            return rejection_of(error)
        finally:
            self._at_once -= 1

    def _answers(self, jobs: Sequence[Job], is_explained: bool) -> dict[int, bytes | Rejection]:
        try:
            decided = self.decider.judge(jobs, is_explained, self._give_way)
            # Each before the log is asked, for what nobody waits for any more must not be in it.
            written = [_json(one.decisions) for one in decided]
            kept = [not job.is_abandoned for job in jobs]
            self.decider.record(one for one, is_kept in zip(decided, kept, strict=True) if is_kept)
            return {id(job): body for job, body, is_kept in zip(jobs, written, kept, strict=True) if is_kept}
        except (Exception, PanicException) as error:  # polars' panics are no exceptions of Python's own
            if len(jobs) > 1 and not isinstance(error, LogError):
                return {
                    key: value for job in jobs for key, value in self._answers([job], is_explained).items()
                }
            return {id(job): rejection_of(error) for job in jobs}

    def _give_way(self) -> None:
        """Let those pass who are decided at once, as an explanation may wait, but not for ever."""
        for _ in range(GIVE_WAY_MS):
            if not self._at_once:
                break
            sleep(1e-3)


def _json(decisions: Iterable[Answer]) -> bytes:
    """Write decisions one by one: a table of explanations in one go would stop all other threads."""
    return b"[%b]" % b",".join(map(strict_json, decisions))
