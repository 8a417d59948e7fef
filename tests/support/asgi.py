"""An application behind the middleware that hands back what reached it, and what to ask of it."""

import json

import httpx

from scoring.schema import Decoder, Problem
from scoring.serving.job import JOB

JSON = {"content-type": "application/json"}
DECODER = Decoder({"bureau_count": "number"})


async def echo(scope, _, send):
    """Answer with what the middleware handed on."""
    job = scope.get(JOB)
    said = [scope["path"], job.request_id, len(getattr(job, "applications", ()))] if job else [scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


def body(rows: int, **fields) -> bytes:
    return json.dumps({"applications": [{"SK_ID_CURR": i} | fields for i in range(rows)]}).encode()


def problem(response: httpx.Response) -> Problem:
    assert response.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate_json(response.content)
    assert found.status == response.status_code
    return found
