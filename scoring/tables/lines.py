"""The lines of a CSV file: one record each, counted, and those that are none named by their number.

A record is a line, for certain: a line break inside quotation marks ends it, so an unpaired mark costs its
own line and no other. Looking over the lines takes a fraction of the time that reading them does.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from scoring.tables.dialect import LONGEST_LINE, SAMPLE_BYTES, Decimals, Dialect, long_line, no_text, sniff
from scoring.tables.faults import FAULTS, RECORD, TableError

PART_BYTES = 2**24  # looked over, and read, at a time
FEW_QUOTES = 50_000  # in a part: more are looked at together
ALL = bytes(range(256))
MOST_BLANK = 1_000_000  # blank lines: each is held, to number those behind it, and costs a file one byte
MOST_FAULTS = 10_000  # a file with more wrong lines is refused as a whole

Positions = npt.NDArray[np.int64]
NONE: Positions = np.empty(0, np.int64)


@dataclass(frozen=True)
class LineBlock:
    """Some whole lines behind the header.

    Attributes
    ----------
    text : bytes
        The lines, each with its line feed.
    first : int
        Number of their first line in the file, from 1.
    """

    text: bytes
    first: int

    @cached_property
    def end(self) -> Positions:
        """Where the line feed of each line is."""
        return np.flatnonzero(np.frombuffer(self.text, np.uint8) == ord("\n"))

    @cached_property
    def start(self) -> Positions:
        """Where each line begins."""
        return np.concatenate([[0], self.end[:-1] + 1])


@dataclass
class Lines:
    """A CSV file whose lines have been looked over.

    Attributes
    ----------
    path : Path
        Where it is.
    dialect : Dialect
        How it is written.
    decimal : str
        What stands before decimals, in all that it holds: ".", "," or "?" for both.
    has_decimals : bool
        Whether it holds any.
    records : int
        Lines behind the header that are not blank.
    faults : polars.DataFrame
        `FAULTS` of those that are no record.
    """

    path: Path
    dialect: Dialect
    decimal: str = "."
    has_decimals: bool = False
    records: int = 0
    faults: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FAULTS))
    _blank: Positions = field(default_factory=lambda: NONE)  # records before each blank line
    _whole: list[int] = field(default_factory=list)  # records of each part; 0 if it has other lines too
    _is_windows: bool = False

    def line(self, record: int) -> int:
        """Return the line of a record, both from 1."""
        blank = int(np.searchsorted(self._blank, record, side="left"))
        return self.dialect.header_line + record + blank

    def texts(self, columns: Collection[int], types: dict[int, pl.DataType]) -> Iterator[pl.DataFrame]:
        """Give some columns, a part of the file at a time, with the numbers of the records in ``record``.

        Parameters
        ----------
        columns : collection of int
            Their positions; the frames name them by it.
        types : dict of int to polars.DataType
            How to read some of them; a part in which that fails is given as texts.

        Raises
        ------
        TableError
            If the reader finds another number of records than there are.
        """
        wrong = {self.line(row) for row in self.faults["row"].to_list()}
        record = 0
        for part, whole in zip(parts(self.path, self.dialect), self._whole, strict=False):
            if whole:
                yield self._frame(part, part.text, np.arange(record + 1, record + 1 + whole), columns, types)
                record += whole
                continue
            keep = ~_blank(part, self.dialect.separator)
            numbers = np.arange(record + 1, record + 1 + int(keep.sum()))
            record += numbers.size
            if wrong:
                is_wrong = np.isin(np.arange(part.first, part.first + keep.size), list(wrong))
                numbers = numbers[~is_wrong[keep]]
                keep &= ~is_wrong
            if not numbers.size:
                continue
            yield self._frame(part, _kept(part, keep), numbers, columns, types)

    def _frame(
        self,
        part: LineBlock,
        text: bytes,
        numbers: Positions,
        columns: Collection[int],
        types: dict[int, pl.DataType],
    ) -> pl.DataFrame:
        """Read the records of a part, and count them again."""
        if self._is_windows:
            text = text.decode("cp1252").encode()
        frame = _parse(text, self.dialect, sorted(columns), types)
        if frame.height != numbers.size:
            raise TableError(
                "lines_lost",
                file=self.path.name,
                line=part.first - 1,
                records=numbers.size,
                read=frame.height,
            )
        return frame.insert_column(0, pl.Series(RECORD, numbers))


def look_over(path: Path, label: str, known: Collection[str]) -> Lines:
    """Look over a CSV file: how it is written, how many records it has, and which lines are none.

    Raises
    ------
    TableError
        If it is no text, empty, or hardly any line is a record.
    """
    with path.open("rb") as file:
        dialect = sniff(label, file.read(SAMPLE_BYTES), known)
    found = Lines(path, dialect)
    decimals, width = Decimals(dialect.separator), len(dialect.names)
    faults: list[tuple[int, str, int | None]] = []
    blanks = 0
    blank, other, is_utf8 = [], [], dialect.encoding == "utf-8"
    for part in parts(path, dialect, label):
        decimals.look(part.text)
        before = found.records
        whole = _whole(part, dialect.separator, width)
        found._whole.append(whole)
        found.records += whole
        if not whole:
            is_blank = _blank(part, dialect.separator)
            record = before + np.cumsum(~is_blank)  # of each line; a blank one has that of the one before
            blank.append(record[is_blank])
            if (blanks := blanks + int(is_blank.sum())) > MOST_BLANK:
                raise TableError("blank_lines", file=label, most=MOST_BLANK)
            for code, wrong, counts in _faults(part, dialect.separator, width):
                faults += [
                    (int(record[i]), code, n)
                    for i, n in zip(wrong.tolist(), counts.tolist(), strict=True)
                    if not is_blank[i]
                ][: MOST_FAULTS + 1]
            found.records += int((~is_blank).sum())
        if not dialect.encoding.startswith("utf-16") and not part.text.isascii():
            strange, has_letters = _strange(part)
            other += [before + 1 + i if whole else int(record[i]) for i in strange]
            is_utf8 |= has_letters
        if len(faults) > MOST_FAULTS or (is_utf8 and len(other) > MOST_FAULTS):
            break
    if other and not is_utf8:
        _check_windows(path, label, dialect)
        found._is_windows = True
    elif other:
        found._whole = [0] * len(found._whole)
        faults += [(record, "other_encoding", None) for record in other]
    faults = list({fault[0]: fault for fault in reversed(faults)}.values())[::-1]
    found.faults = pl.DataFrame(
        {
            "row": [row for row, *_ in faults],
            "column": [None] * len(faults),
            "code": [code for _, code, _ in faults],
            "found": [n for *_, n in faults],
        },
        schema=FAULTS,
    ).sort("row")
    found._blank = np.concatenate([NONE, *blank])
    found.decimal, found.has_decimals = decimals.sign, bool(decimals.seen)
    if len(faults) > MOST_FAULTS:
        line = found.line(int(found.faults["row"][0]))
        raise TableError("many_broken_lines", file=label, most=MOST_FAULTS, width=width, line=line)
    return found


def parts(path: Path, dialect: Dialect, label: str = "") -> Iterator[LineBlock]:
    """Give the lines behind the header, some at a time, as UTF-8 and ended by line feeds."""
    number, rest, decode = 1, b"", _decoder(dialect)
    with path.open("rb") as file:
        file.seek(dialect.start)
        is_last = False
        while not is_last:
            raw = file.read(PART_BYTES)
            is_last = not raw
            try:
                text = rest + decode(raw)
            except UnicodeError:
                raise no_text(label) from None
            if b"\0" in text:
                raise no_text(label)
            if b"\r" in text:
                held = text.endswith(b"\r") and not is_last  # its line feed may come next
                text = text[:-1] if held else text
                text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                text += b"\r" if held else b""
            if is_last:
                text += b"" if text.endswith(b"\n") or not text else b"\n"
            cut = text.rfind(b"\n") + 1
            text, rest = text[:cut], text[cut:]
            if len(rest) > LONGEST_LINE:
                raise long_line(label, number + text.count(b"\n"))
            if not text:
                continue
            skipped = 0
            while number <= dialect.header_line and skipped < len(text):
                skipped = text.find(b"\n", skipped) + 1
                number += 1
            if text := text[skipped:]:
                yield LineBlock(text, number)
                number += text.count(b"\n")


def _decoder(dialect: Dialect) -> Callable[[bytes], bytes]:
    """Return what turns the bytes of a file into those of UTF-8, piece by piece."""
    if not dialect.encoding.startswith("utf-16"):
        return bytes
    decoder = codecs.getincrementaldecoder(dialect.encoding)()
    return lambda raw: decoder.decode(raw, not raw).encode()


def _whole(part: LineBlock, separator: str, width: int) -> int:
    """Return how many records a part has if its lines are plainly nothing else; else 0."""
    sign = separator.encode()
    text = _outside(part.text, sign) if b'"' in part.text else part.text
    if width == 1 or text is None:
        return 0
    skeleton = text.translate(None, ALL.translate(None, b"\n" + sign))
    records = len(skeleton) // width
    return records if skeleton == (sign * (width - 1) + b"\n") * records else 0


def _outside(text: bytes, sign: bytes) -> bytes | None:
    """Return a text without what stands in quotation marks, if they are few and stand around fields."""
    if text.count(b'"') > FEW_QUOTES:
        return None
    pieces = text.split(b'"')
    outside = pieces[::2]
    edges = (sign, b"\n")
    is_right = (
        len(pieces) % 2 == 1
        and not any(b"\n" in inside for inside in pieces[1::2])
        and all(not piece or piece.endswith(edges) for piece in outside[:-1])
        and all(not piece or piece.startswith(edges) for piece in outside[1:])
    )
    return b"".join(outside) if is_right else None


def _blank(part: LineBlock, separator: str) -> npt.NDArray[np.bool_]:
    """Tell which lines hold nothing but blanks."""
    length = part.end - part.start
    blank: npt.NDArray[np.bool_] = length == 0
    first = np.frombuffer(part.text, np.uint8)[part.start]
    for i in np.flatnonzero(~blank & ((first == 32) | (first == 9)) & (length < 256)):
        line = part.text[part.start[i] : part.end[i]]
        blank[i] = separator.encode() not in line and not line.strip()
    return blank


def _kept(part: LineBlock, keep: npt.NDArray[np.bool_]) -> bytes:
    """Return the lines to keep, as bytes."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], keep, [False]])))
    pieces = [part.text[part.start[a] : part.end[b - 1] + 1] for a, b in edges.reshape(-1, 2)]
    return b"".join(pieces)


