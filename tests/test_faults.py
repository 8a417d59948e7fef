"""What happens to a served decision when the disk is full: it is not given."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from scoring.inference_log import pseudonym_key, read, verify
from scoring.serving.media import ARROW
from tests.support import small
from tests.support.arrow import stream
from tests.support.running import problem, put_in_store, running

pytestmark = pytest.mark.served
TABLE = stream(pl.DataFrame({"SK_ID_CURR": range(40)}))
ARROW_IN_JSON_OUT = {"content-type": ARROW, "accept": "application/json"}


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError:
            pass


@pytest.mark.heavy
def test_on_a_full_disk_nothing_is_decided_and_the_service_heals(tmp_path, small_disk):
    put_in_store(small.save(tmp_path / "scorer"), tmp_path)
    requests, given, refused = small.applications(5, seed=3), set(), 0
    log, ballast = small_disk / "log", small_disk / "ballast"
    with running(tmp_path, CREDIT_SCORING_LOG=str(log)) as service:

        def ask(number: int):
            if number % 16 == 3:
                return service.http.post("/score", content=bytes(TABLE), headers=ARROW_IN_JSON_OUT)
            return service.post("/explain" if number % 5 == 0 else "/score", requests[number % 5 :][:1])

        for is_full in (False, True, False):
            if is_full:
                fill(ballast)
            else:
                ballast.unlink(missing_ok=True)
                assert service.http.get("/readyz").status_code == 200
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, range(32)))
            for answer in answers:
                if answer.status_code == 200:
                    given |= {decision["event_id"] for decision in answer.json()}
                else:
                    assert "recorded" in problem(answer, 503).detail
                    assert int(answer.headers["retry-after"]) > 0
            full = sum(answer.status_code == 503 for answer in answers)
            refused += full
            assert (full > 16) if is_full else full == 0, (is_full, full)
            if is_full:
                assert service.http.get("/readyz").status_code == 503
                assert service.http.get("/livez").status_code == 200
        found = read(log)
    assert refused > 16 and set(found.table["event_id"]) == given and found.quarantined == ()
    verdict = verify(log, small_disk / "log-heads", pseudonym_key(tmp_path / "pseudonym.key"))
    assert (verdict.faults, verdict.records) == ([], len(given))
