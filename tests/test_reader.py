"""One reader at every door: docs/FILES.md, row by row, at the page, the batch client and portfolios."""

import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from random import Random

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scoring import tables
from scoring.client import FileError
from scoring.client.files import Source
from scoring.schema import Application, columns
from scoring.tables import TableError, lines
from tests.support import uploads
from tests.support.workbook import workbook
from ui import batch

DOC = (Path(__file__).parent.parent / "docs" / "FILES.md").read_text()
KINDS = {
    "number": "AMT_CREDIT",
    "integer": "DAYS_BIRTH",
    "id": "SK_ID_CURR",
    "flag": "FLAG_MOBIL",
    "category": "OCCUPATION_TYPE",
    "yes or no": "FLAG_OWN_CAR",
}
HEADER = [
    "SK_ID_CURR",
    "FLAG_OWN_CAR",
    "AMT_CREDIT",
    "OCCUPATION_TYPE",
    "DAYS_BIRTH",
    "EXT_SOURCE_2",
    "FLAG_MOBIL",
]
# Invented people. None is missing.
PEOPLE = [
    [900001, "Y", 568800.5, "Employé", -19241, 0.79, 1],
    [900002, "N", 225000.0, "Laborers", -11111, 0.31, 0],
    [900003, "N", 180000.0, None, -14000, None, 1],
]


def rows_of(section: str) -> list[list[str]]:
    """Return the rows of a table of the document."""
    text = DOC.split(f"## {section}\n")[1].split("\n## ")[0]
    found = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in found]


# The doors: what each makes of a file, as rows of values by row number, and the rows that it names.


def client(path: Path, size: int = 2, **options: object) -> tuple[dict[int, dict], dict[int, str]]:
    source = Source(path, **options)
    try:
        chunks = list(source.chunks(size))
    finally:
        source.close()
    good = {
        row: {k: v for k, v in values.items() if v is not None}
        for chunk in chunks
        for row, values in zip(chunk.rows.to_list(), chunk.table.to_dicts(), strict=True)
    }
    named = {row: detail for chunk in chunks for row, *_, detail in chunk.rejected.rows()}
    assert source.rows == len(good) + len(named)
    return good, named


def page(path: Path) -> tuple[dict[int, dict], dict[int, str]]:
    asked: list[dict] = []

    def ask(table: pl.DataFrame) -> pl.DataFrame:
        asked.extend({k: v for k, v in row.items() if v is not None} for row in table.to_dicts())
        return uploads.granted(table)

    errors = uploads.score(batch.read(path, "en"), ask).table["error"].to_list()
    sound = [row for row, error in enumerate(errors, 1) if error is None]
    good = dict(zip(sound, asked, strict=True))
    assert json.loads(json.dumps(asked)) == asked
    return good, {row: error for row, error in enumerate(errors, 1) if error is not None}


def portfolio(path: Path, folder: Path) -> dict[int, dict]:
    """Read the file as the application table of a portfolio."""
    folder.mkdir()
    ending = re.sub(r"^[^.]*", "", path.name)
    (folder / f"application_test{ending}").write_bytes(path.read_bytes())
    seen = seen_by(path)
    held = [name for name in columns(Application) if name in seen]
    applications = tables.read(folder, "test", {"application": held}).applications.drop("row")
    return {
        row: {k: v for k, v in values.items() if v is not None}
        for row, values in enumerate(applications.to_dicts(), 1)
    }


def seen_by(path: Path) -> list[str]:
    with tables.open_raw(path, list(columns(Application))) as raw:
        return raw.names


def at_every_door(path: Path, folder: Path) -> tuple[dict[int, dict], dict[int, str]]:
    """Return what all doors agree on: the rows that are read, and those that are named."""
    good, named = client(path)
    assert page(path)[0] == good and page(path)[1].keys() == named.keys()
    try:
        found = portfolio(path, folder)
    except TableError as error:
        assert named, f"only the portfolio refuses: {error}"
        return good, named
    # What is read but not allowed (below 0, say) a portfolio keeps: features deal with it.
    assert {row: values for row, values in found.items() if row in good} == good
    return good, named


