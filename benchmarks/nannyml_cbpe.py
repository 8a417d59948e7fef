"""NannyML's CBPE on given windows, in an environment of its own: a folder and sizes in, JSON out."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd


def main(folder: Path, rows: int, false_negative: float, false_positive: float) -> None:
    """Print AUC and cost of a decision for each window of so many rows."""
    warnings.simplefilter("ignore")
    reference, windows = (pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "windows"))
    estimator = nannyml.CBPE(
        problem_type="classification_binary",
        y_pred_proba="p",
        y_pred="refused",
        y_true="y",
        metrics=["roc_auc", "business_value"],
        business_value_matrix=np.array([[0.0, false_positive], [false_negative, 0.0]]),
        chunk_size=rows,
    )
    estimator.fit(reference.astype({"y": int}))
    found = estimator.estimate(windows.drop(columns="y")).filter(period="analysis").to_df()
    # Its "per_prediction" divides by the predictions of each class (0.13.1), so the whole is divided here.
    said = {
        "auc": found[("roc_auc", "value")].tolist(),
        "value": (found[("business_value", "value")] / rows).tolist(),
    }
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
