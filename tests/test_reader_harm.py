"""A file made to harm, or too large, costs its own reading only."""

import gzip
import io
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring import tables
from scoring.client import FileError
from scoring.client.files import Source
from tests.support.read_files import EXPECTED, FRAME, arrow, cell, client, line, page_1, sheets, text, zipped
from tests.support.running import ROOT
from ui import batch


def test_an_upload_is_judged_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST_ROWS", 2)
    monkeypatch.setattr(tables.Raw, "batches", None)  # nothing may be read
    pq.write_table(arrow(), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text(text())
    for name in ("a.parquet", "a.csv"):
        with pytest.raises(batch.FileProblem, match="holds 3 rows, and this page takes 2"):
            batch.read(tmp_path / name, "en")
    monkeypatch.setattr(batch, "MOST_ROWS", 50)
    monkeypatch.setattr(batch, "MOST_BYTES", 100)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text().encode()))
    (tmp_path / "a.csv.zip").write_bytes(zipped({"a.csv": text().encode()}))
    for name in ("a.parquet", "a.csv", "a.csv.gz", "a.csv.zip"):
        with pytest.raises(batch.FileProblem, match="too large when it is unpacked"):
            batch.read(tmp_path / name, "en")


def test_a_dictionary_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 64_000]))
    pq.write_table(pa.table({"SK_ID_CURR": range(20_000), "OCCUPATION_TYPE": words}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 300_000
    with pytest.raises(batch.FileProblem, match="too large"):
        batch.read(tmp_path / "a.parquet", "en")
    with pytest.raises(FileError, match="too large"):
        list(Source(tmp_path / "a.parquet").chunks(10_000))


def test_words_that_are_no_utf_8_in_parquet_never_reach_polars(tmp_path: Path) -> None:
    wrong = pa.StringArray.from_buffers(1, pa.py_buffer(struct.pack("<ii", 0, 1)), pa.py_buffer(b"\xff"))
    pq.write_table(pa.table({"SK_ID_CURR": [1], "OCCUPATION_TYPE": wrong}), tmp_path / "a.parquet")
    with pytest.raises(FileError, match="cannot be read"):
        list(Source(tmp_path / "a.parquet").chunks(10))


def test_no_damaged_parquet_file_ends_the_process(tmp_path: Path) -> None:
    file = tmp_path / "mutant.parquet"
    call = f"from tests.support.read_files import *; read_mutants(1, 100, Path({str(file)!r}))"
    run = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, f"{file}: {run.stderr[-500:]}"


def test_a_formula_without_its_value_is_no_missing_value(tmp_path: Path) -> None:
    content = zipfile.ZipFile(io.BytesIO(sheets(tmp_path, FRAME)))
    files = {name: content.read(name) for name in content.namelist()}
    page_1 = "xl/worksheets/sheet1.xml"
    files[page_1] = files[page_1].replace(b"<v>225000.0</v>", b"<f>450000/2</f><v/>")
    (tmp_path / "a.xlsx").write_bytes(zipped(files))
    with pytest.raises(FileError, match="formulas without their values"):
        Source(tmp_path / "a.xlsx")
    files[page_1] = files[page_1].replace(b"<v/>", b"<v>225000.0</v>")
    (tmp_path / "a.xlsx").write_bytes(zipped(files))
    assert client(tmp_path / "a.xlsx")[0] == EXPECTED


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        # The reader keeps memory for every cell up to the last one, and what asked for it dies.
        (
            line(2, cell("A2", "7")) + line(1_048_576, cell("XFD1048576", "1")),
            "too large when it is unpacked",
        ),
        (line(2, cell("ZZZZZZZ99999999999", "7")), "cannot be read as a workbook"),
        (line(2, cell("A2", "99999999", "s")), "cannot be read as a workbook"),
        ('<row r="2"><c r="A2"><is>' + "<a>" * 5_000, "cannot be read as a workbook"),
    ],
)
def test_a_workbook_made_to_harm_ends_its_reader_and_nobody_else(
    tmp_path: Path, rows: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(FileError, match=said):
        Source(page_1(tmp_path, rows))
    assert capfd.readouterr() == ("", "")


def test_what_a_spreadsheet_could_not_compute_is_no_missing_value(tmp_path: Path) -> None:
    what = enumerate(("#DIV/0!", "#N/A", "#REF!"), 2)
    rows = [line(n, cell(f"A{n}", str(n)), cell(f"B{n}", error, "e")) for n, error in what]
    good, rejected = client(page_1(tmp_path, "".join(rows)))
    assert list(good) == [2] and list(rejected) == [1, 3]
    assert rejected[1] == rejected[3] and "a number" in rejected[1]


def test_an_identifier_that_no_workbook_holds_whole_is_refused(tmp_path: Path) -> None:
    """Numbers of a workbook are floats: above 2**53 neighbours are one."""
    numbers = (2**53 - 1, 2**53, 2**53 + 2, 1_152_921_504_606_846_977)
    rows = [line(n, cell(f"A{n}", str(number)), cell(f"B{n}", "5")) for n, number in enumerate(numbers, 2)]
    good, rejected = client(page_1(tmp_path, "".join(rows)))
    assert list(good) == [1, 2] and list(rejected) == [3, 4]
    assert "keeps 15 digits" in rejected[3]


def test_a_million_blank_lines_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text().encode() + b"\n" * 999_990)
    assert client(path)[0] == EXPECTED
    path.write_bytes(text().encode() + b"\n" * 1_000_001)
    with pytest.raises(FileError, match="1,000,000 blank lines"):
        Source(path)
