"""GET /owner: the owner's view of the model, for keys with the role `owner`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from scoring.serving.asgi import ASKER, App, Receive, Scope, Send, respond
from scoring.serving.life import lower_priority
from scoring.serving.problem import Rejection
from scoring.serving.query import read_nothing

PATH, ROLE = "/owner", "owner"


def owner_page(view: Callable[[], bytes], may: Callable[[str | None, str], bool], elsewhere: App) -> App:
    """Return an application that answers GET /owner, and leads all else elsewhere.

    Parameters
    ----------
    view : callable
        Gives the view as JSON; called in a thread behind all others.
    may : callable
        Says whether an owner of a key has a role.
    elsewhere : ASGI application
    """
    thread = ThreadPoolExecutor(1, "owner", lower_priority)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH:
            await elsewhere(scope, receive, send)
            return
        if scope["method"] != "GET":
            raise Rejection("method-not-allowed", allow="GET")
        if not may(scope[ASKER].key, ROLE):
            raise Rejection("no-role", {"role": ROLE})
        read_nothing(scope["query_string"])
        body = await asyncio.get_running_loop().run_in_executor(thread, view)
        await respond(send, 200, [(b"content-type", b"application/json")], body)

    return answer
