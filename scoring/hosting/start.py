"""What the parent does before it has workers: whatever would stop them stops it, with one sentence."""

from __future__ import annotations

import argparse
import atexit
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bentoml.exceptions import BentoMLException

from scoring import language
from scoring.hosting import models, spare
from scoring.hosting.following import keep_following
from scoring.hosting.worker import open_log
from scoring.inference_log import LogError
from scoring.scorer import ScorerError
from scoring.serving import private
from scoring.serving.access import AccessError, AccessGuard, KeyRing
from scoring.serving.crowd import backlog, take_descriptors
from scoring.serving.settings import NAME, Settings
from scoring.settings.setting import SettingError
from scoring.trial import try_out

LAST_PORT = 65_535
PARENT = f"_{NAME}_parent"  # tells a worker who its parent is

FAULTS = (SettingError, AccessError, ScorerError, LogError, language.LanguageError, private.PartGone)


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


def prepare(settings: Settings, tag: str) -> None:
    """Try the start-up once in the parent: it stops at a fault, a worker would be restarted for ever."""
    import scoring.serving.large  # noqa: F401 - if it cannot be had, that is found now

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
        try_out(models.folder(tag), tag)
        log = open_log(settings, "start-up", tag, ())
        if log is not None:
            log.check()
        keep_following(settings)
    limit = take_descriptors()
    place = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    models.choose(place / "model", tag)
    spare.make(place / "places", settings.workers)
    os.environ[PARENT] = str(os.getpid())

    from scoring.serving.private.supervisor import (
        supervisor,  # here: no worker needs circus, and it takes 0.1 s
    )

    renew = partial(models.renew, settings.model)
    private.supervise(
        lambda arbiter: supervisor(
            arbiter,
            renew=renew,
            failure=BentoMLException,
            backlog=backlog(limit),
            spare=settings.spare,
            are_serving=spare.are_taken,
            ending=spare.end,
        )
    )
