"""Run the commands of a document as a reader would: ``python -m tests.tutorial`` in a copy of the project.

Each ``console`` block runs in one shell, in order, and stops the run where it fails. `make run` goes on
in the background, and the next block waits until it serves.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.running import free_port

ROOT = Path(__file__).resolve().parent.parent
SERVES = "make run"
READY_S = 600


def blocks(document: str) -> list[str]:
    """Return the blocks of commands of a document, in order."""
    return re.findall(r"^```console\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def copy(target: Path) -> None:
    """Copy what git would track, as old as this environment, which the copy is lent."""
    made = (Path(sys.prefix) / "pyvenv.cfg").stat().st_mtime
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
            os.utime(target / name, (made, made))  # else make would set the environment up again
    (target / ".venv").symlink_to(sys.prefix)


def run(document: Path) -> int:
    """Run a document in a copy; return the first exit code that is not 0, else 0."""
    api, page = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as servers:
        target = Path(folder) / "project"
        target.mkdir()
        copy(target)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CREDIT_SCORING_")
        }
        environment |= {"API_PORT": str(api), "UI_PORT": str(page)}
        shell = "set -euo pipefail\n"
        for block in blocks(document.read_text(encoding="utf-8")):
            text = block.replace("127.0.0.1:3000", f"127.0.0.1:{api}")  # ports that nobody else has
            text = text.replace("127.0.0.1:7860", f"127.0.0.1:{page}")
            text = text.replace("scoring.client score", f"scoring.client score --url http://127.0.0.1:{api}")
            sys.stdout.write(f"\n$ {text}")
            sys.stdout.flush()
            if text.strip() == SERVES:
                servers.enter_context(serving(target, environment, api))
                continue
            if text.startswith(". .venv"):  # what a later block sees of an earlier one
                shell += text
                continue
            saved = target / "var" / "variables"
            restore, save = (
                f"[ ! -f {saved} ] || . {saved}",
                f"declare -p event > {saved} 2>/dev/null || true",
            )
            script = f"{shell}{restore}\n{text}{save}\n"
            began = time.monotonic()
            code = subprocess.run(["bash", "-c", script], cwd=target, env=environment, check=False).returncode
            sys.stdout.write(f"\n# {time.monotonic() - began:.1f} s, exit code {code}\n")
            if code:
                return code
    return 0


@contextlib.contextmanager
def serving(target: Path, environment: dict[str, str], port: int) -> Iterator[None]:
    """Have `make run` go on beside the block."""
    began = time.monotonic()
    server = subprocess.Popen(["make", "run"], cwd=target, env=environment, start_new_session=True)
    try:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
                break
            if server.poll() is not None or time.monotonic() - began > READY_S:
                raise SystemExit("`make run` does not serve")
            time.sleep(1)
        sys.stdout.write(f"\n# serves after {time.monotonic() - began:.0f} s\n")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGINT)
        server.wait(60)


if __name__ == "__main__":
    sys.exit(max(run(ROOT / name) for name in sys.argv[1:] or ["docs/TUTORIAL.md"]))
