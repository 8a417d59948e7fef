"""The middleware lets valid requests through whole, and answers all others in one shape."""

import asyncio
import json

import httpx
import pytest

from scoring.hosting import worker
from scoring.schema.answers import FieldError
from scoring.serving.asgi import no_endpoint
from scoring.serving.job import JOB
from scoring.serving.limits import Limits, Route
from scoring.serving.middleware import Middleware
from scoring.serving.problem import Rejection
from scoring.serving.rate import Rate
from scoring.serving.reading import parse
from tests.support.asgi import DECODER, JSON, body, echo, problem

ROUTES = {"/score": Route(rows=120, is_quick=True, bulk="/bulk"), "/explain": Route(rows=2)}


def with_kind(headers) -> dict | list:
    """Headers of a JSON body; a list of pairs may name one twice."""
    if isinstance(headers, dict):
        return JSON | headers
    return (
        headers if any(name.lower() == "content-type" for name, _ in headers) else [*JSON.items(), *headers]
    )


def ask(*calls, app=echo, limits=Limits(), at_once=None) -> list[httpx.Response]:  # noqa: B008 - frozen
    """Make calls at the same time: (path, body, headers)."""

    async def run() -> list[httpx.Response]:
        transport = httpx.ASGITransport(Middleware(app, ROUTES, DECODER, limits=limits, at_once=at_once))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await asyncio.gather(
                *(
                    client.post(path, content=body, headers=with_kind(headers))
                    for path, body, headers in calls
                )
            )

    return asyncio.run(run())


def test_a_valid_request_goes_through_with_its_id():
    (response,) = ask(("/score", body(3), {"X-Request-ID": "abc"}))
    assert response.json() == ["/score", "abc", 3] and response.headers["x-request-id"] == "abc"


def test_a_large_body_is_led_round_the_batch():
    limits = Limits(bulk_bytes=1_000)
    small_one, large_one = ask(("/score", body(5), {}), ("/score", body(110), {}), limits=limits)
    assert small_one.json()[0] == "/score" and large_one.json()[0] == "/bulk"


def test_one_small_application_is_decided_at_once_and_the_others_go_into_the_batch():
    async def at_once(_):
        await asyncio.sleep(0.02)
        return b'["at once"]'

    calls: list[tuple] = [("/score", body(1), {}), ("/score", body(2), {}), ("/explain", body(1), {})]
    answers = [response.json()[0] for response in ask(*calls, at_once=at_once)]
    assert answers == ["at once", "/score", "/explain"]
    large: tuple = ("/score", body(1, NAME_INCOME_TYPE="W" * 90), {})
    assert ask(large, at_once=at_once, limits=Limits(quick_bytes=100))[0].json()[0] == "/score"
    crowd = ask(*[("/score", body(1), {})] * 5, at_once=at_once, limits=Limits(quick=3))
    assert sorted(response.json()[0] for response in crowd) == ["/score"] * 2 + ["at once"] * 3


def test_an_answer_at_once_is_refused_and_given_up_as_any_other():
    async def reject(_):
        return Rejection("not-ready", retry_after_s=5)

    async def late(_):
        await asyncio.sleep(1)
        return b"[]"

    (response,) = ask(("/score", body(1), {}), at_once=reject)
    assert problem(response).status == 503 and response.headers["retry-after"] == "5"
    (response,) = ask(("/score", body(1), {}), at_once=late, limits=Limits(answer_s=0.01))
    assert problem(response).status == 504


@pytest.mark.parametrize(
    "name",
    ["Content-Type", "Content-Encoding", "Idempotency-Key", "Host", "X-API-Key", "Authorization", "Origin"],
)
def test_what_can_be_said_once_only_is_refused_by_name_if_it_is_said_twice(name):
    value = {"Content-Type": "application/json", "Content-Encoding": "identity"}.get(name, "x")
    for other in (value, "y"):
        (response,) = ask(("/score", body(1), [(name, value), (name.lower(), other)]))
        assert problem(response).status == 400 and f"{name.title()} is sent twice" in problem(response).detail


