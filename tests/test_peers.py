"""The comparison with earlier systems is paired, exact on small examples, and runs on made-up applicants."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from benchmarks import ablation, given, peers, settings, simple_features
from benchmarks.recipes import RECIPES, polynomials
from scoring import features, synthetic, tables
from scoring.candidates import LOGISTIC_REGRESSION, TrainingSet
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED
from scoring.evaluation import cross_validate, deal_folds
from scoring.evidence.alternatives import BLOCKS
from scoring.evidence.paired import FoldScores, differences
from scoring.scorer.model import probability

Y = np.array([0, 0, 1, 0, 1, 0, 0, 1], dtype=np.int8)
GOOD = np.array([[0.1, 0.2, 0.9, 0.3, 0.8, 0.1, 0.4, 0.7]])
TIED = np.array([[0.1, 0.5, 0.5, 0.5, 0.8, 0.1, 0.5, 0.3]])


def test_auc_counts_ties_half():
    assert FoldScores("perfect", Y, GOOD).auc() == 1.0
    # 15 pairs: the second default beats all 5, the first 2 and ties 3, the third beats 2.
    assert FoldScores("tied", Y, TIED).auc() == pytest.approx((5 + 2 + 1.5 + 2) / 15)


def test_weights_count_an_application_as_often():
    weights = np.array([2.0, 1, 0, 1, 1, 3, 1, 2])
    twice = np.repeat(np.arange(len(Y)), weights.astype(int))
    assert FoldScores("tied", Y, TIED).auc(weights) == pytest.approx(
        FoldScores("t", Y[twice], TIED[:, twice]).auc()
    )


def test_the_cost_is_that_of_the_cheapest_threshold():
    judged = FoldScores("tied", Y, TIED)
    # Refusing from 0.3 on catches all three defaults and loses three good clients.
    assert judged.cost_per_1000 == pytest.approx(1_000 * 3 / 8)
    assert judged.business_score == pytest.approx(1 - 3 / 35)


def test_a_system_is_not_ahead_of_itself():
    ours = FoldScores("ours", Y, TIED)
    for gap in differences(ours, FoldScores("same", Y, TIED)):
        assert (gap.value, gap.low, gap.high) == (0.0, 0.0, 0.0)


def test_a_better_system_is_ahead():
    auc, cost = differences(FoldScores("ours", Y, GOOD), FoldScores("other", Y, TIED))
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


def test_polynomials_are_filled_as_in_the_training_part():
    x = np.array([[1.0, 0, 0, 0], [3.0, 0, 0, 0], [np.nan, 0, 0, 0]])
    one, other = polynomials(x, np.array([[np.nan, 0, 0, 0], [100.0, 0, 0, 0]]))
    assert (
        one.shape[1] == other.shape[1] == 4 + 30
    )  # 34 terms of four columns up to degree 3, less themselves
    assert np.isnan(other[0, 0]) and other[0, 4] == 2.0**2  # the median of 1 and 3, squared; 100 is not in it


@pytest.mark.parametrize("module", [peers, settings, ablation], ids=lambda m: m.__name__)
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("no TARGET", "TARGET"),
        ("three defaults", "3 defaults"),
        ("one class", "TARGET holds one class only: all 400 applications are repaid"),
        ("nothing", "nowhere"),
    ],
)
def test_a_portfolio_that_cannot_be_measured_exits_2_in_one_sentence(
    module, what, message, portfolio, tmp_path
):
    form = portfolio.applications.drop("row")
    target = pl.Series([1] * (3 if what == "three defaults" else 0), dtype=pl.Int64)
    target = target.extend_constant(0, form.height - len(target))
    form = form.drop("TARGET") if what == "no TARGET" else form.with_columns(TARGET=target)
    form.write_parquet(tmp_path / "application_train.parquet")
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(module.main)
    place = tmp_path / "nowhere" if what == "nothing" else tmp_path
    got = CliRunner().invoke(app, ["--portfolio", str(place)])
    assert (got.exit_code, message in got.output) == (2, True), got.output
    assert "Nothing is measured" in got.output and "Traceback" not in got.output


def test_a_command_is_recorded_so_that_it_can_be_given_again():
    again = given.command("peers", Path("var/s100k"), "make it", repeats=2, name="synthetic 100,000")
    assert again == (
        "make it && python -m benchmarks.peers --portfolio var/s100k --repeats 2 --name 'synthetic 100,000'"
    )
    assert given.shown(Path("/far/with-history-10k.zip")) == "with-history-10k.zip"
    assert given.shown(Path.cwd() / "var" / "demo") == "var/demo"
    assert given.shown(Path("/far/tables")) == "DIR/tables"


def test_a_candidate_is_judged_as_cross_validation_does_repeat_by_repeat(portfolio):
    y = portfolio.applications["TARGET"].to_numpy().astype(np.int8)
    coded = Coded.of(features.build(portfolio).select("EXT_SOURCE_2", "AMT_CREDIT"))
    judged, found, width = given.judge("linear", LOGISTIC_REGRESSION, coded, y, repeats=2, seed=5)
    directions = {n: features.FEATURE_BY_NAME[n].direction for n in coded.names}
    for i, seed in enumerate((5, 6)):
        data = TrainingSet(coded, y, directions, seed)
        once = cross_validate(LOGISTIC_REGRESSION, data, deal_folds(y, 5, seed))
        assert (judged.probability[i] == probability(once.raw)).all()
    assert (len(found), width) == (2, 2.0)


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
