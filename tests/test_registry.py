"""Promises of training/registry.py, and of import_model.py's promotion and rollback."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import bentoml
import mlflow
import numpy as np
import polars as pl
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore
from typer.testing import CliRunner

import import_model
from tests.support import small
from tests.support.training import tried_here
from training import mlflow_store, registry, runs, tracking, worth

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("saved") / "scorer")


@pytest.fixture
def uri(tmp_path, empty_store):
    BentoMLContainer.model_store.set(ModelStore(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    yield empty_store
    BentoMLContainer.model_store.reset()


@pytest.fixture
def client(uri):
    return mlflow_store.connect(uri)


@pytest.fixture
def log(client, uri, saved, tmp_path):
    """Log a run whose out-of-fold probabilities are the outcomes with some noise."""

    def one(
        noise: float,
        data: str = "abc",
        n: int = 2_000,
        log_loss: float = 0.3,
        signal: float = 0.5,
        folder: Path = saved,
        tags: Mapping[str, str] = MappingProxyType({}),
    ) -> runs.Run:
        y = (np.arange(n) % 10 == 0).astype(np.int8)
        p = np.clip(0.05 + signal * y + np.random.default_rng(0).normal(0, noise, n), 0, 1)
        said = pl.DataFrame(
            {"row": np.arange(n), "fold": np.arange(n) % 5, "y": y, "raw": p, "probability": p}
        )
        said.with_columns(threshold=pl.lit(0.3)).write_parquet(tmp_path / runs.OUT_OF_FOLD)
        with tracking.start_run(
            client, uri, "credit-scoring", "small", {"data_sha256": data, **tags}
        ) as run_id:
            mlflow.log_artifacts(str(folder), runs.SCORER)
            mlflow.log_artifact(str(tmp_path / runs.OUT_OF_FOLD))
            cost = 1_000 * np.where(p >= 0.3, 1 - y, 10 * y).mean()
            mlflow.log_metrics({"cost_per_1000": float(cost), "log_loss": log_loss})
        return runs.find_run(client, run_id)

    return one


def propose(client, run):
    return registry.propose(client, run, f"runs:/{run.id}/{runs.SCORER}", NOW)


def invoke(uri, *words):
    with tried_here():
        got = CliRunner().invoke(import_model.app, [*words, "--tracking-uri", uri])
    return got.exit_code, " ".join(got.output.split())


def latest():
    return str(bentoml.models.get("credit_scoring:latest").tag.version)


def test_the_first_proposal_is_champion_and_the_next_one_challenger(client, log):
    first, second = log(0.3), log(0.1)
    assert propose(client, first) == registry.CHAMPION
    assert propose(client, first) == registry.CHAMPION
    assert propose(client, second) == registry.CHALLENGER
    assert propose(client, second) == registry.CHALLENGER
    assert registry.find_champion(client).id == first.id
    assert registry.find_challenger(client).id == second.id
    assert len(client.search_model_versions("name = 'credit_scoring'")) == 2


def test_a_provisional_champion_gives_way_to_a_whole_training_and_can_come_back(client, log):
    provisional = {registry.PROVISIONAL: "yes"}
    first, whole, late = log(0.1, tags=provisional), log(0.3), log(0.1, tags=provisional)
    assert propose(client, first) == registry.CHAMPION
    assert propose(client, whole) == registry.CHAMPION
    assert propose(client, late) == registry.CHALLENGER
    assert registry.find_champion(client).id == whole.id
    assert registry.find_former(client).id == first.id


def test_a_model_no_better_than_one_answer_for_everybody_is_crowned_by_force_only(client, log, uri):
    lucky = log(0.05, n=300, signal=0.0)
    assert propose(client, lucky) == registry.CHALLENGER
    doubt = runs.find_run(client, lucky.id).tags[registry.DOUBT]
    assert doubt.startswith("not better than refusing everybody: its decisions cost +")
    code, text = invoke(uri)
    assert (code, f"the challenger {lucky.id} is not better than refusing everybody" in text) == (2, True)
    code, text = invoke(uri, "--promote")
    assert code == 3 and f"{lucky.id} is not better than" in text and "--force REASON" in text
    assert registry.holder(client, registry.CHAMPION) is None
    code, text = invoke(uri, "--force", "a rehearsal")
    assert code == 0 and registry.find_champion(client).id == lucky.id == latest()
    assert "nothing to roll back to" in invoke(uri, "--rollback")[1]


def said_of(y, p, threshold=0.3):
    said = pl.DataFrame({"y": np.array(y, dtype=np.int8), "probability": p})
    return said.with_columns(threshold=pl.lit(threshold))


def test_the_worth_of_a_model_is_what_it_saves_against_one_answer_for_everybody():
    y = [1, 1, *[0] * 38]
    found = worth.worth(said_of(y, [0.9, 0.1, *[0.1] * 38]))
    # 2 defaults of 40: granting everybody costs 20, refusing everybody 38, the model 10.
    assert (found.answer, found.cost.value) == ("granting", -250.0)
    # Everybody's probability is 2/40.
    mean = -(np.log(0.9 / 0.05) + np.log(0.1 / 0.05) + 38 * np.log(0.9 / 0.95)) / 40
    assert found.log_loss.value == pytest.approx(mean)
    assert worth.worth(said_of([1, 1, 0, 1], [0.1] * 4)).answer == "refusing"


def test_the_dummy_is_not_better_than_itself():
    y = np.array([1, 1, *[0] * 38])
    found = worth.worth(said_of(y, [0.05] * 40))
    assert (found.cost.low, found.cost.high, found.is_better) == (0.0, 0.0, False)


def test_a_comparison_is_paired_and_agrees_with_theory(log):
    one, other = log(0.3), log(0.1)
    got = registry.compare(champion=one, challenger=other)
    a, b = runs.read_out_of_fold(other.id), runs.read_out_of_fold(one.id)
    d = 1_000 * (worth.decision_costs(a) - worth.decision_costs(b))
    assert got.difference == pytest.approx(d.mean())
    error = 1.96 * d.std() / len(d) ** 0.5
    assert (got.low, got.high) == pytest.approx((d.mean() - error, d.mean() + error), abs=0.15 * error)
    assert got.swaps == int((worth.refusals(a) != worth.refusals(b)).sum())
    assert got.is_better
    back = registry.compare(champion=other, challenger=one)
    assert back.difference == pytest.approx(-got.difference)
    assert not back.is_better


def test_of_costs_within_chance_the_lowest_log_loss_is_proposed_and_never_a_dearer_run(log):
    cheapest, alike, dear = log(0.100, log_loss=0.3), log(0.102, log_loss=0.2), log(0.3, log_loss=0.1)
    assert cheapest.metrics["cost_per_1000"] < alike.metrics["cost_per_1000"]
    assert registry.compare(cheapest, dear).low > 0
    assert registry.best([dear, alike, cheapest]).id == alike.id
    assert registry.best([dear, cheapest]).id == cheapest.id


def test_a_cost_is_ten_for_a_granted_default_and_one_for_a_refused_good_client():
    said = pl.DataFrame(
        {"y": [1, 1, 0, 0], "probability": [0.1, 0.9, 0.1, 0.9], "threshold": [0.5, 0.5, 0.5, 0.9]}
    )
    assert worth.decision_costs(said).tolist() == [10.0, 0.0, 0.0, 1.0]


def test_a_better_challenger_is_promoted_and_imported(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    code, text = invoke(uri, "--promote")
    assert code == 0, text
    assert f"Champion: {second.id}, costs -" in text
    assert registry.find_champion(client).id == second.id
    assert registry.holder(client, registry.CHALLENGER) is None
    assert latest() == second.id


def test_a_challenger_that_is_no_better_stays_one(client, log, uri):
    first, second = log(0.1), log(0.1)
    propose(client, first)
    propose(client, second)
    code, text = invoke(uri, "--promote")
    assert code == 3
    assert "not less beyond chance. The champion stays; --force REASON promotes all the same" in text
    assert registry.find_champion(client).id == first.id
    assert bentoml.models.list() == []


def test_a_forced_promotion_records_its_reason(client, log, uri):
    first, second = log(0.1), log(0.3, data="other")
    propose(client, first)
    propose(client, second)
    assert "cannot be compared" in invoke(uri, "--promote")[1]
    code, text = invoke(uri, "--force", "new product, new portfolio")
    assert code == 0, text
    version = client.get_model_version_by_alias("credit_scoring", "champion")
    assert version.run_id == second.id
    assert version.tags["promoted"].endswith("forced: new product, new portfolio")


def test_a_champion_that_cannot_be_compared_is_named_with_the_remedy(client, log, uri):
    first, second = log(0.1), log(0.3)
    propose(client, first)
    propose(client, second)
    (Path(client.get_run(first.id).info.artifact_uri.removeprefix("file://")) / runs.OUT_OF_FOLD).unlink()
    code, text = invoke(uri, "--promote")
    assert code == 2 and f"run '{first.id}' keeps no out-of-fold predictions." in text
    assert "promote with --force REASON" in text and "Traceback" not in text


def test_beside_a_champion_that_cannot_serve_the_waiting_challenger_is_named(
    client, log, uri, saved, tmp_path
):
    other = Path(shutil.copytree(saved, tmp_path / "other"))
    (other / "examples.json").write_text("[]")
    small.sign(other)
    first, second = log(0.1, folder=other), log(0.1)
    propose(client, first)
    propose(client, second)
    code, text = invoke(uri)
    assert code == 3 and f"The challenger {second.id} waits: --promote" in text


def test_a_rollback_brings_the_champion_before_back_and_serves_it(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    invoke(uri)
    propose(client, second)
    invoke(uri, "--promote")
    assert latest() == second.id
    code, text = invoke(uri, "--rollback")
    assert code == 0, text
    assert registry.find_champion(client).id == first.id
    assert latest() == first.id
    fallen = client.search_model_versions(f"run_id = '{second.id}'")[0]
    assert "rolled_back" in client.get_model_version("credit_scoring", fallen.version).tags
    code, text = invoke(uri, "--rollback")
    assert (code, "nothing to roll back to" in text) == (2, True)


def test_a_rollback_to_a_damaged_scorer_leaves_registry_and_store_as_they_are(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    invoke(uri, "--promote")
    kept = Path(client.get_run(first.id).info.artifact_uri.removeprefix("file://")) / runs.SCORER
    with (kept / "booster.txt").open("a") as booster:
        booster.write(" ")
    for _ in range(2):
        code, text = invoke(uri, "--rollback")
        assert (code, "changed after training" in text, "The champion stays" in text) == (3, True, True)
    assert registry.find_champion(client).id == second.id == latest()
    assert registry.find_former(client).id == first.id


def test_a_dry_rollback_checks_and_changes_nothing(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    invoke(uri, "--promote")
    code, text = invoke(uri, "--rollback", "--dry-run")
    assert (code, f"Champion would be: {first.id}, rolled back" in text) == (0, True)
    assert registry.find_champion(client).id == second.id == latest()


@pytest.mark.parametrize("words", [("--force", ""), ("--promote", "--force", "  ")])
def test_a_promotion_by_force_needs_a_reason(client, log, uri, words):
    first, second = log(0.1), log(0.1)
    propose(client, first)
    propose(client, second)
    code, text = invoke(uri, *words)
    assert (code, "--force needs a reason" in text) == (2, True)
    assert registry.find_champion(client).id == first.id
    assert bentoml.models.list() == []


def test_a_dry_run_promotes_nobody(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    code, text = invoke(uri, "--promote", "--dry-run")
    assert (code, "Champion would be" in text) == (0, True)
    assert registry.find_champion(client).id == first.id


def test_without_a_challenger_the_remedy_is_named(client, log, uri):
    propose(client, log(0.3))
    code, text = invoke(uri, "--promote")
    assert (code, "run train.py to propose one" in text) == (2, True)


def test_a_champion_that_was_made_by_hand_is_the_one_that_a_rollback_takes_back(client, log, uri):
    first, second, third = log(0.3), log(0.2), log(0.1)
    for one in (first, second, third):
        propose(client, one)
    invoke(uri, "--promote")
    version = client.search_model_versions(f"run_id = '{second.id}'")[0].version
    client.set_registered_model_alias("credit_scoring", registry.CHAMPION, version)
    code, text = invoke(uri, "--rollback")
    assert code == 0, text
    assert registry.find_champion(client).id == third.id == latest()


def test_a_rollback_needs_nothing_of_a_champion_whose_run_and_version_were_deleted(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    invoke(uri, "--promote")
    client.delete_model_version(
        "credit_scoring", client.search_model_versions(f"run_id = '{second.id}'")[0].version
    )
    client.delete_run(second.id)
    code, text = invoke(uri, "--rollback")
    assert code == 0, text
    assert registry.find_champion(client).id == first.id == latest()


def test_a_deleted_champion_is_named_with_the_remedy_and_force_or_a_rollback_goes_past_it(client, log, uri):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)
    client.delete_run(first.id)
    code, text = invoke(uri, "--promote")
    assert (code, f"run '{first.id}' is deleted" in text) == (2, True)
    code, text = invoke(uri, "--force", "the champion was deleted")
    assert code == 0, text
    assert registry.find_champion(client).id == second.id == latest()


def test_versions_of_a_run_under_other_names_are_not_ours(client, log):
    first, second = log(0.3), log(0.1)
    client.create_registered_model("another")
    for one in (first, first, second):
        client.create_model_version("another", f"runs:/{one.id}/{runs.SCORER}", run_id=one.id)
    assert propose(client, first) == registry.CHAMPION
    assert propose(client, second) == registry.CHALLENGER
    assert registry.find_champion(client).id == first.id
    assert registry.find_challenger(client).id == second.id


@pytest.mark.parametrize("broken", ["set_registered_model_tag", "set_registered_model_alias"])
def test_a_promotion_or_rollback_that_is_broken_off_is_done_by_the_next_one(
    client, log, uri, broken, monkeypatch
):
    first, second = log(0.3), log(0.1)
    propose(client, first)
    propose(client, second)

    def stop(*_):
        raise KeyboardInterrupt

    def breaks_off(change):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(client, broken, stop)
            change()

    breaks_off(lambda: registry.promote(client, second, "better", NOW))
    if registry.find_champion(client).id == second.id:
        code, text = invoke(uri, "--promote")
        assert (code, "is the champion already; python import_model.py imports it" in text) == (2, True)
    else:
        registry.promote(client, second, "better", NOW)
    assert registry.find_former(client).id == first.id
    breaks_off(lambda: registry.roll_back(client, "worse", NOW))
    assert registry.find_champion(client).id == second.id
    assert registry.roll_back(client, "worse", NOW).id == first.id


def test_an_alias_of_a_version_without_a_run_is_named_and_no_training_takes_it(client, log, uri, saved):
    client.create_registered_model("credit_scoring")
    version = client.create_model_version("credit_scoring", saved.as_uri()).version
    client.set_registered_model_alias("credit_scoring", registry.CHAMPION, version)
    with pytest.raises(mlflow_store.TrackingError, match="registered without a run"):
        propose(client, log(0.1))
    code, text = invoke(uri)
    assert (code, "credit_scoring@champion is version 1" in text) == (2, True)


def test_a_server_that_is_gone_is_not_said_to_have_no_such_run(client, monkeypatch):
    def gone(*_):
        raise mlflow_store.StoreError("API request to http://127.0.0.1:9 failed")

    monkeypatch.setattr(client, "get_run", gone)
    with pytest.raises(mlflow_store.StoreError, match="API request") as raised:
        runs.find_run(client, "abc")
    assert not isinstance(raised.value, mlflow_store.TrackingError)
