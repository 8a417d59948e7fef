"""What can be wrong with a file, and the faults of its lines and cells as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from scoring.language import ENGLISH
from scoring.problems import FILES, Sayable, worded

FAULTS: dict[str, pl.DataType] = {
    "row": pl.Int64(),
    "column": pl.String(),
    "code": pl.String(),
    "found": pl.Int64(),
}
"""Faults as a table: record from 1, column (null: the whole line), code, fields found."""

RECORD = "\0record"
"""Column of the numbers of the records: a name that no column of a file has."""

WHOLE_LINE = ("wrong_field_count", "unpaired_quote", "other_encoding")
"""Codes of lines that have no values."""


class TableError(ValueError):
    """A file that cannot be read; the text names the file, the place and the remedy.

    Parameters
    ----------
    code : str
        A key of `scoring.problems.FILES`.
    params
        What fills the places of its sentence, other sentences among them.
    """

    def __init__(self, code: str, **params: int | float | str | Sayable) -> None:
        self.code, self.params = code, params
        super().__init__(self.say())

    def say(self, language: str = ENGLISH) -> str:
        """Return what is wrong, in words."""
        return worded(FILES[self.code], self.params, language)


@dataclass(frozen=True, slots=True)
class Place:
    """A line or a row of a file, inside a sentence."""

    code: Literal["at_line", "at_row"]
    number: int

    def say(self, language: str = ENGLISH) -> str:
        """Return where it is, in words."""
        return worded(FILES[self.code], {self.code.removeprefix("at_"): self.number}, language)


def unreadable(label: str) -> TableError:
    """Return the error for a file that is damaged; a library's own words might repeat what is in it."""
    return TableError("unreadable", file=label)


def no_faults() -> pl.DataFrame:
    """Return a table of faults that has none."""
    return pl.DataFrame(schema=FAULTS)
