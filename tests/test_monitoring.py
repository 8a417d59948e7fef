import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from monitoring import __main__ as command
from monitoring.errors import InputError
from monitoring.judgement import Finding, Judgement, MovedInput
from monitoring.operations import Operations, alarms
from monitoring.page import file_name
from monitoring.reading import select
from monitoring.reference import read_reference
from monitoring.windows import Window, spans, standing
from monitoring.words import Said
from scoring.language import languages
from scoring.store import stored
from tests.support.monitored import NOW, TAG, days_of, loans, population, write_log, write_reference


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
        if "--window" not in arguments and "--watch" not in arguments:
            call += ["--window", "3000"]  # all there is, as one window
        call = [word for word in call if word != "--watch"]
        call += [] if "--evidently" in arguments else ["--no-evidently"]
        result = CliRunner().invoke(command.app, call, env={"COLUMNS": "200"})
        file = out / "latest" / "summary.json"
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result, json.loads(file.read_text()) if file.exists() else {}

    return run


def origins(summary: dict) -> list[str]:
    return [origin["origin"] for origin in summary["origins"]]


def said_by(summary: dict) -> str:
    return " | ".join(summary["said"])


def said(summary: dict) -> str:
    return " | ".join(line for origin in summary["origins"] for line in origin["said"])


def test_an_unchanged_population_is_no_drift(tmp_path: Path, monitor: Monitor) -> None:
    result, summary = monitor(write_log(tmp_path / "log", population(2_000, seed=2)))
    assert result.exit_code == 0, result.output
    assert summary["verdict"] == "no drift" and not summary["origins"]
    assert "does what chance does" in result.output


def test_the_known_shift_is_found_without_a_list_of_columns(tmp_path: Path, monitor: Monitor) -> None:
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
    assert set(origins(summary)) == {"AMT_CREDIT", "NAME_CONTRACT_TYPE"}
    assert re.search(r"NAME_CONTRACT_TYPE, “\w+ loans”: \d+\.\d% of the rows; before \d+\.\d%", result.output)


def test_values_that_go_missing_are_drift_although_the_rest_stays(tmp_path: Path, monitor: Monitor) -> None:
    gaps = population(2_000, seed=4, ext_mean=pl.when(pl.int_range(2_000) % 5 < 2).then("ext_mean"))
    result, summary = monitor(write_log(tmp_path / "log", gaps))
    assert result.exit_code == 1
    # `ext_mean` is computed of three scores, and only itself says that something is missing.
    assert re.search(r"ext_mean is missing in [56]\d\.\d% of the rows; before in [12]\.\d%", said(summary))
    assert summary["origins"][0]["is_source"]


def test_an_input_that_vanishes_altogether_is_drift(tmp_path: Path, monitor: Monitor) -> None:
    gone = population(1_000, seed=5, flag=pl.lit(None, dtype=pl.Float64)).drop("AMT_CREDIT")
    result, summary = monitor(write_log(tmp_path / "log", gone))
    assert result.exit_code == 1
    assert set(origins(summary)) == {"AMT_CREDIT", "flag"}


def test_an_unseen_level_is_named(tmp_path: Path, monitor: Monitor) -> None:
    words = pl.when(pl.int_range(2_000) % 50 == 0).then(pl.lit("<Crypto> [loans]"))
    strange = population(2_000, seed=6, NAME_CONTRACT_TYPE=words.otherwise("NAME_CONTRACT_TYPE"))
    result, summary = monitor(write_log(tmp_path / "log", strange))
    assert result.exit_code == 1
    unseen = summary["window"]["judgement"]["groups"][0]["unseen"]
    assert unseen == {"<Crypto> [loans]": pytest.approx(0.02)}
    assert "'<Crypto> [loans]' (2.0%)" in result.output
    page = (tmp_path / "out" / "latest" / "report.html").read_text()
    assert "&lt;Crypto&gt; [loans]" in page and "<Crypto>" not in page


