"""Where a file is named and a FIFO stands, nobody waits for it: it is refused by name."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitoring import rejections, runs
from monitoring.errors import InputError
from monitoring.ledger import Ledger, LedgerError
from scoring import language
from scoring.language import LanguageError
from scoring.language.catalogues import parse
from scoring.portfolio.job import RunError, alone
from scoring.regular import IrregularError, open_lock, read_regular
from scoring.schema import MonitorView
from scoring.serving.access import AccessError, KeyRing
from scoring.serving.owner import REPORT, monitor_view
from ui.accounts import AccountError, load

SECONDS = 20


def within_time(work: Callable[[], object]) -> object:
    """Return what it gives or raises; a thread that waits for ever fails the test instead of hanging it."""
    found: list[object] = []

    def run() -> None:
        try:
            found.append(work())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert found, "it waits for the FIFO"
    return found[0]


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    place = tmp_path / "fr.po"
    os.mkfifo(place)
    return place


@pytest.mark.parametrize(
    ("door", "kind", "said"),
    [
        (read_regular, IrregularError, "it is no regular file"),
        (lambda path: KeyRing(file=path), AccessError, "fr.po cannot be read: it is no regular file"),
        (load, AccountError, "fr.po cannot be read: it is no regular file"),
        (parse, LanguageError, "fr.po is no gettext catalogue: it is no regular file"),
        (lambda path: rejections.read(str(path)), InputError, "cannot be read (IrregularError)"),
    ],
)
def test_a_fifo_that_a_setting_or_an_option_names_is_refused(fifo, door, kind, said):
    answer = within_time(lambda: door(fifo))
    assert isinstance(answer, kind) and said in str(answer)


@pytest.mark.parametrize(
    ("lock", "kind"),
    [
        (lambda place: alone(place, place.parent), RunError),
        (lambda place: Ledger(place.with_suffix("")).alone(), LedgerError),
    ],
)
def test_a_fifo_in_place_of_a_lock_is_refused_and_not_waited_for(tmp_path, lock, kind):
    os.mkfifo(tmp_path / "own.lock")

    def take() -> None:
        with lock(tmp_path / "own.lock"):
            pass

    answer = within_time(take)
    assert isinstance(answer, kind) and "own.lock cannot be locked: it is no regular file" in str(answer)


def test_a_lock_is_made_and_what_stands_in_it_stays(tmp_path):
    open_lock(tmp_path / "own.lock").close()
    (tmp_path / "own.lock").write_bytes(b"1")
    open_lock(tmp_path / "own.lock").close()
    assert (tmp_path / "own.lock").read_bytes() == b"1"


def test_a_folder_and_a_device_are_no_regular_files_either(tmp_path):
    for place in (tmp_path, Path("/dev/zero")):
        with pytest.raises(IrregularError):
            read_regular(place)


def test_a_fifo_in_place_of_the_monitors_report_is_no_report_and_is_named(tmp_path, caplog):
    place = tmp_path / REPORT
    place.parent.mkdir()
    os.mkfifo(place)
    answer = within_time(lambda: monitor_view(tmp_path))
    assert answer == MonitorView().model_dump_json().encode()
    assert f"{REPORT} cannot be used: it is no regular file" in caplog.text


def test_a_fifo_in_the_newest_run_of_the_monitor_is_no_run_that_stands(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    os.mkfifo(run / runs.BASIS)
    (tmp_path / runs.LATEST).symlink_to(run)
    now = datetime(2026, 11, 30, tzinfo=UTC)
    assert within_time(lambda: runs.standing(tmp_path, "known", now)) is None


def test_a_fifo_among_a_lenders_catalogues_is_refused_and_not_passed_over(fifo):
    language.use(fifo.parent)
    try:
        answer = within_time(language.load)
    finally:
        language.use(None)
    assert isinstance(answer, LanguageError) and "it is no regular file" in str(answer)