# Files.


def text(
    people: list[list] = PEOPLE,
    header: list[str] = HEADER,
    sep: str = ",",
    decimal: str = ".",
    end: str = "\n",
    quote: str = "",
) -> str:
    def cell(value: object) -> str:
        shown = "" if value is None else str(value)
        shown = shown.replace(".", decimal) if isinstance(value, float) else shown
        return f'"{shown}"' if (quote and value is not None) or sep in shown else shown

    return "".join(sep.join(map(cell, line)) + end for line in [header, *people])


def zipped(files: dict[str, bytes]) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return found.getvalue()


def locked(content: bytes) -> bytes:
    """Set the bit of a password in both headers of a zip's member."""
    found = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = found.index(mark) + at
        found[place : place + 2] = struct.pack("<H", 1)
    return bytes(found)


def parquet(table: pa.Table) -> bytes:
    found = io.BytesIO()
    pq.write_table(table, found)
    return found.getvalue()


def arrow(**other: pa.Array) -> pa.Table:
    found = dict(zip(HEADER, map(pa.array, zip(*PEOPLE, strict=True)), strict=True)) | other
    return pa.table(found)


def sheets(folder: Path, *frames: pl.DataFrame) -> bytes:
    """Write a workbook: the first sheet by hand, others added to it."""
    path = folder / "made.xlsx"
    workbook(frames[0], path)
    if len(frames) == 1:
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["xl/worksheets/sheet2.xml"] = files["xl/worksheets/sheet1.xml"]
    book, links = files["xl/workbook.xml"].decode(), files["xl/_rels/workbook.xml.rels"].decode()
    files["xl/workbook.xml"] = re.sub(
        r"(<sheet [^>]*/>)", r'\1<sheet name="more" sheetId="2" r:id="r2"/>', book
    ).encode()
    link = re.search(r"<Relationship [^>]*/>", links)
    assert link
    other = link[0].replace('"r1"', '"r2"').replace("sheet1", "sheet2")
    files["xl/_rels/workbook.xml.rels"] = links.replace(link[0], link[0] + other).encode()
    return zipped(files)


