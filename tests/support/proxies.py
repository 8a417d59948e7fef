"""Real proxies on loopback ports: nginx with any locations, nginx and Caddy with the files of `deploy/`."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.running import ROOT, free_port, wait_until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx (Debian: nginx-light)")
OF_NGINX, OF_CADDY = ROOT / "deploy" / "nginx.conf", ROOT / "deploy" / "compose" / "Caddyfile"
KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def nginx(folder: Path, *locations: str) -> Iterator[list[str]]:
    """Run nginx with a server for each of the locations until the end of the block; give their addresses."""
    assert NGINX
    ports = [free_port() for _ in locations]
    servers = [
        f"server {{ listen 127.0.0.1:{port}; {location} }}"
        for port, location in zip(ports, locations, strict=True)
    ]
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        "events { worker_connections 256; }\n"
        f"http {{ access_log off; {_temporary(folder)} {' '.join(servers)} }}\n"
    )

    def listen() -> bool:
        return all(_is_open(port) for port in ports)

    with _running([NGINX, "-p", folder, "-c", folder / "nginx.conf"], folder, listen):
        yield [f"http://127.0.0.1:{port}" for port in ports]


@contextmanager
def delivered_nginx(home: Path, services: Sequence[int]) -> Iterator[str]:
    """Run nginx with `deploy/nginx.conf` until the end of the block, in front of two ports."""
    if NGINX is None:
        pytest.skip("there is no nginx (Debian: nginx-light; make deliver)")
    port, text = free_port(), OF_NGINX.read_text()
    for written, free in (("8080", port), ("3000", services[0]), ("3001", services[1])):
        text, count = re.subn(rf"127\.0\.0\.1:{written}\b", f"127.0.0.1:{free}", text)
        assert count == 1, written
    text = text.replace("http {", f"http {{ access_log off; {_temporary(home)}", 1)
    (home / "nginx.conf").write_text(f"daemon off; pid {home}/pid; error_log stderr;\n{text}")
    url = f"http://127.0.0.1:{port}"
    command: list[str | Path] = [NGINX, "-p", home, "-e", "stderr", "-c", home / "nginx.conf"]
    with _running(command, home, lambda: _status(f"{url}/api/livez") == 200, end=signal.SIGQUIT):
        yield url


@contextmanager
def delivered_caddy(home: Path, services: Sequence[int], page: int) -> Iterator[str]:
    """Run Caddy with the file of `deploy/compose.yaml` until the end of the block, in front of some ports.

    The officer is anna, her password `open`.
    """
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("there is no caddy (Debian: caddy; make deliver)")
    port, admin = free_port(), free_port()
    hashed = subprocess.run([program, "hash-password", "--plaintext", "open"], capture_output=True, text=True)
    (home / "officers").write_text(f"anna {hashed.stdout.strip()}\n")
    here = f"admin 127.0.0.1:{admin}\n\tauto_https disable_redirects\n\tskip_install_trust"
    text = OF_CADDY.read_text()
    assert "admin 127.0.0.1:2019" in text
    (home / "Caddyfile").write_text(text.replace("admin 127.0.0.1:2019", here))
    env = os.environ | {
        "SITE": f"localhost:{port}",
        "OFFICERS": str(home / "officers"),
        "SERVICE": " ".join(f"127.0.0.1:{service}" for service in services),
        "PAGE": f"127.0.0.1:{page}",
        **{name: str(home) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")},
    }
    url = f"https://localhost:{port}"
    command: list[str | Path] = [program, "run", "--config", home / "Caddyfile"]
    with _running(command, home, lambda: _status(url) == 401, env=env):
        yield url


@contextmanager
def _running(
    command: Sequence[str | Path],
    home: Path,
    is_up: Callable[[], bool],
    *,
    env: Mapping[str, str] | None = None,
    end: signal.Signals = signal.SIGTERM,
) -> Iterator[None]:
    """Run a proxy until the end of the block, once it is up; what it says is in ``home``."""
    said = home / "said"
    with said.open("w") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out)

    def is_there() -> bool:
        assert server.poll() is None, said.read_text()[-2_000:]
        return is_up()

    try:
        wait_until(is_there, 60)
        yield
    finally:
        server.send_signal(end)
        server.wait(30)


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _status(url: str) -> int:
    try:
        return httpx.get(url, verify=False, trust_env=False, timeout=60).status_code
    except httpx.TransportError:
        return 0


def _temporary(folder: Path) -> str:
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in KINDS)
