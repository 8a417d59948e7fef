"""Null importance keeps what carries risk, leaves out what does not, and never sees the fold it serves."""

import json

import numpy as np
import polars as pl
import pytest

from scoring.candidates import TrainingSet
from scoring.candidates.selection import Importance, Selection, importance, select
from scoring.evaluation import deal_folds
from scoring.scorer.model import probability

NOISE = [f"noise_{i}" for i in range(12)]
DIRECTIONS = {"score": -1, "debt": 1}


ROUNDS = 25  # trees a fit


def made_up(n: int = 1_200, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """A score, a debt with gaps and a job carry risk; a serial number and some noise do not."""
    random = np.random.default_rng(seed)
    score, debt = random.uniform(0, 1, n), random.exponential(1, n)
    job = random.choice(["driver", "cook", "judge"], n)
    log_odds = -1.0 - 3 * score + 0.7 * debt + np.where(job == "driver", 1.2, 0.0)
    y = (random.random(n) < probability(log_odds)).astype(np.int8)
    features = pl.DataFrame(
        {
            "score": score,
            "debt": [None if random.random() < 0.2 else float(v) for v in debt],
            "job": job,
            "town": random.choice([f"town {i}" for i in range(60)], n),
            **{name: random.normal(size=n) for name in NOISE},
        }
    )
    return features, y


FEATURES, Y = made_up()


@pytest.fixture(scope="module")
def measured() -> Importance:
    return importance(TrainingSet.of(FEATURES, Y, DIRECTIONS, 3), rounds=ROUNDS)


def test_what_carries_risk_is_kept(measured):
    assert {"score", "debt", "job"} <= set(measured.kept)


def test_most_of_what_carries_none_is_left_out(measured):
    assert sum(name in measured.kept for name in [*NOISE, "town"]) <= len(NOISE) // 2


def test_a_category_of_many_levels_has_a_high_null(measured):
    # Its levels are ordered by their default rate, so it gains from any outcomes, shuffled ones too.
    null = dict(zip(measured.names, measured.null, strict=True))
    assert null["town"] > 2 * np.median([null[name] for name in NOISE])


def test_kept_features_stand_in_their_order(measured):
    assert list(measured.kept) == [name for name in FEATURES.columns if name in measured.kept]


def test_where_nothing_carries_risk_everything_is_kept():
    none = Importance(("a", "b"), np.zeros(2), np.ones(2))
    assert none.kept == ("a", "b")


def test_the_same_seed_gives_the_same_choice(measured):
    again = importance(TrainingSet.of(FEATURES, Y, DIRECTIONS, 3), rounds=ROUNDS)
    assert again.gain.tolist() == measured.gain.tolist()
    assert again.null.tolist() == measured.null.tolist()


def test_a_fold_is_not_seen_by_its_own_choice():
    folds = deal_folds(Y, 2, 0)
    chosen = select(TrainingSet.of(FEATURES, Y, DIRECTIONS, 1), folds, rounds=ROUNDS)
    flipped = np.where(folds == 0, 1 - Y, Y).astype(np.int8)  # other outcomes in fold 0
    other = select(TrainingSet.of(FEATURES, flipped, DIRECTIONS, 1), folds, rounds=ROUNDS)
    assert chosen.folds[0] == other.folds[0]
    assert chosen.folds[1] != other.folds[1]
    said = json.loads(json.dumps(chosen.to_json()))["features"]
    assert [row["name"] for row in said if row["is_kept"]] == sorted(
        chosen.names, key=lambda name: -dict(zip(chosen.whole.names, chosen.whole.gain, strict=True))[name]
    )


def test_a_choice_is_read_back_as_it_was_written():
    whole = Importance(("a", "b", "c"), np.array([1.0, 3.0, 2.0]), np.array([2.0, 0.5, 0.25]))
    chosen = Selection((("a", "c"), ("b",)), ("b", "c"), whole)
    back = Selection.from_json(json.loads(json.dumps(chosen.to_json())), whole.names)
    assert (back.folds, back.names, back.whole.names) == (chosen.folds, chosen.names, whole.names)
    assert back.whole.gain.tolist() == [1.0, 3.0, 2.0] and back.whole.null.tolist() == [2.0, 0.5, 0.25]


def test_progress_is_told():
    told = []
    importance(
        TrainingSet.of(FEATURES[:300], Y[:300], DIRECTIONS),
        progress=lambda done, most: told.append((done, most)),
    )
    assert told[-1][0] == told[-1][1] == len(told)
