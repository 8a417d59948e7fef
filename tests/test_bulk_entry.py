"""The way in of tables: led round the batch, few at a time, within their memory."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from scoring.features.checks import DECODER
from scoring.serving.job import JOB, ArrowJob
from scoring.serving.limits import Limits, Route
from scoring.serving.media import ARROW
from scoring.serving.middleware import Middleware


async def echo(scope, _, send):
    """Answer with what the middleware handed on, after a moment."""
    handed: ArrowJob = scope[JOB]
    await asyncio.sleep(0.05)
    said = [scope["path"], len(handed.body), handed.is_json, handed.key]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def ask(*calls: dict[str, str], body: bytes = b"12345678", path: str = "/score", **limits: Any):
    """Bring tables to the middleware, all at the same time, each with its headers."""

    async def run() -> list[httpx.Response]:
        routes = {"/score": Route(rows=10, bulk="/bulk", arrow="/table"), "/explain": Route(rows=10)}
        app = Middleware(echo, routes, DECODER, limits=Limits(**limits))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            asked = (
                client.post(path, content=body, headers={"content-type": ARROW} | call) for call in calls
            )
            return await asyncio.gather(*asked)

    return asyncio.run(run())


def test_a_table_is_led_round_the_batch_whole():
    plain, with_key = ask({}, {"accept": "application/json", "idempotency-key": "job:7"})
    assert plain.json() == ["/table", 8, False, ""]
    assert with_key.json() == ["/table", 8, True, "job:7"]


def test_json_with_a_key_goes_the_way_of_tables_and_an_explanation_takes_none():
    (small_one,) = ask({"content-type": "application/json", "idempotency-key": "one:1"})
    assert small_one.json() == ["/bulk", 8, True, "one:1"]
    (refused,) = ask(
        {"content-type": "application/json", "idempotency-key": "one:1"}, path="/explain", body=b"{}"
    )
    assert refused.status_code == 400 and "Idempotency-Key" in refused.text


def test_only_a_few_tables_are_inside_at_a_time():
    statuses = [response.status_code for response in ask(*[{}] * 5, large_concurrent=2)]
    assert sorted(statuses) == [200, 200, 429, 429, 429]


def test_large_json_counts_among_the_tables():
    calls = [{}, {"content-type": "application/json"}] * 3
    answers = ask(*calls, large_concurrent=2, bulk_bytes=7)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429, 429]
    assert {answer.json()[0] for answer in answers if answer.is_success} == {"/table", "/bulk"}


def test_who_sends_a_table_drop_by_drop_takes_nobodys_place():
    async def drops():
        for _ in range(20):
            yield b"1"
            await asyncio.sleep(0.02)

    async def run() -> tuple[list[int], int]:
        app = Middleware(
            echo, {"/score": Route(rows=10, arrow="/table")}, DECODER, limits=Limits(large_concurrent=1)
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            slow = [
                asyncio.ensure_future(client.post("/score", content=drops(), headers={"content-type": ARROW}))
                for _ in range(3)
            ]
            await asyncio.sleep(0.05)
            quick = await client.post("/score", content=b"12345678", headers={"content-type": ARROW})
            return [answer.status_code for answer in await asyncio.gather(*slow)], quick.status_code

    dropped, quick = asyncio.run(run())
    assert quick == 200 and 200 in dropped


def test_tables_on_their_way_in_never_take_more_memory_than_they_may():
    options = {"large_concurrent": 1, "arrow_rows": 1, "arrow_row_bytes": 10, "body_bytes": 10}
    statuses = [response.status_code for response in ask({}, {}, **options)]
    assert 200 in statuses and set(statuses) <= {200, 429, 503}


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ({"idempotency-key": "a b"}, {}, 400),
        ({"idempotency-key": ""}, {}, 400),
        ({"content-encoding": "gzip"}, {}, 415),
        ({}, {"path": "/explain"}, 415),
        ({}, {"path": "/table"}, 404),
        ({}, {"body": b"x" * 101, "arrow_rows": 1, "arrow_row_bytes": 100, "body_bytes": 100}, 413),
    ],
)
def test_what_is_no_table_for_this_door_is_refused(headers, options, status):
    (response,) = ask(headers, **options)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
