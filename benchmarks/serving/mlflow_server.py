"""`mlflow models serve` with the usual way inside: run once to save the model that mlflow then serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from usual import Usual


class Scoring(mlflow.pyfunc.PythonModel):  # type: ignore[name-defined]  # loaded late
    """Decides the rows of a table."""

    def load_context(self, context: Any) -> None:  # noqa: ARG002
        """Load the model when mlflow starts."""
        self.usual = Usual(Path(os.environ["BENCH_MODEL"]), Path(os.environ["BENCH_LOG"]) / "decisions.jsonl")

    def predict(  # MLflow calls it with all three
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: Any = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        """Decide each row."""
        decisions: list[dict[str, Any]] = self.usual.score(model_input.to_dict(orient="records"))
        return decisions


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=__file__, pip_requirements=[])
else:
    mlflow.models.set_model(Scoring())
