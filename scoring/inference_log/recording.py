"""Recording the decisions of one request of many rows: slice by slice, then bound into the chain at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import polars as pl

from scoring.inference_log.disk import sync_folder
from scoring.inference_log.keys import pseudonym
from scoring.inference_log.record import LogError
from scoring.inference_log.table import TableEntry, encode


class TableRecording:
    """The decisions of one request, recorded as tables: all of them, or none.

    Use it in a ``with`` block: `add` slices in order, then `commit`. What was added counts when `commit` has
    returned, and is removed if it did not.

    Parameters
    ----------
    folder : Path
        The log's folder.
    key : bytes
        Key of the pseudonyms.
    model : str
        Exact tag of the model that decided.
    keep : callable
        Writes and syncs a file of a day, and returns its name.
    bind : callable
        Puts lines into the chain, with their time: all of them, or none.
    about : mapping
        The fields ``events``, ``request_id``, ``operator``, ``purpose`` and ``time`` of a `TableEntry`.

    Notes
    -----
    A slice is synced as soon as it is written, beside the work on the next one. One sync at the end for all
    wins nothing (100,000 rows: 1.7 s either way) and holds up whoever records a single decision meanwhile.
    """

    def __init__(
        self,
        folder: Path,
        key: bytes,
        model: str,
        keep: Callable[[date, memoryview], str],
        bind: Callable[[list[bytes], datetime], None],
        about: Mapping[str, Any],
    ) -> None:
        self._folder = folder
        self._key = key
        self._model = model
        self._keep = keep
        self._bind = bind
        self._about = about
        self._slices: list[TableEntry] = []
        self._rows = 0
        self._is_committed = False

    def add(self, applicants: Iterable[int], decided: pl.DataFrame, inputs: pl.DataFrame) -> None:
        """Write a slice to the disk.

        Parameters
        ----------
        applicants : iterable of int
            Numbers of the clients.
        decided : polars.DataFrame
            ``probability_of_default``, ``threshold`` and ``decision``, one row per client; ``review``, if it
            is there, says whether a person should look.
        inputs : polars.DataFrame
            The model's inputs, numbers and words.

        Raises
        ------
        LogError
            If it cannot be written and synced.
        ValueError
            If a number is not finite.
        """
        asked: tuple[int, ...] = ()
        if "review" in decided.columns:
            asked = tuple(decided["review"].fill_null(False).arg_true().to_list())
        content = encode((pseudonym(self._key, client) for client in applicants), decided, inputs)
        name = self._keep(self._about["time"].date(), content)
        digest = hashlib.sha256(content).hexdigest()
        self._slices.append(
            TableEntry(
                name, digest, decided.height, start=self._rows, model=self._model, review=asked, **self._about
            )
        )
        self._rows += decided.height

    def commit(self) -> None:
        """Bind the slices into the chain, with one sync for all.

        Raises
        ------
        LogError
            If that fails: then nothing of this request is in the log.
        """
        if self._slices:
            try:
                sync_folder(self._folder)
            except OSError as error:
                raise LogError(
                    f"the inference log in {self._folder} cannot be written: {error.strerror}."
                ) from error
            self._bind([part.body() for part in self._slices], self._about["time"])
        self._is_committed = True

    def __enter__(self) -> TableRecording:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was not committed."""
        if not self._is_committed:
            for part in self._slices:
                (self._folder / part.file).unlink(missing_ok=True)
