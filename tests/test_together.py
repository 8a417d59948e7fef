"""What many coroutines bring is written together, and each is told how its own fared."""

import asyncio
import math
import time
from datetime import UTC, datetime

import pytest

from scoring.inference_log import Entry, InferenceLog, LogError, Together, read
from tests.support.overheard import overheard

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def entry(name: str, probability: float = 0.25) -> Entry:
    return Entry(name, 7, "r", probability, 0.09, "refused", {"ext_mean": 0.5})


@pytest.fixture
def log(tmp_path):
    log = InferenceLog(tmp_path / "log", "w1", bytes(32), "m")
    yield log
    log.close()


def bring(log: InferenceLog, entries: list[Entry]) -> list[BaseException | None]:
    async def run() -> list[BaseException | None]:
        together = Together(log, lambda: NOON)
        calls = (together.record([entry]) for entry in entries)
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(run())


def test_all_is_on_the_disk_when_it_returns_in_few_writes(log, monkeypatch):
    written = []
    record = log.record
    monkeypatch.setattr(log, "record", overheard(record, lambda group, _: written.append(len(group))))
    assert bring(log, [entry(f"e{i}") for i in range(50)]) == [None] * 50
    assert set(read(log.folder).table["event_id"]) == {f"e{i}" for i in range(50)}
    assert sum(written) == 50 and len(written) <= 3


def test_one_that_cannot_be_said_harms_no_other(log):
    failures = bring(log, [entry("a"), entry("b", math.nan), entry("c")])
    assert [type(failure) for failure in failures] == [type(None), ValueError, type(None)]
    assert set(read(log.folder).table["event_id"]) == {"a", "c"}


def test_a_disk_that_fails_fails_all_and_the_next_call_tries_afresh(log):
    log.folder.rmdir()
    assert all(isinstance(failure, LogError) for failure in bring(log, [entry("a"), entry("b")]))
    log.folder.mkdir()
    assert bring(log, [entry("c")]) == [None]
    assert set(read(log.folder).table["event_id"]) == {"c"}


def test_who_waits_no_more_stops_nobody(log):
    async def run() -> None:
        together = Together(log, lambda: NOON)
        gone = asyncio.create_task(together.record([entry("a")]))
        stays = asyncio.create_task(together.record([entry("b")]))
        await asyncio.sleep(0)
        gone.cancel()
        await stays

    asyncio.run(run())
    assert set(read(log.folder).table["event_id"]) == {"b"}


def test_what_is_waited_for_no_more_is_not_written_while_the_disk_is_busy(log, monkeypatch):
    record = log.record
    monkeypatch.setattr(log, "record", overheard(record, lambda *_: time.sleep(0.1)))

    async def run() -> None:
        together = Together(log, lambda: NOON)
        first = asyncio.create_task(together.record([entry("a")]))
        await asyncio.sleep(0.02)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await together.record([entry("told 504")])
        await first
        await together.record([entry("b")])

    asyncio.run(run())
    assert set(read(log.folder).table["event_id"]) == {"a", "b"}
