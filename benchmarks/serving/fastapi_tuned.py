"""FastAPI tuned by hand: raw body, msgspec, our features, kernel and log, uvloop and httptools."""

from __future__ import annotations

import gc
from typing import Any

from fastapi import FastAPI, Request, Response
from ours import batches, job, text

ours = batches()
app = FastAPI()
gc.collect()
gc.freeze()


@app.get("/ready")
def ready() -> dict[str, Any]:
    """Say that it is up."""
    return {}


@app.post("/score")
async def score(request: Request) -> Response:
    """Decide applications."""
    answer = await ours.answer_at_once(job(await request.body()))
    return Response(text(answer), media_type="application/json")
