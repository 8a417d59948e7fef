"""DiCE on the same refusals, in an environment of its own: requests on stdin, findings as JSON on stdout.

It is given more than it brings: a model that computes every feature anew from the facts it changes, a
threshold in the middle, and, in its second way, the facts and the bounds of our policy. In its first way it
takes any number of the application, as its documentation begins.
"""

from __future__ import annotations

import json
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import dice_ml
import numpy as np
import pandas as pd
import polars as pl

from scoring import features, tables
from scoring.comparison.curve import COLUMNS, DRAWN
from scoring.counterfactual.policy import FACTS, POLICY
from scoring.counterfactual.variations import Plain, Rater
from scoring.decision import GRANTED
from scoring.features.varied import Varied
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, read_reference
from scoring.scorer.model import Encoding, probability

ASKED = 3  # alternatives
LONGEST_S = 20  # of CPU time, for one applicant
ROWS = 2_000  # of the reference that it learns the ranges from
WAYS = {"as it comes": DRAWN, "within policy's bounds": FACTS}


class Refusal:
    """The model as DiCE asks it, for one applicant: probabilities with the threshold at one half."""

    def __init__(self, rater: Rater, plain: Plain, facts: list[str]) -> None:
        scorer, encoding = rater.scorer, rater.scorer.model.encoding
        found = features.one(*plain)
        self.row, _, _ = rater.single.read(found)
        self.values = {**plain.application, **{n: found[n] for n in features.HISTORY_FEATURES}}
        self.scorer, self.facts = scorer, facts
        self.varied = Varied(encoding.names, facts)
        names = set(self.varied.names)
        self.encoding = Encoding(
            self.varied.names,
            {name: levels for name, levels in encoding.levels.items() if name in names},
            {name: fill for name, fill in encoding.fill.items() if name in names},
        )
        self.places = [encoding.names.index(name) for name in self.varied.names]

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return the probabilities of granted and of refused."""
        moved = pl.DataFrame(
            {
                name: pl.Series(np.asarray(table[name], dtype=float)).round(0 if _is_whole(name) else 6)
                for name in self.facts
            }
        ).with_columns(pl.col(name).cast(tables.DTYPES[COLUMNS[name].kind]) for name in self.facts)
        matrix = np.tile(self.row, (len(table), 1))
        matrix[:, self.places] = self.encoding.encode(self.varied(self.values, moved))
        p = probability(self.scorer.calibration.of(self.scorer.model.function.raw(matrix)))
        t = self.scorer.threshold
        refused = np.where(p < t, 0.5 * p / t, 0.5 + 0.5 * (p - t) / (1 - t))
        return np.column_stack([1 - refused, refused])

    def predict(self, table: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Return 1 for refused."""
        return (self.predict_proba(table)[:, 1] >= 0.5).astype(int)


def _is_whole(name: str) -> bool:
    return COLUMNS[name].kind == "integer"


def bounds(name: str, value: float) -> tuple[float, float]:
    """Return how far policy lets a fact go."""
    movers = [lever for lever in POLICY.values() if name in lever.facts]
    low = min((1 - lever.bound for lever in movers if lever.facts[name] < 0), default=1.0)
    high = max((1 + lever.bound for lever in movers if lever.facts[name] > 0), default=1.0)
    return value * low, value * high


def asked(rater: Rater, reference: pl.DataFrame, request: dict[str, Any], way: str) -> dict[str, Any]:
    """Have DiCE look for ways to one grant, and score what it finds again."""
    plain = Plain(*tables.parts(ApplicationRequest.model_validate(request), features.READS))
    known = {name: float(plain.application[name]) for name in WAYS[way] if plain.application.get(name)}
    facts = [name for name in known if name in reference.columns]
    background = reference.select(*facts, "refused").fill_null(strategy="mean").to_pandas()
    own = pd.DataFrame({name: [known[name]] for name in facts})
    data = dice_ml.Data(dataframe=background, continuous_features=facts, outcome_name="refused")
    model = dice_ml.Model(model=Refusal(rater, plain, facts), backend="sklearn")
    ranges = {name: list(bounds(name, known[name])) for name in facts}
    limits = {"permitted_range": ranges} if way != "as it comes" else {}
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        searcher = dice_ml.Dice(data, model, method="random")
        found = searcher.generate_counterfactuals(
            own, total_CFs=ASKED, desired_class=0, random_seed=1, verbose=False, **limits
        )
        rows = found.cf_examples_list[0].final_cfs_df
    except Exception as error:  # it raises what it does not find
        sys.stderr.write(f"DiCE: {type(error).__name__}: {error}\n")
        rows = None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = time.process_time() - began
    none = {"way": way, "seconds": seconds, "is_valid": False, "is_forbidden": False, "size": None}
    if rows is None or not len(rows):
        return none
    sizes, forbidden = [], []
    for row in rows[facts].astype(float).to_dict("records"):
        values = {n: round(row[n]) if _is_whole(n) else float(row[n]) for n in facts}
        moved = {n: v for n, v in values.items() if abs(v - known[n]) > 1e-6 * abs(known[n])}
        changed = Plain({**plain.application, **moved}, plain.history, plain.given)
        if not moved or rater.decide(changed)["decision"] != GRANTED:
            continue
        sizes.append(sum(abs(v / known[n] - 1) for n, v in moved.items()))
        slack = {n: 0.01 * abs(known[n]) for n in moved}
        forbidden.append(
            any(not ranges[n][0] - slack[n] <= v <= ranges[n][1] + slack[n] for n, v in moved.items())
        )
    if not sizes:
        return none
    best = int(np.argmin(sizes))
    return {**none, "is_valid": True, "is_forbidden": forbidden[best], "size": sizes[best]}


def _stop(*_: object) -> None:
    raise TimeoutError(f"nothing after {LONGEST_S} s")


def main() -> None:
    """Answer for each request of stdin, in each way."""
    warnings.filterwarnings("ignore")
    signal.signal(signal.SIGPROF, _stop)
    folder = Path(sys.argv[1])
    scorer = Scorer.load(folder)
    rater = Rater(scorer)
    reference = read_reference(folder).head(ROWS)
    reference = reference.with_columns(refused=(pl.col("decision") != GRANTED).cast(pl.Int64))
    requests = json.load(sys.stdin)
    found = [asked(rater, reference, request, way) for way in WAYS for request in requests]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
