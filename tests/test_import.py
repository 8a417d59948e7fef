"""Promises of import_model.py: what decides otherwise than in training never reaches the store."""

import json
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import bentoml
import mlflow
import numpy as np
import polars as pl
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore
from typer.testing import CliRunner

import import_model
from scoring.metrics import LOWER_IS_BETTER, MEASURES, RANKED_BY
from scoring.proof import check
from scoring.scorer import Scorer, ScorerError, read_examples
from tests.support import small
from tests.support.training import tried_here
from training import mlflow_store, registry, runs, tracking

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("saved") / "scorer")


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def client(uri):
    return mlflow_store.connect(uri)


def log(client, uri, folder, auc=0.7, data="abc", experiment="credit-scoring", seed=0, **metrics):
    with tracking.start_run(client, uri, experiment, "small", {"data_sha256": data}) as run_id:
        mlflow.log_artifacts(str(folder), runs.SCORER)
        mlflow.log_metrics({"auc": auc, **metrics})
        mlflow.log_params({"n_folds": 5, "seed": seed, "portfolio": f"{data}.zip"})
    return runs.find_run(client, run_id)


@pytest.fixture(scope="module")
def run(uri, saved, tmp_path_factory):
    client = mlflow_store.connect(uri)
    run = log(client, uri, saved)
    y = np.arange(200) % 10 == 0
    said = {"row": np.arange(200), "fold": np.arange(200) % 3, "y": y, "probability": 0.02 + 0.9 * y}
    file = tmp_path_factory.mktemp("said") / runs.OUT_OF_FOLD
    pl.DataFrame(said).with_columns(pl.col("y").cast(pl.Int8), threshold=0.3).write_parquet(file)
    client.log_artifact(run.id, str(file))
    registry.propose(client, run, f"runs:/{run.id}/{runs.SCORER}", NOW)
    return run


@pytest.fixture(autouse=True)
def store(tmp_path):
    """An empty model store."""
    BentoMLContainer.model_store.set(ModelStore(tmp_path))
    yield
    BentoMLContainer.model_store.reset()


def invoke(*words, trials=tried_here):
    with trials():
        got = CliRunner().invoke(import_model.app, [*words])
    return got.exit_code, " ".join(got.output.split())


def altered(saved, tmp_path, change):
    """A copy of the scorer with other golden examples, whose description knows of the change."""
    folder = Path(shutil.copytree(saved, tmp_path / "altered"))
    examples = read_examples(folder)
    change(examples)
    (folder / "examples.json").write_text(json.dumps(examples))
    small.sign(folder)
    return folder


def test_the_champion_is_imported_once(run, uri):
    tag = f"credit_scoring:{run.id}"
    code, text = invoke("--tracking-uri", uri, trials=nullcontext)
    assert (code, text.endswith(f"{tag}: imported; 25 examples decided as in training.")) == (0, True)
    assert text.startswith(f"MLflow store: {uri} Model store: ")
    code, text = invoke("--tracking-uri", uri)
    assert code == 0
    assert f"{tag}: is already there" in text
    assert [str(model.tag) for model in bentoml.models.list()] == [tag]


def test_the_store_holds_the_whole_scorer_and_its_figures(run, saved, uri):
    invoke("--tracking-uri", uri)
    model = bentoml.models.get("credit_scoring:latest")
    assert model.info.labels == {"mlflow_run_id": run.id, "candidate": "lightgbm"}
    assert model.info.metadata["auc"] == 0.7
    assert model.info.metadata["threshold"] == 0.35
    ours, theirs = Scorer.load(saved), Scorer.load(Path(model.path))
    assert ours.feature_names == theirs.feature_names


def test_two_imports_at_once_are_one(run, uri, monkeypatch):
    invoke("--tracking-uri", uri)
    looks = iter([False])  # the other import is not there yet when this one looks
    there = import_model._is_in_store
    monkeypatch.setattr(import_model, "_is_in_store", lambda tag: next(looks, True) and there(tag))
    code, text = invoke("--tracking-uri", uri)
    assert (code, f"credit_scoring:{run.id}: is already there" in text) == (0, True), text


@pytest.mark.usefixtures("run")
def test_a_model_that_was_damaged_in_the_store_is_not_said_to_be_there(uri):
    invoke("--tracking-uri", uri)
    folder = Path(bentoml.models.get("credit_scoring:latest").path)
    (folder / "booster.txt").write_text("x")
    code, text = invoke("--tracking-uri", uri)
    assert (code, "booster.txt was changed after training" in text) == (3, True), text


@pytest.mark.usefixtures("run")
def test_a_dry_run_imports_nothing(uri):
    code, text = invoke("--dry-run", "--tracking-uri", uri)
    assert (code, "would be imported" in text) == (0, True)
    assert bentoml.models.list() == []


