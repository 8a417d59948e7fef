"""Files of every kind, and what each door makes of them: the page, the batch client, portfolios."""

import gzip
import io
import json
import re
import struct
import warnings
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from scoring import tables
from scoring.client import FileError
from scoring.client.files import Source
from scoring.schema import Application, columns
from scoring.tables import TableError
from tests.support import uploads
from tests.support.workbook import workbook
from ui import batch

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


def client(path: Path, size: int = 2, **options: Any) -> tuple[dict[int, dict], dict[int, str]]:
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
    shown, marked = page(path)
    assert shown == good and marked.keys() == named.keys()
    try:
        found = portfolio(path, folder)
    except TableError as error:
        assert named, f"only the portfolio refuses: {error}"
        return good, named
    # What is read but not allowed (below 0, say) a portfolio keeps: features deal with it.
    assert {row: values for row, values in found.items() if row in good} == good
    return good, named


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


def archived(*files: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    whole = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(whole, "w", kind) as archive:
        warnings.simplefilter("ignore")  # of names that stand twice
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return whole.getvalue()
