"""Packs the files that are closed, in a thread behind all others."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from scoring.inference_log.anchor import ANCHOR, read_anchor
from scoring.inference_log.disk import named
from scoring.inference_log.packing import LOG, is_held, pack, pack_table, tables
from scoring.inference_log.record import HEADED
from scoring.regular import open_regular

BEHIND = 10  # niceness of the thread that packs: who decides goes first
REST_S = 1.0  # after the last table was written, before tables are packed
MOST_WAITING = 8  # closed files that wait for such a rest: beyond that the disk comes first
FIRST_BYTES = 256  # of a file, among which its first line says of what form it is
HELD = (b'"schema_version":3', b'"kind":')  # a table or a note comes before any header


def left_plain(folder: Path, anchors: Path, key: bytes) -> Iterable[Path]:
    """Give the plain files of a log that nobody writes any more, or that `pack` finds to be held."""
    for path in named(folder, LOG):
        try:
            anchor = read_anchor(anchors / f"{path.name}{ANCHOR}", key)
            with open_regular(path) as file:
                # Who wrote the forms of before did not hold their files: only closed ones are safe.
                first = file.read(FIRST_BYTES)
                is_held = first.startswith(HEADED) or any(mark in first for mark in HELD)
        except (OSError, ValueError):
            continue
        if anchor is not None and (anchor.state == "closed" or (is_held and anchor.state == "open")):
            yield path


class Packer:
    """Packs closed files in a thread behind all others, and what was left plain by those who were killed.

    Parameters
    ----------
    folder, anchors : Path
        The log's folder, and that of its anchors.
    key : bytes
        The log's key.
    tell : callable
        Told why a file stays plain; its records are safe all the same.
    clock : callable
        Seconds from any fixed moment on.
    """

    def __init__(
        self,
        folder: Path,
        anchors: Path,
        key: bytes,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._busy = -math.inf  # when a table was written last
        self._closed = 0  # files that are not packed yet
        self._is_over = threading.Event()
        self._thread = ThreadPoolExecutor(1, "log-pack", _stand_back)
        self._thread.submit(self._pack_all, left_plain(folder, anchors, key)).add_done_callback(self._ended)

    def add(self, path: Path) -> None:
        """Have a file packed that was just closed."""
        self._closed += 1
        self._thread.submit(self._pack_closed, path).add_done_callback(self._ended)

    def stand_back(self) -> None:
        """Rest for a while: tables are being written, and who asked for them waits."""
        self._busy = self._clock()

    def close(self) -> None:
        """Wait until all that was added is packed."""
        self._is_over.set()
        self._thread.shutdown(wait=True)

    def _pack_closed(self, path: Path) -> None:
        try:
            self._pack_all([path])
        finally:
            self._closed -= 1

    def _ended(self, work: Future[None]) -> None:
        error = work.exception()
        if error is not None:  # as of a folder that cannot be listed: nobody else would hear of it
            why = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            self._tell(f"log: files that are closed stay as they are, not compressed: {why}")

    def _rest(self) -> None:
        while self._clock() - self._busy < REST_S and self._closed <= MOST_WAITING:
            if self._is_over.wait(REST_S / 10):
                return

    def _pack_all(self, paths: Iterable[Path]) -> None:
        for path in paths:
            try:
                with open_regular(path) as plain:
                    if is_held(plain):  # another worker is not done with it, nor with its tables
                        continue
                    for table in tables(path, plain):
                        self._rest()
                        pack_table(table)
                pack(path)
            except OSError as error:
                self._tell(f"log {path.name}: it stays as it is, not compressed: {error.strerror}")


def _stand_back() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BEHIND)
