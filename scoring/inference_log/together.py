"""The log for coroutines: what is brought while the disk is busy is written together next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from scoring.inference_log.record import Entry, LogError
from scoring.inference_log.writer import InferenceLog


class Together:
    """Records for many coroutines with one write and one sync, in a thread: the event loop never waits.

    Parameters
    ----------
    log : InferenceLog
    clock : callable
        Where the time of the records comes from.
    """

    def __init__(self, log: InferenceLog, clock: Callable[[], datetime]) -> None:
        self._log = log
        self._clock = clock
        self._waiting: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="log")

    async def record(self, entries: Sequence[Entry]) -> None:
        """Return when the entries are on the disk: all of them, or none.

        Raises
        ------
        LogError, ValueError
            As `InferenceLog.record`.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((entries, done))
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        await done

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                # Who waits no longer was told so: their decisions must not be in the log.
                group = [(part, done) for part, done in self._waiting if not done.done()]
                self._waiting = []
                if not group:
                    break
                failures = await loop.run_in_executor(self._thread, self._commit, [part for part, _ in group])
                for (_, done), failure in zip(group, failures, strict=True):
                    if done.done():
                        continue  # nobody waits for it any more
                    if failure is None:
                        done.set_result(None)
                    else:
                        done.set_exception(failure)
        finally:
            self._writer = None

    def _commit(self, group: Sequence[Sequence[Entry]]) -> list[Exception | None]:
        """Record a group; if something in it cannot be said, each part on its own account."""
        try:
            self._log.record([entry for part in group for entry in part], self._clock())
        except LogError as error:
            return [error] * len(group)
        except Exception as error:
            if len(group) == 1:
                return [error]
            return [failure for part in group for failure in self._commit([part])]
        return [None] * len(group)