def test_a_level_that_only_training_saw_is_not_unseen(tmp_path: Path, monitor: Monitor) -> None:
    words = pl.when(pl.int_range(2_000) % 50 == 0).then(pl.lit("Rare loans"))
    rare = population(2_000, seed=6, NAME_CONTRACT_TYPE=words.otherwise("NAME_CONTRACT_TYPE"))
    _, summary = monitor(write_log(tmp_path / "log", rare))
    assert "never saw" not in said(summary)


def test_one_absurd_value_does_not_hide_a_shift(tmp_path: Path, monitor: Monitor) -> None:
    raised = population(2_000, seed=7, AMT_CREDIT=pl.col("AMT_CREDIT") * 1.3)
    absurd = pl.when(pl.int_range(2_000) == 0).then(1e12).otherwise("AMT_CREDIT")
    result, summary = monitor(write_log(tmp_path / "log", raised.with_columns(AMT_CREDIT=absurd)))
    assert result.exit_code == 1 and origins(summary) == ["AMT_CREDIT"]


def test_a_threshold_that_nobody_validated_is_an_alarm(tmp_path: Path, monitor: Monitor) -> None:
    result, summary = monitor(write_log(tmp_path / "log", population(600, seed=2, threshold=pl.lit(0.07))))
    assert result.exit_code == 1 and not summary["origins"]
    assert (
        "600 decisions were taken with the threshold 0.07; the model was validated with 0.09."
        in result.output
    )


def test_clients_who_come_again_and_again_are_an_alarm(tmp_path: Path, monitor: Monitor) -> None:
    result, _ = monitor(write_log(tmp_path / "log", population(600, seed=2), clients=100))
    assert result.exit_code == 1
    assert "83.3% of the decisions are on clients who had one in the same window already." in result.output


def test_too_few_decisions_are_not_judged(tmp_path: Path, monitor: Monitor) -> None:
    result, summary = monitor(write_log(tmp_path / "log", population(499, seed=8)))
    assert result.exit_code == 2
    assert summary["verdict"] == "not enough data"
    assert "There are 499 decisions to judge; 500 are needed" in result.output


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
    result = CliRunner().invoke(
        command.app, ["--log", str(log), "--out", str(tmp_path / "out"), *choice], env={"COLUMNS": "200"}
    )
    assert result.exit_code == 3
    assert re.search(r"import (a|the) model|--reference", result.stderr)


def test_wrong_use_is_not_taken_for_too_little_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["monitoring", "--windows", "7"])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 3


def test_help_states_the_exit_codes() -> None:
    said = " ".join(CliRunner().invoke(command.app, ["--help"], env={"COLUMNS": "120"}).output.split())
    assert "0 no drift, 1 drift, 2 not enough data, 3 bad input or wrong use" in said
    assert "4 no recent decision" in said


def test_torn_lines_repeats_and_other_models_are_left_out_and_counted(
    tmp_path: Path, monitor: Monitor
) -> None:
    log = write_log(tmp_path / "log", population(600, seed=10))
    write_log(log, population(40, seed=11), model="credit_scoring:second", worker="w2")
    file = next(log.glob("*.w1.jsonl"))
    content = file.read_bytes()
    first = content.splitlines(keepends=True)[1]  # after the header
    file.write_bytes(content + first + b"not json\n" + first[:100])
    for how in ("--watch", "--quiet"):
        result, summary = monitor(log, "--model", TAG, how)
        assert result.exit_code == 1, result.output
        assert "40 decisions of the same window were taken by credit_scoring:second" in said_by(summary)
        assert summary["window"]["judgement"]["rows"] == 600
        notes = " ".join(summary["notes"])
        assert "1 records stood there twice" in notes
        assert "40 decisions of credit_scoring:second, asked for as decision, are not judged here." in notes
        assert notes.count("lines of the log were set aside") == 2


def test_of_several_models_one_has_to_be_named(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(10, seed=12))
    write_log(log, population(10, seed=13), model="credit_scoring:second", worker="w2")
    result, _ = monitor(log)
    assert result.exit_code == 3
    assert "--model" in result.stderr