FRAME = pl.DataFrame(PEOPLE, schema=HEADER, orient="row")
GROUPED = "SK_ID_CURR;AMT_CREDIT;EXT_SOURCE_2;OCCUPATION_TYPE\n900001;568.800,50;0,79;Employé\n"
FILES = {
    "comma.csv": lambda _: text().encode(),
    "semicolon.csv": lambda _: text(sep=";").encode(),
    "tab.csv": lambda _: text(sep="\t").encode(),
    "tab.tsv": lambda _: text(sep="\t").encode(),
    "pipe.csv": lambda _: text(sep="|").encode(),
    "excel-fr.csv": lambda _: text(sep=";", decimal=",", end="\r\n").encode("utf-8-sig"),
    "excel-de.csv": lambda _: GROUPED.encode("cp1252"),
    "sep-line.csv": lambda _: ("sep=;\r\n" + text(sep=";", end="\r\n")).encode(),
    "utf-8-mark.csv": lambda _: text().encode("utf-8-sig"),
    "utf-16-le.csv": lambda _: b"\xff\xfe" + text(sep="\t").encode("utf-16-le"),
    "utf-16-be.csv": lambda _: b"\xfe\xff" + text().encode("utf-16-be"),
    "utf-16-bare.csv": lambda _: text().encode("utf-16-le"),
    "windows-1252.csv": lambda _: text().encode("cp1252"),
    "mac.csv": lambda _: text(end="\r").encode(),
    "windows.csv": lambda _: text(end="\r\n").encode(),
    "no-last-end.csv": lambda _: text().encode().rstrip(b"\n"),
    "blank-lines.csv": lambda _: ("\n \n" + text().replace("\n", "\n\n") + "\t\n").encode(),
    "header.csv": lambda _: text(header=[f" {name.lower()} " for name in HEADER]).encode(),
    "pandas-index.csv": lambda _: FRAME.to_pandas().to_csv().encode(),
    "empty-columns.csv": lambda _: text().replace("\n", ",,\n").encode(),
    "scored-before.csv": lambda _: text(
        [[*person, "granted", 0.1, None] for person in PEOPLE], [*HEADER, "decision", "score", "error"]
    ).encode(),
    "quoted.csv": lambda _: text(quote='"').replace(",,", ",NA,").encode(),
    "upper.CSV": lambda _: text().encode(),
    "packed.csv.gz": lambda _: gzip.compress(text().encode()),
    "packed.csv.zip": lambda _: zipped({"in/side.csv": text().encode()}),
    "plain.parquet": lambda _: parquet(arrow()),
    "decimal.parquet": lambda _: parquet(
        arrow(
            AMT_CREDIT=pa.array(["568800.5", "225000", "180000"]).cast(pa.decimal128(18, 2)),
            SK_ID_CURR=pa.array([900001, 900002, 900003]).cast(pa.decimal128(38, 0)),
        )
    ),
    "dictionary.parquet": lambda _: parquet(
        arrow(OCCUPATION_TYPE=pa.array(["Employé", "Laborers", None]).dictionary_encode())
    ),
    "views.parquet": lambda _: parquet(
        arrow(OCCUPATION_TYPE=pa.array(["Employé", "Laborers", None], pa.string_view()))
    ),
    "boolean.parquet": lambda _: parquet(arrow(FLAG_MOBIL=pa.array([True, False, True]))),
    "sheet.xlsx": lambda folder: sheets(folder, FRAME),
    "short-line.csv": lambda _: text().replace("900002,N,225000.0,Laborers", "900002,N").encode(),
    "long-line.csv": lambda _: text().replace("900002,N", "900002,N,N").encode(),
    "cut-off.csv": lambda _: text().encode()[:-16],
    "inner-quote.csv": lambda _: text().replace("Laborers", 'O"Brien').encode(),
    "open-quote.csv": lambda _: text().replace("Laborers", '"Laborers').encode(),
    "line-break.csv": lambda _: text().replace("Laborers", '"Labo\nrers"').encode(),
    "mixed-encoding.csv": lambda _: text().encode().replace(b"Laborers", b"Labor\xe9rs"),
    "no-text.csv": lambda _: text().encode().replace(b"Laborers", b"Labor\0rs"),
    "utf-32.csv": lambda _: text().encode("utf-32"),
    "wrong-name.csv": lambda _: parquet(arrow()),
    "twice.csv": lambda _: text(header=["SK_ID_CURR", "amt_credit", *HEADER[2:]]).encode(),
    "nameless.csv": lambda _: text(header=["SK_ID_CURR", "", *HEADER[2:]]).encode(),
    "two-separators.csv": lambda _: b"SK_ID_CURR,AMT_CREDIT;AMT_ANNUITY\n900001,1;2\n",
    "empty.csv": lambda _: b"",
    "two-files.csv.zip": lambda _: zipped({"a.csv": text().encode(), "b.csv": text().encode()}),
    "locked.csv.zip": lambda _: locked(zipped({"a.csv": text().encode()})),
    "bomb.csv.zip": lambda _: declared_large(zipped({"a.csv": text().encode()})),
    "nested.parquet": lambda _: parquet(arrow(AMT_CREDIT=pa.array([[1.0], [2.0], []]))),
    "two-sheets.xlsx": lambda folder: sheets(folder, FRAME, FRAME),
    "far-cell.xlsx": lambda folder: page_1(folder, line(1_048_576, cell("XFD1048576", "1"))).read_bytes(),
    "twice-inside.csv.zip": lambda _: archived(("a.csv", text().encode()), ("a.csv", text().encode())),
    "broken.parquet": lambda _: parquet(arrow())[:-20],
}


def declared_large(content: bytes) -> bytes:
    """Say in both headers of a zip's member that it unpacks to 4 GB."""
    found = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = found.index(mark) + at
        found[place : place + 4] = struct.pack("<I", 2**32 - 2)
    return bytes(found)


