"""Large requests answered on a loopback port, for tests of the client."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from scoring.decider import Decider
from scoring.serving.job import ArrowJob
from scoring.serving.large import Large
from scoring.serving.problem import Rejection


class Tables:
    """The bulk door on a loopback port, with a real scorer and a real log.

    `script` holds what happens to the next tables: a status, "lost" (decided and logged, the answer cut off),
    or None for an answer.
    """

    def __init__(self, scorer, log=None) -> None:
        self.bulk = Large(Decider(scorer, "credit_scoring:m", log), 100_000)
        self.script: list = []
        self.keys: list[str] = []
        self.api_key: str | None = None
        self.pause_s = 0.0
        lock = threading.Lock()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send(200, b"{}", {})

            def do_POST(self):
                body = bytearray(self.rfile.read(int(self.headers["content-length"])))
                key = self.headers.get("idempotency-key", "")
                with lock:
                    ours.keys.append(key)
                    ours.api_key = self.headers.get("x-api-key")
                    turn = ours.script.pop(0) if ours.script else None
                    if isinstance(turn, int):
                        self.send(
                            turn, Rejection("too-many-requests", status=turn).body(), {"retry-after": "0"}
                        )
                        return
                    time.sleep(ours.pause_s)
                    answer = ours.bulk.answer(ArrowJob("r", body, False, key))
                if turn == "lost":
                    self.connection.close()
                elif isinstance(answer, Rejection):
                    self.send(answer.status, answer.body(), {})
                else:
                    self.send(200, answer, {})

            def send(self, status, content, headers):
                self.send_response(status)
                for name, value in {"content-length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_):
                pass  # an answer that is cut off on purpose

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
