"""What one client asks for does not crowd out another's."""

import asyncio
import json
import logging
import threading
from itertools import pairwise
from typing import Any

import httpx
import pytest

from scoring.serving.job import JOB
from scoring.serving.limits import Limits, Route
from scoring.serving.middleware import Middleware
from scoring.serving.rate import Rate
from scoring.serving.reading import parse
from scoring.serving.turns import Rest
from tests.support.asgi import DECODER, JSON, body, echo, problem
from tests.support.keys import LOCKED, OLD

ROUTES = {"/score": Route(rows=5), "/explain": Route(rows=5, concurrent=2)}


async def slow(scope, receive, send):
    await asyncio.sleep(0.05)
    await echo(scope, receive, send)


def ask(calls, app=slow, **options) -> list[httpx.Response]:
    """Make calls at the same time: (path, headers)."""

    async def run():
        transport = httpx.ASGITransport(Middleware(app, ROUTES, DECODER, **options))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            posts = (client.post(path, content=body(1), headers=JSON | more) for path, more in calls)
            return await asyncio.gather(*posts)

    return asyncio.run(run())


def statuses(responses) -> list[int]:
    return [response.status_code for response in responses]


def test_explanations_never_crowd_out_scores():
    responses = ask([("/explain", {})] * 6 + [("/score", {})] * 6, limits=Limits(concurrent=8))
    assert statuses(responses) == [200] * 2 + [429] * 4 + [200] * 6
    assert all(int(response.headers["retry-after"]) > 0 for response in responses[2:6])


def test_small_bodies_together_never_take_more_memory_than_they_may():
    size = len(body(1))
    responses = ask([("/score", {})] * 5, limits=Limits(bodies_bytes=3 * size))
    assert statuses(responses) == [200] * 3 + [503] * 2
    assert all(int(response.headers["retry-after"]) > 0 for response in responses[3:])
    assert problem(responses[3]).detail.startswith("The requests inside take")


def test_who_only_says_that_much_keeps_nobody_out():
    limits = Limits(bodies_bytes=3 * len(body(1)), pause_s=0.05)

    async def stalled():
        yield b"{"
        await asyncio.sleep(1)

    async def run():
        transport = httpx.ASGITransport(Middleware(echo, ROUTES, DECODER, limits=limits))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = JSON | {"content-length": str(2 * len(body(1)))}
            slow_one = asyncio.ensure_future(client.post("/score", content=stalled(), headers=headers))
            await asyncio.sleep(0.01)
            posts = (client.post("/score", content=body(1), headers=JSON) for _ in range(2))
            good = await asyncio.gather(*posts)
            return [*good, await slow_one, await client.post("/score", content=body(1), headers=JSON)]

    assert statuses(asyncio.run(run())) == [200, 200, 408, 200]


def test_an_explanation_larger_than_all_may_be_is_too_large():
    size = len(body(1))
    responses = ask([("/explain", {"content-length": str(size)})], limits=Limits(bodies_bytes=size - 1))
    assert statuses(responses) == [413]


def test_a_key_that_asks_too_often_is_told_when_to_come_back_and_another_is_not():
    mine, yours = {"x-api-key": OLD}, {"x-api-key": "c" * 32}
    calls = [("/score", mine)] * 4 + [("/explain", yours)] * 2
    responses = ask(calls, admit=LOCKED, rate=Rate(2))
    assert statuses(responses) == [200, 200, 429, 429, 200, 200]
    assert problem(responses[2]).detail.startswith("More than 2 requests a second")
    assert 1 <= int(responses[2].headers["retry-after"]) <= 2


def test_without_keys_the_address_is_counted():
    assert statuses(ask([("/score", {})] * 3, rate=Rate(1))) == [200, 429, 429]


def test_a_page_counts_among_the_requests_and_a_probe_does_not():
    async def run():
        app = Middleware(echo, ROUTES, DECODER, rate=Rate(2))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        ) as client:
            return [await client.get(path) for path in ["/livez"] * 5 + ["/model"] * 3 + ["/docs.json"]]

    assert statuses(asyncio.run(run())) == [200] * 5 + [200, 200, 429, 429]


def test_a_refused_request_leaves_its_place_to_the_next():
    for _ in range(3):
        assert statuses(ask([("/explain", {})] * 3)) == [200, 200, 429]


def test_a_fault_of_ours_is_answered_in_the_one_shape_and_quotes_nobody(caplog):
    async def broken(scope, _receive, _send):
        raise ValueError(f"canary {scope[JOB].applications}")

    with caplog.at_level(logging.ERROR):
        (response,) = ask([("/score", {})], app=broken)
    assert problem(response).status == 500
    assert "canary" not in response.text + caplog.text and "ValueError at" in caplog.text


def test_every_answer_keeps_pages_of_other_sites_out():
    for response in ask([("/score", {}), ("/nothing", {})], app=echo):
        assert json.loads(response.content)
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"


def test_a_large_answer_leaves_whole_and_in_pieces_and_the_loop_looks_round_in_between():
    content = bytes(range(256)) * 1_000
    sent: list[Any] = []

    async def large(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": content})

    async def others():
        while True:
            sent.append("others")
            await asyncio.sleep(0)

    async def take(message):
        sent.append(message)

    async def run():
        looking = asyncio.ensure_future(others())
        await Middleware(large, {}, DECODER)(
            {"type": "http", "path": "/", "method": "GET", "headers": []}, None, take
        )
        looking.cancel()

    asyncio.run(run())
    bodies = [one for one in sent if one != "others" and one["type"] == "http.response.body"]
    assert b"".join(message["body"] for message in bodies) == content
    assert [message.get("more_body", False) for message in bodies] == [True, True, True, False]
    assert all(len(message["body"]) <= 2**16 for message in bodies)
    places = [place for place, message in enumerate(sent) if message in bodies]
    assert all("others" in sent[a:b] for a, b in pairwise(places))


def test_a_body_that_takes_long_to_read_is_read_beside_the_loop(monkeypatch):
    readers = []

    def noted(content, rows, decoder):
        readers.append(threading.current_thread().name)
        return parse(content, rows, decoder)

    monkeypatch.setattr("scoring.serving.middleware.parse", noted)
    limits = Limits(quick_bytes=len(body(1)))
    assert statuses(ask([("/explain", {})], limits=limits)) == [200]
    assert statuses(ask([("/explain", {})], limits=Limits(quick_bytes=len(body(1)) - 1))) == [200]
    assert readers[0] == "MainThread" and readers[1].startswith("read")


@pytest.mark.parametrize(("since", "worked", "rests"), [(0.5, 0.3, 0.3), (0.5, 0.01, 0.02), (2, 0.3, None)])
def test_a_question_rests_as_long_as_it_worked_while_decisions_are_taken(
    since: float, worked: float, rests: float | None
) -> None:
    now, rested = 100.0, list[float]()
    rest = Rest(busy_s=1.0, least_s=0.02, clock=lambda: now, sleep=rested.append)
    rest.note()
    now += since - worked
    with rest.afterwards():
        now += worked
    assert rested == ([] if rests is None else [pytest.approx(rests)])


def test_where_nobody_decides_a_question_rests_never() -> None:
    rested = list[float]()
    with Rest(clock=lambda: 5.0, sleep=rested.append).afterwards():
        pass
    assert not rested