EXPECTED = {
    row: {k: v for k, v in zip(HEADER, person, strict=True) if v is not None}
    for row, person in enumerate(PEOPLE, 1)
}


def test_every_row_of_the_document_is_a_file_here() -> None:
    assert [row[0] for row in rows_of("Files")] == list(FILES)


@pytest.mark.parametrize(("name", "verdict"), [row[:2] for row in rows_of("Files")])
def test_a_file_has_one_verdict_at_every_door(tmp_path: Path, name: str, verdict: str) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name](tmp_path))
    if verdict == "refused":
        said = []
        for door in (client, page, lambda p: portfolio(p, tmp_path / "folder")):
            with pytest.raises((FileError, batch.FileProblem, TableError)) as caught:
                door(path)
            said.append(str(caught.value))
        assert not [sentence for sentence in said if "Laborers" in sentence or "225000" in sentence]
        return
    good, named = at_every_door(path, tmp_path / "folder")
    if verdict == "read":
        kept = {row: {k: v for k, v in EXPECTED[row].items() if k in seen_by(path)} for row in good}
        assert not named and good == kept and len(good) == (1 if name == "excel-de.csv" else 3)
        return
    first = min(named)
    assert re.search(rf"\b{verdict}\b", named[first]) and first == int(verdict.removeprefix("line ")) - 1
    assert all(good[row] == EXPECTED[row] for row in good if row < first)
    with pytest.raises(TableError, match=rf"\b{verdict}\b"):
        portfolio(path, tmp_path / "again")


@pytest.mark.parametrize(
    "name", ["short-line.csv", "inner-quote.csv", "cut-off.csv", "excel-fr.csv", "quoted.csv"]
)
def test_a_history_table_is_read_like_a_file_of_applications(tmp_path: Path, name: str) -> None:
    wanted = {"application": ["AMT_CREDIT"], "bureau": ["SK_ID_BUREAU", "AMT_CREDIT_SUM"]}
    pl.DataFrame({"SK_ID_CURR": [row[0] for row in PEOPLE], "AMT_CREDIT": [1.0] * 3}).write_parquet(
        tmp_path / "application_test.parquet"
    )
    content = (
        FILES[name](tmp_path)
        .replace(b"AMT_CREDIT", b"AMT_CREDIT_SUM")
        .replace(b"DAYS_BIRTH", b"SK_ID_BUREAU")
    )
    (tmp_path / "bureau.csv").write_bytes(content.replace(b"-1", b"1"))
    verdict = next(row[1] for row in rows_of("Files") if row[0] == name)
    if verdict != "read":
        with pytest.raises(TableError, match=f"bureau.csv, {verdict} has"):
            tables.read(tmp_path, "test", wanted)
        return
    bureau = tables.read(tmp_path, "test", wanted).history["bureau"]
    assert bureau["AMT_CREDIT_SUM"].to_list() == [row[2] for row in PEOPLE] and bureau["row"].to_list() == [
        0,
        1,
        2,
    ]


# Cells.


def cells() -> list[tuple[str, str, str, str]]:
    found = []
    for cell, decimal, kind, read in rows_of("Cells"):
        bare = re.fullmatch(r"`(.*)`", cell)
        sign = decimal.strip("`")
        for one in KINDS if kind == "every kind" else [kind]:
            if one != "id" or read != "missing":  # an application without its number is rejected
                found.append((bare[1] if bare else "", sign, one, read))
    return found


