"""`deploy/backup.sh`: all is lost, and comes back: decisions, models, registry; found again and replayed."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.support import small
from tests.support.running import ROOT, TAG, environment, put_in_store, running, wait_until

pytestmark = pytest.mark.served


def backup(home: Path, *words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    variables = {"MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"} | changes
    command = [ROOT / "deploy" / "backup.sh", *words]
    return subprocess.run(
        command, env=environment(home, **variables), cwd=ROOT, capture_output=True, text=True
    )


@pytest.mark.heavy
def test_all_that_was_lost_comes_back_and_every_decision_is_found_with_its_explanation(
    tmp_path: Path,
) -> None:
    home, kept = tmp_path / "home", tmp_path / "kept"
    home.mkdir()
    put_in_store(small.save(tmp_path / "scorer"), home)
    with sqlite3.connect(home / "mlflow.db") as registry:
        registry.execute("create table runs (id text)")
        registry.execute("insert into runs values ('first')")
    (home / "mlartifacts").mkdir()
    (home / "mlartifacts" / "model.txt").write_text("trees")
    requests = small.applications(30, seed=5)

    with running(home) as service:
        answered = service.post("/score", requests).json()
        done = backup(home, "take", kept)  # while it runs
        assert done.returncode == 0, done.stderr
    before = {row["event_id"]: row["probability_of_default"] for row in answered}
    assert len(before) == 30

    home.rename(tmp_path / "lost")
    home.mkdir()
    done = backup(home, "restore", kept)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(home / "mlflow.db") as registry:
        assert registry.execute("select id from runs").fetchall() == [("first",)]
    assert (home / "mlartifacts" / "model.txt").read_text() == "trees"

    with running(home) as service:

        def found() -> dict[str, float]:
            page = service.http.get("/decisions?limit=100")
            rows = page.json()["decisions"] if page.status_code == 200 else []
            return {row["event_id"]: row["probability_of_default"] for row in rows}

        wait_until(lambda: found() == before, 90)
        one = service.http.get(f"/decisions/{next(iter(before))}").json()
        assert one["differences"] == [] and one["model"] == TAG and one["explanation"]


def test_nothing_is_written_over_and_wrong_use_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for words, said in {
        ("take",): "deploy/backup.sh take FOLDER",
        ("take", tmp_path): "is there already",
        ("take", tmp_path / "kept"): "there is no inference log",
        ("restore", tmp_path / "nothing"): "is no backup",
    }.items():
        done = backup(home, *words)
        assert done.returncode == 2 and said in done.stderr, (words, done.stderr)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
    kept = tmp_path / "kept"
    (kept / "record").mkdir(parents=True)
    (home / "bentoml" / "models" / "credit_scoring").mkdir(parents=True)
    assert "is not empty" in backup(home, "restore", kept).stderr
    shutil.rmtree(home / "bentoml")
    (kept / "registry").mkdir()
    (kept / "registry" / "mlflow.sql").touch()
    assert "DATABASE=postgresql://" in backup(home, "restore", kept).stderr
