"""What spreadsheets do to CSV: the separators that they write, and the cells that they would run."""

from __future__ import annotations

import polars as pl

DELIMITERS = (",", ";", "\t", "|")
FORMULA = r"^[=+\-@\t\r\n]"  # a spreadsheet runs a cell that begins so
NUMBER = r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?$"  # such a one is only a number


def harmless(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table with an apostrophe before each text that a spreadsheet would run; numbers stay.

    A column may be named so too: a name is a cell of the first line.
    """
    names = pl.Series(table.columns, dtype=pl.String)
    if (risky := names.str.contains(FORMULA)).any():
        taken, new = set(names), {}
        for name in names.filter(risky):
            new[name] = f"'{name}"
            while new[name] in taken:
                new[name] = f"'{new[name]}"
            taken.add(new[name])
        table = table.rename(new)
    text = pl.col(pl.String)
    is_risky = text.str.contains(FORMULA) & ~text.str.contains(NUMBER)
    return table.with_columns(pl.when(is_risky).then(pl.lit("'") + text).otherwise(text).name.keep())