@pytest.mark.parametrize(("cell", "decimal", "kind", "read"), cells())
def test_a_cell_has_one_meaning_at_every_door(
    tmp_path: Path, cell: str, decimal: str, kind: str, read: str
) -> None:
    name = KINDS[kind]
    proof = {".": ["0.5"], ",": ["0,5"], "both": ["0.5", "0,5"]}[decimal]
    records = [{"SK_ID_CURR": "1", "EXT_SOURCE_2": sign} for sign in proof] + [
        {"SK_ID_CURR": "2", name: cell}
    ]
    names = ["SK_ID_CURR", "EXT_SOURCE_2", *([] if kind == "id" else [name])]
    lines_ = [names, *([record.get(column, "") for column in names] for record in records)]
    lines_ = [[*line, "1"] for line in lines_]
    lines_[0][-1] = "FLAG_EMAIL"
    for row, line in enumerate(lines_[1:-1], 1):
        line[0] = str(row)
    path = tmp_path / "a.csv"
    path.write_text("".join(";".join(line) + "\n" for line in lines_))
    good, named = at_every_door(path, tmp_path / "folder")
    last = len(records)
    if read.startswith("refused"):
        assert list(named) == [last] and cell not in named[last]
    elif read == "missing":
        assert not named and name not in good[last]
    else:
        assert not named
        expected = read if kind in ("category", "yes or no") else float(read) if "." in read else int(read)
        assert good[last][name] == expected


# Whatever is written, and whatever is broken.

WORDS = st.sampled_from(["Laborers", "Employé", "a, b", "a; b", 'say "so"', "x", None])
AMOUNT = st.none() | st.floats(0, 1e9).map(lambda x: round(x, 2)) | st.integers(0, 10**9).map(float)
PERSON = st.tuples(
    st.integers(0, 10**12),
    st.sampled_from(["Y", "N", None]),
    AMOUNT,
    WORDS,
    st.none() | st.integers(-30000, 0),
)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)  # a shrunk example is not worth minutes
FIVE = HEADER[:5]