def _faults(part: LineBlock, separator: str, width: int) -> Iterator[tuple[str, Positions, Positions]]:
    """Give the lines that are no record, by kind of fault, with their number of fields."""
    signs = np.frombuffer(part.text, np.uint8)
    places = np.flatnonzero((signs == ord("\n")) | (signs == ord(separator)))
    counts = np.diff(np.flatnonzero(signs[places] == ord("\n")), prepend=-1)
    if b'"' in part.text:
        quotes = np.flatnonzero(signs == ord('"'))
        line = np.searchsorted(part.end, quotes)
        before = np.searchsorted(quotes, part.start)  # quotes ahead of each line
        opens = (np.arange(quotes.size) - before[line]) % 2 == 0
        # A pair stands around a field, and a doubled mark within it closes and opens the field at once.
        edge = [ord(separator), ord("\n"), ord('"')]
        behind = np.where(quotes == 0, ord("\n"), signs[quotes - 1])
        is_right = np.where(opens, np.isin(behind, edge), np.isin(signs[quotes + 1], edge))
        is_odd = np.diff(before, append=quotes.size) % 2 == 1
        wrong = np.unique(np.concatenate([line[~is_right], np.flatnonzero(is_odd)]))
        yield "unpaired_quote", wrong, counts[wrong]
        opening = np.flatnonzero(opens & ~is_odd[line])
        separators = places[signs[places] != ord("\n")]
        inside = np.diff(np.searchsorted(separators, quotes[opening[:, None] + [0, 1]]), axis=1)[:, 0]
        counts -= np.bincount(line[opening], inside, counts.size).astype(np.int64)
    wrong = np.flatnonzero(counts != width)
    yield "wrong_field_count", wrong, counts[wrong]


