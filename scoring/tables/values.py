"""What a cell means, once for every kind of column and every door.

Texts are read as people and programs write numbers; what can be read in two ways is a fault, and so is what
is no value of its kind. Columns that have a type already keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from scoring.schema import HISTORY, Application, columns
from scoring.schema.columns import INT32_MAX, INT64_MAX
from scoring.tables.faults import RECORD, no_faults
from scoring.tables.portfolio import DTYPES

MISSING = ("", ".", "na", "n/a", "nan", "nat", "null", "none", "#n/a", "#na", "#nv", "<na>", "\\n")
"""Texts that stand for no value, in any case of letters: of pandas, R, SAS, SQL and spreadsheets."""

TRUE, FALSE = ("true", "vrai", "wahr"), ("false", "faux", "falsch")
WHOLE = ("id", "integer", "flag")
MISFITS = {"number": "not_finite", "id": "not_an_identifier"}  # of a typed column; others are not whole

SPACES = " \u00a0\u202f\u2009'\u2019"  # between thousands
_EXACT = 2**53  # above it a float cannot tell neighbouring whole numbers apart

_GROUPED_BY_SPACE = rf"^[+-]?\d{{1,3}}([{SPACES}]\d{{3}})+([.,]\d*)?$"
_COMMA_DECIMAL = r"^[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?$"
_GROUPED_BY_COMMA = r"^[+-]?\d{1,3}((,\d{3})+\.\d*|(,\d{3}){2,})$"
_GROUPED_BY_POINT = r"^[+-]?\d{1,3}((\.\d{3})+,\d*|(\.\d{3}){2,})$"
_DOUBTFUL_COMMA = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_DOUBTFUL_POINT = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_DATE = r"^\d{1,4}([-/.])\d{1,2}[-/.]\d{1,4}([ T]|$)"
_POWERED = r"^\+?(\d+)(?:[.,](\d*))?[eE]\+?(\d{1,3})$"  # of three digits no spreadsheet writes more

YES_NO = {
    name: tuple(sorted(column.levels, key=str.casefold, reverse=True))
    for record in (Application, *HISTORY.values())
    for name, column in columns(record).items()
    if {level.casefold() for level in column.levels} in ({"y", "n"}, {"yes", "no"})
}
"""Columns of two levels that say yes and no, which some programs write as true and false."""


def typed(
    frame: pl.DataFrame, kinds: dict[str, str], decimal: str = ".", tidy: Collection[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return columns by their kinds, and the cells that are none: those come back as missing.

    Parameters
    ----------
    frame : polars.DataFrame
        Texts, or plain types; ``record`` holds the numbers of the records.
    kinds : dict of str to str
        Columns to return.
    decimal : {".", ",", "?"}
        What stands before decimals; "?" if both signs do.
    tidy : collection of str
        Columns whose texts have no blanks around them and none that stands for no value.

    Returns
    -------
    tuple of polars.DataFrame
        The columns, whole numbers as floats where they were texts; and `FAULTS`.
    """
    schema = frame.schema
    texts = [name for name in kinds if schema[name] == pl.String and name not in tidy]
    floats = [name for name in kinds if schema[name].is_float()]
    plain = _levels(frame, texts).with_columns(pl.col(floats).fill_nan(None))
    found, faults = [], [no_faults()]
    for name, kind in kinds.items():
        dtype = schema[name]
        if kind != "category" and dtype.is_numeric() and not dtype.is_decimal():
            continue
        column, codes = _column(plain[name], kind, decimal)
        found.append(column)
        if codes is not None and codes.null_count() < codes.len():
            faults.append(_as_faults(frame[RECORD], name, codes))
    return plain.with_columns(found).select(*kinds), pl.concat(faults)