@st.composite
def written(draw: st.DrawFn) -> tuple[list[dict], bytes]:
    """Return people, and their table in some dialect."""
    people = draw(st.lists(PERSON, min_size=1, max_size=12, unique_by=lambda person: person[0]))
    sep = draw(st.sampled_from([",", ";", "\t", "|"]))
    decimal = draw(st.sampled_from([".", ","]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    missing = draw(st.sampled_from(["", "NA", "NaN", "NULL"]))
    is_quoted = draw(st.booleans())

    def cell(value: object) -> str:
        if value is None:
            return missing
        shown = str(value)
        if isinstance(value, float):
            # Two decimals, so that no number can be read in two ways.
            shown = f"{value:.2f}".replace(".", decimal)
        if is_quoted or sep in shown or '"' in shown:
            return '"' + shown.replace('"', '""') + '"'
        return shown

    found = [sep.join(map(cell, line)) for line in [FIVE, *people]]
    for place in sorted(draw(st.lists(st.integers(0, len(found)), max_size=3)), reverse=True):
        found.insert(place, draw(st.sampled_from(["", "  "])))
    if draw(st.booleans()):
        found.insert(0, f"sep={sep}")
    whole = end.join(found) + draw(st.sampled_from(["", end]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    named = [{k: v for k, v in zip(FIVE, person, strict=True) if v is not None} for person in people]
    return named, whole.encode(encoding)


@settings(
    max_examples=40, deadline=None, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=written())
def test_what_is_written_in_any_dialect_is_read_at_every_door(
    tmp_path_factory: pytest.TempPathFactory, table: tuple[list[dict], bytes]
) -> None:
    people, content = table
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a.csv").write_bytes(content)
    good, named = at_every_door(folder / "a.csv", folder / "folder")
    assert not named and good == dict(enumerate(people, 1))


@settings(
    max_examples=40, deadline=None, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    people=st.lists(PERSON, min_size=1, max_size=12, unique_by=lambda person: person[0]),
    breaks=st.lists(
        st.tuples(st.integers(0), st.sampled_from([*'",;\n\r\t \\', ""])), min_size=1, max_size=4
    ),
    cut=st.integers(0, 40),
    part=st.sampled_from([16, 64, lines.PART_BYTES]),
)
def test_records_in_are_decisions_and_named_rejections_whatever_is_broken(
    tmp_path_factory: pytest.TempPathFactory,
    people: list[tuple],
    breaks: list[tuple[int, str]],
    cut: int,
    part: int,
) -> None:
    whole = text(list(map(list, people)), FIVE)
    start = whole.index("\n") + 1
    for place, sign in breaks:
        at = start + place % (len(whole) - start)
        whole = whole[:at] + sign + whole[at + (not sign) :]
    content = whole.encode()
    content = content[: max(start, len(content) - cut)]
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / "a.csv"
    path.write_bytes(content)
    body = content.decode("utf-8", "replace").replace("\r", "\n").split("\n")[1:]
    records = sum(bool(line.strip(" \t")) for line in body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "PART_BYTES", part)
        if not records:
            with pytest.raises(FileError, match="no row"):
                Source(path)
            return
        good, named = at_every_door(path, folder / "folder")
        assert [client(path, size)[0] for size in (1, 5, 100)] == [good] * 3
    assert sorted([*good, *named]) == list(range(1, records + 1))
    kept = [{k: v for k, v in zip(FIVE, person, strict=True) if v is not None} for person in people]
    intact = sum(row in kept for row in good.values())
    assert intact >= len(people) - 2 * len(breaks) - cut - 1  # a break costs its own lines only


# Portfolios in archives, and what is only nearly theirs.


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


# What is carried through, and what is too much.


def test_columns_that_no_application_has_come_back_unchanged_when_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("BRANCH,SK_ID_CURR,AMT_CREDIT,NOTE\n007,1,5.0,\n008,2,much, so \n009,3,6,NA\n")
    with pytest.raises(FileError, match=r"'BRANCH' and 1 more.*--keep-unknown"):
        Source(path)
    with pytest.raises(batch.FileProblem, match="does not know: BRANCH, NOTE"):
        batch.read(path, "en")
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


def read_mutants(seed: int, number: int, file: Path) -> None:
    """Read damaged Parquet files; the last one stays on the disk, should this process not survive it."""
    random = Random(seed)
    whole = [FILES[f"{kind}.parquet"](file.parent) for kind in ("plain", "decimal", "dictionary", "views")]
    for _ in range(number):
        content = bytearray(random.choice(whole))
        for _ in range(random.randint(1, 6)):
            at, other = random.randrange(len(content)), random.randrange(len(content))
            content[at : at + random.choice([0, 1, 1, 4])] = content[
                other : other + random.choice([0, 1, 1, 8])
            ]
        file.write_bytes(content)
        try:
            client(file, keep_unknown=True)
        except FileError:
            continue


def test_no_damaged_parquet_file_ends_the_process(tmp_path: Path) -> None:
    file = tmp_path / "mutant.parquet"
    call = (
        f"from pathlib import Path; import test_reader; test_reader.read_mutants(1, 100, Path({str(file)!r}))"
    )
    here = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", call],
        env=os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
        capture_output=True,
        text=True,
    )
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


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def page_1(folder: Path, rows: str) -> Path:
    """Write a workbook whose one sheet has these rows behind its header."""
    content = zipfile.ZipFile(io.BytesIO(sheets(folder, FRAME)))
    files = {name: content.read(name) for name in content.namelist()}
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>SK_ID_CURR</t></is></c>'
    header += '<c r="B1" t="inlineStr"><is><t>AMT_CREDIT</t></is></c></row>'
    page = f'<worksheet xmlns="{MAIN}"><sheetData>{header}{rows}</sheetData></worksheet>'
    files["xl/worksheets/sheet1.xml"] = page.encode()
    (folder / "a.xlsx").write_bytes(zipped(files))
    return folder / "a.xlsx"


def cell(place: str, value: str, kind: str = "n") -> str:
    return f'<c r="{place}" t="{kind}"><v>{value}</v></c>'


def line(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


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


def archived(*files: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(whole, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return whole.getvalue()


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


def test_a_million_blank_lines_are_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text().encode() + b"\n" * 999_990)
    assert client(path)[0] == EXPECTED
    path.write_bytes(text().encode() + b"\n" * 1_000_001)
    with pytest.raises(FileError, match="1,000,000 blank lines"):
        Source(path)


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
