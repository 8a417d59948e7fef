import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from monitoring import __main__ as command
from monitoring.drift import run as run_evidently
from monitoring.rule import FLOOR, RULE, ColumnDrift, Side, threshold, verdict
from monitoring.source import InputError, read_reference, read_traffic
from scoring.inference_log import COLUMNS, Entry, InferenceLog
from scoring.store import stored

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
TAG = "credit_scoring:first"
CATEGORIES = ("NAME_CONTRACT_TYPE",)
IMPORTANCE = {"ext_mean": 0.6, "AMT_CREDIT": 0.2, "NAME_CONTRACT_TYPE": 0.1, "flag": 0.05, "empty": 0.05}


def population(rows: int, seed: int, **changes: pl.Expr) -> pl.DataFrame:
    """Decisions in the log's columns, with five inputs, one of which nobody ever fills in."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(1.2, 12, rows)
    return pl.DataFrame(
        {
            "model": TAG,
            "probability_of_default": probability,
            "threshold": 0.09,
            "decision": np.where(probability >= 0.09, "refused", "granted"),
            "ext_mean": np.where(rng.random(rows) < 0.02, np.nan, rng.beta(5, 5, rows)),
            "AMT_CREDIT": np.round(rng.lognormal(13, 0.7, rows), 1),
            "NAME_CONTRACT_TYPE": rng.choice(["Cash loans", "Revolving loans"], rows, p=[0.904, 0.096]),
            "flag": (rng.random(rows) < 0.003).astype(float),
            "empty": pl.Series([None] * rows, dtype=pl.Float64),
        },
        nan_to_null=True,
    ).with_columns(**changes)


def write_reference(folder: Path, table: pl.DataFrame) -> Path:
    """A scorer's folder, as far as monitoring reads it."""
    folder.mkdir(parents=True)
    inputs = [name for name in table.columns if name not in COLUMNS]
    log = [
        (pl.col(name) if name in table.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    table.select(*log, *inputs).write_parquet(folder / "reference.parquet")
    features = [
        {"name": name, "kind": "number", "importance": IMPORTANCE[name]}
        | ({"levels": ["Cash loans", "Revolving loans", "Rare loans"]} if name in CATEGORIES else {})
        for name in inputs
    ]
    (folder / "scorer.json").write_text(json.dumps({"format": 1, "features": features}))
    return folder


def write_log(
    folder: Path, table: pl.DataFrame, model: str = TAG, now: datetime = NOW, worker: str = "w1"
) -> Path:
    inputs = [name for name in table.columns if name not in COLUMNS]
    log = InferenceLog(folder, worker, b"k" * 32, model, CATEGORIES)
    entries = [
        Entry(
            event_id=f"{worker}-{i}",
            applicant=i,
            request_id="r",
            probability_of_default=row["probability_of_default"],
            threshold=row["threshold"],
            decision=row["decision"],
            features={name: row[name] for name in inputs},
        )
        for i, row in enumerate(table.iter_rows(named=True))
    ]
    log.record(entries, now)
    log.close()
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reference(tmp_path_factory.mktemp("scorer") / "first", population(4_000, seed=1))


Monitor = Callable[..., tuple[Result, dict]]


@pytest.fixture
def monitor(tmp_path: Path, reference: Path) -> Monitor:
    """Run the command line on a log; return what it said and its summary."""

    def run(log: Path, *arguments: str) -> tuple[Result, dict]:
        out = tmp_path / "out"
        call = ["--log", str(log), "--reference", str(reference), "--out", str(out), *arguments]
        result = CliRunner().invoke(command.app, call, env={"COLUMNS": "200"})
        file = out / "summary.json"
        return result, json.loads(file.read_text()) if file.exists() else {}

    return run


def drifted(summary: dict) -> set[str]:
    return {column["name"] for column in summary["columns"] if column["drifted"]}


def column(summary: dict, name: str) -> dict:
    return next(column for column in summary["columns"] if column["name"] == name)


def test_an_unchanged_population_is_no_drift(tmp_path: Path, monitor: Monitor) -> None:
    result, summary = monitor(write_log(tmp_path / "log", population(2_000, seed=2)))
    assert result.exit_code == 0, result.output
    assert summary["verdict"] == "no drift"
    assert not drifted(summary)
    assert summary["left_out"] == {"empty": "missing in every row of both sides"}
    assert "empty is not compared" in result.output


def test_the_known_shift_is_drift_and_names_the_features(tmp_path: Path, monitor: Monitor) -> None:
    later = population(
        2_000,
        seed=3,
        AMT_CREDIT=pl.col("AMT_CREDIT") * 0.8,
        NAME_CONTRACT_TYPE=pl.when(pl.int_range(2_000) % 110 == 0)
        .then(pl.lit("Revolving loans"))
        .otherwise(pl.lit("Cash loans")),
    )
    result, summary = monitor(write_log(tmp_path / "log", later))
    assert result.exit_code == 1, result.output
    assert drifted(summary) == {"AMT_CREDIT", "NAME_CONTRACT_TYPE"}
    assert re.search(r"NAME_CONTRACT_TYPE is watched.*'Revolving loans' \d+\.\d%, now 0\.9%", result.output)
    contract = column(summary, "NAME_CONTRACT_TYPE")
    assert contract["method"] == "jensenshannon"
    assert contract["statistic"] >= contract["threshold"]
    assert contract["current"]["levels"]["Revolving loans"] == pytest.approx(0.0095)


def test_values_that_go_missing_are_drift_although_the_rest_stays(tmp_path: Path, monitor: Monitor) -> None:
    gaps = population(2_000, seed=4, ext_mean=pl.when(pl.int_range(2_000) % 5 < 2).then("ext_mean"))
    result, summary = monitor(write_log(tmp_path / "log", gaps))
    assert result.exit_code == 1
    assert drifted(summary) == {"ext_mean"}
    moved = column(summary, "ext_mean")
    assert moved["statistic"] < moved["threshold"]
    assert moved["current"]["missing_share"] == pytest.approx(0.6, abs=0.02)
    assert re.search(r"missing in [12]\.\d% of the rows, now in [56]\d\.\d%", result.output)


def test_an_input_that_vanishes_altogether_is_drift(tmp_path: Path, monitor: Monitor) -> None:
    gone = population(1_000, seed=5, flag=pl.lit(None, dtype=pl.Float64)).drop("AMT_CREDIT")
    result, summary = monitor(write_log(tmp_path / "log", gone))
    assert result.exit_code == 1
    assert drifted(summary) == {"AMT_CREDIT", "flag"}
    assert column(summary, "flag")["statistic"] is None


def test_an_unseen_level_is_named(tmp_path: Path, monitor: Monitor) -> None:
    words = pl.when(pl.int_range(2_000) % 50 == 0).then(pl.lit("<Crypto> [loans]"))
    strange = population(2_000, seed=6, NAME_CONTRACT_TYPE=words.otherwise("NAME_CONTRACT_TYPE"))
    result, summary = monitor(write_log(tmp_path / "log", strange))
    assert result.exit_code == 1
    assert column(summary, "NAME_CONTRACT_TYPE")["unseen"] == {"<Crypto> [loans]": pytest.approx(0.02)}
    assert "'<Crypto> [loans]' (2.0%)" in result.output
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;Crypto&gt; [loans]" in page[: page.index("</header>")]


def test_a_level_that_only_training_saw_is_not_unseen(tmp_path: Path, monitor: Monitor) -> None:
    words = pl.when(pl.int_range(2_000) % 50 == 0).then(pl.lit("Rare loans"))
    rare = population(2_000, seed=6, NAME_CONTRACT_TYPE=words.otherwise("NAME_CONTRACT_TYPE"))
    _, summary = monitor(write_log(tmp_path / "log", rare))
    assert column(summary, "NAME_CONTRACT_TYPE")["unseen"] == {}


def test_one_absurd_value_does_not_hide_a_shift(tmp_path: Path, monitor: Monitor) -> None:
    raised = population(2_000, seed=7, AMT_CREDIT=pl.col("AMT_CREDIT") * 1.3)
    absurd = pl.when(pl.int_range(2_000) == 0).then(1e12).otherwise("AMT_CREDIT")
    result, summary = monitor(write_log(tmp_path / "log", raised.with_columns(AMT_CREDIT=absurd)))
    assert result.exit_code == 1
    assert column(summary, "AMT_CREDIT")["statistic"] > 0.2


def test_too_few_decisions_are_not_judged(tmp_path: Path, monitor: Monitor) -> None:
    stale = tmp_path / "out" / "report.html"
    stale.parent.mkdir()
    stale.write_text("an older report")
    result, summary = monitor(write_log(tmp_path / "log", population(499, seed=8)))
    assert result.exit_code == 2
    assert summary["verdict"] == "not enough data"
    assert "499 rows" in result.output
    assert not stale.exists()


def test_an_empty_log_is_not_enough_data(tmp_path: Path, monitor: Monitor) -> None:
    (tmp_path / "log").mkdir()
    result, summary = monitor(tmp_path / "log")
    assert result.exit_code == 2
    assert summary["model"] is None


def test_a_missing_log_is_an_error_with_a_remedy(tmp_path: Path, monitor: Monitor) -> None:
    result, summary = monitor(tmp_path / "nowhere")
    assert result.exit_code == 3
    assert "nowhere" in result.stderr
    assert "CREDIT_SCORING_LOG" in result.stderr
    assert "Traceback" not in result.output
    assert not summary


@pytest.mark.parametrize("what", ["nothing", "no parquet", "no columns", "no store"])
def test_a_reference_that_cannot_be_used_is_an_error_with_a_remedy(tmp_path: Path, what: str) -> None:
    log = write_log(tmp_path / "log", population(1, seed=9))
    file = tmp_path / "reference.parquet"
    if what == "no parquet":
        file.write_text("SK_ID_CURR")
    if what == "no columns":
        pl.DataFrame({"AMT_CREDIT": [1.0]}).write_parquet(file)
    choice = ["--store", str(tmp_path)] if what == "no store" else ["--reference", str(file)]
    result = CliRunner().invoke(command.app, ["--log", str(log), *choice], env={"COLUMNS": "200"})
    assert result.exit_code == 3
    assert re.search(r"import (a|the) model|--reference", result.stderr)


def test_a_simulation_without_a_service_says_so(tmp_path: Path, monitor: Monitor) -> None:
    call = ("--simulate", str(tmp_path), "--url", "http://127.0.0.1:1")
    result, _ = monitor(tmp_path, *call)
    assert result.exit_code == 3
    assert "does not answer at http://127.0.0.1:1" in result.stderr


def test_a_simulation_sends_the_api_key_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str | None] = []

    class Closed:
        def __init__(self, url: str, api_key: str | None = None, purpose: str = "decision") -> None:
            assert purpose == "test"
            keys.append(api_key)
            raise command.ServiceError("down", url)

    monkeypatch.setattr(command, "Client", Closed)
    monkeypatch.setenv("CREDIT_SCORING_API_KEY", "k" * 32)
    result = CliRunner().invoke(command.app, ["--simulate", str(tmp_path)])
    assert result.exit_code == 3 and keys == ["k" * 32] and "k" * 32 not in result.output


def test_wrong_use_is_not_taken_for_too_little_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["monitoring", "--windows", "7"])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 3


