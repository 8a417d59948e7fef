"""A whole portfolio without HTTP: the bits of one table, nothing lost, nothing twice, made again at will."""

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scoring import features, inference_log, tables
from scoring.client.files import Source
from scoring.judge import Judge
from scoring.portfolio import PortfolioRun, RunError, event_id, running, worker
from scoring.portfolio.__main__ import app
from scoring.portfolio.finished import Finished
from scoring.portfolio.job import Task, replace
from scoring.portfolio.pool import Pool
from scoring.portfolio.running import NamedScorer, run, split
from scoring.schema import HISTORY, KEY
from scoring.scorer import Scorer, described_sha256
from scoring.synthetic import write
from scoring.tables import TableError, buckets
from scoring.tables.buckets import POSITION, BucketPlan, Buckets, bucket_of, finish, lay_out
from tests.support import small

ROOT = Path(__file__).parent.parent
TAG = "credit_scoring:small1"
NOW = datetime(2026, 11, 29, 2, tzinfo=UTC)
run_once = partial(run, now=lambda: NOW, processes=1)


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory) -> Path:
    """30 training applicants and 90 later ones, in any order, with a record that ties in every key."""
    return write(tmp_path_factory.mktemp("portfolio") / "p", 30, 90, seed=5, is_shuffled=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("store")
    folder = home / "models" / "credit_scoring" / "small1"
    folder.parent.mkdir(parents=True)
    small.save(folder)
    (folder.parent / "latest").write_text("small1", encoding="utf-8")
    return home


@pytest.fixture(scope="module")
def model(store) -> NamedScorer:
    folder = store / "models" / "credit_scoring" / "small1"
    return NamedScorer(TAG, folder, described_sha256(folder))


class Nobody:
    """A pool without processes: what is asked is answered here, where the pool is not what is promised."""

    def __init__(self, _: int) -> None:
        worker._work.cache_clear()  # of another run in the same folder

    def __enter__(self) -> "Nobody":
        return self

    def __exit__(self, *_: object) -> None:
        """There is nothing to end."""

    def ask(self, calls: list[list]) -> Iterator[Any]:
        for call in calls:
            answer = worker.answer(json.dumps(call))
            if "error" in answer:
                raise RunError(answer["error"])
            yield answer["done"]


@pytest.fixture
def without_processes(monkeypatch) -> None:
    monkeypatch.setattr(running, "Pool", Nobody)


@pytest.fixture(scope="module")
def scored(portfolio, model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "out"
    run_once(portfolio, out, "score", model, buckets=4, run_name="night")
    return out


def laid_out(source: Path, folder: Path, number: int, population: str = "test") -> Buckets:
    plan = BucketPlan.of(source, population, features.READS, number)
    folder.mkdir()
    for table in plan.tables:
        lay_out(plan, table, folder)
    finish(plan, folder)
    return Buckets(folder, features.READS)


@pytest.fixture(scope="module")
def laid(portfolio, tmp_path_factory) -> Buckets:
    return laid_out(portfolio, tmp_path_factory.mktemp("laid") / "b", 1)


def whole(out: Path, kind: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file) for file in sorted((out / kind).glob("*.parquet"))])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


@pytest.mark.parametrize(
    ("number", "abreast", "population"), [(1, 512, "train"), (7, 512, "test"), (7, 2, "test")]
)
def test_buckets_hold_what_the_reader_reads_to_the_last_bit(
    portfolio, tmp_path, monkeypatch, number, abreast, population
) -> None:
    """Shuffled records, in one step or in two: the same features as of the whole portfolio in memory."""
    monkeypatch.setattr(buckets, "ABREAST", abreast)
    monkeypatch.setattr(buckets, "CREDITS", 50)
    known = tables.read(portfolio, population, features.READS)
    expected = features.build(known).insert_column(0, known.applications[KEY]).sort(KEY)
    found = laid_out(portfolio, tmp_path / "b", number, population)
    parts = [found.read(bucket).portfolio for bucket in range(len(found))]
    assert len(found) == number
    assert all(part.applications[KEY].is_sorted() for part in parts)
    again = [features.build(p).insert_column(0, p.applications[KEY]) for p in parts if len(p)]
    assert pl.concat(again).sort(KEY).equals(expected)


