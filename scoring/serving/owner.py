"""GET /owner and /monitor: what the model's owner sees of it, for keys with the role `owner`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scoring.regular import IrregularError, read_small
from scoring.schema import MonitorView
from scoring.serving.asgi import ASKER, App, Receive, Scope, Send, respond
from scoring.serving.life import lower_priority
from scoring.serving.problem import Rejection
from scoring.serving.query import read_nothing

logger = logging.getLogger(__name__)
ROLE = "owner"
REPORT = Path("latest-decision", "history.json")  # in the monitor's folder
MOST_BYTES = 2**21


def owner_pages(
    views: Mapping[str, Callable[[], bytes]], may: Callable[[str | None, str], bool], elsewhere: App
) -> App:
    """Return an application that answers the owner's pages, and leads all else elsewhere.

    Parameters
    ----------
    views : mapping of str to callable
        What gives each path's answer as JSON; called in a thread behind all others.
    may : callable
        Says whether an owner of a key has a role.
    elsewhere : ASGI application
    """
    thread = ThreadPoolExecutor(1, "owner", lower_priority)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        view = views.get(scope["path"])
        if view is None:
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


def monitor_view(folder: Path) -> bytes:
    """Return the newest report of the monitor, or that there is none, as JSON.

    What lies there is read as what it should be: another file, or one of another version, is no report.
    """
    view = MonitorView()
    try:
        view = MonitorView.model_validate_json(read_small(folder / REPORT, MOST_BYTES))
    except FileNotFoundError:
        logger.debug("there is no report of the monitor")
    except IrregularError as error:
        logger.warning("the monitor's %s cannot be used: %s", REPORT, error.strerror)
    except (OSError, ValueError) as error:
        logger.warning("the monitor's %s cannot be used: %s", REPORT, type(error).__name__)
    return view.model_dump_json().encode()
