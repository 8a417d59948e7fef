"""The follower of the log: a process beside the workers, so that no decision waits for a database."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

from scoring.serving.life import below
from scoring.serving.settings import Settings
from scoring.settings import INDEX, ROOT

NICE = 10  # decisions go first, from its first import on
AGAIN_S = 5.0  # after it ended by itself

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name


def keep_following(settings: Settings) -> None:
    """Have the log followed into the index as long as this process lives; nothing waits for it."""
    if settings.log is None or settings.index == "off":
        return
    command = [sys.executable, "-m", "scoring.decisions", "follow", "--parent", str(os.getpid())]
    command += ["--log", str(settings.log)]
    if settings.log_anchors:
        command += ["--anchors", str(settings.log_anchors)]
    command += ["--key-file", str(settings.key_file), "--instance", settings.instance]
    # Not as an argument, which everybody on this machine can read: it may hold a password.
    environment = {**os.environ, INDEX.name: settings.index}

    def keep() -> None:
        while True:
            process = subprocess.Popen(command, cwd=ROOT, env=environment)
            os.setpriority(os.PRIO_PROCESS, process.pid, below(NICE))
            process.wait()
            logger.warning("the follower of the log ended; another takes its place")
            time.sleep(AGAIN_S)

    threading.Thread(target=keep, name="follower", daemon=True).start()
