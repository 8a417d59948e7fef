"""Nothing that stands in a log or a store misleads who erases, ships, verifies or purges."""

import multiprocessing
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from scoring.inference_log import (
    anchors_folder,
    compressed,
    find,
    packing,
    pseudonym,
    pseudonym_key,
    read,
    renew,
    verify,
)
from scoring.inference_log.erasing import erase
from scoring.inference_log.erasure import SUFFIX
from scoring.inference_log.record import LogError
from scoring.inference_log.ship import ship
from scoring.inference_log.shipped import InStore, purge_shipped, verify_shipped
from scoring.inference_log.store import Folder, ShippingError
from tests.support.logs import NAME, NOON, ROOT, decided, entry, run, write

WHO = 700_003
STEM = "0123456789abcdef01234567"


@pytest.fixture
def key(tmp_path) -> bytes:
    return pseudonym_key(tmp_path / "pseudonym.key")


@pytest.fixture
def folder(tmp_path, key) -> Path:
    log = write(tmp_path / "log", key)
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(5))
        table.commit()
    log.close()
    return tmp_path / "log"


@pytest.fixture
def store(tmp_path) -> Folder:
    return Folder(tmp_path / "store")


def erased(folder: Path, key: bytes, client: int = WHO, **options):
    return erase(folder, anchors_folder(folder), key, client, "asked for", lambda: NOON, **options)


def shipped(folder: Path, key: bytes, store: Folder):
    return ship(folder, anchors_folder(folder), key, store, lambda: NOON)


def raw(*folders: Path) -> bytes:
    """Return all bytes of some folders, unpacked."""
    parts = []
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith(".jsonl.zst"):
            with compressed.unpacked(path.open("rb")) as file:
                parts.append(file.read())
        elif path.suffix == ".parquet":
            parts.append(pl.read_parquet(path).write_csv().encode())
        else:
            parts.append(path.read_bytes())
    return b"".join(parts)


# Erasing


def test_what_a_kill_left_behind_the_anchor_is_erased_too(tmp_path, key):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.support.logs import NOON, NAME, entry, write\n"
        "log = write(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), records=3)\n"
        "head = log.anchors / f'{NAME}.head'; before = head.read_bytes()\n"
        f"log.record([entry(0, event_id='behind', applicant={WHO})], NOON)\n"
        "head.write_bytes(before); os._exit(9)  # as a kill right after the record leaves it\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "log", tmp_path / "pseudonym.key"], cwd=ROOT)
    assert find(tmp_path / "log", "behind")
    assert erased(tmp_path / "log", key).decisions == 1
    assert find(tmp_path / "log", "behind") is None
    assert pseudonym(key, WHO).encode() not in raw(tmp_path / "log")
    assert not verify(tmp_path / "log", anchors_folder(tmp_path / "log"), key).faults


@pytest.mark.parametrize("suffix", ["", ".zst"])
def test_a_file_that_is_a_link_stops_the_erasure_before_anything_is_changed(folder, key, tmp_path, suffix):
    if suffix:
        packing.pack(folder / NAME)
    path = folder / f"{NAME}{suffix}"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    before = raw(folder)
    with pytest.raises(LogError, match="it is a link; let a plain file stand there"):
        erased(folder, key)
    assert raw(folder) == before and not list(folder.glob(f"*{SUFFIX}"))
    path.unlink()
    (tmp_path / "elsewhere").rename(path)
    assert erased(folder, key).decisions == 2


WIDE = f"{WHO}".translate({ord("0") + digit: chr(0xFF10 + digit) for digit in range(10)})


@pytest.mark.parametrize(
    "number", ["700_003", WIDE, "+700003", " 700003", "-700003", "700003.0", "7e5", "ten", "", "9" * 19]
)
def test_a_number_that_is_none_erases_nobody(folder, tmp_path, number):
    before = raw(folder)
    arguments = ("--reason", "asked for", "--log", folder, "--key-file", tmp_path / "pseudonym.key")
    assert run("erase", "--client", number, *arguments).exit_code == 2
    assert raw(folder) == before


def test_zeros_before_a_number_are_no_other_client(tmp_path, key):
    write(tmp_path / "log", key, records=0)
    log = write(tmp_path / "log", key, records=0, worker="w2")
    log.record([entry(0, event_id="of-seven", applicant=7), entry(1, event_id="other", applicant=70)], NOON)
    log.close()
    arguments = ("--reason", "asked for", "--log", log.folder, "--key-file", tmp_path / "pseudonym.key")
    assert "Erased: 1 decisions" in run("erase", "--client", "0007", *arguments).stdout
    assert find(log.folder, "of-seven") is None and find(log.folder, "other")


def test_ids_of_any_script_are_erased_and_leave_the_chain_whole(tmp_path, key, store):
    log = write(tmp_path / "log", key, records=2)
    names = ["événement-é", "заявка", "申請\u2028", "\U0001f3e6", 'quo"te\\']
    for name in names:
        log.record([entry(0, event_id=name, applicant=WHO, request_id=name, operator=name)], NOON)
        log.note("review", {"event_id": name, "verdict": "otherwise", "reason": name, "operator": name}, NOON)
    log.close()
    shipped(log.folder, key, store)
    done = erased(log.folder, key, shipped=InStore(store, key, lambda: NOON))
    assert (done.decisions, done.lines) == (len(names), 2 * len(names))
    assert not verify(log.folder, log.anchors, key).faults and not verify_shipped(store, key).faults
    assert pseudonym(key, WHO).encode() not in raw(log.folder, store.root)
    assert read(log.folder).table.height == 2


