"""How a CSV file is written, by its first lines: encoding, separator, header, decimals."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scoring.spreadsheet import DELIMITERS
from scoring.tables.faults import TableError

SAMPLE_BYTES = 2**20  # of a file, to tell its encoding and find its header
LONGEST_LINE = 2**20  # bytes; the widest table of ours has lines of 4 KB

BINARY = {
    b"PK\x03\x04": "zip / xlsx",
    b"\x1f\x8b": "gzip",
    b"PAR1": "Parquet",
    b"\xd0\xcf\x11\xe0": "xls",
    b"%PDF": "PDF",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "RAR",
}
INDEX = re.compile(r"Unnamed: \d+|")  # the header that pandas and R leave for the number of a row


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    encoding : str
        "utf-8", "utf-16-le", "utf-16-be", or "ascii": UTF-8 or Windows-1252, which every line must tell.
    start : int
        Bytes of the mark at its beginning.
    separator : str
        One of `DELIMITERS`.
    header_line : int
        The line of the header, from 1.
    names : tuple of str
        Columns as the header has them, without spaces around.
    """

    encoding: str
    start: int
    separator: str
    header_line: int
    names: tuple[str, ...]


def sniff(label: str, head: bytes, known: Collection[str]) -> Dialect:
    """Tell how a CSV file is written.

    Parameters
    ----------
    label : str
        What an error calls the file.
    head : bytes
        Its beginning, `SAMPLE_BYTES` long or the whole of it.
    known : collection of str
        Columns that may be there: the separator is the one that finds most of them.

    Raises
    ------
    TableError
        If it is no text, empty, or its header can be read in two ways.
    """
    encoding, start = _encoding(label, head)
    text = head[start:].decode("latin-1" if encoding == "ascii" else encoding, errors="ignore")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    separator, found = None, None
    for number, line in enumerate(lines, start=1):
        if separator is None and (said := re.fullmatch(r'"?sep=(.)"?', line, re.IGNORECASE)):
            separator = said[1]
            if separator not in DELIMITERS:
                raise TableError("unknown_separator", file=label, line=number)
        elif line.strip():
            found = number
            break
    if found is None:
        raise TableError("empty", file=label)
    line = lines[found - 1]
    if len(line) > LONGEST_LINE // 2:
        raise long_line(label, found)
    if encoding == "ascii":
        raw = line.encode("latin-1")
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError:
            line = raw.decode("cp1252", errors="replace")
    separator = separator or _separator(label, line, known)
    names = fields(line, separator)
    if names is None:
        raise TableError("header_quote", file=label, line=found)
    return Dialect(encoding, start, separator, found, tuple(names))


def _encoding(label: str, head: bytes) -> tuple[str, int]:
    for mark, kind in BINARY.items():
        if head.startswith(mark):
            raise TableError("other_content", file=label, kind=kind)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise no_text(label)
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return name, len(mark)
    if b"\0" not in head[:4096]:
        return "ascii", 0
    # Without a mark, the zero bytes of plain letters tell UTF-16: they are every other byte.
    even, odd = head[0:512:2], head[1:512:2]
    if not any(odd) and all(even):
        return "utf-16-le", 0
    if not any(even) and all(odd):
        return "utf-16-be", 0
    raise no_text(label)


def no_text(label: str) -> TableError:
    """Return the error for a file of other bytes than text has."""
    return TableError("not_a_text", file=label)


def long_line(label: str, line: int) -> TableError:
    """Return the error for a line without an end."""
    return TableError("long_line", file=label, line=line, bytes=LONGEST_LINE)


def _separator(label: str, header: str, known: Collection[str]) -> str:
    """Return the separator that finds most of the known columns, else the one that stands most often."""
    wanted = {name.casefold() for name in known}
    hits = {
        sign: sum(name.casefold() in wanted for name in fields(header, sign) or ()) for sign in DELIMITERS
    }
    best = [sign for sign in DELIMITERS if hits[sign] and hits[sign] == max(hits.values())]
    used = [sign for sign in best if sign in header]
    if len(used) > 1:
        one, other = (sign.replace("\t", "tab") for sign in used[:2])
        raise TableError("two_separators", file=label, one=one, other=other)
    return used[0] if used else max(DELIMITERS, key=header.count)


def fields(line: str, separator: str) -> list[str] | None:
    """Return the stripped fields of a line, or None if its quotation marks are not paired."""
    try:
        (found,) = csv.reader([line], delimiter=separator, strict=True)
    except (csv.Error, ValueError):
        return None
    return [name.strip().strip("\ufeff") for name in found]


def matched(label: str, names: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the columns of a header under the names that we know them by, whatever their case.

    The first column is the number of a row if it has no name, or that of pandas; it comes back as "", as
    do other columns without a name.

    Raises
    ------
    TableError
        If a column stands twice, or its name has a zero byte: those are ours.
    """
    plain = {name.casefold(): name for name in known}
    found: list[str] = []
    if any("\0" in name for name in names):
        raise no_text(f"{label}: the name of a column")
    for i, name in enumerate(names):
        if name not in known:
            name = plain.get(name.casefold(), name)
        found.append("" if INDEX.fullmatch(name) and (i == 0 or not name) else name)
    for name in found:
        if name and found.count(name) > 1:
            column = found.index(name) + 1
            if name in known:
                raise TableError("repeated_column", file=label, name=name, column=column)
            raise TableError("repeated_unknown_column", file=label, column=column)
    return found


def _signs(separator: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    edge = rb'(?:^|[\n"' + re.escape(separator.encode()) + rb"])[ +-]*"
    end = rb'(?=[ \r\n"' + re.escape(separator.encode()) + rb"]|$)"
    # 0,5 and 1234,5 and 12,34 have a decimal comma for certain, and 1.234,5; what 1,234 has, nobody knows.
    shape = rb"(?:0?%s\d+|\d{4,}%s\d+|\d{1,3}%s(?:\d{1,2}|\d{4,})|\d{1,3}(?:%s\d{3})+%s\d+)"
    comma = shape % (rb",", rb",", rb",", rb"\.", rb",")
    point = shape % (rb"\.", rb"\.", rb"\.", rb",", rb"\.")
    if separator == ",":  # a number with a comma can then only stand in quotation marks
        return re.compile(rb'" *[+-]?' + comma + rb' *"'), re.compile(edge + point + end)
    return re.compile(edge + comma + end), re.compile(edge + point + end)


class Decimals:
    """Which sign a file has before its decimals, as far as it can be told; asked of each part of it."""

    def __init__(self, separator: str) -> None:
        self._patterns = dict(zip(",.", _signs(separator), strict=True))
        self._is_comma = separator == ","
        self.seen: set[str] = set()

    def look(self, part: bytes) -> None:
        """Look at a part of the file."""
        for sign, pattern in self._patterns.items():
            needed = b'"' if self._is_comma and sign == "," else sign.encode()
            if sign not in self.seen and needed in part and pattern.search(part):
                self.seen.add(sign)

    @property
    def sign(self) -> str:
        """The sign: "." where nothing speaks against it, "?" where both are there."""
        return "?" if len(self.seen) == 2 else "," if "," in self.seen else "."