def test_help_states_the_rule_and_the_exit_codes() -> None:
    said = " ".join(CliRunner().invoke(command.app, ["--help"], env={"COLUMNS": "120"}).output.split())
    assert " ".join(RULE.split()) in said
    assert "0 no drift, 1 drift, 2 not enough data, 3 bad input" in said


def test_torn_lines_repeats_and_other_models_are_left_out_and_counted(
    tmp_path: Path, monitor: Monitor
) -> None:
    log = write_log(tmp_path / "log", population(600, seed=10))
    write_log(log, population(40, seed=11), model="credit_scoring:second", worker="w2")
    file = next(log.glob("*.w1.jsonl"))
    content = file.read_bytes()
    first = content.splitlines(keepends=True)[1]  # after the header
    file.write_bytes(content + first + b"not json\n" + first[:100])
    result, summary = monitor(log, "--model", TAG)
    assert result.exit_code == 0, result.output
    rows = summary["rows"]
    assert rows["current"] == 600
    assert rows["duplicates"] == 1
    assert rows["other_models"] == {"credit_scoring:second": 40}
    assert sum(rows["quarantined"].values()) == 2
    assert "40 decisions of credit_scoring:second left out" in result.output


def test_of_several_models_one_has_to_be_named(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(10, seed=12))
    write_log(log, population(10, seed=13), model="credit_scoring:second", worker="w2")
    result, _ = monitor(log)
    assert result.exit_code == 3
    assert "--model" in result.stderr


