"""The real Caddy with the file that `deploy/compose.yaml` gives it, on a loopback port."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.running import ROOT, free_port, wait_until

FILE = ROOT / "deploy" / "compose" / "Caddyfile"


@contextmanager
def caddy(home: Path, services: Sequence[int], page: int) -> Iterator[str]:
    """Run it until the end of the block, in front of some ports; the officer is anna, her password `open`."""
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("there is no caddy (Debian: caddy; make deliver)")
    port, admin = free_port(), free_port()
    hashed = subprocess.run([program, "hash-password", "--plaintext", "open"], capture_output=True, text=True)
    (home / "officers").write_text(f"anna {hashed.stdout.strip()}\n")
    here = f"admin 127.0.0.1:{admin}\n\tauto_https disable_redirects\n\tskip_install_trust"
    text = FILE.read_text()
    assert "admin 127.0.0.1:2019" in text
    (home / "Caddyfile").write_text(text.replace("admin 127.0.0.1:2019", here))
    env = os.environ | {
        "SITE": f"localhost:{port}",
        "OFFICERS": str(home / "officers"),
        "SERVICE": " ".join(f"127.0.0.1:{service}" for service in services),
        "PAGE": f"127.0.0.1:{page}",
        **{name: str(home) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")},
    }
    with (home / "said").open("w") as said:
        server = subprocess.Popen(
            [program, "run", "--config", str(home / "Caddyfile")], env=env, stdout=said, stderr=said
        )
    url = f"https://localhost:{port}"
    try:

        def answers() -> bool:
            assert server.poll() is None, (home / "said").read_text()[-2_000:]
            try:
                return httpx.get(url, verify=False, trust_env=False, timeout=60).status_code == 401
            except httpx.TransportError:
                return False

        wait_until(answers, 60)
        yield url
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
