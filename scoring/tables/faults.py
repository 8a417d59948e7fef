"""What can be wrong with a file, and the faults of its lines and cells as a table."""

from __future__ import annotations

import polars as pl

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

    Attributes
    ----------
    en, fr : str
        The sentence in both languages.
    """

    def __init__(self, en: str, fr: str | None = None) -> None:
        super().__init__(en)
        self.en, self.fr = en, fr or en


def unreadable(label: str) -> TableError:
    """Return the error for a file that is damaged; a library's own words might repeat what is in it."""
    return TableError(
        f"{label} cannot be read: it is damaged, cut off, or not what its name says; copy or download it "
        "again.",
        f"{label} ne peut pas être lu : il est endommagé, coupé, ou n'est pas ce que dit son nom ; copiez-le "
        "ou téléchargez-le de nouveau.",
    )


def no_faults() -> pl.DataFrame:
    """Return a table of faults that has none."""
    return pl.DataFrame(schema=FAULTS)