def test_every_record_is_matched_or_an_orphan(portfolio, tmp_path) -> None:
    found = laid_out(portfolio, tmp_path / "b", 3)
    parts = [found.read(bucket) for bucket in range(3)]
    known = tables.read(portfolio, "test", features.READS)
    for table in HISTORY:
        records = sum(pl.read_parquet(file).height for file in (portfolio / table).glob("*.parquet"))
        matched = sum(part.matched[table] for part in parts)
        orphans = sum(part.orphans[table] for part in parts) + found.tables[table]["ownerless"]
        assert found.tables[table]["records"] == records == matched + orphans
        assert matched == known.history[table].height


def test_records_that_tie_keep_the_order_of_the_file(tmp_path) -> None:
    """Two months of one credit with one date: which counts as the latest depends on their order alone."""
    source = write(tmp_path / "p", 1, 40, seed=9)
    for table in ("bureau_balance", "previous_application"):
        file = max((source / table).glob("*.parquet"), key=lambda file: file.stat().st_size)
        frame = pl.read_parquet(file)
        words = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        frame = frame.with_columns(pl.col(words).reverse())
        tied = {"bureau_balance": "MONTHS_BALANCE", "previous_application": "DAYS_DECISION"}[table]
        frame.with_columns(pl.lit(-3).alias(tied)).write_parquet(file)
    known = tables.read(source, "test", features.READS)
    expected = features.build(known).insert_column(0, known.applications[KEY]).sort(KEY)
    part = laid_out(source, tmp_path / "b", 1).read(0).portfolio
    assert features.build(part).insert_column(0, part.applications[KEY]).equals(expected)


