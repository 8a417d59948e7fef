#!/usr/bin/env python
"""Serve the bento once inside the image that is being built, and ask it for all that it answers.

The build fails, with what the service said, if the model cannot be served there: no engine for this
processor, a library that was left out. What this compiles is the bytecode that the image keeps.
"""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

START_S = 300  # an emulated processor is slow
APPLICATION = {"SK_ID_CURR": 100001, "AMT_CREDIT": 568800.0, "AMT_ANNUITY": 20560.5}
JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def free_port() -> int:
    """Return a port that nobody has: a build may share the network of its machine, with a service on 3000."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PORT = free_port()


def ask(method: str, path: str, body: bytes = b"", kind: str = JSON) -> tuple[int, str]:
    """Return the status of an answer, and the engine that readiness names."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    connection.request(method, path, body or None, {"Content-Type": kind} if body else {})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("x-scoring-engine", "")


def wait(server: "subprocess.Popen[bytes]") -> str:
    """Return the engine of a service that is ready; "" if it ended, or takes too long."""
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            status, engine = ask("GET", "/readyz")
        except OSError:
            status = 0
        if status == 200:
            return engine
        time.sleep(0.2)
    return ""


def fault(server: "subprocess.Popen[bytes]") -> str:
    """Return what is wrong with the service that was started; "" if it answers everything."""
    engine = wait(server)
    if not engine:
        return "the service does not start"
    if engine == "lightgbm":
        return "LightGBM answers in place of the engine"
    sink, table = io.BytesIO(), pa.Table.from_pylist([APPLICATION])
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    few = json.dumps({"applications": [APPLICATION]}).encode()
    many = json.dumps({"applications": [APPLICATION] * 2_000}).encode()
    asked = [
        *(("GET", path, b"", JSON) for path in ("/", "/model", "/docs.json", "/metrics", "/livez")),
        *(("POST", path, few, JSON) for path in ("/score", "/explain")),
        ("POST", "/score", many, JSON),
        ("POST", "/score", sink.getvalue(), ARROW),
    ]
    for method, path, body, kind in asked:
        status, _ = ask(method, path, body, kind)
        if status != 200:
            return f"{method} {path} ({kind}) is answered {status}"
    ask("GET", "/decisions")  # late at first: what counts is that it was asked
    server.send_signal(signal.SIGTERM)
    code = server.wait(60)
    return f"it ended with code {code}" if code else ""


def main() -> None:
    """Serve, ask, stop; what is recorded meanwhile goes with the folder."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "said").open("wb") as said:
        state = {"CREDIT_SCORING_LOG": f"{folder}/log", "CREDIT_SCORING_KEY_FILE": f"{folder}/key"}
        command = [sys.executable, "-m", "bentoml", "serve", os.environ["BENTO_PATH"], "--port", str(PORT)]
        server = subprocess.Popen(command, env=os.environ | state, stdout=said, stderr=subprocess.STDOUT)
        try:
            wrong = fault(server)
        finally:
            server.kill()
        if wrong:
            sys.stderr.write((Path(folder) / "said").read_text(errors="replace")[-4_000:])
            raise SystemExit(f"This image cannot serve: {wrong}.")


if __name__ == "__main__":
    main()