def _strange(part: LineBlock) -> tuple[list[int], bool]:
    """Return the lines that are no UTF-8, and whether others have letters beyond ASCII that are."""
    try:
        part.text.decode()
        return [], True
    except UnicodeDecodeError:
        pass
    high = np.flatnonzero(np.frombuffer(part.text, np.uint8) > 127)
    strange, has_letters = [], False
    for i in np.unique(np.searchsorted(part.end, high)).tolist():
        try:
            part.text[part.start[i] : part.end[i]].decode()
            has_letters = True
        except UnicodeDecodeError:
            strange.append(i)
    return strange, has_letters


def _check_windows(path: Path, label: str, dialect: Dialect) -> None:
    """Refuse a file that has bytes that Windows-1252 leaves free."""
    for part in parts(path, dialect, label):
        try:
            part.text.decode("cp1252")
        except UnicodeDecodeError as error:
            line = part.first + part.text.count(b"\n", 0, error.start)
            raise TableError("unknown_encoding", file=label, line=line) from None


def _parse(text: bytes, dialect: Dialect, columns: list[int], types: dict[int, pl.DataType]) -> pl.DataFrame:
    """Read columns of lines that are records; where a type fails, all of them are texts."""
    if len(dialect.names) == 1:
        # A line is then a field, and polars would skip one that is empty in quotation marks.
        types = {}
    for wanted in (types, {}) if types else ({},):
        try:
            found = pl.read_csv(
                text,
                has_header=False,
                separator=dialect.separator,
                schema={f"column_{i}": wanted.get(i, pl.String()) for i in range(len(dialect.names))},
                columns=[f"column_{i}" for i in columns],
            )
        except pl.exceptions.PolarsError:
            if not wanted:
                raise
            continue
        numbers = found.select(pl.col(pl.Float64).is_infinite().any())
        if wanted and numbers.width and any(numbers.row(0)):
            continue
        return found.rename({f"column_{i}": str(i) for i in columns})
    raise AssertionError("texts can always be read")
