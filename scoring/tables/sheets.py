"""The sheets of a workbook as Arrow files: a program of its own, which a hostile workbook alone ends.

``python sheets.py WORKBOOK FOLDER`` writes each sheet that has a cell, and of it the lines that have one, all
as texts, to ``FOLDER/0.arrow`` and so on. The reader keeps memory for every cell up to the last, and a
workbook of 1,500 bytes can have its last cell in the last of 17,000,000,000 places: then this program ends,
not the page that started it. It imports nothing of ours, so that it starts soon.
"""

from __future__ import annotations

import re
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc

MOST_BYTES = 4 * 2**30  # of memory
MOST_SECONDS = 300  # of a processor
BARE, UNREADABLE, LARGE = 3, 4, 5
"""Exit codes: a formula without its value; no workbook; more than the memory holds."""

SHEET = re.compile(r"xl/worksheets/[^/]*\.xml")
# A program that writes a formula without its value leaves a cell that would read as missing.
BARE_FORMULA = re.compile(rb"</f>\s*(<v>\s*</v>|<v\s*/>)?\s*</c>")
ERRORS = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
}
"""The reader's names of what stands in a cell that could not be computed, and what a CSV file has there."""
ERROR = re.compile(r"'Error\((\w+)\)'")


def main(workbook: Path, folder: Path) -> int:
    """Write the sheets; return the exit code."""
    _limit()
    try:
        if zipfile.is_zipfile(workbook) and _has_bare_formula(workbook):
            return BARE
        reader = fastexcel.read_excel(workbook)
        for number, name in enumerate(reader.sheet_names):
            table = _texts(reader, name)
            if table.num_rows:
                with pa.ipc.new_file(folder / f"{number}.arrow", table.schema) as file:
                    file.write(table)
    except MemoryError:
        return LARGE
    except BaseException:  # the reader's panics are no exceptions of Python's own
        return UNREADABLE
    return 0


def _limit() -> None:
    with suppress(ImportError):  # not on Windows
        import resource

        for kind, most in ((resource.RLIMIT_AS, MOST_BYTES), (resource.RLIMIT_CPU, MOST_SECONDS)):
            hard = resource.getrlimit(kind)[1]
            if hard == resource.RLIM_INFINITY or most < hard:
                resource.setrlimit(kind, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _has_bare_formula(workbook: Path) -> bool:
    with zipfile.ZipFile(workbook) as archive:
        pages = [name for name in archive.namelist() if SHEET.fullmatch(name)]
        return any(BARE_FORMULA.search(archive.read(page)) for page in pages)


def _texts(reader: fastexcel.ExcelReader, name: str) -> pa.RecordBatch:
    """Return a sheet as texts, with the words for errors where it has some: they are no missing values."""
    sheet = reader.load_sheet(
        name, header_row=None, skip_rows=0, dtypes="string", skip_whitespace_tail_rows=False
    )
    table, errors = sheet.to_arrow_with_errors()
    columns = [column.cast(pa.string()) for column in table.columns]
    wrong: dict[int, dict[int, str]] = {}
    for error in errors.errors if errors is not None else ():
        row, column = error.offset_position
        found = ERROR.search(error.detail)
        wrong.setdefault(column, {})[row] = ERRORS.get(found[1] if found else "", "#ERROR!")
    for place, cells in wrong.items():
        texts = columns[place].to_pylist()
        for row, text in cells.items():
            texts[row] = text
        columns[place] = pa.array(texts, pa.string())
    return _full(columns)


def _full(columns: list[pa.Array]) -> pa.RecordBatch:
    """Return the lines that have a cell, with their numbers: the others would take room elsewhere too."""
    height = len(columns[0]) if columns else 0
    is_full = pa.array([False]).take(pa.repeat(pa.scalar(0), height))
    for column in columns:
        has_text = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
        is_full = pc.or_(is_full, pc.fill_null(has_text, False))
    line = pa.array(range(1, height + 1), pa.int64())
    names = ["line", *(str(number) for number in range(len(columns)))]
    return pa.record_batch([line, *columns], names).filter(is_full)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
