"""Commands that meet on one log, or on one store: who was erased does not come back, and all verifies."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from scoring.inference_log import anchors_folder, pseudonym, pseudonym_key, read, store, verify
from scoring.inference_log.shipped import verify_shipped
from scoring.inference_log.store import CLAIMS, Folder, ShippingError, at_work
from tests.support.logs import NOON, ROOT, content, decided, everything, write

STEM = "0123456789abcdef01234567"
# Of the second command behind the first one: `make proofs` tries all, the suite that in the midst of it.
DELAYS = [0.7, *(pytest.param(delay, marks=pytest.mark.heavy) for delay in (0.0, 1.4))]
FIRST, SECOND = 700_003, 700_007  # clients that both machines know, in lines and in tables
# The log's command, over a store that takes its time: so that what meets does meet.
SLOW = """
import sys, time
from scoring.inference_log.__main__ import app
from scoring.inference_log.store import CLAIMS, Folder, ShippingError, at_work
def slow(call):
    def slowed(*arguments):
        time.sleep(0.03)
        return call(*arguments)
    return slowed
Folder.put, Folder.get = slow(Folder.put), slow(Folder.get)
app(sys.argv[1:])
"""


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


def machine(home: Path, key: bytes, name: str, turns: int = 1) -> Path:
    """Make the closed files of a machine."""
    for turn in range(turns):
        log = write(home / name, key, worker=f"{name}{turn}", is_packed=True)
        with log.table(f"{turn:x}{name}".encode().hex().ljust(24, "0"), "r", "bank", NOON) as table:
            table.add(*decided(9))
            table.commit()
        log.close()
    return home / name


def begun(home: Path, name: str, log: Path, *arguments: object) -> "subprocess.Popen[str]":
    said = [name, "--log", log, "--key-file", home / "pseudonym.key", *arguments]
    command = [sys.executable, "-c", SLOW, *map(str, said)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def erasing(home: Path, log: Path, client: int, *store: object) -> "subprocess.Popen[str]":
    return begun(home, "erase", log, "--client", client, "--reason", "asked for", *store)


def finished(*commands: "subprocess.Popen[str]") -> list[tuple[int, str]]:
    """Return exit codes and words; none may fall over."""
    said = [command.communicate(timeout=120)[0] for command in commands]
    assert not any("Traceback" in words for words in said), said
    return [
        (command.returncode, " ".join(words.split())) for command, words in zip(commands, said, strict=True)
    ]


@pytest.mark.parametrize("second", [FIRST, SECOND])
def test_of_two_erasures_at_once_on_one_log_each_is_done_or_says_to_wait(tmp_path, key, second):
    log = machine(tmp_path, key, "a", turns=3)
    for _ in range(4):
        done = finished(erasing(tmp_path, log, FIRST), erasing(tmp_path, log, second))
        assert all(
            code == 0 or (code == 2 and ("wait until it is done" in said or "nothing in the log" in said))
            for code, said in done
        ), done
    left = content(log)
    assert not any(pseudonym(key, client).encode() in left for client in (FIRST, second))
    assert not verify(log, anchors_folder(log), key).faults
    assert read(log).table.height == 3 * (12 + 9) - 6 * len({FIRST, second})


@pytest.mark.parametrize("delay", DELAYS)
def test_two_machines_may_erase_different_clients_from_one_store_at_once(tmp_path, key, delay):
    a, b = (machine(tmp_path, key, name) for name in "ab")
    to, store = ("--to", tmp_path / "store"), ("--store", tmp_path / "store")
    finished(*(begun(tmp_path, "ship", log, *to) for log in (a, b)))
    commands = []
    for log, client in ((a, FIRST), (b, SECOND)):
        commands.append(erasing(tmp_path, log, client, *store))
        time.sleep(delay)
    done = finished(*commands)
    assert all(code == 0 or "wait until it is done" in said for code, said in done), done
    for log, client in ((a, FIRST), (b, FIRST), (b, SECOND), (a, SECOND)):  # as each machine is told to
        finished(erasing(tmp_path, log, client, *store))
    left = everything(Folder(tmp_path / "store")) + content(a) + content(b)
    assert not any(pseudonym(key, client).encode() in left for client in (FIRST, SECOND))
    assert not verify_shipped(Folder(tmp_path / "store"), key).faults


@pytest.mark.parametrize("delay", DELAYS)
def test_two_machines_may_ship_while_their_store_is_erased(tmp_path, key, delay):
    a, b = (machine(tmp_path, key, name, turns=2) for name in "ab")
    to, store = ("--to", tmp_path / "store"), ("--store", tmp_path / "store")
    finished(begun(tmp_path, "ship", a, *to))
    commands = [begun(tmp_path, "ship", b, *to)]
    time.sleep(delay)
    commands.append(erasing(tmp_path, a, FIRST, *store))
    done = finished(*commands)
    assert all(code == 0 or "wait until it is done" in said for code, said in done), done
    for log in (a, b):
        finished(erasing(tmp_path, log, FIRST, *store))
        finished(begun(tmp_path, "ship", log, *to))
    left = everything(Folder(tmp_path / "store"))
    assert pseudonym(key, FIRST).encode() not in left and pseudonym(key, SECOND).encode() in left
    found = verify_shipped(Folder(tmp_path / "store"), key)
    assert not found.faults and found.records == 4 * (12 + 9) + 2


def test_who_was_killed_here_holds_nobody_up_and_elsewhere_is_named(tmp_path, key):
    log, store = machine(tmp_path, key, "a"), Folder(tmp_path / "store")
    killed = begun(tmp_path, "ship", log, "--to", store.root)
    while not store.keys(CLAIMS):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert len(store.keys(CLAIMS)) == 1
    assert finished(begun(tmp_path, "ship", log, "--to", store.root))[0][0] == 0
    assert finished(erasing(tmp_path, log, FIRST, "--store", store.root))[0][0] == 0
    assert not store.keys(CLAIMS)
    store.put(f"{CLAIMS}/changing.another-machine-1-1", b"1")
    ((code, said),) = finished(begun(tmp_path, "ship", log, "--to", store.root))
    assert code == 2 and f"{CLAIMS}/changing.another-machine-1-1" in said.replace(" ", "")


def test_those_who_ship_do_not_hold_each_other_up(tmp_path):
    store = Folder(tmp_path / "store")
    store.put(f"{CLAIMS}/shipping.another-machine-1-1", b"1")
    with at_work(store, is_shipping=True):
        assert len(store.keys(CLAIMS)) == 2
    with pytest.raises(ShippingError, match="wait until it is done"), at_work(store):
        pass
    assert len(store.keys(CLAIMS)) == 1


# It says that it is at work, and stays so.
AT_WORK = """
import sys
from pathlib import Path
from scoring.inference_log.store import Folder, at_work
with at_work(Folder(Path(sys.argv[1]))):
    print(flush=True)
    sys.stdin.read()