def exact(
    records: pl.Series, table: pl.DataFrame, kinds: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the columns of a workbook, whose numbers are floats, and identifiers that these cannot hold."""
    faults = [no_faults()]
    for name in (name for name, kind in kinds.items() if kind == "id" and table[name].dtype.is_integer()):
        wrong = (table[name] > _EXACT).fill_null(False)
        if wrong.any():
            faults.append(_as_faults(records, name, _coded(wrong, "unsafe_identifier")))
            table = table.with_columns(pl.when(~wrong).then(pl.col(name)).alias(name))
    return table, pl.concat(faults)


def narrow(
    frame: pl.DataFrame, records: pl.Series, kinds: dict[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return columns as a portfolio holds them, and the numbers that do not fit."""
    schema = frame.schema
    asked = {name: _misfit(name, kind, schema[name]) for name, kind in kinds.items()}
    tests = {name: test for name, test in asked.items() if test is not None}
    faults = [no_faults()]
    if tests:
        is_any = frame.select(test.any().alias(name) for name, test in tests.items()).row(0, named=True)
        for name in (name for name, is_wrong in is_any.items() if is_wrong):
            code = MISFITS.get(kinds[name], "not_whole")
            faults.append(_as_faults(records, name, _coded(frame.select(tests[name]).to_series(), code)))
    other = {name: DTYPES[kind] for name, kind in kinds.items() if schema[name] != DTYPES[kind]}
    return frame.select(*kinds).cast(other, strict=False), pl.concat(faults)  # type: ignore[arg-type]


def _misfit(name: str, kind: str, dtype: pl.DataType) -> pl.Expr | None:
    """Return the expression that is true where a number is none of its kind; None where none can be."""
    value = pl.col(name)
    if kind == "number":
        return value.is_infinite() if dtype.is_float() else None
    most = (_EXACT if dtype.is_float() else INT64_MAX) if kind == "id" else INT32_MAX
    if dtype.is_float():
        return (value != value.round()) | (value.abs() > most)
    if kind == "id":
        return value > most if dtype == pl.UInt64 else None
    return (value > most) | (value < -most) if dtype.is_integer() and dtype != pl.Int32 else None


def _as_faults(records: pl.Series, name: str, codes: pl.Series) -> pl.DataFrame:
    wrong = codes.is_not_null()
    return pl.DataFrame({"row": records.filter(wrong), "code": codes.filter(wrong)}).select(
        pl.col("row").cast(pl.Int64),
        pl.lit(name).alias("column"),
        "code",
        pl.lit(None, dtype=pl.Int64).alias("found"),
    )


def _levels(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Return texts without blanks around them, and without those that stand for no value.

    Most columns have few texts that differ, so these are looked at, and the columns that have an odd one
    are changed.
    """
    changed = []
    for name, column in frame.select(pl.col(names).unique().implode()).to_dict().items() if names else ():
        if not is_tidy(column[0]):
            text = pl.col(name).str.strip_chars()
            changed.append(pl.when(~text.str.to_lowercase().is_in(MISSING)).then(text).alias(name))
    return frame.with_columns(changed) if changed else frame


def is_tidy(levels: pl.Series) -> bool:
    """Tell whether texts have no blanks around them, and none stands for no value."""
    bare = levels.str.strip_chars()
    return bare.equals(levels, null_equal=True) and not bare.str.to_lowercase().is_in(MISSING).any()


def _column(column: pl.Series, kind: str, decimal: str) -> tuple[pl.Series, pl.Series | None]:
    """Return one column by its kind, with a code where a cell is none."""
    dtype = column.dtype
    if dtype == pl.Null:
        return column.cast(DTYPES[kind]), None
    if dtype.is_decimal():
        column = column.cast(pl.String)  # its digits make the nearest float, or a whole number
    if kind == "category":
        return _category(column)
    if dtype == pl.Boolean:
        if kind == "flag":
            return column.cast(pl.Int32), None
        code = "not_an_identifier" if kind == "id" else "not_a_number"
        return pl.Series(column.name, [None] * column.len(), DTYPES[kind]), _coded(column.is_not_null(), code)
    if kind == "flag":
        low = column.str.to_lowercase()
        is_word = low.is_in([*TRUE, *FALSE]).fill_null(False)
        if is_word.any():
            word = pl.when(low.is_in(TRUE)).then(pl.lit("1")).otherwise(pl.lit("0"))
            column = pl.select(pl.when(is_word).then(word).otherwise(column).alias(column.name)).to_series()
    return (_identifiers if kind == "id" else _numbers)(column, decimal)


def _category(column: pl.Series) -> tuple[pl.Series, None]:
    """Return a category as text; true and false are the levels of a column that says yes and no."""
    if column.dtype.is_float():
        is_whole = (column == column.round()).all() and not column.is_infinite().any()
        column = column.cast(pl.Int64) if is_whole else column
    text = column.cast(pl.String)
    if column.name in YES_NO and column.dtype in (pl.String, pl.Boolean):
        yes, no = YES_NO[column.name]
        low = text.str.to_lowercase()
        if low.is_in([*TRUE, *FALSE]).any():
            said = pl.when(low.is_in(TRUE)).then(pl.lit(yes)).when(low.is_in(FALSE)).then(pl.lit(no))
            text = pl.select(said.otherwise(text).alias(column.name)).to_series()
    return text, None


def _numbers(column: pl.Series, decimal: str) -> tuple[pl.Series, pl.Series | None]:
    """Read numbers as they are written in English, French, German or Swiss, or by a program."""
    number = column.cast(pl.Float64, strict=False)
    odd = (column.is_not_null() & ~number.is_finite().fill_null(False)).fill_null(False)
    if decimal != ".":
        odd = odd | column.str.contains(_DOUBTFUL_POINT).fill_null(False)
    return _mended(number, column, odd, lambda cells: _odd_numbers(cells, decimal))


def _odd_numbers(cells: pl.Series, decimal: str) -> tuple[pl.Expr, pl.Expr]:
    """Return the numbers of cells that are not plain ones, or what is wrong with them."""
    text = pl.lit(cells).str.replace_all("\u2212", "-", literal=True)
    text = (
        pl.when(text.str.contains(_GROUPED_BY_SPACE))
        .then(text.str.replace_all(f"[{SPACES}]", ""))
        .otherwise(text)
    )
    is_doubtful_comma = pl.lit(cells).str.contains(_DOUBTFUL_COMMA) & pl.lit(decimal != ",")
    is_doubtful_point = pl.lit(cells).str.contains(_DOUBTFUL_POINT) & pl.lit(decimal != ".")
    with_point = text.str.replace(",", ".", literal=True)
    bare = (
        pl.when(text.str.contains(_GROUPED_BY_COMMA))
        .then(text.str.replace_all(",", "", literal=True))
        .when(text.str.contains(_GROUPED_BY_POINT))
        .then(text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .when(text.str.contains(_COMMA_DECIMAL))
        .then(with_point)
        .otherwise(text)
    )
    plain = pl.when(bare.str.contains(_PLAIN)).then(bare.str.strip_prefix("+"))
    number = plain.cast(pl.Float64, strict=False)
    code = (
        pl.when(is_doubtful_comma)
        .then(pl.lit("unclear_comma"))
        .when(is_doubtful_point)
        .then(pl.lit("unclear_point"))
        .when(number.is_finite().fill_null(False))
        .then(None)
        .when(text.str.contains(_DATE))
        .then(pl.lit("a_date"))
        .otherwise(pl.lit("not_a_number"))
    )
    return pl.when(code.is_null()).then(number), code


def _identifiers(column: pl.Series, decimal: str) -> tuple[pl.Series, pl.Series | None]:
    """Read whole numbers of 64 bits, also where a program has written them as floats."""
    number = column.cast(pl.Int64, strict=False)
    odd = (column.is_not_null() & number.is_null()).fill_null(False)

    def read(cells: pl.Series) -> tuple[pl.Expr, pl.Expr]:
        value, code = _odd_numbers(cells, decimal)
        text = pl.lit(cells)
        whole = text.str.replace(r"^(\d+)[.,]0*$", "${1}").cast(pl.Int64, strict=False)
        is_exact = (value == value.round()) & (value.abs() <= _EXACT)
        through = pl.when(is_exact).then(value).cast(pl.Int64, strict=False)
        found = pl.coalesce(pl.when(code.is_null()).then(whole), through)
        said = (
            pl.when(_is_rounded(text))
            .then(pl.lit("rounded_identifier"))
            .when(code.is_in(["unclear_comma", "unclear_point"]))
            .then(code)
            .when(found.is_null())
            .then(pl.lit("not_an_identifier"))
        )
        return pl.when(said.is_null()).then(found), said

    return _mended(number, column, odd, read)


def _is_rounded(text: pl.Expr) -> pl.Expr:
    """Tell whether a number with a power of ten shows fewer decimals than the power asks for.

    So spreadsheets show what is longer than its cell, and export what they show. Whoever wrote 1.00E+05, be
    it 100000 or 100001, the digits that are not there cannot be told from zeros.
    """
    decimals = text.str.extract(_POWERED, 2).str.len_chars().fill_null(0)
    power = text.str.extract(_POWERED, 3).cast(pl.Int64, strict=False)
    return (power > decimals).fill_null(False)


def _mended(
    number: pl.Series,
    column: pl.Series,
    odd: pl.Series,
    read: Callable[[pl.Series], tuple[pl.Expr, pl.Expr]],
) -> tuple[pl.Series, pl.Series | None]:
    """Return numbers with those of the odd cells put in, and a code where these are none."""
    if not odd.any():
        return number, None
    where = odd.arg_true()
    value, code = read(column.filter(odd).alias("cell"))
    found = pl.select(value=value, code=code)
    codes = pl.Series("code", [None], pl.String).new_from_index(0, column.len())
    mended = number.scatter(where, found["value"])
    return mended.alias(column.name), codes.scatter(where, found["code"])


def _coded(wrong: pl.Series, code: str) -> pl.Series:
    return pl.select(pl.when(wrong).then(pl.lit(code))).to_series()