def test_what_is_a_list_may_come_in_lines():
    (response,) = ask(
        ("/score", body(1), [("Accept", "text/html"), ("Accept", "*/*"), ("Via", "a"), ("Via", "b")])
    )
    assert response.status_code == 200


def test_a_body_in_another_coding_is_refused():
    (response,) = ask(("/score", body(1), {"Transfer-Encoding": "gzip, chunked"}))
    assert problem(response).status == 415


def test_a_byte_order_mark_before_json_is_no_fault():
    for rows, path in ((1, "/score"), (2, "/score"), (2, "/explain")):
        (response,) = ask((path, b"\xef\xbb\xbf" + body(rows), {}))
        assert response.json()[2] == rows
    (response,) = ask(("/score", b"\xef\xbb\xbf" * 2 + body(1), {}))
    assert problem(response).status == 400


@pytest.mark.parametrize(
    "place",
    [
        *("AMT_CREDIT", "SK_ID_CURR", "NAME_INCOME_TYPE", "history.bureau[0].AMT_CREDIT_SUM"),
        "history_features.bureau_count",
    ],
)
def test_nan_is_named_with_what_to_send_instead(place):
    application: dict = {"SK_ID_CURR": 1}
    match place.partition(".")[::2]:
        case "history", _:
            application["history"] = {"bureau": [{"SK_ID_BUREAU": 1, "AMT_CREDIT_SUM": float("nan")}]}
        case "history_features", name:
            application["history_features"] = {name: float("nan")}
        case name, _:
            application[name] = float("nan")
    (response,) = ask(("/score", json.dumps({"applications": [application]}), {}))
    (error,) = problem(response).errors
    assert error.field == place and "NaN is not JSON; send null" in error.detail


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_is_refused_and_who_asks_for_nothing_that_is_here_counts_against_the_rate_too():
    def admit(scope):
        if (b"x-api-key", b"right") in scope["headers"]:
            return "desk"
        raise Rejection("no-valid-key")

    async def run(*calls):
        rate = Rate(3, Clock())
        both = (
            Middleware(echo, ROUTES, DECODER, admit=admit, rate=rate),
            Middleware(no_endpoint, {}, DECODER, rate=rate),
        )
        statuses = []
        for which, path, headers, client in calls:
            transport = httpx.ASGITransport(both[which], client=(client, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://service") as http:
                statuses.append((await http.get(path, headers=headers)).status_code)
        return statuses

    def asked(*calls):
        return asyncio.run(run(*calls))

    here = "10.0.0.1"
    wrong: tuple = (0, "/", {}, here)
    right: tuple = (0, "/", {"x-api-key": "right"}, here)
    assert asked(*[wrong] * 5, right) == [401] * 3 + [429] * 2 + [200]  # who has a key has a rate of its own
    assert asked(*[(1, "/nothing", {}, here)] * 4, wrong, (1, "/", {}, "10.0.0.2")) == [404] * 3 + [
        429
    ] * 2 + [404]
    assert asked(*[(0, "/readyz", {"x-api-key": "right"}, here)] * 5) == [200] * 5
    neighbours: list[tuple] = [(1, "/", {}, f"2001:db8::{number}") for number in range(5)]
    assert asked(*neighbours) == [404] * 3 + [429] * 2  # one client has all of them
    mapped: list[tuple] = [(1, "/", {}, "::ffff:10.0.0.1"), (1, "/", {}, "10.0.0.1")] * 2
    assert asked(*mapped) == [404] * 3 + [429]


def test_one_request_too_many_is_told_to_come_back():
    async def slow(scope, receive, send):
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    responses = ask(*[("/score", body(1), {})] * 5, app=slow, limits=Limits(concurrent=3))
    refused = [response for response in responses if response.status_code == 429]
    assert len(refused) == 2 and all(int(response.headers["retry-after"]) for response in refused)
    assert "Too many" in problem(refused[0]).detail


def test_an_answer_that_takes_too_long_is_given_up_and_so_is_its_job():
    jobs = []

    async def late(scope, receive, send):
        jobs.append(scope[JOB])
        await asyncio.sleep(0.05)
        await echo(scope, receive, send)

    (response,) = ask(("/score", body(1), {}), app=late, limits=Limits(answer_s=0.01))
    assert response.status_code == 504 and problem(response).detail.startswith("No answer within")
    assert jobs[0].is_abandoned


def test_a_body_that_does_not_come_is_given_up():
    async def slow_body():
        yield b"{"
        await asyncio.sleep(1)

    (response,) = ask(("/score", slow_body(), {}), limits=Limits(body_s=0.01))
    assert response.status_code == 408 and problem(response)


def test_a_body_is_counted_as_it_comes():
    async def chunks():
        for _ in range(100):
            yield b" " * 100

    (response,) = ask(("/score", chunks(), {}), limits=Limits(body_bytes=2_000))
    assert response.status_code == 413 and problem(response)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_an_error_from_below_takes_our_shape(status):
    async def broken(_, __, send):
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"Marie Curie"})

    (response,) = ask(("/score", body(1), {}), app=broken)
    assert response.status_code == status and "Curie" not in problem(response).model_dump_json()


