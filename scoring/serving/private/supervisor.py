"""The parent of the workers: BentoML's circus arbiter, made quick.

As it comes it looks every ten seconds whether a worker is gone, never replaces one inside a container, starts
one that cannot start again and again, and at SIGHUP ends workers before their successors answer.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from circus.exc import ConflictError

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

STARTS = 3  # a worker that ends by itself so often in a row will not start at the next try either
AGAIN_S = 0.1
ANY_PORT = "tcp://127.0.0.1:*"  # whichever is free when it is taken
SPARE_S = 0.5  # between two looks whether all serve
ORPHAN_S = 1.0  # that an end waits for who waits for it


def supervisor(
    arbiter: type[Any],
    *,
    proven: Callable[[], None],
    renew: Callable[[], bool],
    failure: Callable[[str], Exception],
    backlog: int,
    spare: int,
    are_serving: Callable[[], bool],
    ending: Callable[[], None],
) -> type[Any]:
    """Return BentoML's arbiter with a shorter delay and a longer memory.

    Parameters
    ----------
    arbiter : type
        ``bentoml._internal.utils.circus.Arbiter`` of bentoml 1.4.39.
    proven : callable
        Called once, in a thread, while the workers load; what it raises ends the server.
    renew : callable
        Called at SIGHUP, in a thread, one call at a time; says whether the workers are to be told, each by a
        SIGHUP of its own.
    failure : callable
        Makes the exception that ends the server when it, or no worker, can start.
    backlog : int
        Clients that may wait to be accepted.
    spare : int
        Processes that are started besides, once all workers serve: before, they would only be in their way.
    are_serving : callable
        Says whether all workers serve.
    ending : callable
        Called before the workers are told to end.
    """

    class Supervisor(arbiter):  # type: ignore[misc]
        """Replaces a worker the moment that it ends."""

        def initialize(self) -> None:
            # Only a plugin (`--reload`, a singleton) asks circus anything; a port that was free may be taken.
            if not any(watcher.singleton for watcher in self.watchers):
                self.ctrl.endpoint = self.pubsub_endpoint = ANY_PORT
            words = logging.getLogger("circus")
            words.disabled = True  # it says twice where it cannot listen, and not what to do
            try:
                super().initialize()
            except OSError as error:
                raise failure(self._unheard(error)) from None
            finally:
                words.disabled = False
            self._failed = 0
            self._fault: Exception | None = None
            self._is_over = False
            self._left: tuple[int | None, float] = (None, 0.0)  # whose end waits, and since when
            self._one_renewal = threading.Lock()
            for watcher in self.watchers:
                place = watcher.args.index("--backlog") + 1
                watcher.args[place] = str(min(backlog, int(watcher.args[place])))
                watcher.respawn = True
                watcher.hooks["after_reap"] = self._reaped
            signal.signal(signal.SIGCHLD, self._child)
            if spare:
                self.loop.add_callback(self._add_spare)

        def start(self, cb: Callable[[Any], Any] | None = None) -> None:
            """Watch over the workers until the end, and say what it was if it was none that was asked for."""
            threading.Thread(target=self._prove, daemon=True).start()
            super().start(cb)
            if self._fault is not None:
                raise self._fault

        def _prove(self) -> None:
            try:
                proven()
            except Exception as fault:
                self.loop.add_callback(self._end_for, fault)

        def _end_for(self, fault: Exception) -> None:
            if not self._is_over:
                self._fault = fault
                self.stop()

        def reload(self, graceful: bool = True, sequential: bool = False) -> None:  # noqa: ARG002
            """Let the workers take up what is new; none of them ends.

            Trying it takes seconds, and a worker may have to be replaced meanwhile: a thread waits for it.
            """
            threading.Thread(target=self._renew, daemon=True).start()

        def _renew(self) -> None:
            with self._one_renewal:
                if not self._is_over and renew():
                    self.loop.add_callback(self._tell)

        def _tell(self) -> None:
            for watcher in self.watchers:
                for pid in watcher.get_active_pids():
                    os.kill(pid, signal.SIGHUP)

        def stop(self) -> Any:
            """End; circus forgets a SIGTERM that comes while it is busy with a worker.

            The listening socket is left to the workers: here it would let clients in whom nobody accepts.
            """
            self._is_over = True
            ending()
            self.sockets.close_all()
            try:
                return super().stop()
            except ConflictError:
                self.loop.call_later(AGAIN_S, self.stop)
                return None

        def _unheard(self, error: OSError) -> str:
            places = ", ".join(f"{socket.host}:{socket.port}" for socket in self.sockets.values())
            why = os.strerror(error.errno) if error.errno else str(error)
            return (
                f"The service cannot start: it cannot listen on {places} ({why}). Stop the program that has "
                "the port, or choose another with --port."
            )

        def reap_processes(self) -> None:
            """Take the ends of workers, and of processes that nobody else waits for.

            circus takes any: whoever waits for a process of its own, as for the trial of a model, would not
            learn how it ended. But the first process of a container gets those that lost their parents.
            """
            for watcher in self.iter_watchers():
                for pid in [pid for pid in watcher.processes if _ended(os.P_PID, pid) is not None]:
                    watcher.reap_process(pid)
            left, now = _ended(os.P_ALL, 0), time.monotonic()
            if left is None or left != self._left[0]:
                self._left = left, now
            elif now - self._left[1] > ORPHAN_S:
                with suppress(ChildProcessError):
                    os.waitpid(left, os.WNOHANG)

        def _child(self, *_: object) -> None:
            self.loop.add_callback_from_signal(self._look)

        def _look(self) -> None:
            if self._is_over:
                return
            try:
                self.manage_watchers()
            except ConflictError:  # it is busy with the last one
                self.loop.call_later(AGAIN_S, self._look)

        def _add_spare(self) -> None:
            if self._is_over:
                return
            if not are_serving():
                self.loop.call_later(SPARE_S, self._add_spare)
                return
            for watcher in self.watchers:
                watcher.numprocesses += spare
            self._look()

        def _reaped(self, exit_code: int | None = None, **_: object) -> bool:
            """Count the starts that fail; one that is killed (a negative code) is simply replaced."""
            self._failed = self._failed + 1 if exit_code is not None and exit_code > 0 else 0
            if self._failed >= STARTS and not self._is_over:
                words = f"a worker ended {STARTS} times in a row with exit code {exit_code}; see above."
                self.loop.add_callback(self._end_for, failure(words))
            elif not self._is_over:
                logger.warning("a worker is gone (exit code %s); another takes its place", exit_code)
            return True

    return Supervisor


def _ended(kind: int, number: int) -> int | None:
    """Return a child that has ended, or whose end was taken; None if there is none."""
    try:
        found = os.waitid(kind, number, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return number or None
    return found.si_pid if found else None
