"""Promises of train.py and of the runs that it keeps, on one small training."""

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner

import train
from scoring import features, synthetic
from scoring.candidates import COMPARISONS
from scoring.decider import Asked, Decider
from scoring.evaluation.checks import LeakSuspected
from scoring.inference_log import COLUMNS
from scoring.metrics import MEASURES, WITHOUT_INTERVAL, measure
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, read_examples, read_reference
from scoring.tables.decisions import AUDIT
from tests.support.overheard import overheard
from tests.support.training import plain
from training import mlflow_store, registry, running, runs, tracking
from training.comparison import as_table
from training.lineage import data_sha256
from training.material import Plan

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    (folder / "portfolio").mkdir()
    for name, table in synthetic.generate(1_000, seed=3).items():
        if name != "bureau_balance":  # a missing history table is no error
            table.write_parquet(folder / "portfolio" / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def plan(home):
    uri = f"sqlite:///{home / 'var' / 'mlflow.db'}"
    return Plan(home / "portfolio", folds=2, tracking_uri=uri, most_rounds=15, allow_leak="a tiny portfolio")


@pytest.fixture(scope="module")
def results(plan):
    with (plan.portfolio.parent / "output.txt").open("w") as output:
        return running.run(plan, NOW, Console(file=output, width=120))


@pytest.fixture(scope="module")
def client(plan, results):  # noqa: ARG001 - there is nothing to ask before a training
    return mlflow_store.connect(plan.tracking_uri)


@pytest.fixture(scope="module")
def champion(client):
    return registry.find_champion(client)


@pytest.fixture(scope="module")
def folder(champion, tmp_path_factory):
    place = tmp_path_factory.mktemp("scorer")
    return Path(
        mlflow.artifacts.download_artifacts(run_id=champion.id, artifact_path="scorer", dst_path=str(place))
    )


def test_each_candidate_is_a_finished_run(results, client):
    assert {result.candidate.name for result in results} == {"dummy", "logistic_regression", "lightgbm"}
    assert {client.get_run(result.run.id).info.status for result in results} == {"FINISHED"}


def test_the_best_candidate_is_champion(results, champion):
    costs = [result.cost for result in results]
    assert costs == sorted(costs)
    assert champion.id == registry.best([result.run for result in results]).id


def test_a_run_keeps_parameters_metrics_intervals_folds_and_figures(results, client):
    result = next(r for r in results if r.candidate.name == "lightgbm")
    run = client.get_run(result.run.id)
    assert {"learning_rate", "rounds", "seed", "protect", "n_features"} <= set(run.data.params)
    for name in set(MEASURES) - set(WITHOUT_INTERVAL):
        assert {name, f"{name}_low", f"{name}_high"} <= set(run.data.metrics)
    assert "calibration_error" in run.data.metrics and "calibration_error_low" not in run.data.metrics
    assert {"threshold", "uncalibrated_calibration_slope", "uncalibrated_brier"} <= set(run.data.metrics)
    assert len(client.get_metric_history(result.run.id, "fold_auc")) == 2
    figures = {Path(item.path).name for item in client.list_artifacts(result.run.id, "figures")}
    assert figures == {"roc.png", "precision_recall.png", "calibration.png", "cost.png", "importance.png"}


def test_a_run_keeps_what_it_said_of_each_application_out_of_fold(results, client):  # noqa: ARG001
    said = runs.read_out_of_fold(results[0].run.id)
    assert said.columns == ["row", "fold", "y", "raw", "probability", "threshold"]
    assert said["row"].to_list() == list(range(1_000))
    again = measure(*(said[name].to_numpy() for name in ("y", "probability", "threshold")))
    assert again["cost_per_1000"] == results[0].cost


def test_the_lineage_says_data_code_and_libraries(folder, plan, champion):
    lineage = Scorer.load(folder).lineage
    assert lineage["data_sha256"] == data_sha256(plan.portfolio)
    assert lineage["created"] == NOW.isoformat(timespec="seconds")
    assert lineage["run_id"] == champion.id
    assert lineage["missing_tables"] == ["bureau_balance"]
    assert set(lineage["libraries"]) >= {"python", "lightgbm", "polars", "scikit-learn"}
    assert lineage["git_revision"]


def test_a_protected_attribute_is_no_input_of_the_champion(folder):
    scorer = Scorer.load(folder)
    assert scorer.policy == ("gender", "family_status")
    assert not {"CODE_GENDER", "NAME_FAMILY_STATUS"} & set(scorer.feature_names)
    scorer.check_features(features.names(scorer.policy))


def test_the_reference_has_the_columns_of_the_log(folder):
    scorer, reference = Scorer.load(folder), read_reference(folder)
    audit = [AUDIT + name for name in ("gender", "family_status", "age", "household", "target", "fold")]
    assert reference.columns == [*COLUMNS, *scorer.feature_names, *audit]
    assert {name: reference.schema[name] for name in COLUMNS} == COLUMNS
    assert len(reference) == 1_000
    assert reference["model"].unique().to_list() == [f"credit_scoring:{scorer.lineage['run_id']}"]
    refused = reference["probability_of_default"] >= reference["threshold"]
    assert (refused == (reference["decision"] == "refused")).all()
    assert reference["applicant"].null_count() == 1_000
    assert reference["audit.target"].sum() == scorer.lineage["defaults"]
    assert set(reference["audit.gender"].unique()) - {""} == {"F", "M"}
    assert set(reference["audit.fold"]) == set(range(scorer.lineage["folds"]))


def test_golden_examples_name_no_client(folder):
    examples = read_examples(folder)
    assert [example["request"]["SK_ID_CURR"] for example in examples] == list(range(1, 26))
    assert {example["decision"] for example in examples} == {"granted", "refused"}
    assert any("history" in example["request"] for example in examples)


@pytest.fixture(scope="module")
def mlflow_model(champion):  # noqa: ARG001 - it stands behind the alias
    return mlflow.pyfunc.load_model("models:/credit_scoring@champion")


def test_an_mlflow_model_decides_as_the_service_bit_for_bit(folder, mlflow_model):
    requests = [example["request"] for example in read_examples(folder)]
    decider = Decider(Scorer.load(folder), "credit_scoring:tested")
    asked = [ApplicationRequest.model_validate_json(json.dumps(request)) for request in requests]
    served = decider.decide(Asked("x", asked))
    frame = pd.DataFrame(requests)  # gaps turn whole numbers to floats
    for given in (
        frame,
        requests,  # a list of dicts
        frame.astype(object).where(frame.notna(), None),
        frame.assign(TARGET=1).reset_index(),
    ):
        answer = mlflow_model.predict(given)
        for name in ("probability_of_default", "decision"):
            assert answer[name].to_list() == [one[name] for one in served]


def test_an_mlflow_model_takes_whole_numbers_where_amounts_are_expected(mlflow_model):
    whole = mlflow_model.predict(pd.DataFrame({"SK_ID_CURR": [1], "AMT_CREDIT": [500_000]}))
    assert whole.equals(mlflow_model.predict(pd.DataFrame({"SK_ID_CURR": [1.0], "AMT_CREDIT": [500_000.0]})))
    assert whole.equals(mlflow_model.predict([{"SK_ID_CURR": 1, "AMT_CREDIT": 500_000}]))


def test_an_mlflow_model_says_what_it_takes_and_shows_an_example(mlflow_model):
    signature = mlflow_model.metadata.signature
    assert signature.inputs.required_input_names() == ["SK_ID_CURR"]
    assert {"AMT_CREDIT", "NAME_CONTRACT_TYPE", "history", "history_features"} <= set(
        signature.inputs.optional_input_names()
    )
    assert len(mlflow_model.predict(mlflow_model.input_example)) == 1
    with pytest.raises(mlflow.exceptions.MlflowException, match="SK_ID_CURR"):
        mlflow_model.predict(pd.DataFrame({"AMT_CREDIT": [1.0]}))
    with pytest.raises(ValueError, match="AMT_CREDIT"):
        mlflow_model.predict(pd.DataFrame({"SK_ID_CURR": [1], "AMT_CREDIT": ["much"]}))


@pytest.mark.usefixtures("results")
def test_an_mlflow_model_holds_no_pickle(plan):
    files = [file for file in (plan.portfolio.parent / "var").rglob("*") if file.is_file()]
    assert any(file.name == "MLmodel" for file in files)
    assert not [file for file in files if file.suffix in (".pkl", ".pickle", ".joblib", ".cloudpickle")]


@pytest.mark.usefixtures("results")
def test_artefacts_lie_beside_the_store_and_nowhere_else(plan):
    assert (plan.portfolio.parent / "var" / "mlartifacts").is_dir()
    assert not (ROOT / "mlruns").exists()
    assert not Path("mlruns").exists()


@pytest.mark.usefixtures("results")
def test_piped_output_is_a_table_without_a_progress_bar(plan):
    text = (plan.portfolio.parent / "output.txt").read_text()
    assert "business score" in text
    assert "Champion:" in text
    assert "\x1b" not in text
    assert "━━ 0:00" not in text


def test_the_best_run_by_a_metric_is_found(client, results):
    by_cost = runs.find_best(client, "credit-scoring", "cost_per_1000").run
    assert by_cost.id == results[0].run.id
    by_auc = runs.find_best(client, "credit-scoring", "auc").run
    assert by_auc.metrics["auc"] == max(r.run.metrics["auc"] for r in results)
    by_loss = runs.find_best(client, "credit-scoring", "log_loss").run
    assert by_loss.metrics["log_loss"] == min(r.run.metrics["log_loss"] for r in results)


@pytest.mark.parametrize(("experiment", "metric"), [("none such", "auc"), ("credit-scoring", "none_such")])
def test_an_unknown_experiment_or_metric_is_named(client, experiment, metric):
    with pytest.raises(mlflow_store.TrackingError, match=r"none.such"):
        runs.find_best(client, experiment, metric)


def test_the_candidates_are_nested_under_one_comparison_with_its_table(results, client):
    parents = {client.get_run(result.run.id).data.tags["mlflow.parentRunId"] for result in results}
    assert len(parents) == 1
    (parent,) = parents
    table = pl.read_csv(client.download_artifacts(parent, tracking.CANDIDATES))
    assert table["candidate"].to_list() == [result.candidate.name for result in results]
    assert {"cost_per_1000_low", "uncalibrated_calibration_error", "calibration"} <= set(table.columns)


def test_what_is_finished_is_not_computed_again(plan, results, client):
    said = io.StringIO()
    again = running.run(plan, NOW, Console(file=said, width=120))
    assert [result.run.id for result in again] == [result.run.id for result in results]
    assert registry.find_champion(client).id == registry.best([result.run for result in results]).id
    assert registry.holder(client, registry.CHALLENGER) is None


def test_the_table_of_a_run_is_complete_though_comparisons_were_broken_off_or_reused(plan, client, results):
    def ran(name: str, material: str, cost: float) -> str:
        tags = {runs.MATERIAL: material}
        with tracking.start_run(client, plan.tracking_uri, "pieces", name, tags, True) as run_id:
            mlflow.log_param("candidate", name)
            mlflow.log_metric("cost_per_1000", cost)
        return run_id

    with tracking.start_run(client, plan.tracking_uri, "pieces", "compare champion"):
        first = ran("lightgbm", "m", 500)
    with tracking.start_run(client, plan.tracking_uri, "pieces", "compare quick, broken off"):
        second = ran("dummy", "m", 900)
        ran("logistic_regression", "other folds", 1)
    with tracking.start_run(client, plan.tracking_uri, "pieces", "compare quick"):
        third = ran("logistic_regression", "m", 600)
    for run_id in (first, second, third):
        found = runs.find_compared(client, runs.find_run(client, run_id))
        assert [run.id for run in found] == [first, third, second]
    found = runs.find_compared(client, results[0].run)
    assert as_table(found).equals(as_table([result.run for result in results]))


@pytest.fixture(scope="module")
def second(plan, results):  # noqa: ARG001 - the champion of the first training
    """A later training of comparisons that cannot be served, and of a logistic regression of another seed."""
    wanted = ("logistic_regression", "xgboost_undersampling", "random_forest")
    few = {"n_estimators": 20}
    candidates = tuple(
        replace(c, settings={**c.settings, **few}) if c.family.name == "forest" else c
        for c in COMPARISONS["all"]
        if c.name in wanted
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMPARISONS, "some", candidates)
        later = replace(plan, seed=1, compare="some")
        said = io.StringIO()
        with plain():
            return running.run(later, NOW, Console(file=said, width=120)), said.getvalue()


def test_a_comparison_that_cannot_be_served_keeps_no_scorer_and_says_why(second, client):
    for result in second[0]:
        run = client.get_run(result.run.id)
        artefacts = {item.path for item in client.list_artifacts(result.run.id)}
        assert runs.OUT_OF_FOLD in artefacts
        assert (runs.SCORER in artefacts) == (runs.OBSTACLE not in run.data.tags)
    assert sum(runs.OBSTACLE in result.run.tags for result in second[0]) == 2


def test_a_later_training_proposes_a_challenger_that_can_be_served(second, results, client):
    challenger = registry.find_challenger(client)
    assert challenger.params["candidate"] == "logistic_regression"
    assert registry.find_champion(client).id == registry.best([result.run for result in results]).id
    assert "Challenger: logistic_regression" in second[1]
    assert "--promote" in second[1]


def test_what_treating_imbalance_does_to_calibration_is_shown(second):
    assert "Calibration before → after" in second[1]
    treated = next(r.run.metrics for r in second[0] if r.candidate.treatment == "undersampling")
    assert treated["uncalibrated_calibration_error"] > 0.2 > 0.05 > treated["calibration_error"]


def test_runs_of_other_folds_are_not_compared(second, results):
    with pytest.raises(mlflow_store.TrackingError, match="not trained on the same applications and folds"):
        registry.compare(results[0].run, second[0][0].run)


def test_a_time_budget_that_is_over_begins_nothing_and_says_so(plan, empty_store):
    said = io.StringIO()
    later = replace(plan, seed=2, budget_s=-1.0, tracking_uri=empty_store)
    assert running.run(later, NOW, Console(file=said, width=120)) == []
    text = " ".join(said.getvalue().split())
    assert "The time budget was over before dummy, logistic_regression, lightgbm" in text
    assert "none is proposed" in text


def test_a_search_is_logged_with_its_trials(plan, empty_store):
    searched = replace(plan, compare="champion", trials=2, most_rounds=8, tracking_uri=empty_store)
    with plain():
        (result,) = running.run(searched, NOW, Console(quiet=True))
    client = mlflow_store.connect(searched.tracking_uri)
    trials = json.loads(Path(client.download_artifacts(result.run.id, "search.json")).read_text())
    assert set(trials) == {"fold 0", "fold 1", "all"}
    assert all(len(tried) == 2 for tried in trials.values())
    best = min((t for t in trials["all"] if t["state"] == "complete"), key=lambda t: t["cost_per_1000"])
    assert float(result.run.params["lambda_l2"]) == best["settings"]["lambda_l2"]


def test_a_portfolio_with_one_outcome_only_is_refused_in_a_sentence(home, tmp_path, empty_store, caplog):
    folder = tmp_path / "portfolio"
    folder.mkdir()
    repaid = pl.read_parquet(home / "portfolio" / "application_train.parquet").with_columns(
        TARGET=pl.lit(0, pl.Int64)
    )
    repaid.write_parquet(folder / "application_train.parquet")
    got = CliRunner().invoke(train.app, ["--portfolio", str(folder), "--tracking-uri", empty_store])
    assert got.exit_code == 2
    assert "going on without" not in caplog.text  # the missing tables are a note of the training, said once
    assert "TARGET holds one class only: all 1,000 applications are repaid (0)" in " ".join(
        got.output.split()
    )


def test_a_portfolio_without_history_is_trained_on_and_said(home, tmp_path, empty_store):
    folder = tmp_path / "portfolio"
    folder.mkdir()
    shutil.copy(home / "portfolio" / "application_train.parquet", folder)
    said = io.StringIO()
    bare = Plan(folder, folds=2, tracking_uri=empty_store, most_rounds=3, compare="champion")
    with plain():
        running.run(bare, NOW, Console(file=said, width=120))
    assert "Note: The portfolio has no history table" in said.getvalue()
    assert "has no value at all" in said.getvalue()


def test_a_leak_stops_the_training_and_crowns_nobody(plan, monkeypatch, empty_store):
    monkeypatch.setattr("scoring.evaluation.checks.LEAK_AUC", 0.4)
    leaking = Plan(plan.portfolio, folds=2, tracking_uri=empty_store, most_rounds=2)
    with pytest.raises(LeakSuspected):
        running.run(leaking, NOW, Console(quiet=True))
    with pytest.raises(mlflow_store.TrackingError, match=r"run train\.py first"):
        registry.find_champion(mlflow_store.connect(leaking.tracking_uri))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give either --portfolio PATH or --demo N"),
        (["--portfolio", "nowhere"], "nowhere"),
        (["--portfolio", "PORTFOLIO", "--protect", "religion"], "unknown protected attribute 'religion'"),
        (["--portfolio", "PORTFOLIO", "--folds", "90"], "for 90 folds: each needs two"),
    ],
)
def test_bad_input_exits_2_and_says_what_is_wrong(words, message, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [str(home / "portfolio") if word == "PORTFOLIO" else word for word in words]
    got = CliRunner().invoke(train.app, words)
    assert got.exit_code == 2
    assert message in " ".join(got.output.split())
    assert "Traceback" not in got.output


@pytest.mark.parametrize(
    "uri",
    [
        "foo://bar",
        "sqlite:////proc/nowhere/mlflow.db",
        "sqlite:////",
        "http://name:secret@127.0.0.1:9",
        "HTTP://127.0.0.1:9",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////tmp/mlflow.db?mode=memory",
        "sqlite+pysqlite:////tmp/mlflow.db",
        "databricks://profile",
        "./mlruns",
    ],
)
def test_a_store_that_cannot_be_used_exits_2_soon_and_says_so(uri, home):
    got = CliRunner().invoke(train.app, ["--portfolio", str(home / "portfolio"), "--tracking-uri", uri])
    text = " ".join(got.output.split())
    assert (got.exit_code, "cannot be used: " in text) == (2, True)
    assert "Give --tracking-uri sqlite:///FOLDER/mlflow.db" in text
    assert "Traceback" not in text and "secret" not in text


def test_a_store_that_fails_in_the_middle_is_said_in_a_sentence(monkeypatch, home):
    def fail(*_):
        raise mlflow_store.StoreError("the disk is full")

    monkeypatch.setattr("training.running.run", fail)
    got = CliRunner().invoke(train.app, ["--portfolio", str(home / "portfolio")])
    assert (got.exit_code, "the disk is full. The same command goes on" in got.output) == (1, True)


def test_the_hash_of_a_portfolio_is_that_of_its_files(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    one = data_sha256(tmp_path)
    (tmp_path / "notes.txt").write_text("not data")
    assert data_sha256(tmp_path) == one
    (tmp_path / "b.csv").write_text("1")
    assert data_sha256(tmp_path) != one
    assert data_sha256(tmp_path / "a.csv") == data_sha256(tmp_path / "b.csv")


def test_a_comparison_whose_library_is_not_installed_is_named_with_the_remedy(plan, monkeypatch):
    absent = replace(COMPARISONS["champion"][0].family, libraries=("no-such-library",))
    monkeypatch.setitem(COMPARISONS, "absent", (replace(COMPARISONS["champion"][0], family=absent),))
    with pytest.raises(ValueError, match=r"needs no-such-library, .* make setup GROUP=compare"):
        running.run(replace(plan, compare="absent"), NOW, Console(quiet=True))


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, "train.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Example: python train.py --portfolio" in done.stdout
    assert json.dumps(done.stderr) == '""'


def test_chosen_features_are_frozen_with_the_scorer_and_chosen_once(plan, monkeypatch):
    small = replace(plan, select=True, compare="champion", experiment="chosen")
    monkeypatch.setattr("scoring.candidates.selection.NULL", 4)
    over = replace(small, budget_s=-1.0)
    with monkeypatch.context() as patch:
        patch.setattr("scoring.candidates.selection.select", lambda *_, **__: pytest.fail("no time is left"))
        assert running.run(over, NOW, Console(quiet=True)) == []
    tuned_on: list = []
    trials: list = []
    told = io.StringIO()
    monkeypatch.setattr(
        "scoring.candidates.search.Search.tune",
        overheard(
            lambda _, candidate, *__: (candidate, trials),
            lambda _, __, data, ___: tuned_on.append(data.coded.names),
        ),
    )
    with plain(has_scorecard=True):
        (result,) = running.run(replace(small, trials=1), NOW, Console(file=told, width=200))
    assert "The time budget ended the search of lightgbm; the same command searches on." in told.getvalue()
    said = runs.read_selection(result.run)
    kept = {row["name"] for row in said["features"] if row["is_kept"]}
    with runs.fetch_scorer(result.run) as folder:
        scorer = Scorer.load(folder)
        declared = features.names(scorer.policy)
        assert scorer.feature_names == [name for name in declared if name in kept]
        assert 0 < len(kept) < len(declared)
        scorer.check_features(declared)
        inputs = {name for name in read_reference(folder).columns if not name.startswith(AUDIT)}
        assert inputs == {*COLUMNS, *kept}
    in_fold = [{row["name"] for row in said["features"] if fold in row["folds"]} for fold in (0, 1)]
    assert [set(names) for names in tuned_on] == [*in_fold, kept]
    monkeypatch.setattr("scoring.candidates.selection.select", lambda *_, **__: pytest.fail("chosen already"))
    trials.append({"settings": {}, "state": "complete"})
    for is_searched in (True, False):
        with plain():
            before, (again,) = len(tuned_on), running.run(replace(small, trials=1), NOW, Console(quiet=True))
        assert (again.run.id != result.run.id, len(tuned_on) > before) == (True, is_searched)
