"""A file of applications in, the same file with decisions out: same order, errors row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from scoring.schema import KEY, Application, ApplicationRequest, Column, Decision, columns
from scoring.spreadsheet import delimiter, harmless
from ui.figures import UNCLEAR, Language, number, parse, quoted
from ui.words import say

MOST_ROWS = 50_000  # in one upload; the command line has no such limit
ROWS_A_REQUEST = 100  # a small part answers in time on a slow machine, and the progress moves
ANSWERS = (
    "probability_of_default",
    "score",
    "threshold",
    "decision",
    "model",
    "event_id",
    "warnings",
    "error",
)

Score = Callable[[list[dict[str, Any]]], Sequence[Decision | str]]
"""Asks the service; per application a decision, or a sentence that says why there is none."""


class FileProblem(ValueError):
    """The file as a whole cannot be scored; the message is a sentence for the officer."""


@dataclass(frozen=True)
class Upload:
    """A file of applications as it came: texts from CSV, with its delimiter, or types from Parquet."""

    table: pl.DataFrame
    delimiter: str = ","


@dataclass(frozen=True)
class Scored:
    """A scored file.

    Attributes
    ----------
    table : polars.DataFrame
        The columns of the file, then `ANSWERS`; one row per row of the file, in its order.
    delimiter : str
        Of the file, if it is CSV; the answer has the same.
    """

    table: pl.DataFrame
    delimiter: str = ","

    def count(self, decision: str) -> int:
        """Return how many rows were decided so."""
        return int((self.table["decision"] == decision).sum())

    @property
    def faulty(self) -> int:
        """Rows with an error."""
        return int(self.table["error"].is_not_null().sum())

    def write(self, path: Path) -> Path:
        """Write Parquet or, for any other ending, CSV that no spreadsheet runs; returns the path."""
        if path.suffix.lower() == ".parquet":
            self.table.write_parquet(path)
        else:
            # The mark at the beginning makes spreadsheets read the accents right.
            safe = harmless(self.table)
            is_comma = self.delimiter == ";"  # spreadsheets that separate so write decimals with a comma
            safe.write_csv(path, include_bom=True, separator=self.delimiter, decimal_comma=is_comma)
        return path


def read(path: Path, lang: Language) -> Upload:
    """Read a file of applications, CSV in whatever separator and encoding.

    Raises
    ------
    FileProblem
        With a sentence, if it is no table of applications.
    """
    name, kind = quoted(path.name), path.suffix.lower().lstrip(".")
    if kind not in ("csv", "parquet"):
        raise FileProblem(say("file_kind", lang, name=name))
    try:
        upload = Upload(pl.read_parquet(path)) if kind == "parquet" else _read_csv(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError):
        raise FileProblem(say("file_unreadable", lang, name=name, kind=kind.upper())) from None
    table, known = upload.table, columns(Application)
    strange = [
        column for column in table.columns if column not in known and column not in (*ANSWERS, "TARGET")
    ]
    if KEY not in table.columns:
        raise FileProblem(say("file_no_number", lang, name=name))
    if strange:
        raise FileProblem(say("file_columns", lang, name=name, columns=", ".join(map(quoted, strange[:8]))))
    if table.is_empty():
        raise FileProblem(say("file_empty", lang, name=name))
    if len(table) > MOST_ROWS:
        most, n = number(MOST_ROWS, lang), number(len(table), lang)
        raise FileProblem(say("file_long", lang, name=name, n=n, most=most))
    # A file that was scored before is scored anew: its old answers would stand beside the new ones.
    return Upload(table.drop(ANSWERS, strict=False), upload.delimiter)


def _read_csv(path: Path) -> Upload:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252")  # what spreadsheets write on Windows
    separator = delimiter(text.split("\n", 1)[0])
    table = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
    return Upload(table.rename({column: column.strip() for column in table.columns}), separator)


def score(
    upload: Upload,
    ask: Score,
    lang: Language,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Scored:
    """Score every row of a file; a row that is wrong gets an error and harms no other.

    Parameters
    ----------
    upload : Upload
        As `read` gives it.
    ask : callable
        Scores a list of applications that passed the schema.
    progress : callable
        Called with the rows done and all rows.
    """
    table = upload.table
    known = [column for name, column in columns(Application).items() if name in table.columns]
    answers: list[dict[str, Any]] = []
    for part in table.iter_slices(ROWS_A_REQUEST):
        answers += _score_part(part, known, ask, lang)
        progress(len(answers), len(table))
    types = {"probability_of_default": pl.Float64, "score": pl.Int64, "threshold": pl.Float64}
    answered = pl.DataFrame(answers, schema={name: types.get(name, pl.String) for name in ANSWERS})
    return Scored(table.hstack(answered), upload.delimiter)


def _score_part(
    part: pl.DataFrame, known: list[Column], ask: Score, lang: Language
) -> Iterator[dict[str, Any]]:
    checked = [_check(row, known, lang) for row in part.iter_rows(named=True)]
    sound = [application for application, error in checked if not error]
    decided = iter(ask(sound) if sound else ())
    for _, error in checked:
        answer = error or next(decided)
        yield {"error": answer} if isinstance(answer, str) else _columns(answer, lang)


def _check(row: dict[str, Any], known: list[Column], lang: Language) -> tuple[dict[str, Any], str]:
    """Return a row as an application, and a sentence if it is none."""
    application, errors = {}, []
    for column in known:
        value = row[column.name]
        if isinstance(value, str) and column.kind != "category":
            try:
                value = _number(value, column)
            except ValueError:
                errors.append(say("cell", lang, column=column.name, sentence=_wrong(value, lang)))
                continue
        # A float that is not equal to itself is NaN, as some tools write for a missing value.
        if value is not None and value != "" and value == value:
            application[column.name] = value
    try:
        ApplicationRequest.model_validate(application)
    except ValueError as error:
        named = {message.split(":")[0].strip() for message in errors}
        for fault in error.errors(include_input=False):  # type: ignore[attr-defined]  # pydantic's own error
            name = str(fault["loc"][0]) if fault["loc"] else KEY
            if name not in named:
                key = "cell_required" if fault["type"] == "missing" else "cell_value"
                errors.append(say("cell", lang, column=name, sentence=say(key, lang)))
    return application, "; ".join(errors)


def _wrong(text: str, lang: Language) -> str:
    """Say why a cell is no number, with the remedy."""
    bare = "".join(text.split())
    if UNCLEAR.fullmatch(bare):
        return say("cell_unclear", lang, text=quoted(bare), plain=quoted(bare.replace(",", "")))
    return say("cell_number", lang)


def _number(text: str, column: Column) -> float | int | None:
    """Return a cell's number, with a point or a comma for the decimals; empty is missing.

    The language of the page says nothing of the file, so what the two languages read differently is refused.
    """
    if not text.strip():
        return None
    if column.kind == "id" and text.strip().isdigit():
        return int(text)  # through a float a long number would change
    if UNCLEAR.fullmatch("".join(text.split())):
        raise ValueError(text)
    value = parse(text, "en" if "." in text else "fr")
    return int(value) if column.kind != "number" and value == int(value) else value


def _columns(decision: Decision, lang: Language) -> dict[str, Any]:
    said = [warning.text[lang] for warning in decision.warnings]
    kept = {name: getattr(decision, name) for name in ANSWERS[:6]}
    return kept | {"warnings": " ".join(said) or None, "error": None}