def test_a_simulation_that_another_log_received_is_an_error(tmp_path: Path, reference: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=21))
    known = read_reference(reference, TAG)
    kept = select(log, known, TAG, "decision", {"w1-0", "w1-2"})
    assert (kept.tally.rows, kept.sample.height, kept.outside) == (2, 2, 1)
    with pytest.raises(InputError, match=r"1 of 2 decisions .* CREDIT_SCORING_LOG"):
        select(log, known, TAG, "decision", {"w1-0", "elsewhere"})


def test_the_window_ends_at_the_newest_decision(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(30, seed=14), now=NOW - timedelta(days=9))
    write_log(log, population(20, seed=15), worker="w2")
    _, summary = monitor(log, "--window", "7")
    assert summary["window"]["judgement"]["rows"] == 20
    assert "30 other decisions of the model are not judged here." in summary["notes"]
    assert summary["window"]["start"] == "2026-11-21"


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


def test_the_pages_need_no_network_and_run_nothing_that_a_client_sent(
    tmp_path: Path, monitor: Monitor
) -> None:
    evil = "[/red]\x1b[31m</script><script>document.title='XSS'</script>"
    mixed = pl.when(pl.int_range(pl.len()) < 40).then(pl.lit(evil)).otherwise("NAME_CONTRACT_TYPE")
    log = write_log(tmp_path / "log", population(600, seed=17, NAME_CONTRACT_TYPE=mixed))
    shown, _ = monitor(log, "--evidently")
    assert (shown.exit_code, "\x1b" in shown.output, "[/red]" in shown.output) == (1, False, True)
    latest = tmp_path / "out" / "latest"
    assert not re.search(r"XSS|NAME_", (latest / "metrics.prom").read_text())
    assert "credit_scoring_monitor_verdict_code 1\n" in (latest / "metrics.prom").read_text()
    for code in languages():
        ours = (latest / file_name(code)).read_text()
        assert "default-src 'none'" in ours and "<script" not in ours and len(ours) < 2**20
        assert f'<html lang="{code}">' in ours
    page = (latest / "evidently.html").read_text()
    assert "default-src 'none'" in page[: page.index("<body>")]
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=[\"']?(https?:)?//", page)
    assert json.loads((latest / "evidently.json").read_text())["metrics"]
    scripts = Scripts(page).found
    assert len(scripts) == 4, "data, global, library, drawing"
    assert all(is_ours for is_ours, _ in scripts), "a script without the nonce is one that no browser runs"
    assert not re.search(r"<script[^>]*>document.title", page)


def test_a_repeat_gives_the_same_summary(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(600, seed=18))
    first, second = (monitor(log)[1] for _ in range(2))
    assert first | {"made": ""} == second | {"made": ""}
    assert len(list((tmp_path / "out").glob("run-*"))) == 1


def test_quiet_shows_nothing(tmp_path: Path, monitor: Monitor) -> None:
    assert monitor(write_log(tmp_path / "log", population(5, seed=19)), "--quiet")[0].output == ""


def test_evidently_is_asked_with_its_own_defaults() -> None:
    before, now = population(2_000, seed=1), population(2_000, seed=2, AMT_CREDIT=pl.col("AMT_CREDIT") * 3)
    from monitoring import attachment  # brings evidently, which takes seconds to import

    found = attachment.run(before, now, ["ext_mean", "AMT_CREDIT", "NAME_CONTRACT_TYPE", "empty"])
    assert found is not None
    assert (found.compared, found.flagged, found.is_drift) == (3, ("AMT_CREDIT",), False)


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
    assert summary["verdict"] == "not enough data"
    assert "There are 0 decisions to judge" in result.output and "no decision" in result.output


def test_a_simulation_in_which_all_were_refused_has_no_rows(tmp_path: Path, reference: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=21))
    none = select(log, read_reference(reference, TAG), TAG, "decision", frozenset())
    assert (none.tally.rows, none.outside) == (0, 3)


