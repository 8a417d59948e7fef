"""The comparison with earlier systems is paired, exact on small examples, and runs on made-up applicants."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from benchmarks import ablation, simple_features
from benchmarks.recipes import RECIPES
from scoring import features, synthetic, tables
from scoring.decision import DEFAULT_PROTECTED
from scoring.evidence.alternatives import BLOCKS
from scoring.evidence.paired import Judged, differences

Y = np.array([0, 0, 1, 0, 1, 0, 0, 1], dtype=np.int8)
GOOD = np.array([[0.1, 0.2, 0.9, 0.3, 0.8, 0.1, 0.4, 0.7]])
TIED = np.array([[0.1, 0.5, 0.5, 0.5, 0.8, 0.1, 0.5, 0.3]])


def test_auc_counts_ties_half():
    assert Judged("perfect", Y, GOOD).auc() == 1.0
    # 15 pairs: the second default beats all 5, the first 2 and ties 3, the third beats 2.
    assert Judged("tied", Y, TIED).auc() == pytest.approx((5 + 2 + 1.5 + 2) / 15)


def test_weights_count_an_application_as_often():
    weights = np.array([2.0, 1, 0, 1, 1, 3, 1, 2])
    twice = np.repeat(np.arange(len(Y)), weights.astype(int))
    assert Judged("tied", Y, TIED).auc(weights) == pytest.approx(Judged("t", Y[twice], TIED[:, twice]).auc())


def test_the_cost_is_that_of_the_cheapest_threshold():
    judged = Judged("tied", Y, TIED)
    # Refusing from 0.3 on catches all three defaults and loses three good clients.
    assert judged.cost_per_1000 == pytest.approx(1_000 * 3 / 8)
    assert judged.business_score == pytest.approx(1 - 3 / 35)


def test_a_system_is_not_ahead_of_itself():
    ours = Judged("ours", Y, TIED)
    for gap in differences(ours, Judged("same", Y, TIED)):
        assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)


def test_a_better_system_is_ahead():
    auc, cost = differences(Judged("ours", Y, GOOD), Judged("other", Y, TIED))
    assert auc.value == pytest.approx(1 - 10.5 / 15)
    assert cost.value == pytest.approx(375.0)


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peers") / "parquet"
    synthetic.write(folder, train=400, test=5, seed=4, format="parquet")
    return tables.read(folder, "train")


@pytest.mark.parametrize("recipe", RECIPES[:3], ids=lambda recipe: recipe.name)
def test_a_recipe_gives_every_application_a_score(recipe, portfolio):
    y = portfolio.applications["TARGET"].to_numpy().astype(np.int8)
    columns = recipe.columns(portfolio)
    assert columns.height == len(y)
    assert set(columns.dtypes) == {pl.Float64}
    matrix, part = columns.to_numpy(), np.arange(len(y)) % 4 == 0
    scores = recipe.fit(matrix[~part], y[~part], matrix[part], y[part], 0)
    assert scores.shape == (part.sum(),)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_public_recipe_sums_history_up_per_applicant():
    applications = pl.DataFrame({"row": [0, 1], "AMT_CREDIT": [10.0, 20.0], "CODE": ["a", None]})
    loans = pl.DataFrame({"row": [1, 1], "STATE": ["x", "y"], "AMT_CREDIT_SUM": [1.0, 5.0]})
    hot = simple_features.one_hot(applications)
    assert hot["CODE=a"].to_list() == [1, 0]
    found = simple_features._sliced(
        simple_features.one_hot(loans), "loan", {"AMT_CREDIT_SUM": ("max", "mean")}, {"x": "STATE=x"}
    )
    assert found.row(0, named=True) == {
        "row": 1, "loan_AMT_CREDIT_SUM_max": 5.0, "loan_AMT_CREDIT_SUM_mean": 3.0, "loan_STATE=x_mean": 0.5,
        "loan_STATE=y_mean": 0.5, "loan_x_AMT_CREDIT_SUM_max": 1.0, "loan_x_AMT_CREDIT_SUM_mean": 1.0,
    }  # fmt: skip


def test_the_blocks_of_the_ablation_hold_every_feature_once():
    allowed = features.names(DEFAULT_PROTECTED)
    found = list(ablation.steps(allowed))
    assert set(found[len(BLOCKS) - 1].names) == set(allowed)
    assert [step.name for step in found[: len(BLOCKS)]] == list(ablation.TITLES.values())
    for step, later in pairwise(found[: len(BLOCKS)]):
        assert set(step.names) < set(later.names)
        assert later.before == step.name