"""


def working(place: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", AT_WORK, str(place)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    return process


def claimed(place: Path) -> str:
    """Return the claim that a process left which was killed."""
    with working(place) as process:
        process.kill()
    (claim,) = Folder(place).keys(CLAIMS)
    return claim


def test_a_claim_of_another_machine_of_the_same_name_stands(tmp_path, monkeypatch):
    claim = claimed(tmp_path / "store")
    (tmp_path / "boot_id").write_text("9d0ea5c1-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(store, "BOOT", tmp_path / "boot_id", raising=False)
    with pytest.raises(ShippingError, match="wait until it is done"), at_work(Folder(tmp_path / "store")):
        pass
    assert list(Folder(tmp_path / "store").keys(CLAIMS)) == [claim]


@pytest.mark.parametrize("whose", [os.getpid, os.getppid])
def test_who_was_killed_holds_nobody_up_when_another_process_has_its_number(tmp_path, whose):
    there = Folder(tmp_path / "store")
    name = claimed(there.root)
    there.remove(name)
    there.put(f"{name.rpartition('-')[0].replace('changing', 'shipping')}-{whose()}", b"1")
    with at_work(there):
        assert len(there.keys(CLAIMS)) == 1
    assert not there.keys(CLAIMS)


def test_who_was_killed_holds_nobody_up_while_its_parent_does_not_look(tmp_path):
    with working(tmp_path / "store") as process:
        with pytest.raises(ShippingError, match="wait until it is done"), at_work(Folder(tmp_path / "store")):
            pass
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with at_work(Folder(tmp_path / "store")):
            pass


def test_who_begins_as_another_ends_finds_the_store_usable(tmp_path):
    there, wrong = Folder(tmp_path / "store"), list[str]()

    def come_and_go(number: int) -> None:
        try:
            for _ in range(1_000):
                there.put(f"{CLAIMS}/{number}", b"1")
                there.remove(f"{CLAIMS}/{number}")
        except ShippingError as error:
            wrong.append(str(error))

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
