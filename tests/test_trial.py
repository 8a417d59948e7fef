"""Promises of scoring/trial.py: whatever a scorer from outside does, it does it to a process of its own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scoring import trial
from scoring.scorer import ScorerError
from tests.support import small
from tests.torture import scorers

SEED, CASES = 12, 60  # `make torture` makes 20,000


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("saved") / "scorer")


@pytest.fixture
def folder(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "scorer"))


@pytest.fixture
def untouched(saved):
    """Nothing that is tried is changed by it."""
    before = {file.name: file.read_bytes() for file in saved.iterdir()}
    yield
    assert {file.name: file.read_bytes() for file in saved.iterdir()} == before


@pytest.mark.usefixtures("untouched")
def test_a_scorer_as_training_made_it_passes(saved):
    trial.try_out(saved, "credit_scoring:tried")
    assert trial.load(saved).threshold == 0.35


def test_it_is_tried_by_the_code_that_asks_also_in_a_folder_with_code_of_the_same_name(
    saved, tmp_path, monkeypatch
):
    """As where a bento is served in a checkout of another version."""
    (tmp_path / "scoring").mkdir()
    (tmp_path / "scoring" / "__init__.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    trial.try_out(saved, "credit_scoring:tried")


@pytest.mark.parametrize("end", scorers.DEADLY)
def test_a_model_that_ends_the_process_that_reads_it_is_one_sentence(folder, end):
    scorers.DEADLY[end](folder)
    with pytest.raises(ScorerError, match=rf"ended the process that tried it \({end}\); import"):
        trial.try_out(folder, "credit_scoring:tried")


def test_a_model_that_takes_longer_than_it_may_is_ended(saved):
    with pytest.raises(ScorerError, match=r"was not read within 0\.1 s by a process of its own"):
        trial.try_out(saved, "credit_scoring:tried", seconds=0.1)  # importing alone takes longer


def test_a_model_that_takes_all_the_memory_is_refused(folder):
    (folder / "examples.json").write_text("[" + "[]," * 2_000_000 + "[]]")  # 130 MB when it is read
    small.sign(folder)
    code = (
        "import os, sys; from scoring import proof, trial\n"
        "taken = int(open('/proc/self/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
        "trial.MEMORY = taken + (64 << 20)\n"
        "trial._main(*sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, str(folder), "credit_scoring:tried", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "GiB of memory; import the model again." in json.loads(done.stdout)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "PermissionError(13, 'Permission denied', '/run/key')",
            "/run/key cannot be used: Permission denied.",
        ),
        (
            "ImportError('libarrow.so: no such file')",
            "libarrow.so: no such file; install the pinned versions.",
        ),
        ("KeyError('of a person')", "/store/model could not be tried (KeyError); report this."),
    ],
)
def test_what_nobody_expects_is_named_and_not_laid_to_the_model(error, said):
    code = f"from scoring import trial\ndef look(): raise {error}\ntrial.answer(look, '/store/model', '60')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout or '"nothing"') == said


@pytest.mark.parametrize("module", ["scoring.trial", "scoring.hosting.rehearsal"])
def test_a_library_that_cannot_be_loaded_is_named(saved, tmp_path, monkeypatch, module):
    (tmp_path / "polars.py").write_text("raise ImportError('libpolars.so: no such file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    fault = trial.Trial(saved, "credit_scoring:tried", module=module).fault()
    assert fault == "libpolars.so: no such file; install the pinned versions."


def test_a_decision_of_last_year_is_scored_again_by_a_model_whose_examples_are_refused_now(folder):
    (folder / "examples.json").write_text("[]")
    small.sign(folder)
    trial.load(folder)
    with pytest.raises(ScorerError, match="no golden example"):
        trial.try_out(folder, "credit_scoring:tried")


@pytest.mark.usefixtures("untouched")
def test_whatever_a_scorer_s_files_hold_is_one_sentence_and_no_crash(saved, tmp_path):
    found = scorers.attack(saved, tmp_path / "kept", SEED, CASES)
    assert found.faults == [], f"the input that did it is in {tmp_path / 'kept'}"
    assert found.tried == CASES and found.refused > CASES / 2
    assert found.read > 0, "some changes leave a whole scorer: they must reach the scoring, too"
    assert all(re.fullmatch(r"[^\n]+[.]", sentence) for sentence in found.sentences)
