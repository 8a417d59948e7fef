"""What is carried through a file beside the application: columns of any name and type, or a sentence."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scoring.client import FileError
from scoring.client.files import Source
from tests.support import uploads
from tests.support.read_files import arrow, client, parquet
from ui import batch


def test_columns_that_no_application_has_come_back_unchanged_when_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("BRANCH,SK_ID_CURR,AMT_CREDIT,NOTE\n007,1,5.0,\n008,2,much, so \n009,3,6,NA\n")
    with pytest.raises(FileError, match=r"'BRANCH' and 1 more.*--keep-unknown"):
        Source(path)
    with pytest.raises(batch.FileProblem, match="does not know: BRANCH, NOTE"):
        batch.read(path, "en")
    misspelt = tmp_path / "b.csv"
    misspelt.write_text("SK_ID_CURR,Amt_Credits\n1,5.0\n")
    with pytest.raises(FileError, match=r"'Amt_Credits' \(is it AMT_CREDIT\?\); remove"):
        Source(misspelt)
    source = Source(path, keep_unknown=True)
    (chunk,) = source.chunks(10)
    assert chunk.carried.to_dict(as_series=False) == {"BRANCH": ["007", "009"], "NOTE": [None, "NA"]}
    scored = uploads.score(batch.read(path, "en", keep_unknown=True), uploads.granted)
    assert scored.table.columns[:4] == ["BRANCH", "SK_ID_CURR", "AMT_CREDIT", "NOTE"]
    assert scored.table["BRANCH"].to_list() == ["007", "008", "009"]
    assert scored.table["NOTE"].to_list() == [None, " so ", "NA"]


def test_columns_of_parquet_keep_their_types_and_order_on_the_page(tmp_path: Path) -> None:
    table = arrow(AMT_CREDIT=pa.array(["1.50", "2.00", "3.25"]).cast(pa.decimal128(18, 2)))
    table = table.append_column("WHEN", pa.array([1, 2, 3], pa.date32()))
    pq.write_table(table, tmp_path / "a.parquet")
    upload = batch.read(tmp_path / "a.parquet", "en", keep_unknown=True)
    assert upload.table.columns == table.column_names
    assert upload.table.schema["AMT_CREDIT"] == pl.Decimal(18, 2) and upload.table.schema["WHEN"] == pl.Date
    assert upload.read["AMT_CREDIT"].to_list() == [1.5, 2.0, 3.25]


def test_bytes_that_are_no_text_are_called_so(tmp_path: Path) -> None:
    for kind in (pa.binary(), pa.large_binary(), pa.dictionary(pa.int8(), pa.binary())):
        odd = pa.array([b"Core staff", b"\xff\xfe"], pa.binary()).cast(kind)
        table = pa.table({"SK_ID_CURR": [1, 2], "OCCUPATION_TYPE": odd})
        (tmp_path / "a.parquet").write_bytes(parquet(table))
        with pytest.raises(FileError, match="'OCCUPATION_TYPE': bytes that are no UTF-8"):
            client(tmp_path / "a.parquet")


def test_numbers_of_clients_that_are_none_are_named_as_such_and_printed_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    cases: list[tuple[list, list[str | None]]] = [
        ([True, False], [None, None]),
        ([2.0**60, 1.5, float("nan"), -3.0], [str(2**60), None, None, "-3"]),
    ]
    for numbers, shown in cases:
        path = tmp_path / "a.parquet"
        path.write_bytes(parquet(pa.table({"SK_ID_CURR": numbers, "AMT_CREDIT": [1.0] * len(numbers)})))
        (chunk,) = Source(path).chunks(10)
        assert chunk.rejected["SK_ID_CURR"].to_list() == shown and chunk.table.is_empty()
        codes = set(chunk.rejected["code"].to_list())
        assert not codes & {"not_a_number", "not_a_whole_number"}, codes


NAMES = [
    "record",
    "line",
    "row",
    "^.*$",
    "*",
    "0",
    "column_0",
    "__index_level_0__x",
    "\u202e",
    "=1+1",
    "'=1+1",
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_of_any_name_is_carried_through(tmp_path: Path, kind: str) -> None:
    path, unknown = tmp_path / f"a.{kind}", [name for name in NAMES if name != "row"]
    frame = pl.DataFrame({"SK_ID_CURR": [7, 8]} | {name: [f"{name} 1", f"{name} 2"] for name in NAMES})
    frame.write_csv(path) if kind == "csv" else frame.write_parquet(path)
    (chunk,) = Source(path, keep_unknown=True).chunks(10)
    assert chunk.carried.equals(frame[unknown])
    scored = batch.read(path, "en", keep_unknown=True)
    assert scored.table[unknown].equals(frame[unknown])


def test_a_name_with_a_zero_byte_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(parquet(pa.table({"SK_ID_CURR": [1], "\0record": ["x"]})))
    with pytest.raises(FileError, match="the name of a column is no text"):
        Source(tmp_path / "a.parquet", keep_unknown=True)
