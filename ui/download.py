"""A scored file as it is taken away: CSV, an Excel workbook or Parquet.

polars writes workbooks through a library that this project does not carry for that alone: a workbook of one
sheet is a few lines of XML in a zip.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import polars as pl

from scoring.spreadsheet import harmless
from ui.batch import ScoredFile

FORMATS = (".csv", ".xlsx", ".parquet")
LONGEST = 32_767  # letters that a cell of Excel holds
# XML has no way to write these.
UNSAID = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.spreadsheetml.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}


def write(scored: ScoredFile, path: Path, sheet: str = "1") -> Path:
    """Write a scored file in the format that the ending says, one of `FORMATS`; return the path.

    In CSV no cell is one that a spreadsheet would run; decimals and separator as they came.
    """
    if path.suffix == ".parquet":
        scored.table.write_parquet(path)
    elif path.suffix == ".xlsx":
        write_workbook(scored.table, path, sheet)
    else:
        # The mark at the beginning makes spreadsheets read the accents right.
        harmless(scored.table).write_csv(
            path, include_bom=True, separator=scored.delimiter, decimal_comma=scored.is_comma
        )
    return path


def write_workbook(table: pl.DataFrame, path: Path, sheet: str) -> None:
    """Write a table as a workbook of one sheet: numbers as numbers, texts as texts and never as formulas."""
    book = (
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name={quoteattr(sheet[:31])} sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in (_PARTS | {"xl/workbook.xml": book}).items():
            file.writestr(name, _HEAD + part)
        with file.open("xl/worksheets/sheet1.xml", "w") as rows:
            rows.write(f'{_HEAD}<worksheet xmlns="{_SHEET}"><sheetData>'.encode())
            for row in _rows(table):
                rows.write(row.encode())
            rows.write(b"</sheetData></worksheet>")


def _rows(table: pl.DataFrame) -> Iterator[str]:
    columns = [_column(place) for place in range(table.width)]
    for number, values in enumerate((table.columns, *table.iter_rows()), 1):
        cells = (_cell(f"{name}{number}", value) for name, value in zip(columns, values, strict=True))
        yield f'<row r="{number}">{"".join(cells)}</row>'


def _column(place: int) -> str:
    """Return what a spreadsheet calls the column at a place from 0: A to Z, then AA."""
    more, letter = divmod(place, 26)
    return (_column(more - 1) if more else "") + chr(ord("A") + letter)


def _cell(place: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    text = escape(UNSAID.sub("", str(value))[:LONGEST])
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
