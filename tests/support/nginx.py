"""The real nginx with `deploy/nginx.conf`, on a loopback port."""

import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.running import ROOT, free_port, wait_until

FILE = ROOT / "deploy" / "nginx.conf"
PLACES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def nginx(home: Path, services: Sequence[int]) -> Iterator[str]:
    """Run it until the end of the block, in front of two ports."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("there is no nginx (Debian: nginx-light; make deliver)")
    port, text = free_port(), FILE.read_text()
    for written, free in (("8080", port), ("3000", services[0]), ("3001", services[1])):
        text, count = re.subn(rf"127\.0\.0\.1:{written}\b", f"127.0.0.1:{free}", text)
        assert count == 1, written
    kept = "".join(f"{name}_temp_path {home}/{name};" for name in PLACES)
    text = text.replace("http {", f"http {{ access_log off; {kept}", 1)
    (home / "nginx.conf").write_text(f"daemon off; pid {home}/pid; error_log {home}/said;\n{text}")
    server = subprocess.Popen(
        [program, "-p", str(home), "-e", str(home / "said"), "-c", str(home / "nginx.conf")]
    )
    url = f"http://127.0.0.1:{port}"
    try:

        def answers() -> bool:
            assert server.poll() is None, (home / "said").read_text()[-2_000:]
            try:
                return httpx.get(f"{url}/api/livez", trust_env=False, timeout=60).is_success
            except httpx.TransportError:
                return False

        wait_until(answers, 60)
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)
        server.wait(30)