@pytest.mark.parametrize("window", ["0", "inf", "1e12"])
def test_a_window_that_is_none_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], window: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["monitoring", "--window", window])
    with pytest.raises(SystemExit) as end:
        command.main()
    assert end.value.code == 3 and "--window" in capsys.readouterr().err


def test_a_reference_without_rows_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log", population(3, seed=1))
    empty = write_reference(tmp_path / "scorer", population(3, seed=1).clear())
    result = CliRunner().invoke(
        command.app, ["--log", str(log), "--reference", str(empty), "--out", str(tmp_path)]
    )
    assert result.exit_code == 3 and "has no rows" in " ".join(result.stderr.split())


def test_a_report_is_not_written_through_a_link(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(3, seed=1))
    victim = tmp_path / "victim"
    victim.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "latest").symlink_to(victim)
    result, summary = monitor(log)
    assert result.exit_code == 2 and summary and not list(victim.iterdir())


def test_the_page_says_at_once_since_when_why_and_what_to_do(tmp_path: Path, monitor: Monitor) -> None:
    twice = population(600, seed=7, AMT_CREDIT=pl.col("AMT_CREDIT") * 2)
    _, summary = monitor(days_of(tmp_path / "log", {2: population(600, seed=6), 1: twice}), "--watch")
    assert summary["next"].startswith("Next: have the source of AMT_CREDIT mended")
    pages = [(tmp_path / "out" / "latest" / file_name(code)).read_text() for code in languages()]
    for page in pages:
        top = page[: page.index("<section>")]
        assert "its values are multiplied by" in top or "multipliées par" in top
        assert f"<dd>{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}</dd>" in top
        assert "<figure><svg" in page and "\\u202f" not in page, "a French space is a space"


# Windows of time.


def test_one_bad_day_after_good_ones_is_drift_since_that_day(tmp_path: Path, monitor: Monitor) -> None:
    good = {ago: population(600, seed=30 + ago) for ago in range(2, 9)}
    log = days_of(tmp_path / "log", good | {1: population(600, seed=30, AMT_CREDIT=pl.col("AMT_CREDIT") * 3)})
    result, summary = monitor(log, "--model", TAG, "--watch")
    assert result.exit_code == 1, result.output
    assert summary["since"] == f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    assert origins(summary) == ["AMT_CREDIT"]


def test_a_closed_window_is_judged_once_and_its_verdict_outlives_the_log(
    tmp_path: Path, monitor: Monitor
) -> None:
    log = days_of(tmp_path / "log", {ago: population(600, seed=40 + ago) for ago in (2, 3)})
    _, first = monitor(log, "--model", TAG, "--watch", "--stale-days", "9")
    closed = [window for window in first["windows"]["day"] if window["is_closed"]]
    assert len(closed) == 2
    for file in log.glob("*"):
        file.unlink()
    result, second = monitor(log, "--model", TAG, "--watch", "--stale-days", "9")
    assert result.exit_code == 0, result.output
    assert [window for window in second["windows"]["day"] if window["is_closed"]] == closed


def test_of_a_file_that_grows_what_is_new_is_counted_and_nothing_twice(
    tmp_path: Path, monitor: Monitor
) -> None:
    log = days_of(tmp_path / "log", {0: population(600, seed=50)})
    file = next(log.glob("*.jsonl"))
    whole = file.read_bytes()
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:501]))  # a header and 500 records
    assert monitor(log, "--model", TAG, "--watch")[1]["window"]["judgement"]["rows"] == 500
    file.write_bytes(whole)
    copy = file.with_name(file.name.replace("d0", "d2"))
    copy.write_bytes(whole)
    _, summary = monitor(log, "--model", TAG, "--watch")
    assert summary["windows"]["week"][-1]["judgement"]["rows"] == 600
    assert "600 records stood there twice and count once." in summary["notes"]