def test_who_erases_is_told_of_a_log_whose_key_is_lost(folder, key, tmp_path):
    (tmp_path / "pseudonym.key").unlink()
    renew(folder, anchors_folder(folder), tmp_path / "pseudonym.key", "disk lost", NOON)
    new = pseudonym_key(tmp_path / "pseudonym.key")
    write(folder, new, worker="w2").close()
    assert pseudonym(new, WHO) != pseudonym(key, WHO)
    arguments = ("--reason", "asked for", "--log", folder, "--key-file", tmp_path / "pseudonym.key")
    done = run("erase", "--client", WHO, *arguments)
    assert done.exit_code == 0 and "Erased: 1 decisions" in done.stdout
    assert "before-2026-11-21T120000Z was put aside when its key was lost" in done.stderr


def pack_again_and_again(folder: Path, turns: int) -> None:
    """Pack whatever is plain, as a service does behind its decisions."""
    for _ in range(turns):
        for path in folder.glob("*.jsonl"):
            packing.pack(path)


@pytest.mark.parametrize("seed", range(3))
def test_an_erasure_while_files_are_packed_is_whole(tmp_path, key, seed):
    for worker in range(6):
        write(tmp_path / "log", key, records=40, worker=f"w{worker}").close()
    before = read(tmp_path / "log").table
    packer = multiprocessing.get_context("fork").Process(
        target=pack_again_and_again, args=(tmp_path / "log", 40 * (seed + 1))
    )
    packer.start()
    done = erased(tmp_path / "log", key)
    packer.join()
    assert done.decisions == 6 and pseudonym(key, WHO).encode() not in raw(tmp_path / "log")
    assert not verify(tmp_path / "log", anchors_folder(tmp_path / "log"), key).faults
    kept = before.filter(before["applicant"] != pseudonym(key, WHO))
    assert read(tmp_path / "log").table.sort("event_id").equals(kept.sort("event_id"))


# The store


def parquets(store: Folder) -> list[Path]:
    return sorted((store.root / "decisions").rglob("*.parquet"))


def harm_cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def harm_decision(path: Path) -> None:
    table = pl.read_parquet(path, hive_partitioning=False)
    table.with_columns(decision=pl.lit("granted")).write_parquet(path)


def harm_value(path: Path) -> None:
    table = pl.read_parquet(path, hive_partitioning=False)
    table.with_columns(ext_mean=pl.col("ext_mean") + 1e-9).write_parquet(path)


def harm_less(path: Path) -> None:
    pl.read_parquet(path, hive_partitioning=False).head(3).write_parquet(path)


def harm_more(path: Path) -> None:
    table = pl.read_parquet(path, hive_partitioning=False)
    one = table.head(1).with_columns(event_id=pl.lit("of nobody"))
    pl.concat([table, one]).write_parquet(path)


def harm_twice(path: Path) -> None:
    shutil.copy(path, path.with_name("2026-11-21.copied.jsonl.0123456789abcdef.00000.parquet"))


def harm_gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "harm", [harm_cut, harm_decision, harm_value, harm_less, harm_more, harm_twice, harm_gone]
)
def test_a_table_that_was_changed_in_the_store_is_found(folder, key, store, tmp_path, harm):
    shipped(folder, key, store)
    assert not verify_shipped(store, key).faults
    harm(parquets(store)[0])
    assert verify_shipped(store, key).faults
    done = run("verify", "--store", store.root, "--key-file", tmp_path / "pseudonym.key")
    assert done.exit_code == 1 and "Traceback" not in done.output


def test_tables_of_several_machines_and_erasures_are_as_they_should_be(tmp_path, key, store):
    for worker in ("a", "b"):
        log = write(tmp_path / worker, key, worker=worker)
        with log.table(STEM, "r", "bank", NOON) as table:
            table.add(*decided(5))
            table.add(*decided(5, 5))
            table.commit()
        log.close()
        shipped(log.folder, key, store)
    erased(tmp_path / "a", key, shipped=InStore(store, key, lambda: NOON))
    found = verify_shipped(store, key)
    assert not found.faults and not found.notes


def test_a_table_that_was_cut_is_a_sentence_for_who_ships_and_erases_and_can_be_mended(folder, key, store):
    shipped(folder, key, store)
    harm_cut(parquets(store)[0])
    write(folder, key, records=3, worker="w2").close()
    with pytest.raises(ShippingError, match="is no Parquet of decisions: it was cut or changed"):
        shipped(folder, key, store)
    with pytest.raises(ShippingError, match="is no Parquet"):
        erased(folder, key, shipped=InStore(store, key, lambda: NOON))
    (gone,) = parquets(store)[:1]
    gone.unlink()
    (store.root / "manifests" / "day=2026-11-21" / gone.name.replace(".00000.parquet", ".json")).unlink()
    assert shipped(folder, key, store).files >= 1 and not verify_shipped(store, key).faults


def test_a_purge_takes_nothing_from_the_store_that_is_not_a_day(folder, key, store):
    shipped(folder, key, store)
    others = [
        store.root / place / "2019-notes" / "mine.txt" for place in ("files", "manifests", "decisions/m")
    ]
    for path in others:
        path.parent.mkdir(parents=True)
        path.touch()
    assert purge_shipped(store, key, date(2026, 12, 1), NOON) == 1
    assert all(path.exists() for path in others) and not parquets(store)


def test_an_erasure_and_a_shipment_do_not_meet(folder, key, store):
    from scoring.inference_log.erasure import alone

    with alone(folder, is_shipping=True):
        shipped(folder, key, store)  # others may ship
        with pytest.raises(LogError, match="wait until it is done"):
            erased(folder, key)
    with alone(folder), pytest.raises(LogError, match="wait until it is done"):
        shipped(folder, key, store)
