"""What the parent does before it has workers: whatever would stop them stops it, with one sentence.

It loads no scorer and no log: the rehearsal does, in a process of its own.
"""

from __future__ import annotations

import argparse
import atexit
import fcntl
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from bentoml.exceptions import BentoMLException

from scoring import language
from scoring.hosting import models, spare
from scoring.hosting.following import keep_following
from scoring.hosting.rehearsal import Rehearsal
from scoring.serving import private
from scoring.serving.access import AccessError, AccessGuard, KeyRing
from scoring.serving.crowd import backlog, take_descriptors
from scoring.serving.settings import NAME, Settings
from scoring.settings.setting import SettingError

LAST_PORT = 65_535
PARENT = f"_{NAME}_parent"  # tells a worker who its parent is

FAULTS = (SettingError, AccessError, language.LanguageError, private.PartGone)


@contextmanager
def startable() -> Iterator[None]:
    """Turn what stops the start into the error that BentoML writes as one sentence."""
    try:
        yield
    except FAULTS as error:
        raise BentoMLException(f"The service cannot start: {error}") from None


def settings() -> Settings:
    """Read the settings of this process."""
    with startable():
        return Settings.read(os.environ)


def guard(settings: Settings) -> AccessGuard:
    """Return the guard that the settings ask for."""
    keys = KeyRing(settings.api_keys, settings.api_key_file)
    return AccessGuard(keys, settings.hosts, settings.origins, settings.are_pages_private)


def check_address() -> None:
    """Stop where nobody can listen: BentoML ends with a traceback, or takes the last 16 bits of a port."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("-p", "--port", type=int, default=os.environ.get("BENTOML_PORT") or 0)
    options.add_argument("--host", default=os.environ.get("BENTOML_HOST") or "localhost")
    asked, _ = options.parse_known_args(sys.argv[1:])
    if not 0 <= asked.port <= LAST_PORT:
        raise BentoMLException(
            f"The service cannot start: {asked.port} is no port; --port takes 0 to {LAST_PORT}."
        )
    try:
        socket.getaddrinfo(asked.host, asked.port)
    except (OSError, UnicodeError):
        raise BentoMLException(
            f"The service cannot start: {asked.host} is no host that is known here; --host takes a name or "
            "an address of this machine, as 127.0.0.1."
        ) from None


def own_folder() -> Path:
    """Make a folder of this process, which is there until it ends.

    Its lock keeps systemd-tmpfiles off, which takes away what nobody has changed for ten days.
    """
    place = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    with suppress(OSError):  # not every file system has locks
        fcntl.flock(os.open(place, os.O_RDONLY), fcntl.LOCK_SH)
    return place


def prepare(settings: Settings, tag: str) -> None:
    """Try the start-up once: the parent stops at a fault, a worker would be restarted for ever.

    The workers load their libraries meanwhile, and their model once that was proven.
    """
    if "BENTOML_API_WORKERS" in os.environ or any(word.startswith("--api-workers") for word in sys.argv):
        raise BentoMLException(
            "The service cannot start: BentoML 1.4.39 takes --api-workers (BENTOML_API_WORKERS) and "
            "starts one worker all the same; set CREDIT_SCORING_WORKERS instead."
        )
    check_address()
    with startable():
        private.demand()
        private.keep_quiet()
        language.load()
        guard(settings)
    rehearsal = Rehearsal(models.folder(tag), tag)
    atexit.register(rehearsal.end)
    limit = take_descriptors()
    place = own_folder()
    models.choose(place / "model", tag)
    spare.make(place / "places", settings.workers)
    os.environ[PARENT] = str(os.getpid())

    from scoring.serving.private.supervisor import (
        supervisor,  # here: no worker needs circus, and it takes 0.1 s
    )

    def proven() -> None:
        rehearsal.succeed()
        models.allow()
        keep_following(settings)

    renew = partial(models.renew, settings.model)
    private.supervise(
        lambda arbiter: supervisor(
            arbiter,
            proven=proven,
            renew=renew,
            failure=BentoMLException,
            backlog=backlog(limit),
            spare=settings.spare,
            are_serving=spare.are_taken,
            ending=spare.end,
        )
    )
