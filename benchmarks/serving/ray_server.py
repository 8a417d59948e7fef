"""Ray Serve with our decider, one replica."""

from __future__ import annotations

import os
import time

import ray
from ours import batches, job, text
from ray import serve
from starlette.requests import Request
from starlette.responses import Response


@serve.deployment(num_replicas=1, max_ongoing_requests=256, ray_actor_options={"num_cpus": 0.5})
class Scoring:
    """Decides applications."""

    def __init__(self) -> None:
        self.batches = batches()

    async def __call__(self, request: Request) -> Response:
        """Decide one request."""
        answer = await self.batches.answer_at_once(job(await request.body()))
        return Response(text(answer), media_type="application/json")


if __name__ == "__main__":
    environment = {
        "env_vars": {name: os.environ[name] for name in ("PYTHONPATH", "BENCH_MODEL", "BENCH_LOG")}
    }
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["BENCH_PORT"])})
    serve.run(Scoring.bind(), route_prefix="/score")  # type: ignore[attr-defined]  # the decorator adds it
    while True:
        time.sleep(60)
