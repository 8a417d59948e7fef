"""Ctrl-C at any moment ends a command without a traceback, also while its libraries are read."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.logs import ROOT
from ui import accounts

SCRIPTS = ("train.py", "import_model.py", "run.py")
ROOMS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for top in ("scoring", "ui", "monitoring", "validation", "notebooks", "benchmarks")
    for path in (ROOT / top).rglob("__main__.py")
)
COMMANDS = [*([name] for name in SCRIPTS), *(["-m", name] for name in (*ROOMS, "scoring.replay", "ui.users"))]

CHEAP = accounts.HashCost(4, 8, 1)
USUAL = ("typer", "polars", "numpy", "pydantic", "babel")  # whichever is read first ends the command
LIBRARIES = {"scoring.settings": ("logging",)}


def ended(command: list[str], libraries: Path, error: str) -> subprocess.CompletedProcess[str]:
    for library in LIBRARIES.get(command[-1], USUAL):
        (libraries / f"{library}.py").write_text(f"raise {error}\n")
    environment = {"PYTHONPATH": str(libraries), "PATH": "/usr/bin:/bin"}
    run = [sys.executable, *command, "--help"]
    return subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_ctrl_c_while_a_command_reads_its_libraries_shows_no_traceback(command, tmp_path):
    done = ended(command, tmp_path, "KeyboardInterrupt")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", -signal.SIGINT)


def test_any_other_end_of_a_command_shows_what_happened(tmp_path):
    done = ended(["train.py"], tmp_path, "ZeroDivisionError")
    assert "ZeroDivisionError" in done.stderr and done.returncode == 1


@pytest.mark.parametrize("theirs", ["theirs.py", "train.py", "-m"])
def test_a_program_of_somebody_else_keeps_its_own_ways(tmp_path, theirs):
    file = tmp_path / ("batch/__init__.py" if theirs == "-m" else theirs)
    file.parent.mkdir(exist_ok=True)
    file.write_text("import scoring.client\nraise KeyboardInterrupt\n")
    run = [sys.executable, *(["-m", "batch"] if theirs == "-m" else [str(file)])]
    environment = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "command", [["scoring.settings"], ["scoring.problems"], ["ui.users", "list", "--file"]], ids=" ".join
)
def test_an_output_that_is_full_or_closed_is_no_traceback(command, tmp_path):
    run = [sys.executable, "-m", *command]
    if command[-1] == "--file":
        accounts.write(tmp_path / "users", {"ada": accounts.account("ada", "officer", "x" * 12, CHEAP)})
        run.append(str(tmp_path / "users"))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(run, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode and done.stderr.startswith("Not finished: no space is left")
    assert "Traceback" not in done.stderr
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *run]
    done = subprocess.run(closed, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
