"""Portfolios in archives: read whatever their names, refused where they are not what they say."""

import gzip
import re
from pathlib import Path

import pytest

from scoring import tables
from scoring.client import FileError
from scoring.client.files import Source
from scoring.tables import TableError
from tests.support.read_files import EXPECTED, archived, client, text, zipped


def bureau_zip(path: Path, names: dict[str, str]) -> Path:
    """Write a zip of applications and credits under some names."""
    content = {
        "application_test": text().encode(),
        "bureau": b"SK_ID_CURR,SK_ID_BUREAU,AMT_CREDIT_SUM\n900001,5,10\n900002,6,20\n",
    }
    path.write_bytes(zipped({names.get(table, f"{table}.csv"): content[table] for table in content}))
    return path


ASKED = {"application": ["AMT_CREDIT"], "bureau": ["AMT_CREDIT_SUM"]}


@pytest.mark.parametrize(
    "names",
    [
        {"application_test": "home\\credit\\application_test.csv", "bureau": "home\\credit\\bureau.csv"},
        {"application_test": "a/b/c/APPLICATION_TEST.CSV", "bureau": "a/b/c/Bureau.csv"},
        {"__MACOSX/._x": "x"},
    ],
)
def test_a_zip_is_read_whatever_folders_and_letters_its_names_have(tmp_path: Path, names: dict) -> None:
    read = tables.read(bureau_zip(tmp_path / "a.zip", names), "test", ASKED)
    assert read.history["bureau"]["row"].to_list() == [0, 1]
    assert tables.is_portfolio(tmp_path / "a.zip")
    assert len(tables.Partitions(tmp_path / "a.zip", "test", ASKED)) == 3


def test_tables_packed_one_by_one_and_folders_in_folders_are_read(tmp_path: Path) -> None:
    (inner := tmp_path / "kaggle" / "data").mkdir(parents=True)
    (inner / "application_test.csv.zip").write_bytes(zipped({"application_test.csv": text().encode()}))
    (inner / "BUREAU.CSV.gz").write_bytes(
        gzip.compress(b"SK_ID_CURR;SK_ID_BUREAU;AMT_CREDIT_SUM\n900003;1;2,5\n")
    )
    read = tables.read(tmp_path, "test", ASKED)
    assert read.history["bureau"].row(0, named=True) == {"row": 2, "SK_ID_BUREAU": 1, "AMT_CREDIT_SUM": 2.5}


@pytest.mark.parametrize(
    "name", ["bureau (1).csv", "Bureau.xlsb", "bureau - Copy.csv", "burau.csv", "bureau.7z"]
)
def test_a_table_under_nearly_its_name_is_not_passed_over_in_silence(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match=re.escape(name) + ".*seems to be bureau"):
        tables.read(bureau_zip(tmp_path / "a.zip", {"bureau": name}), "test", ASKED)
    (folder := tmp_path / "folder").mkdir()
    (folder / "application_test.csv").write_text(text())
    (folder / name).write_bytes(b"x")
    with pytest.raises(TableError, match=re.escape(name) + ".*seems to be bureau"):
        tables.read(folder, "test", ASKED)


def test_other_files_beside_the_tables_are_nobody(tmp_path: Path) -> None:
    (tmp_path / "application_test.csv").write_text(text())
    for name in ("HomeCredit_columns_description.csv", "sample_submission.csv", "bureau_balance.csv"):
        (tmp_path / name).write_text("x\n1\n")
    assert "bureau" not in tables.read(tmp_path, "test", ASKED).history


def spoilt(content: bytes, *changes: tuple[bytes, int, bytes]) -> bytes:
    """Change an archive: behind a mark, at so many bytes."""
    whole = bytearray(content)
    for mark, place, new in changes:
        start = content.index(mark) + place
        whole[start : start + len(new)] = new
    return bytes(whole)


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
GOOD_ZIP = archived(("a.csv", text().encode()))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (archived(("a.csv", text().encode()), ("a.csv", b"")), "twice under the same name"),
        (archived(("x/a.csv", text().encode()), ("x\\a.csv", b"")), "twice under the same name"),
        (spoilt(GOOD_ZIP, (LOCAL, 8, b"\x63\0"), (CENTRAL, 10, b"\x63\0")), "damaged"),
        (spoilt(GOOD_ZIP, (LOCAL, 8, b"\x0e\0"), (CENTRAL, 10, b"\x0e\0")), "damaged"),
        (spoilt(GOOD_ZIP, (LOCAL, 8, b"\x0c\0"), (CENTRAL, 10, b"\x0c\0")), "damaged"),
        (spoilt(GOOD_ZIP, (LOCAL, 40, b"\xff\xff\xff")), "damaged"),
        (spoilt(GOOD_ZIP, (CENTRAL, 24, b"\x01\0\0\0")), "damaged"),
        (spoilt(GOOD_ZIP, (CENTRAL, 42, b"\xff\xff\0\0")), "damaged"),
    ],
)
def test_a_zip_that_is_not_what_it_says_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.csv.zip").write_bytes(content)
    with pytest.raises(FileError, match=said):
        Source(tmp_path / "a.csv.zip")


@pytest.mark.parametrize(
    "name", ["../../a.csv", "/etc/a.csv", "C:\\a.csv", f"{'a' * 300}.csv", "\x1b[2J\n.csv"]
)
def test_a_file_of_a_zip_is_read_whatever_its_path_and_written_nowhere_else(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv.zip").write_bytes(archived((name, text().encode())))
    assert client(tmp_path / "in" / "a.csv.zip")[0] == EXPECTED
    assert not list(tmp_path.rglob("*.csv"))
