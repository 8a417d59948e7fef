"""The scorer as an MLflow model, from code: no pickle, and the same path as the service.

MLflow runs this file when it loads the model; ``train.py`` logs it. Input: a table of raw application
columns (Kaggle names), or a list of such applications as dicts, optionally with a column ``history`` or
``history_features`` of objects. Only SK_ID_CURR must be there; None and NaN both say that a value is missing;
TARGET and an index column are left out. Output: ``probability_of_default`` and ``decision``, one row per
application.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

from scoring import features, tables
from scoring.schema import Application, ApplicationRequest, columns
from scoring.trial import load

NO_INPUTS = [
    "TARGET",
    "Unnamed: 0",
    "index",
    "__index_level_0__",
]  # the label, and pandas' names for an index
WHOLE = {name for name, column in columns(Application).items() if column.kind in ("id", "integer", "flag")}


class ScoringModel(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined,misc]  # loaded late
    """Probabilities of default and decisions of raw applications."""

    def load_context(self, context: Any) -> None:
        """Load the scorer, and refuse to start if it reads other features than this code computes."""
        self.scorer = load(Path(context.artifacts["scorer"]))
        self.scorer.check_features(features.names(self.scorer.policy))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """Return the decision of each row; a row that is no valid application raises, naming the column.

        MLflow makes a table of a list of dicts. It leaves out columns that are not of the signature, with a
        warning, before this sees them.
        """
        requests = [_request(row) for row in model_input.to_dict(orient="records")]
        portfolio = tables.from_requests(requests, columns=features.READS)
        decided = self.scorer.decide(features.build(portfolio))
        return pd.DataFrame(decided.select("probability_of_default", "decision").to_dict(as_series=False))


def _request(row: dict[Any, Any]) -> ApplicationRequest:
    """Check a row as the service checks it; a column that is missing counts as not given."""
    given = {
        str(name): _plain(str(name), value)
        for name, value in row.items()
        if name not in NO_INPUTS and _known(value)
    }
    return ApplicationRequest.model_validate_json(json.dumps(given))


def _known(value: object) -> bool:
    """Tell a value from pandas' ways to say missing."""
    return isinstance(value, dict | list) or not pd.isna(value)


def _plain(name: str, value: object) -> object:
    """Return a JSON value; pandas turns whole numbers to floats in a column with gaps."""
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if name in WHOLE and isinstance(value, float) and value.is_integer() else value


mlflow.models.set_model(ScoringModel())
