"""The scores of windows are the champion's, those of the reference its folds': both are what is usual."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from monitoring import __main__ as command
from monitoring.judgement import Finding, Judgement, MovedInput, judge
from monitoring.kept import recall, remember
from monitoring.ledger import Ledger
from monitoring.reference import PREDICTION, Reference, read_reference
from monitoring.report import Report, lines
from monitoring.tally import Tally
from monitoring.windows import SKEW, Window
from monitoring.words import Said
from scoring import features, trial
from scoring.inference_log import COLUMNS
from scoring.scorer import Scorer, ScorerError
from tests.support import small
from tests.support.monitored import TAG, population, write_log

ROWS = 1_200


def decided(seed: int, scorer: Scorer) -> pl.DataFrame:
    """Decisions in the columns of a log."""
    inputs = features.build(small.portfolio(small.applications(ROWS, seed)))[scorer.feature_names]
    said = scorer.decide(inputs)
    log = [
        (said[name] if name in said.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    return inputs.select(*log, pl.all())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A champion whose folds were less sure than it is, and a log of a clean day."""
    folder = tmp_path_factory.mktemp("own")
    scorer, _, requests = small.scorer()
    reference = decided(1, scorer)
    p = reference[PREDICTION].to_numpy()
    unsure = 1 / (1 + np.exp(-0.6 * np.log(p / (1 - p)) + 0.5))
    scorer.save(
        folder / "scorer",
        reference.with_columns(pl.Series(PREDICTION, unsure)),
        [{"request": requests[0], "probability_of_default": p[0], "decision": reference["decision"][0]}],
    )
    window = decided(2, scorer).drop("event_id", "time", "applicant", "request_id", "model")
    words = tuple(name for name, dtype in window.schema.items() if dtype == pl.String and name != "decision")
    yesterday = datetime.now(UTC) - SKEW - timedelta(days=1)  # a day is closed an hour after its midnight
    write_log(folder / "log", window.head(700), now=yesterday, categories=words)
    return folder


def run(home: Path, out: Path, *before: str, scorer: Path | None = None) -> tuple[Result, dict]:
    given = {"--log": home / "log", "--out": out, "--reference": scorer or home / "scorer", "--model": TAG}
    call = [*before, *(str(word) for pair in given.items() for word in pair)]
    result = CliRunner().invoke(
        command.app, call if before else [*call, "--no-evidently"], env={"COLUMNS": "400"}
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result, json.loads((out / "latest" / "summary.json").read_text())


@pytest.fixture
def broken(home: Path, tmp_path: Path) -> Path:
    """The same scorer, which cannot be loaded any more."""
    shutil.copytree(home / "scorer", tmp_path / "broken")
    (tmp_path / "broken" / "booster.txt").write_text("no tree")
    return tmp_path / "broken"


def test_a_clean_window_is_no_drift_and_its_verdict_stands_when_the_model_is_gone(
    home: Path, tmp_path: Path, broken: Path
) -> None:
    result, summary = run(home, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert not any(part["moved"] for part in summary["window"]["judgement"]["parts"])
    for scorer in (home / "scorer", broken):
        verified, _ = run(home, tmp_path / "out", "verify", scorer=scorer)
        assert verified.exit_code == 0 and "not judged again" not in verified.output, verified.output
    again, summary = run(home, tmp_path / "out", scorer=broken)
    assert again.exit_code == 0 and not any("could not be loaded" in note for note in summary["notes"])


def test_a_model_that_cannot_be_loaded_is_said_and_a_verdict_without_it_is_not_called_false_later(
    home: Path, tmp_path: Path, broken: Path
) -> None:
    result, summary = run(home, tmp_path / "out", scorer=broken)
    assert result.exit_code == 1 and [one["origin"] for one in summary["origins"]] == [PREDICTION]
    assert any("could not be loaded" in note and "booster.txt" in note for note in summary["notes"])
    assert "answers changed though its inputs did not" in summary["next"]
    verified, _ = run(home, tmp_path / "out", "verify")
    assert verified.exit_code == 0 and "other scores of the model" in verified.output, verified.output


def test_what_the_model_said_is_kept_and_it_is_not_loaded_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, first = Ledger(tmp_path / "memory.sqlite"), read_reference(home / "scorer")
    recall(first, ledger)
    window = Tally.of(decided(3, first.champion), first.bins)
    said = judge(window, first)
    remember(first, ledger)

    def gone(_: Path) -> Scorer:
        raise ScorerError("it was loaded")

    monkeypatch.setattr(trial, "load", gone)
    second = read_reference(home / "scorer")
    recall(second, ledger)
    assert judge(window, second) == said and not said.is_drift
    assert second.own_id == first.own_id and not second.faults
    other = read_reference(home / "scorer")
    assert judge(window, other).groups and other.faults == ["it was loaded"], "without it that is drift"


def test_a_reference_alone_is_as_it_was(home: Path, tmp_path: Path) -> None:
    shutil.copy(home / "scorer" / "reference.parquet", tmp_path)
    alone = read_reference(tmp_path / "reference.parquet")
    assert (alone.champion, alone.own, alone.own_id, alone.faults) == (None, {}, "", [])


def test_a_score_that_moved_alone_is_no_source_to_mend() -> None:
    moved = MovedInput(PREDICTION, 0.9, 168.0, Said("cell_any"), 0.1, 0.3, (0.0, 0.0), 0.0)
    found = Finding(PREDICTION, False, 1, (moved,), {})
    said = Judgement(900, 90, (found,), (), 5, 1, 11.0, 168.0, PREDICTION, True)
    day = date(2026, 11, 28)
    window = Window("day", day, day + timedelta(days=1), True, said)
    known = Reference(population(10, 1), TAG, {})
    report = Report(known, TAG, "decision", {"day": [window]}, datetime(2026, 11, 29, tzinfo=UTC))
    assert report.code == 1 and "python -m scoring.replay" in report.next()()
    assert "sans que ses entrées changent" in report.next()("fr")
    told = " ".join(one() for one in (report.next(), *lines(found)))
    assert "source" not in told and "mended" not in told
