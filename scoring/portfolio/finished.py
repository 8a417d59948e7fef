"""A finished run as evidence: its parts are as they were written, and any decision can be made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from scoring.inference_log import Entry, InferenceLog, inputs_hash
from scoring.portfolio.job import MANIFEST, RunError, is_whole, write_json
from scoring.portfolio.work import RESULT
from scoring.replay import Replay, compare, inputs_of
from scoring.schema import KEY, Purpose
from scoring.scorer import Scorer

RECORDED = ".recorded.json"  # the parts that are in a log


class Finished:
    """A run that has its manifest.

    Raises
    ------
    RunError
        If it has none, or decided nothing.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        try:
            self.manifest: dict[str, Any] = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
            self.model: str | None = self.manifest["job"]["model"]
            self._kind: str = RESULT[self.manifest["job"]["command"]]
        except (OSError, ValueError, KeyError):
            raise RunError(f"{out} has no {MANIFEST}: the run is not finished; repeat its command.") from None
        if self.model is None:
            raise RunError(f"{out} holds features and no decisions; give the folder of a run that decided.")
        parts = self.manifest["parts"]
        self._parts = [part for part in parts if part["kind"] == self._kind]
        self._inputs = {part["file"].rpartition("/")[2]: part for part in parts if part["kind"] == "inputs"}

    def find(self, event_id: str) -> dict[str, Any] | None:
        """Return a decision as `inference_log.find` gives one; None if it is not of this run.

        Raises
        ------
        RunError
            If its part was changed since.
        """
        for part in self._parts:
            is_it = pl.col("event_id") == event_id
            decided = pl.scan_parquet(self._whole(part)).filter(is_it).collect()
            if decided.height:
                path = self._whole(self._inputs[part["file"].rpartition("/")[2]])
                inputs = pl.scan_parquet(path).filter(is_it).drop("event_id").collect()
                return self._record(decided.row(0, named=True), inputs)
        return None

    def categories(self) -> list[str]:
        """Return the names of the inputs that are words."""
        first = next(iter(self._inputs.values()))
        schema = pl.read_parquet_schema(self._whole(first))
        return [name for name, dtype in schema.items() if dtype == pl.String and name != "event_id"]

    def replay(self, event_id: str, scorer: Scorer) -> Replay:
        """Make a decision again, and compare it bit for bit.

        Raises
        ------
        RunError
            If there is none of that id, or its part was changed since.
        ReplayError
            If the scorer reads other features.
        """
        record = self.find(event_id)
        if record is None:
            raise RunError(f"{self.out} has no decision {event_id}.")
        return compare(record, scorer, inputs_of(record, scorer))

    def record(
        self,
        log: InferenceLog,
        clock: Callable[[], datetime],
        operator: str | None = None,
        purpose: Purpose = "decision",
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> int:
        """Enter every decision in a log, each as one record; return how many.

        What an interrupted call has entered is not entered again, but for the part that it was at: of an
        event that stands twice in the log the index keeps one.

        Raises
        ------
        RunError
            If a part was changed since it was written.
        LogError
            If the log cannot be written.
        """
        path = self.out / RECORDED
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        done: list[str] = before.get(str(log.folder.resolve()), [])
        count = 0
        for number, part in enumerate(self._parts, start=1):
            name = part["file"].rpartition("/")[2]
            if name not in done:
                decided = pl.read_parquet(self._whole(part))
                inputs = pl.read_parquet(self._whole(self._inputs[name])).drop("event_id")
                log.record(self._entries(decided, inputs, operator, purpose), clock())
                done.append(name)
                write_json(path, before | {str(log.folder.resolve()): done})
                count += decided.height
            progress(number, len(self._parts))
        return count

    def _entries(
        self, decided: pl.DataFrame, inputs: pl.DataFrame, operator: str | None, purpose: Purpose
    ) -> list[Entry]:
        given = (
            [[reason["feature"] for reason in one] for one in decided["reasons"].to_list()]
            if "reasons" in decided.columns
            else [None] * decided.height
        )
        return [
            Entry(
                event_id=said["event_id"],
                applicant=said[KEY],
                request_id=self.manifest["run"],
                probability_of_default=said["probability_of_default"],
                threshold=said["threshold"],
                decision=said["decision"],
                features=values,
                operator=operator,
                purpose=purpose,
                reasons=None if reasons is None else tuple(reasons),
            )
            for said, values, reasons in zip(
                decided.iter_rows(named=True), inputs.iter_rows(named=True), given, strict=True
            )
        ]

    def _record(self, said: dict[str, Any], inputs: pl.DataFrame) -> dict[str, Any]:
        values = inputs.row(0, named=True)
        words = {name for name, dtype in inputs.schema.items() if dtype == pl.String}
        both = {
            "numbers": {name: value for name, value in values.items() if name not in words},
            "categories": {name: value for name, value in values.items() if name in words},
        }
        reasons = [reason["feature"] for reason in said["reasons"]] if "reasons" in said else None
        audit = {"reasons": reasons, "inputs_sha256": inputs_hash(both)}
        return {**said, "inputs": both, "audit": audit}

    def _whole(self, part: dict[str, Any]) -> Path:
        path = self.out / str(part["file"])
        if not is_whole(path, part["sha256"]):
            raise RunError(f"{path} is not as the manifest says: it was changed, or is gone.")
        return path
