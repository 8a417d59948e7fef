"""What holds of a folder holds of a bucket: shipped once, verified, read, erased and purged there."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from pyarrow import fs

from scoring.inference_log import anchors_folder, packing, pseudonym, pseudonym_key
from scoring.inference_log.ship import Shipped, ship
from scoring.inference_log.shipped import purge_shipped, verify_shipped
from scoring.inference_log.store import ObjectStore, ShippingError, open_store, put_checked
from tests.support.logs import NOON, decided, run, write
from tests.support.object_store import KEYS, object_store

STEM = "0123456789abcdef01234567"
WHO = 700_003


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with object_store() as found:
        keys = {"access_key": KEYS["AWS_ACCESS_KEY_ID"], "secret_key": KEYS["AWS_SECRET_ACCESS_KEY"]}
        options = {"scheme": "http", "endpoint_override": found, "allow_bucket_creation": True}
        fs.S3FileSystem(**keys, **options).create_dir("bank")
        yield found


@pytest.fixture
def place(endpoint, tmp_path, monkeypatch) -> str:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    return f"s3://bank/{tmp_path.name}?endpoint_override={endpoint}&scheme=http&region=us-east-1"


@pytest.fixture
def folder(tmp_path) -> Path:
    key = pseudonym_key(tmp_path / "pseudonym.key")
    log = write(tmp_path / "log", key)
    with log.table(STEM, "r", "bank", NOON) as table:
        table.add(*decided(5))
        table.commit()
    log.close()
    write(tmp_path / "log", key, records=3, now=NOON + timedelta(days=1), worker="w2").close()
    return tmp_path / "log"


def test_a_bucket_has_each_event_once(folder, tmp_path, place):
    arguments = ("--to", place, "--log", folder, "--key-file", tmp_path / "pseudonym.key")
    first = run("ship", *arguments)
    assert first.exit_code == 0 and "2 files shipped with 20 decisions" in first.stdout, first.output
    assert "endpoint" not in first.stdout and "2 were there" in run("ship", *arguments).stdout
    found = run("verify", "--store", *arguments[1:2], *arguments[4:])
    assert found.exit_code == 0 and "As written: 2 files, 20 records" in found.stdout, found.output


def test_a_bucket_is_read_erased_and_purged(folder, tmp_path, place, endpoint):
    key, store = pseudonym_key(tmp_path / "pseudonym.key"), open_store(place)
    ship(folder, anchors_folder(folder), key, store, lambda: NOON)
    options = {"aws_endpoint_url": f"http://{endpoint}", "aws_region": "us-east-1", "aws_allow_http": "true"}
    under = f"bank/{tmp_path.name}/decisions/model=credit_scoring%3Aabc"
    by_polars = pl.scan_parquet(f"s3://{under}/", storage_options=options).collect()
    filesystem = fs.S3FileSystem(endpoint_override=endpoint, scheme="http", region="us-east-1")
    by_pandas = pd.read_parquet(under, filesystem=filesystem)
    assert sorted(by_polars["event_id"]) == sorted(by_pandas["event_id"])
    assert by_polars["event_id"].n_unique() == 20
    where = ("--store", place, "--log", folder, "--key-file", tmp_path / "pseudonym.key")
    erased = run("erase", "--client", WHO, "--reason", "asked for", *where)
    assert erased.exit_code == 0 and "Erased: 2 decisions" in erased.stdout, erased.output
    assert not verify_shipped(store, key).faults
    left = pl.scan_parquet(f"s3://{under}/", storage_options=options).collect()
    assert left.height == 18 and pseudonym(key, WHO) not in left["applicant"]
    assert purge_shipped(store, key, date(2026, 11, 22), NOON) == 1
    assert {name.split("/")[2] for name in store.keys("decisions")} == {"day=2026-11-22"}


def test_who_is_stopped_in_the_midst_goes_on(folder, tmp_path, place, monkeypatch):
    key, whole = pseudonym_key(tmp_path / "pseudonym.key"), ObjectStore.put
    for path in packing.log_files(folder):
        packing.pack(path)
    for allowed in (0, 2, 3):
        left = [allowed]

        def put(self: ObjectStore, name: str, content: bytes, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise ShippingError("stopped")
            whole(self, name, content)

        monkeypatch.setattr(ObjectStore, "put", put)
        with pytest.raises(ShippingError):
            ship(folder, anchors_folder(folder), key, open_store(place), lambda: NOON)
        monkeypatch.undo()
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
    store = open_store(place)
    done = ship(folder, anchors_folder(folder), key, store, lambda: NOON)
    assert done.files + done.before == 2 and not verify_shipped(store, key).faults
    tables = [pl.read_parquet(store.get(name) or b"") for name in store.keys("decisions")]
    events = [event for table in tables for event in table["event_id"]]
    assert len(events) == len(set(events)) == 20
    assert ship(folder, anchors_folder(folder), key, store, lambda: NOON) == Shipped(before=2)


def test_a_store_that_refuses_or_is_away_is_a_sentence(folder, tmp_path, place, monkeypatch, endpoint):
    arguments = ("--log", folder, "--key-file", tmp_path / "pseudonym.key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    for wrong in (place, place.replace(endpoint, "127.0.0.1:9")):
        done = run("ship", "--to", wrong, *arguments)
        assert done.exit_code == 2 and "cannot be used" in done.stderr, done.output
        assert "look at its address, the keys" in done.stderr
        assert "another" not in done.stderr


def test_an_object_is_found_as_it_was_put(place):
    store = open_store(place)
    put_checked(store, "a/day=1/x y.json", b"1")
    put_checked(store, "a/day=1/x y.json", b"12")
    put_checked(store, "a/day=2/model=m%3Aabc/z", b"")
    assert store.keys("a") == {"a/day=1/x y.json": 2, "a/day=2/model=m%3Aabc/z": 0}
    assert store.folders("a") == ["day=1", "day=2"] and store.folders("none") == [] and not store.keys("none")
    assert store.get("a/day=1/x y.json") == b"12" and store.get("a/none") is None
    store.remove("a/day=1/x y.json")
    store.remove("a/day=1/x y.json")
    assert store.opened("a/day=1/x y.json") is None
