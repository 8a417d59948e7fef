"""Files made to harm whoever reads them are given to the page: bombs, workbooks, archives that lie."""

from __future__ import annotations

import gzip
import io
import struct
import time
import zipfile
import zlib
from collections.abc import Callable

import httpx
import psutil

from tests.torture.page import ask, handlers, serving_page, upload, write_portfolio
from tests.torture.run import Run
from tests.torture.served import Home, served

HEADER = b"SK_ID_CURR,AMT_CREDIT\n"
BLANKS = 200 * 2**20
OFFICE = "http://schemas.openxmlformats.org"
MAIN = f"{OFFICE}/spreadsheetml/2006/main"


def zipped(*files: tuple[str, bytes]) -> bytes:
    """Return a zip of files."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def workbook(page: bytes, *more: tuple[str, bytes]) -> bytes:
    """Return a workbook of one sheet, in the fewest parts that the format (ECMA-376) allows."""
    package, office = f"{OFFICE}/package/2006", f"{OFFICE}/officeDocument/2006/relationships"
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml"

    def links(kind: str, target: str) -> bytes:
        link = f'<Relationship Id="r1" Type="{office}/{kind}" Target="{target}"/>'
        return f'<Relationships xmlns="{package}/relationships">{link}</Relationships>'.encode()

    kinds = "".join(
        f'<Override PartName="/xl/{part}.xml" ContentType="{sheet}.{kind}+xml"/>'
        for part, kind in (("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet"))
    )
    rels = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    )
    book = f'<sheets><sheet name="a" sheetId="1" r:id="r1" xmlns:r="{office}"/></sheets>'
    return zipped(
        ("[Content_Types].xml", f'<Types xmlns="{package}/content-types">{rels}{kinds}</Types>'.encode()),
        ("_rels/.rels", links("officeDocument", "xl/workbook.xml")),
        ("xl/workbook.xml", f'<workbook xmlns="{MAIN}">{book}</workbook>'.encode()),
        ("xl/_rels/workbook.xml.rels", links("worksheet", "worksheets/sheet1.xml")),
        ("xl/worksheets/sheet1.xml", page),
        *more,
    )


def rows(*cells: tuple[str, str]) -> bytes:
    """Return a sheet with texts and, where they are digits, numbers at some places."""
    found = []
    for place, value in (("A1", "SK_ID_CURR"), ("B1", "AMT_CREDIT"), *cells):
        line = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        said = f"<v>{value}</v>" if value.isdigit() else f"<is><t>{value}</t></is>"
        kind = "n" if value.isdigit() else "inlineStr"
        found.append(f'<row r="{line}"><c r="{place}" t="{kind}">{said}</c></row>')
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(found)}</sheetData></worksheet>'.encode()


def overlapping() -> bytes:
    """Return a zip whose 5,000 files are all the same bytes of it."""
    content = zlib.compress(bytes(10**7), 9)[2:-4]
    about = (zlib.crc32(bytes(10**7)), len(content), 10**7)
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, *about, 5, 0) + b"a.csv" + content
    named = b"".join(
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, *about, 9, 0, 0, 0, 0, 0, 0)
        + b"%05d.csv" % number
        for number in range(5_000)
    )
    return (
        local + named + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 5_000, 5_000, len(named), len(local), 0)
    )


HOSTILE: dict[str, Callable[[], bytes]] = {
    "blank-lines.csv.gz": lambda: gzip.compress(HEADER + b"\n" * BLANKS),
    "blank-lines.csv.zip": lambda: zipped(("a.csv", HEADER + b"\n" * BLANKS)),
    "bomb.csv.gz": lambda: gzip.compress(gzip.compress(HEADER + b"\n" * 2**30)),
    "one-line.csv.gz": lambda: gzip.compress(HEADER + b"1" * BLANKS),
    "quotes.csv.gz": lambda: gzip.compress(HEADER + b'"' * BLANKS),
    "separators.csv.gz": lambda: gzip.compress(HEADER + (b"," * 1_000 + b"\n") * (BLANKS // 1_001)),
    "wide-header.csv": lambda: b",".join(b"A%d" % number for number in range(10**6)),
    "overlapping.csv.zip": overlapping,
    "above.csv.zip": lambda: zipped(("../../above.csv", HEADER)),
    "twice.csv.zip": lambda: zipped(("a/a.csv", HEADER + b"1,2\n"), ("a\\a.csv", HEADER + b"1,3\n")),
    "last-cell.xlsx": lambda: workbook(rows(("A2", "7"), ("XFD1048576", "1"))),
    "last-line.xlsx": lambda: workbook(rows(("A2", "x"), ("CV1048576", "1"))),
    "no-place.xlsx": lambda: workbook(rows(("ZZZZZZZ99999999999", "1"))),
    "spaces.xlsx": lambda: workbook(rows(("A2", "x")).replace(b"</sheetD", b" " * 10**8 + b"</sheetD")),
    "deep.xlsx": lambda: workbook(f'<worksheet xmlns="{MAIN}">'.encode() + b"<a>" * 10**6),
    "entities.xlsx": lambda: workbook(
        b'<!DOCTYPE l [<!ENTITY a "' + b"a" * 10**4 + b'"><!ENTITY b "' + b"&a;" * 10**4 + b'">]>'
        + rows(("A2", "x")).replace(b"<t>x", b"<t>&b;")
    ),
    "broken.xls": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(10**5),
    "repeated.ods": lambda: zipped(
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        (
            "content.xml",
            b'<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
            b'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
            b'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
            b'<table:table table:name="a"><table:table-row table:number-rows-repeated="1048576">'
            b'<table:table-cell table:number-columns-repeated="16384" office:value-type="string">'
            b"<text:p>x</text:p></table:table-cell></table:table-row></table:table></office:spreadsheet>"
            b"</office:body></office:document-content>",
        ),
    ),
    "marks.parquet": lambda: b"PAR1" + bytes(10**5) + b"PAR1",
}  # fmt: skip
"""Name of a file -> how it is made. None of them holds an application that could be decided."""


def files(run: Run) -> None:
    """Give every hostile file to the page, one after another, and look at the memory that it takes."""
    silent, decided, slowest, most = [], [], ("", 0.0), 0.0
    with (
        served(Home(run.folder / "home")) as server,
        serving_page(
            run.folder / "page", server.url, "--portfolio", str(write_portfolio(run.folder / "clients"))
        ) as page,
        httpx.Client(base_url=page.url, timeout=300, trust_env=False) as client,
    ):
        number = next(one.number for one in handlers(client) if one.inputs[:1] == ("file",))
        process = psutil.Process(page.process.pid)
        before = process.memory_info().rss
        for at, (name, make) in enumerate(HOSTILE.items(), 1):
            run.progress(at, len(HOSTILE), name)
            start = time.monotonic()
            stored = upload(client, "en", name, make())
            if stored.status_code == 200:
                given = {"path": stored.json()[0], "meta": {"_type": "gradio.FileData"}}
                (answer,) = ask(client, "en", [(number, [given, False])])
                silent += [name] if answer is None else []
                decided += [name] if answer is not None and "probability_of_default" in answer else []
            slowest = max(slowest, (name, time.monotonic() - start), key=lambda pair: pair[1])
            most = max(most, process.memory_info().rss - before)
        alive = client.get("/en/config").status_code == 200 and page.process.poll() is None
        traces = page.said().count("Traceback") + page.said().count("panicked")
    run.figure("files made to harm", len(HOSTILE), "files", ">= 19")
    run.figure("without an answer", len(silent), "files", "= 0", note="; ".join(silent[:3]))
    run.figure("taken for applications", len(decided), "files", "= 0", note="; ".join(decided[:3]))
    run.figure("slowest answer", slowest[1], "s", note=slowest[0])
    run.figure("memory that the page kept, most", most / 2**20, "MB", "<= 1000")
    run.figure("stack traces in the page's output", traces, "traces", "= 0")
    run.figure("the page still answers", float(alive), "", "= 1")
