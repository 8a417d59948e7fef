"""Curves over the riskiest applications: exact, equal scores as one step, no step of few people."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.evidence.ranking import Ranking, apart
from scoring.metrics import measure

Y = np.array([0, 1, 0, 1, 0], dtype=np.int8)
SCORE = np.array([0.1, 0.5, 0.5, 0.9, 0.2])

samples = st.integers(2, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n).filter(lambda y: 0 < sum(y) < len(y)),
        st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.7, 1.0]), min_size=n, max_size=n),
    )
)


def test_a_ranking_worked_by_hand():
    found = Ranking.of(Y, SCORE)
    assert found.scores.tolist() == [0.9, 0.5, 0.2, 0.1]
    assert found.bads.tolist() == [1, 2, 2, 2]  # the two at 0.5 fall together
    assert found.goods.tolist() == [0, 1, 2, 3]
    assert found.ks == pytest.approx(1 - 1 / 3)
    assert found.cost_per_1000.tolist() == [2_000, 200, 400, 600]


@given(samples)
def test_the_order_of_the_rows_changes_nothing(sample):
    y, score = (np.array(values) for values in sample)
    found, other = Ranking.of(y, score), Ranking.of(y[::-1], score[::-1])
    for name in ("scores", "bads", "goods"):
        assert (getattr(found, name) == getattr(other, name)).all()
    assert found.ks == pytest.approx(measure(y, score, 0.5)["ks"])


@given(samples, st.integers(1, 20), st.integers(1, 12))
def test_no_two_shown_points_are_close_and_the_last_is_everybody(sample, smallest, most):
    y, score = (np.array(values) for values in sample)
    shown = Ranking.of(y, score).thinned(smallest, most)
    parts = shown.parts()
    assert len(parts) <= most and sorted(np.concatenate(parts).tolist()) == list(range(len(y)))
    assert min(map(len, parts)) >= min(smallest, len(y))
    assert [len(part) for part in parts] == np.diff(shown.refused, prepend=0).tolist()


def test_without_equal_scores_parts_are_deciles():
    ends = np.arange(1.0, 1_004.0)
    assert set(np.diff(ends[apart(ends, 100, 10)], prepend=0)) == {100, 101}
