"""A page is made once for a model, beside the loop, and answered from memory."""

import asyncio
import threading

import httpx

from scoring.serving.documents import Document, Documents
from scoring.serving.middleware import Middleware
from tests.support.asgi import DECODER, echo, problem

MODEL = {"tag": "m:1"}
made: list[str] = []


def page(_: str) -> Document:
    assert threading.current_thread() is not threading.main_thread()
    made.append(MODEL["tag"])
    if MODEL["tag"] == "bad":
        raise ValueError("canary")
    return Document(MODEL["tag"].encode(), "text/plain", {"content-security-policy": "default-src 'none'"})


def ask(*calls: tuple[str, str, dict[str, str]], app=echo) -> list[httpx.Response]:
    made.clear()

    async def run() -> list[httpx.Response]:
        guarded = Middleware(Documents(app, {"/model": page}, lambda: MODEL["tag"]), {}, DECODER)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(guarded), base_url="http://service"
        ) as client:
            answers = []
            for method, path, headers in calls:
                MODEL["tag"] = headers.pop("model", "m:1")
                answers.append(await client.request(method, path, headers=headers))
            return answers

    return asyncio.run(run())


def test_a_page_is_made_once_for_each_model():
    answers = ask(*(("GET", "/model", {"model": tag}) for tag in ("m:1", "m:1", "m:2", "m:2")))
    assert [answer.text for answer in answers] == ["m:1", "m:1", "m:2", "m:2"] and made == ["m:1", "m:2"]
    assert answers[0].headers["content-type"] == "text/plain"
    assert answers[0].headers["content-security-policy"] == "default-src 'none'"


def test_who_has_the_page_is_told_so_until_the_model_changes():
    (first,) = ask(("GET", "/model", {}))
    tag = {"if-none-match": first.headers["etag"]}
    same, other = ask(("GET", "/model", {**tag}), ("GET", "/model", {**tag, "model": "m:2"}))
    assert (same.status_code, same.content) == (304, b"") and other.status_code == 200


def test_a_page_is_only_read_and_other_paths_are_led_on():
    posted, other = ask(("POST", "/model", {}), ("GET", "/elsewhere", {}))
    assert problem(posted).status == 405 and posted.headers["allow"] == "GET, HEAD"
    assert other.json() == ["/elsewhere"]


def test_a_page_that_could_not_be_made_is_tried_again():
    failed, again, good = ask(*(("GET", "/model", {"model": tag}) for tag in ("bad", "bad", "m:1")))
    assert problem(failed).status == 500 and "canary" not in failed.text
    assert again.status_code == 500 and good.status_code == 200 and made == ["bad", "bad", "m:1"]


def test_an_endpoint_says_which_method_it_takes():
    async def only_post(_, __, send):
        headers = [(b"content-type", b"text/plain"), (b"allow", b"POST")]
        await send({"type": "http.response.start", "status": 405, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    (answer,) = ask(("GET", "/score", {}), app=only_post)
    assert problem(answer).status == 405 and answer.headers["allow"] == "POST"