def test_files_grow_with_buckets_and_tables_only(portfolio, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("scoring.tables.streams.HELD_BYTES", 0)  # write at every record batch
    laid_out(portfolio, tmp_path / "b", 3)
    assert len(list((tmp_path / "b").rglob("*.arrow"))) <= 3 * 7


def test_the_bucket_of_an_applicant_is_the_same_for_ever() -> None:
    """A layout of last year, and one of another engine, put everybody where this code looks for them."""
    assert bucket_of(pl.Series([100_001, 100_002, 0, 2**63 - 1]), 1_000).tolist() == [844, 174, 0, 533]


@given(st.lists(st.integers(0, 2**63 - 1), max_size=20), st.integers(1, 10_000))
def test_a_bucket_depends_on_the_number_alone(numbers, count) -> None:
    together = bucket_of(pl.Series(numbers, dtype=pl.Int64), count)
    assert [int(bucket_of(pl.Series([n]), count)[0]) for n in numbers] == together.tolist()
    assert all(0 <= place < count for place in together.tolist())


def test_an_applicant_who_stands_twice_is_named_by_row(portfolio, tmp_path) -> None:
    source = shutil.copytree(portfolio, tmp_path / "p")
    file = min((source / "application_test").glob("*.parquet"))
    frame = pl.read_parquet(file)
    pl.concat([frame, frame[:1]]).write_parquet(file)
    found = laid_out(source, tmp_path / "b", 2)
    with pytest.raises(
        TableError, match=rf"row 1: its number stands 2 times, next in row {frame.height + 1}"
    ):
        [found.read(bucket) for bucket in range(2)]


def test_a_damaged_part_is_named_and_nothing_half_written_is_left(portfolio, tmp_path) -> None:
    source = shutil.copytree(portfolio, tmp_path / "p")
    file = max((source / "bureau").glob("*.parquet"))
    content = file.read_bytes()
    file.write_bytes(content[:4] + b"\xff" * (len(content) // 2) + content[4 + len(content) // 2 :])
    plan = BucketPlan.of(source, "test", features.READS, 2)
    (tmp_path / "b").mkdir()
    with pytest.raises(TableError, match=file.name):
        lay_out(plan, "bureau", tmp_path / "b")
    assert not list((tmp_path / "b").iterdir())


def test_a_damaged_bucket_is_named(portfolio, tmp_path) -> None:
    found = laid_out(portfolio, tmp_path / "b", 1)
    file = tmp_path / "b" / "installments_payments" / "000000.arrow"
    file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(TableError, match=r"000000\.arrow cannot be read"):
        found.read(0)


def test_a_portfolio_is_decided_as_one_table_is(portfolio, model, scored) -> None:
    known = tables.read(portfolio, "test", features.READS)
    one = Judge(Scorer.load(model.folder)).table(known)
    expected = one.said.insert_column(0, known.applications[KEY]).sort(KEY)
    found = whole(scored, "decisions").sort(KEY)
    assert found.select(expected.columns).equals(expected)
    assert found["warnings"].list.len().sum() == one.marks.height
    inputs = found.select("event_id").join(whole(scored, "inputs"), on="event_id", maintain_order="left")
    assert inputs.drop("event_id").equals(one.inputs[known.applications[KEY].arg_sort()])


def test_the_manifest_accounts_for_every_record_and_every_file(portfolio, scored) -> None:
    manifest = json.loads((scored / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["applications"] == manifest["rows"]["decisions"] == 90
    for table, said in manifest["tables"].items():
        assert said["read"] == said["matched"] + said["orphans"], table
        assert {file["name"] for file in said["files"]} <= {f.name for f in portfolio.rglob("*.parquet")}
    assert {part["file"] for part in manifest["parts"]} == set(contents(scored))
    assert manifest["engine"]["scores"] == ["native"]
    assert manifest["job"]["model"] == TAG
    assert not (scored / ".job").exists()


def test_the_id_of_an_event_is_made_of_run_model_and_applicant(scored) -> None:
    found = whole(scored, "decisions")
    assert found["event_id"].to_list() == [event_id("night", TAG, n) for n in found[KEY].to_list()]
    assert len({event_id(run, tag, n) for run in "ab" for tag in "cd" for n in (1, 2)}) == 8


@pytest.mark.usefixtures("without_processes")
def test_an_interrupted_run_goes_on_without_loss_or_repeats(portfolio, model, scored, tmp_path) -> None:
    """What is lost with a kill: a receipt, a part that was being written, a draft, a half-made layout."""
    out = tmp_path / "out"
    done = []

    def kill_after_two(what: str, count: int, _: int) -> None:
        if what == "score" and count == 2:
            done.extend(sorted((out / ".job" / "receipts").glob("*.json")))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_once(portfolio, out, "score", model, buckets=4, run_name="night", progress=kill_after_two)
    assert 2 <= len(done) < 4
    assert not (out / "manifest.json").exists()
    lost = json.loads(done[0].read_text(encoding="utf-8"))["parts"][0]["file"]
    (out / lost).write_bytes(b"half")
    (out / "decisions" / ".part-000003.parquet.77").write_bytes(b"half")
    summary = run_once(portfolio, out, "score", model, buckets=4, run_name="night")
    assert 1 <= summary.resumed < 4
    assert contents(out) == contents(scored)
    assert not list(out.rglob(".part-*"))
    again = run_once(portfolio, out, "score", model, buckets=4, run_name="night")
    assert again.resumed == 4


def test_a_killed_worker_is_said_with_the_remedy(portfolio, tmp_path) -> None:
    plan = BucketPlan.of(portfolio, "test", features.READS, 2)
    with pytest.raises(RunError, match=r"exit code -9.*goes on from here"), Pool(1) as pool:
        answers = pool.ask([["lay", vars(plan), table, str(tmp_path)] for table in ("bureau", "application")])
        next(answers)
        os.kill(pool.pids[0], signal.SIGKILL)
        list(pool.ask([["lay", vars(plan), table, str(tmp_path)] for table in plan.tables]))


def test_a_worker_runs_this_code_also_in_a_folder_with_code_of_the_same_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "__init__.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match="a worker failed over bucket 1"), Pool(1) as pool:
        list(pool.ask([["nothing that it knows", 1]]))


def test_another_run_in_the_same_folder_is_refused(portfolio, model, scored) -> None:
    with pytest.raises(RunError, match="another run;"):
        run_once(portfolio, scored, "score", model, buckets=4, run_name="other night")
    with pytest.raises(RunError, match="another command"):
        run_once(portfolio, scored, "explain", model, buckets=4, run_name="night")


def test_what_is_somebody_elses_is_neither_mixed_with_nor_removed(portfolio, tmp_path) -> None:
    """Buckets in the place of their own tables, ``--fresh`` in a folder that was no run's."""
    source = shutil.copytree(portfolio, tmp_path / "p")
    before = contents(source)
    with pytest.raises(RunError, match="no portfolio in buckets; give a folder that is new or empty"):
        split(source, source, "test", 1, 2)
    assert contents(source) == before
    for name in ("decisions/mine", "manifest.json"):
        file = tmp_path / "other" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[1]", encoding="utf-8")
        with pytest.raises(RunError, match="no run's; give a folder that is new or empty"):
            PortfolioRun(tmp_path / "other", {"command": "score"}, is_fresh=True)
        assert file.is_file()


def test_a_run_that_is_begun_anew_forgets_the_one_before(tmp_path) -> None:
    out = tmp_path / "out"
    for name in ("receipts", "buckets"):
        (PortfolioRun(out, {"command": "score", "run": "one"}).inner / name).mkdir()
    (out / "decisions").mkdir()
    with pytest.raises(RunError, match="another run;"):
        PortfolioRun(out, {"command": "score", "run": "two"})
    assert PortfolioRun(out, {"command": "score", "run": "two"}, is_fresh=True).receipts() == {}
    assert [entry.name for entry in out.iterdir()] == [".job"]
    (out / ".job" / "job.json").write_text("{half", encoding="utf-8")
    with pytest.raises(RunError, match=r"job\.json is damaged; give another folder .*--fresh"):
        PortfolioRun(out, {"command": "score", "run": "two"})
    PortfolioRun(out, {"command": "score", "run": "two"}, is_fresh=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda _: pl.DataFrame({"a": range(9)}).write_parquet("/dev/full"),
        lambda _: Path("/dev/full").write_text("a", encoding="utf-8"),
    ],
    ids=["polars", "python"],
)
def test_a_full_disk_is_said_in_a_sentence_and_nothing_half_written_is_left(tmp_path, write) -> None:
    with pytest.raises(RunError, match=r"no room is left for .*; make room, and the same command goes on"):
        replace(tmp_path / "part", write)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("without_processes")
def test_shares_of_a_portfolio_in_buckets_make_one_run(portfolio, model, scored, tmp_path) -> None:
    laid = tmp_path / "laid"
    split(portfolio, laid, "test", 1, 4)
    first = run_once(laid, tmp_path / "out", "score", model, run_name="night", share=(0, 2))
    assert first.manifest is None
    last = run_once(laid, tmp_path / "out", "score", model, run_name="night", share=(1, 2))
    assert last.manifest is not None
    assert contents(tmp_path / "out") == contents(scored)
    with pytest.raises(RunError, match="in buckets"):
        run_once(portfolio, tmp_path / "other", "score", model, share=(0, 2))


def test_applications_that_the_service_refuses_are_named(portfolio, model, tmp_path) -> None:
    source = shutil.copytree(portfolio, tmp_path / "p")
    file = max((source / "application_test").glob("*.parquet"))
    frame = pl.read_parquet(file)
    wrong = pl.when(pl.int_range(pl.len()) == 1).then(-5.0).otherwise("AMT_CREDIT").alias("AMT_CREDIT")
    frame.with_columns(wrong).write_parquet(file)
    work, _ = Task("score", "night", TAG, str(model.folder)).work()
    found = laid_out(source, tmp_path / "b", 2)
    done = [work(found.read(number)) for number in range(2)]
    assert sum(one.applications for one in done) == 90
    assert sum(one.rejected for one in done) == 1
    named = pl.concat([one.tables["rejected"] for one in done]).row(0, named=True)
    assert (named[KEY], named["field"], named["code"]) == (frame[KEY][1], "AMT_CREDIT", "below_minimum")
    decided = pl.concat([one.tables["decisions"] for one in done])
    assert decided.height == 89
    assert named[KEY] not in decided[KEY]
    everybody = pl.concat([pl.read_parquet(f) for f in sorted((source / "application_test").glob("*"))])
    assert everybody[KEY][named["row"] - 1] == named[KEY]


def test_features_are_what_the_batch_client_sends(portfolio, laid, tmp_path) -> None:
    work, _ = Task("features", "night").work()
    work(laid.read(0)).tables["features"].write_parquet(tmp_path / "features.parquet")
    source, direct = Source(tmp_path / "features.parquet"), Source(portfolio)
    mine, others = (next(iter(s.chunks(1_000))).table.sort(KEY) for s in (source, direct))
    assert mine.select(others.columns).equals(others)
    source.close()


def test_a_training_finds_in_buckets_what_it_reads_of_the_tables(portfolio, tmp_path) -> None:
    """To the bit and, by their places, in the same order: what Spark computes for `train.py`."""
    found = laid_out(portfolio, tmp_path / "b", 3, "train")
    work, _ = Task("training", "training").work()
    made = pl.concat([work(found.read(n)).tables["training"] for n in range(3)]).sort(POSITION)
    known = tables.read(portfolio, "train", features.READS)
    assert made["application"].struct.unnest().equals(known.applications.drop("row"))
    expected = features.build(known)
    assert made.select(expected.columns).equals(expected)


def test_explanations_add_up_and_name_reasons(laid, model) -> None:
    work, _ = Task("explain", "night", TAG, str(model.folder)).work()
    found = work(laid.read(0)).tables["explanations"]
    total = found["contributions"].struct.unnest().sum_horizontal() + found["base_value"]
    np.testing.assert_allclose(total, found["raw_score"], atol=1e-9)
    first = found["reasons"].explode().drop_nulls()[0]
    assert {text["language"] for text in first["text"]} >= {"en", "fr"}


def test_any_decision_of_a_run_is_made_again(scored, model, store) -> None:
    event = whole(scored, "decisions")["event_id"][7]
    done = Finished(scored).replay(event, Scorer.load(model.folder))
    assert done.differences == ()
    said = CliRunner().invoke(app, ["replay", str(scored), event, "--model-store", str(store)])
    assert said.exit_code == 0, said.output
    assert "The same, bit for bit." in said.output
    with pytest.raises(RunError, match="no decision"):
        Finished(scored).replay("0" * 32, Scorer.load(model.folder))


def test_a_part_that_was_changed_is_not_replayed(scored, model, tmp_path) -> None:
    out = shutil.copytree(scored, tmp_path / "out")
    file = min((out / "decisions").glob("*.parquet"))
    frame = pl.read_parquet(file)
    event = frame["event_id"][0]
    frame.with_columns(decision=pl.lit("granted")).write_parquet(file)
    with pytest.raises(RunError, match="was changed"):
        Finished(out).replay(event, Scorer.load(model.folder))


def test_a_run_is_recorded_once_and_found_as_any_decision(scored, tmp_path) -> None:
    log, key = tmp_path / "log", tmp_path / "key"
    command = ["record", str(scored), "--log", str(log), "--key-file", str(key)]
    for count in (90, 0):
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 0, said.output
        assert f"{count} decisions of {TAG} recorded" in said.output
    (scored / ".recorded.json").unlink()
    table = inference_log.read(log).table
    decided = whole(scored, "decisions")
    assert sorted(table["event_id"]) == sorted(decided["event_id"])
    event = decided["event_id"][3]
    record = inference_log.find(log, event)
    assert record is not None
    assert record["probability_of_default"] == decided["probability_of_default"][3]
    assert record["audit"]["request_id"] == "night"


def test_the_command_scores_and_says_what_is_wrong(portfolio, store, tmp_path) -> None:
    out = str(tmp_path / "out")
    asked = [
        "score",
        str(portfolio),
        "--out",
        out,
        "--processes",
        "1",
        "--model-store",
        str(store),
        "--model",
    ]
    said = CliRunner().invoke(app, [*asked, "credit_scoring:latest"])
    assert said.exit_code == 0, said.output
    assert f"model {TAG}" in said.output
    assert "records are of no application" in said.output
    assert "90 applications in" in said.output
    for wrong, words in (
        ([*asked, "credit_scoring:gone"], "has no model"),
        ([*asked, TAG, "--population", "train"], "another population"),
        ([*asked, TAG, "--share", "3/2"], "is no share"),
        ([*asked, TAG, "--engine", "spark"], "give it with --run"),
        ([*asked, TAG, "--engine", "spark", "--run", "n", "--conf", "x"], "is no setting"),
    ):
        said = CliRunner().invoke(app, wrong)
        assert said.exit_code in (1, 2)
        assert words in said.output.replace("\n", " "), said.output


def test_without_the_kernels_a_run_fails_by_name_unless_it_is_allowed(model, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("scoring.engine.native.FOLDER", tmp_path)
    task = Task("score", "night", TAG, str(model.folder))
    with pytest.raises(RunError, match=rf"on {os.uname().nodename} .*not built.*--allow-slow"):
        task.work()
    assert Task("score", "night", TAG, str(model.folder), is_slow_allowed=True).work()[1] == "lightgbm"


def test_nothing_of_spark_is_used_that_connect_has_not() -> None:
    """`make scale` runs against a server of Connect; this says it to the suite, which has no Spark."""
    classic = re.compile(r"sparkContext|SparkContext\b|\.rdd\b|\._j[a-z]|mapPartitions|parallelize")
    sources = [*(ROOT / "scoring" / "portfolio").glob("*.py"), *(ROOT / "training").rglob("*.py")]
    assert not [f"{file.name}: {found[0]}" for file in sources if (found := classic.search(file.read_text()))]
    assert classic.search("spark.sparkContext.parallelize([1])")
