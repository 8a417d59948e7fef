"""The peer: a credit service written as BentoML's documentation shows it, over the same booster.

Batchable list of pydantic rows, `bentoml.monitor`, nothing of ours. Features come ready made, so that it has
less to do than our service.
"""

import os
from typing import Any

import bentoml
import lightgbm as lgb
import numpy as np
from pydantic import BaseModel, create_model

BOOSTER = lgb.Booster(model_file=os.environ["STOCK_BOOSTER"])
NAMES = [f"f{i}" for i in range(BOOSTER.num_feature())]
POISON = -424_242.0  # stands for a row that passes validation and makes the code below raise

FIELDS: dict[str, Any] = dict.fromkeys(NAMES, (float | None, None))
Row = create_model("Row", __base__=BaseModel, **FIELDS)


@bentoml.service(
    name="stock",
    monitoring={"enabled": True, "type": "default", "options": {"log_path": os.environ["STOCK_MONITORING"]}},
)
class Stock:
    """Scores rows."""

    @bentoml.api(batchable=True)
    def score(self, rows: list[Row]) -> list[float]:  # type: ignore[valid-type]
        """Return the probability of default of each row."""
        values = [[getattr(row, name) for name in NAMES] for row in rows]
        matrix = np.array(values, dtype=float)
        if (matrix[:, 0] == POISON).any():
            raise ValueError("a row that nobody foresaw")
        found = [float(p) for p in BOOSTER.predict(matrix, num_threads=1)]
        for row, p in zip(values, found, strict=True):
            with bentoml.monitor("stock") as monitor:
                monitor.log(row[0], name="f0", role="feature", data_type="numerical")
                monitor.log(p, name="probability", role="prediction", data_type="numerical")
        return found