def test_a_run_is_found_by_id_and_by_metric(client, run, saved, uri):
    better = log(client, uri, saved, auc=0.9)
    assert better.id in invoke("--best", "auc", "--dry-run", "--tracking-uri", uri)[1]
    assert run.id in invoke("--run", run.id, "--dry-run", "--tracking-uri", uri)[1]


def test_a_metric_of_which_less_is_better_is_ranked_so(client, saved, uri):
    few = {"experiment": "directions", "folder": saved}
    most, least = (log(client, uri, **few, **dict.fromkeys(LOWER_IS_BETTER, v)) for v in (0.2, 0.1))
    found = {name: runs.find_best(client, "directions", name).run.id for name in LOWER_IS_BETTER}
    assert found == dict.fromkeys(LOWER_IS_BETTER, least.id) != most.id


def test_every_metric_is_ranked_by_or_known_to_be_neither_good_nor_bad():
    assert set(MEASURES) - set(RANKED_BY) == {"share_granted"}
    assert set(LOWER_IS_BETTER) < set(RANKED_BY)


def test_a_run_of_another_project_in_the_experiment_is_not_ranked(client, run, uri):  # noqa: ARG001
    with tracking.start_run(client, uri, "credit-scoring", "theirs") as theirs:
        mlflow.log_metric("auc", 0.99)
    code, text = invoke("--best", "auc", "--dry-run", "--tracking-uri", uri)
    assert (code, theirs in text) == (0, False), text


def test_only_runs_of_the_newest_data_and_folds_are_ranked_and_it_is_said(client, saved, uri):
    for other in ({"data": "other"}, {"data": "new", "seed": 1}):
        log(client, uri, saved, auc=0.99, experiment="ranked", **other)
    log(client, uri, saved, auc=0.6, data="new", experiment="ranked")
    best = log(client, uri, saved, auc=0.8, data="new", experiment="ranked")
    log(client, uri, saved, auc=0.7, data="new", experiment="ranked")
    code, text = invoke("--best", "auc", "--experiment", "ranked", "--dry-run", "--tracking-uri", uri)
    assert code == 0 and f"{best.id}: best auc (0.8000) of 3 on the newest run's data and folds" in text
    assert "portfolio new.zip, sha256 new, 5 folds of seed 0; 2 of other data or folds left out" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda examples: examples[4].update(
                probability_of_default=examples[4]["probability_of_default"] + 1e-8
            ),
            "golden example 5: training gave",
        ),
        (
            lambda examples: examples[0].update(
                decision="granted" if examples[0]["decision"] == "refused" else "refused"
            ),
            "golden example 1: training gave",
        ),
        (
            lambda examples: examples[2]["request"].update(AMT_CREDIT="much"),
            "example 3 is no valid request any more",
        ),
        (lambda examples: examples.clear(), "no golden example"),
    ],
)
def test_a_scorer_that_decides_otherwise_is_refused(client, saved, uri, tmp_path, change, reason):
    run = log(client, uri, altered(saved, tmp_path, change))
    code, text = invoke("--run", run.id, "--tracking-uri", uri)
    assert code == 3
    assert reason in text
    assert bentoml.models.list() == []


def test_a_difference_below_a_billionth_is_none(saved):
    scorer, examples = Scorer.load(saved), read_examples(saved)
    examples[0]["probability_of_default"] += 1e-12
    check(scorer, examples)


def test_a_scorer_of_other_features_is_refused(saved, monkeypatch):
    monkeypatch.setattr("scoring.features.names", lambda _: ["AMT_CREDIT"])
    with pytest.raises(ScorerError, match="the model reads"):
        check(Scorer.load(saved), read_examples(saved))


def test_a_damaged_scorer_is_refused(client, saved, uri, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "damaged"))
    (folder / "booster.txt").write_text((folder / "booster.txt").read_text() + " ")
    code, text = invoke("--run", log(client, uri, folder).id, "--tracking-uri", uri)
    assert (code, "booster.txt was changed after training" in text) == (3, True)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--run", "nobody"], "the store has no run 'nobody'"),
        (["--best", "beauty"], "models are not ranked by 'beauty'; choose one of auc, gini,"),
        (["--best", "share_granted"], "models are not ranked by 'share_granted'"),
        (["--best", ""], "models are not ranked by ''"),
        (["--run", "a", "--best", "auc"], "give one of"),
    ],
)
@pytest.mark.usefixtures("run")
def test_a_run_that_is_not_there_exits_2(uri, words, reason):
    code, text = invoke(*words, "--tracking-uri", uri)
    assert (code, reason in text) == (2, True), text


def test_without_a_champion_the_remedy_is_named(tmp_path):
    code, text = invoke("--tracking-uri", f"sqlite:///{tmp_path / 'empty.db'}")
    assert (code, "run train.py first" in text) == (2, True)


def test_a_run_without_a_scorer_is_refused(client, uri):
    with tracking.start_run(client, uri, "credit-scoring", "empty") as run_id:
        pass
    code, text = invoke("--run", run_id, "--tracking-uri", uri)
    assert (code, "keeps no scorer; train again" in text) == (2, True)