def test_a_simulation_that_another_log_received_is_an_error(tmp_path: Path, reference: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=21))
    kept = read_traffic(log, read_reference(reference, TAG), events={"w1-0", "w1-2"})
    assert (kept.table.height, kept.outside) == (2, 1)
    with pytest.raises(InputError, match=r"1 of 2 decisions .* CREDIT_SCORING_LOG"):
        read_traffic(log, read_reference(reference, TAG), events={"w1-0", "elsewhere"})


def test_the_window_ends_at_the_newest_decision(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(30, seed=14), now=NOW - timedelta(days=9))
    write_log(log, population(20, seed=15), worker="w2")
    _, summary = monitor(log, "--window", "7")
    assert (summary["rows"]["current"], summary["rows"]["outside"]) == (20, 30)
    assert summary["first"] == "2026-11-21T09:30:00Z"


def test_the_reference_of_the_store_is_that_of_the_newest_model(tmp_path: Path) -> None:
    models = tmp_path / "models" / "credit_scoring"
    for version in ("first", "second"):
        write_reference(models / version, population(10, seed=16))
    (models / "latest").write_text("second")
    assert stored("credit_scoring:latest", tmp_path) == ("credit_scoring:second", models / "second")
    assert stored(TAG, tmp_path) == (TAG, models / "first")