def faults(content: bytes) -> list[tuple[int | None, str]]:
    with pytest.raises(Rejection) as caught:
        parse(content, 120, DECODER)
    assert caught.value.status == 422
    return [(fault.row, fault.field) for fault in caught.value.errors]


def test_rows_are_counted_through_the_whole_request():
    applications: list[dict] = [{"SK_ID_CURR": i} for i in range(120)]
    for row in (3, 49, 50, 119):
        applications[row]["AMT_CREDIT"] = "much"
    content = json.dumps({"applications": applications}).encode()
    assert faults(content) == [(row, "AMT_CREDIT") for row in (3, 49, 50, 119)]


def test_only_the_first_faults_are_named():
    with pytest.raises(Rejection, match="at least 51 faults, and 50 of them named") as caught:
        parse(body(120, FOO=1), 120, DECODER)
    assert len(caught.value.errors) == 50


def test_an_aggregate_that_is_none_is_named_with_its_row():
    applications = [{"SK_ID_CURR": i, "history_features": {"bureau_count": 1}} for i in range(60)]
    applications[55]["history_features"] = {"bureau_cuont": 1}
    content = json.dumps({"applications": applications}).encode()
    assert faults(content) == [(55, "history_features.bureau_cuont")]


def test_no_fault_repeats_what_was_sent():
    with pytest.raises(Rejection) as caught:
        parse(body(1, AMT_CREDIT="canary", history={"bureau": [{"SK_ID_BUREAU": "canary"}]}), 120, DECODER)
    assert "canary" not in caught.value.body().decode() and len(caught.value.errors) == 2


def test_a_rejection_is_counted_by_key_column_and_fault_and_never_by_value():
    told = []

    async def run() -> None:
        middleware = Middleware(echo, ROUTES, DECODER, rejected=lambda *both: told.append(both))
        transport = httpx.ASGITransport(middleware)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            await client.post("/score", content=body(1, AMT_CREDIT=-1), headers=JSON)
            await client.post("/score", content=body(1), headers=JSON)

    asyncio.run(run())
    ((key, rejection),) = told
    before = counted()
    worker.count_rejected("desk", rejection)
    worker.count_rejected(key, Rejection("invalid-request", {"n": 1}, [strange("made_up")]))
    new = {labels: value - before.get(labels, 0) for labels, value in counted().items()}
    (named,) = [labels for labels in new if labels[0] == "desk"]
    assert named[1] == "AMT_CREDIT" and new[named] == 1 and named[2] == rejection.errors[0].code
    assert new["", "other", "required"] == 1


def strange(field: str) -> FieldError:
    return FieldError.model_validate({"field": field, "code": "required", "detail": "is required"})


def counted() -> dict[tuple[str, str, str], float]:
    return {
        (sample.labels["client"], sample.labels["field"], sample.labels["code"]): sample.value
        for metric in worker.REJECTED.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
