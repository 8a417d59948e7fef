"""A worker more than may answer: loaded like the others, it takes the place of the first that ends.

Starting a worker takes seconds, most of them to import and to load. A place is a file that one process has
locked: the system gives the lock back the moment that its holder is gone, however it went.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path

from scoring.serving.asgi import App, Message, Receive, Scope, Send
from scoring.serving.life import DRAIN
from scoring.serving.settings import NAME

PLACES = f"_{NAME}_places"  # tells a worker where the places of those that answer are
LOOK_S = 0.02

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name


def make(folder: Path, number: int) -> None:
    """Make the places of all workers that may answer at once, for the processes that start from here."""
    folder.mkdir()
    for place in range(number):
        (folder / str(place)).touch()
    os.environ[PLACES] = str(folder)


def take(folder: Path) -> int | None:
    """Take a free place until this process ends, or the descriptor that is returned is closed."""
    for path in folder.iterdir():
        place = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(place)
        else:
            return place
    return None


class OwnPlace:
    """The place of this process, which has one until it ends."""

    def __init__(self) -> None:
        self._held: int | None = None

    def is_held(self, folder: Path) -> bool:
        """Say whether this process has a place; it takes one, if there is any."""
        if self._held is None:
            self._held = take(folder)
        return self._held is not None

    def is_of_the_last(self) -> bool:
        """Say whether this process answers, and nobody will after it: all of them are ending."""
        return self._held is not None and _ending().exists()


PLACE = OwnPlace()


def end() -> None:
    """Note that all of them are ending."""
    with suppress(OSError):  # a disk that is full must not keep it
        _ending().touch()


def _ending() -> Path:
    return Path(os.environ[PLACES]).with_name("ending")


def are_taken() -> bool:
    """Say whether every place has its worker."""
    place = take(Path(os.environ[PLACES]))
    if place is not None:
        os.close(place)
    return place is None


def until_needed(app: App) -> App:
    """Return the application, which loads at once and is asked nothing before there is a place for it."""
    if PLACES not in os.environ:
        return app
    folder = Path(os.environ[PLACES])

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        async def held(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete" and not PLACE.is_held(folder):
                logger.info("loaded, and waiting to take the place of a worker that ends")
                while not DRAIN.is_on() and not PLACE.is_held(folder):
                    await asyncio.sleep(LOOK_S)
                if DRAIN.is_on():
                    DRAIN.cut()  # nobody knows of it who would have to go elsewhere
                else:
                    logger.info("taking the place of a worker that has ended")
            await send(message)

        await app(scope, receive, held if scope["type"] == "lifespan" else send)

    return waiting
