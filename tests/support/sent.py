"""Applications as they are sent in tables, and what is made of them."""

import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from scoring import features
from scoring.inference_log import InferenceLog
from scoring.serving.job import ArrowJob, JsonJob
from scoring.serving.problem import Rejection
from tests.support import small
from tests.support.arrow import stream

TAG = "credit_scoring:tested"
ROWS = 100_000


def job(table: pa.Table | pl.DataFrame | bytearray, **changes: Any) -> ArrowJob:
    body = table if isinstance(table, bytearray) else stream(table)
    usual: dict[str, Any] = {"request_id": "r", "body": body, "is_json": False, "key": ""}
    return ArrowJob(**usual | changes)


def flat(requests: list[dict[str, Any]]) -> pl.DataFrame:
    """What a lender's side makes of applications with raw history: their columns and their aggregates."""
    whole = small.portfolio(requests)
    raw = whole.applications.drop("row")
    return raw.hstack(features.build(whole).select(features.HISTORY_FEATURES))


def odd(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put rare values into applications: unseen words, far numbers, the edges of each kind."""
    random = np.random.default_rng(3)
    strange: list[dict[str, Any]] = [
        {"NAME_INCOME_TYPE": "Astronaut"},
        {"OCCUPATION_TYPE": "", "AMT_CREDIT": 0.0},
        {"AMT_CREDIT": 1.7e308, "AMT_ANNUITY": 5e-324},
        {"DAYS_EMPLOYED": 365243, "DAYS_BIRTH": 0},
        {"CNT_CHILDREN": 2**31 - 1, "EXT_SOURCE_2": 1},
        {"CODE_GENDER": "é" * 100, "EXT_SOURCE_2": None},
        {"SK_ID_CURR": 2**63 - 1, "AMT_GOODS_PRICE": -0.0},
    ]
    return [
        request | (strange[i % len(strange)] if random.random() < 0.3 else {})
        for i, request in enumerate(requests)
    ]


def decisions(answer: bytes | Rejection) -> pl.DataFrame:
    assert isinstance(answer, bytes), answer
    found = pl.from_arrow(pa.ipc.open_stream(answer).read_all())
    assert isinstance(found, pl.DataFrame)
    return found


def logged(folder, scorer) -> InferenceLog:
    return InferenceLog(folder, "w", b"k" * 32, TAG, categories=list(scorer.categories))


def as_json(requests: list[dict[str, Any]], **changes: Any) -> JsonJob:
    body = bytearray(json.dumps({"applications": requests}).encode())
    usual: dict[str, Any] = {"request_id": "r", "body": body, "is_json": True, "key": "", "rows": 5_000}
    return JsonJob(**usual | changes)
