"""The usual way: FastAPI, a pydantic model, pandas, LightGBM."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from usual import Usual

from scoring.schema import Application

usual = Usual(Path(os.environ["BENCH_MODEL"]), Path(os.environ["BENCH_LOG"]) / "decisions.jsonl")
app = FastAPI()


class Request(BaseModel):
    """Applications to score, with the types and bounds of our schema."""

    applications: list[Application]


class Decision(BaseModel):
    """An answer."""

    event_id: str
    SK_ID_CURR: int
    probability_of_default: float
    score: int
    threshold: float
    decision: str


@app.get("/ready")
def ready() -> dict[str, Any]:
    """Say that it is up."""
    return {}


@app.post("/score")
def score(request: Request) -> list[Decision]:
    """Decide applications."""
    records = [application.model_dump() for application in request.applications]
    return [Decision(**answer) for answer in usual.score(records)]
