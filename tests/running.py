"""A service of its own for a test that does to it what the shared one could not bear."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from test_service import Served, bentoml, environment, free_port


@contextmanager
def running(home: Path, host: str = "127.0.0.1", key: str = "", **settings: str) -> Iterator[Served]:
    """Serve the model in ``home``'s store until the end of the block; it must end in peace."""
    port = free_port()
    arguments = ("serve", "service:CreditScoring", "--host", host, "--port", str(port))
    with (home / "stdout").open("w") as out:
        server = bentoml(*arguments, env=environment(home, **settings), stdout=out)
        service = Served(home, f"http://127.0.0.1:{port}", server.pid)
        service.http.headers["x-api-key"] = key
        try:
            for _ in range(600):
                assert server.poll() is None, service.stdout()
                try:
                    if service.http.get("/readyz", headers={"x-api-key": ""}).is_success:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.1)
            yield service
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
            service.http.close()