def test_without_a_description_all_inputs_count_the_same(tmp_path: Path, reference: Path) -> None:
    alone = tmp_path / "reference.parquet"
    alone.write_bytes((reference / "reference.parquet").read_bytes())
    assert set(read_reference(alone).importance.values()) == {0.2}


class Scripts(HTMLParser):
    """The scripts of a page as a browser finds them: whether each bears the page's nonce, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[bool, str]] = []
        self._nonce = re.search(r"script-src 'nonce-([\w-]{40,})'", page)[1]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "script":
            self.found.append((dict(attrs).get("nonce") == self._nonce, ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            is_ours, text = self.found[-1]
            self.found[-1] = is_ours, text + data


def test_the_page_needs_no_network_and_runs_nothing_that_a_client_sent(
    tmp_path: Path, monitor: Monitor
) -> None:
    evil = "[/red]\x1b[31m</script><script>document.title='XSS'</script>"
    mixed = pl.when(pl.int_range(pl.len()) < 40).then(pl.lit(evil)).otherwise("NAME_CONTRACT_TYPE")
    log = write_log(tmp_path / "log", population(600, seed=17, NAME_CONTRACT_TYPE=mixed))
    shown, summary = monitor(log)
    assert (shown.exit_code, "\x1b" in shown.output, "[/red]" in shown.output) == (1, False, True)
    page = (tmp_path / "out" / "report.html").read_text()
    head = page[: page.index("</header>")]
    assert "default-src 'none'" in head
    assert "Drift report: drift" in head
    assert "Dataset Drift" not in page  # Evidently's own verdict, by another rule
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", page)
    assert json.loads((tmp_path / "out" / "report.json").read_text())["metrics"]
    scripts = Scripts(page).found
    assert len(scripts) == 4, "data, global, library, drawing"
    assert all(is_ours for is_ours, _ in scripts), "a script without the nonce is one that no browser runs"
    assert not re.search(r"<script[^>]*>document.title", page)
    assert evil in column(summary, "NAME_CONTRACT_TYPE")["current"]["levels"], "for a program, as it came"


def test_a_repeat_gives_the_same_summary(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(600, seed=18))
    assert monitor(log)[1] == monitor(log)[1]


def test_quiet_shows_nothing(tmp_path: Path, monitor: Monitor) -> None:
    assert monitor(write_log(tmp_path / "log", population(5, seed=19)), "--quiet")[0].output == ""


def test_distances_are_those_of_the_books() -> None:
    a = pl.DataFrame({"x": [0.0, 0.0, 2.0, 2.0], "c": ["a", "b", "a", "b"]})
    b = pl.DataFrame({"x": [1.0, 1.0, 3.0, 3.0], "c": ["a", "a", "a", "a"]})
    found = run_evidently(a, b, {"x": ("wasserstein", 0.1), "c": ("jensenshannon", 0.1)}).statistics
    assert found["x"] == pytest.approx(1.0)  # moved by 1, standard deviation 1
    mixture = np.array([0.75, 0.25])
    divergence = (np.sum(0.5 * np.log(0.5 / mixture)) + np.log(1 / 0.75)) / 2
    assert found["c"] == pytest.approx(np.sqrt(divergence))


# The verdict, without Evidently.


def moved(name: str, importance: float, role: str = "top", statistic: float = 0.5) -> ColumnDrift:
    side = Side(1_000, 0.0, 1.0)
    return ColumnDrift(name, role, importance, side, side, {}, "wasserstein", statistic, 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "is_drift"),
    [
        ([], False),
        ([moved("a", 0.09)], False),
        ([moved("a", 0.05), moved("b", 0.05)], True),
        ([moved("a", 0.9, statistic=0.05)], False),
        ([moved("probability_of_default", 0.0, "prediction")], True),
        ([moved("AMT_CREDIT", 0.001, "watched")], True),
    ],
)
def test_the_verdict_weighs_what_the_model_uses(columns: Iterable[ColumnDrift], is_drift: bool) -> None:
    assert verdict(list(columns)).is_drift is is_drift


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 100))
def test_a_threshold_falls_with_more_rows_and_never_below_what_matters(n: int, m: int, levels: int) -> None:
    for method in ("wasserstein", "jensenshannon"):
        here, larger = threshold(method, n, m, levels), threshold(method, 2 * n, 2 * m, levels)  # type: ignore[arg-type]
        assert here >= larger >= FLOOR


@pytest.mark.parametrize("levels", [2, 20])
def test_chance_alone_stays_below_the_threshold(levels: int) -> None:
    rng = np.random.default_rng(20)
    n, m = 500, 2_000
    limits = [threshold("jensenshannon", m, n, levels)]
    for _ in range(200):
        p, q = (rng.multinomial(size, np.ones(levels) / levels) / size for size in (n, m))
        mixture = (p + q) / 2
        terms = [np.sum(x[x > 0] * np.log(x[x > 0] / mixture[x > 0])) for x in (p, q)]
        assert np.sqrt(sum(terms) / 2) < limits[0]


def nobody(folder: Path, what: str) -> tuple[Path, list[str]]:
    """A log in which a selection finds nobody, and the selection."""
    if what in ("another model", "another model in the window"):
        write_log(folder, population(3, seed=1), model="credit_scoring:second")
        return folder, ["--model", TAG] + (["--window", "7"] if what.endswith("window") else [])
    folder.mkdir()
    name = folder / "2026-11-21.w1.jsonl"
    if what == "torn lines only":
        name.write_bytes(b'{"seq":1,"prev":"')
    elif what == "lines that are no records":
        name.write_bytes(b"not json\n\x00\x00\n" * 10)
    elif what == "an empty file":
        name.touch()
    elif what == "no regular file":
        os.mkfifo(name)
    return folder, []


@pytest.mark.parametrize(
    "what",
    [
        "another model",
        "another model in the window",
        "torn lines only",
        "lines that are no records",
        "an empty file",
        "no regular file",
        "no files",
    ],
)
def test_a_selection_with_nobody_has_no_rows_and_is_not_judged(
    tmp_path: Path, monitor: Monitor, what: str
) -> None:
    log, selection = nobody(tmp_path / "log", what)
    result, summary = monitor(log, "--min-rows", "1", *selection)
    assert result.exit_code == 2, result.output
    assert summary["rows"]["current"] == 0 and summary["verdict"] == "not enough data"
    assert "0 rows to compare" in result.output and "no decision" in result.output
    assert summary["refused_share"]["current"] is None and summary["first"] is None


def test_a_simulation_in_which_all_were_refused_has_no_rows(tmp_path: Path, reference: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=21))
    none = read_traffic(log, read_reference(reference, TAG), events=frozenset())
    assert (none.table.height, none.outside) == (0, 3)


@pytest.mark.parametrize("window", ["0", "inf", "1e12"])
def test_a_window_that_is_none_is_wrong_use(tmp_path: Path, monitor: Monitor, window: str) -> None:
    result, _ = monitor(write_log(tmp_path / "log", population(3, seed=1)), "--window", window)
    assert result.exit_code == 3 and "--window" in result.stderr, result.output


def test_a_reference_without_rows_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=1))
    empty = write_reference(tmp_path / "scorer", population(3, seed=1).clear())
    result = CliRunner().invoke(command.app, ["--log", str(log), "--reference", str(empty)])
    assert result.exit_code == 3 and "has no rows" in " ".join(result.stderr.split())


def test_a_report_is_not_written_through_a_link(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(3, seed=1))
    (tmp_path / "out").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "out" / ".summary.json.draft").symlink_to(victim)
    result, summary = monitor(log)
    assert result.exit_code == 2 and summary and victim.read_text() == "mine"