def test_thin_traffic_is_put_together_until_there_is_enough() -> None:
    monday = date(2026, 11, 2)
    days = {monday + timedelta(days=day): 200 for day in range(7)}
    assert spans(days, "day", 500) == [
        (monday, monday + timedelta(days=3)),
        (monday + timedelta(days=3), monday + timedelta(days=6)),
        (monday + timedelta(days=6), monday + timedelta(days=7)),
    ]
    later = {monday + timedelta(days=16): 10}  # a Wednesday, two weeks on
    assert spans(days | later, "week", 500) == [
        (monday, monday + timedelta(days=7)),
        (monday + timedelta(days=14), monday + timedelta(days=21)),
    ]


def test_silence_is_stale(tmp_path: Path, monitor: Monitor) -> None:
    log = days_of(tmp_path / "log", {5: population(600, seed=60)})
    result, summary = monitor(log, "--model", TAG, "--watch")
    assert result.exit_code == 4 and summary["verdict"] == "no recent decision"
    assert "there has been none for 5 days" in result.output.replace("\u00a0", " ")


def window_of(moved: bool, is_source: bool = False) -> Window:
    """A day with one moved input, or none."""
    distance = 0.3 if is_source else 0.02
    input_ = MovedInput("x", distance, 40.0, Said("cell_any"), 0.5, 0.6, (0.0, 0.0), 0.0)
    groups = (Finding("x", False, 1, (input_,), {}),) if moved else ()
    judgement = Judgement(600, 0, groups, (), 10, len(groups), 16.0, 40.0 if moved else 3.0, "x", True)
    return Window("day", date(2026, 11, 1), date(2026, 11, 2), True, judgement)


@pytest.mark.parametrize(
    ("windows", "is_drift"),
    [
        ([window_of(False)] * 3, False),
        ([window_of(False), window_of(False), window_of(True)], False),
        ([window_of(True), window_of(False), window_of(True)], True),
        ([window_of(True), window_of(True), window_of(False)], False),
        ([window_of(False), window_of(False), window_of(True, is_source=True)], True),
        ([window_of(True)], True),
        ([], False),
    ],
)
def test_a_broken_source_counts_at_once_and_other_people_when_two_of_three_moved(
    windows: list[Window], is_drift: bool
) -> None:
    assert standing(windows).is_drift is is_drift


def test_volumes_and_refusals_are_judged_by_the_windows_before() -> None:
    usual = [(Operations(1_000, 90), 1)] * 4
    assert not alarms(Operations(1_100, 100, 0, {0.09: 1_100}), {0.09}, 1, usual)
    assert [one.name for one in alarms(Operations(200, 18), {0.09}, 1, usual)] == ["volume"]
    assert [one.name for one in alarms(Operations(1_000, 300), {0.09}, 1, usual)] == ["refused"]


def test_outcomes_that_the_scores_did_not_expect_are_drift(tmp_path: Path, monitor: Monitor) -> None:
    log = write_log(tmp_path / "log", population(600, seed=2))
    loans().write_parquet(tmp_path / "decided.parquet")
    result, summary = monitor(log, "--outcomes", str(tmp_path / "decided.parquet"))
    assert result.exit_code == 1 and not summary["origins"], result.output
    assert "500 outcomes are known, 100 of them defaults; the scores expect 25." in result.output
    assert "a bet against them has won" in result.output
    assert "Blind to concept drift" in result.output and "promotes nothing" in result.output
    assert "20.0% defaulted" in result.output and summary["proposal"]["source"] == "realised"
    assert summary["limits"]["are_known"] and summary["realised"]["whole"]["defaults"] == 100
    page = (tmp_path / "out" / "latest" / "report.html").read_text()
    assert "By their age" in page and len(page) < 2**20
    assert summary["estimates"]["window"]["default_rate"] == pytest.approx(0.09, abs=0.02)
    result, _ = monitor(log, "--outcomes", str(log))
    assert result.exit_code == 3 and "scoring.outcomes export" in result.stderr
