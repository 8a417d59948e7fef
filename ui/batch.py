"""A file of applications in, the same file with decisions out: same order, errors row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import polars as pl

from scoring import tables
from scoring.client import Refused
from scoring.client.files import RESULT
from scoring.features.checks import DECODER, RULES, as_request
from scoring.language import joined, number, percent
from scoring.schema import KEY, Decision, errors_of
from scoring.spreadsheet import harmless
from ui.rendering import render
from ui.words import of_service, quoted, say

PREVIEW_ROWS = 20
MOST_ROWS = 50_000  # in one upload; the command line has no such limit
MOST_BYTES = 2**28  # of an upload, unpacked
ROWS_A_REQUEST = 100  # a small part answers in time on a slow machine, and the progress moves
LAST = ("event_id", "warnings")
ANSWERS = (*(name for name in Decision.model_fields if name not in (KEY, *LAST)), *LAST, "error")
"""Columns of a decision in the file: its fields, those last that a person reads last."""
TYPES: dict[object, type[pl.DataType]] = {int: pl.Int64, float: pl.Float64, bool: pl.Boolean}  # others: texts

Score = Callable[[list[dict[str, Any]]], Sequence[Decision | Refused]]
"""Asks the service; per application a decision, or a sentence that says why there is none."""


class FileProblem(ValueError):
    """The file as a whole cannot be scored; the message is a sentence for the officer."""


@dataclass(frozen=True)
class Upload:
    """A file of applications.

    Attributes
    ----------
    table : polars.DataFrame
        Its columns as they came, texts from CSV or types from Parquet; a line that is no record is empty.
    read : polars.DataFrame
        What they mean, row by row: the columns that an application has.
    faults : dict of int to dict of str to str
        Rows from 0 with what could not be read, by column; the column of a whole line is "".
    delimiter : str
        Of a CSV file.
    is_comma : bool
        Whether decimals are written with a comma.
    """

    table: pl.DataFrame
    read: pl.DataFrame
    faults: dict[int, dict[str, str]] = field(default_factory=dict)
    delimiter: str = ","
    is_comma: bool = False


@dataclass(frozen=True)
class ScoredFile:
    """A scored file.

    Attributes
    ----------
    table : polars.DataFrame
        The columns of the file, then `ANSWERS`; one row per row of the file, in its order.
    delimiter, is_comma
        As the file has them, if it is CSV; the answer has the same.
    """

    table: pl.DataFrame
    delimiter: str = ","
    is_comma: bool = False

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
            return path
        # The mark at the beginning makes spreadsheets read the accents right.
        path = path if path.suffix.lower() == ".csv" else path.with_suffix(".csv")
        safe = harmless(self.table)
        safe.write_csv(path, include_bom=True, separator=self.delimiter, decimal_comma=self.is_comma)
        return path


def read(path: Path, lang: str, keep_unknown: bool = False) -> Upload:
    """Read a file of applications by the one reader that the command line has too.

    Parameters
    ----------
    path : Path
        CSV, Parquet or workbook; docs/FILES.md says what is accepted.
    lang : str
        Language of what is said of it.
    keep_unknown : bool
        Carry columns that no application has through to the answer, where they would be refused.

    Raises
    ------
    FileProblem
        With a sentence, if it is no table of applications.
    """
    known, name = [*RULES, tables.LABEL], quoted(path.name)
    try:
        with tables.open_raw(path, known, name, tables.ReadLimits(MOST_ROWS, MOST_BYTES)) as raw:
            return _read(raw, lang, keep_unknown)
    except tables.TooLong as error:
        most, n = number(error.most, lang), number(error.records, lang)
        raise FileProblem(say("file_long", lang, name=name, n=n, most=most)) from None
    except tables.TableError as error:
        raise FileProblem(error.say(lang)) from None


def _read(raw: tables.Raw, lang: str, keep_unknown: bool) -> Upload:
    # A file that was scored before is scored anew: its old answers would stand beside the new ones.
    names = [name for name in raw.names if name not in RESULT]
    strange = [name for name in names if name not in RULES and name != tables.LABEL]
    if KEY not in names:
        raise FileProblem(say("file_no_number", lang, name=raw.label))
    if strange and not keep_unknown:
        raise FileProblem(
            say("file_columns", lang, name=raw.label, columns=joined(map(quoted, strange[:8]), lang))
        )
    if not raw.records:
        raise FileProblem(say("file_empty", lang, name=raw.label))
    kinds = {name: RULES[name].kind for name in names if name in RULES}
    rows, read, kept, faults = [], [], [], [raw.faults]
    for batch in raw.batches(kinds, names):
        rows.append(batch.rows)
        read.append(batch.table)
        kept.append(batch.kept)
        faults.append(batch.faults)
    table, typed = (_in_order(found, rows, raw.records) for found in (kept, read))
    said: dict[int, dict[str, str]] = {}
    for fault in pl.concat(faults).iter_rows(named=True):
        row, column = fault["row"] - 1, fault["column"] or ""
        sentence = raw.say(fault, lang)
        if fault["code"] == "unclear_comma":
            bare = "".join(str(table[column][row]).split())
            sentence = say("cell_unclear", lang, text=quoted(bare), plain=quoted(bare.replace(",", "")))
        said.setdefault(row, {})[column] = sentence
    # Spreadsheets that separate with a semicolon write decimals with a comma.
    is_comma = raw.separator != "," and raw.decimal in (",", *([None] if raw.separator == ";" else ()))
    return Upload(table, typed, said, raw.separator, is_comma)


def _in_order(parts: list[pl.DataFrame], rows: list[pl.Series], records: int) -> pl.DataFrame:
    """Return a table with a row for every record, empty where there is none."""
    if not parts:
        return pl.DataFrame({KEY: [None] * records}, schema={KEY: pl.String})
    found, places = pl.concat(parts), pl.concat(rows)
    if found.height == records:
        return found
    all_rows = pl.DataFrame({tables.RECORD: range(1, records + 1)}, schema={tables.RECORD: pl.Int64})
    placed = found.insert_column(0, places.alias(tables.RECORD))
    return all_rows.join(placed, on=tables.RECORD, how="left", maintain_order="left").drop(tables.RECORD)


def score(
    upload: Upload,
    ask: Score,
    lang: str,
    on_progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> ScoredFile:
    """Score every row of a file; a row that is wrong gets an error and harms no other.

    Parameters
    ----------
    upload : Upload
        As `read` gives it.
    ask : callable
        Scores a list of applications that passed the schema.
    on_progress : callable
        Called with the rows done and all rows.
    """
    answers: list[dict[str, Any]] = []
    for start in range(0, len(upload.table), ROWS_A_REQUEST):
        answers += _score_part(upload, start, ask, lang)
        on_progress(len(answers), len(upload.table))
    types = {name: _type(field.annotation) for name, field in Decision.model_fields.items()}
    answered = pl.DataFrame(answers, schema={name: types.get(name, pl.String) for name in ANSWERS})
    return ScoredFile(upload.table.hstack(answered), upload.delimiter, upload.is_comma)


def _score_part(upload: Upload, start: int, ask: Score, lang: str) -> Iterator[dict[str, Any]]:
    rows = upload.read.slice(start, ROWS_A_REQUEST).iter_rows(named=True)
    checked = [_check(row, upload.faults.get(i, {}), lang) for i, row in enumerate(rows, start)]
    sound = [application for application, error in checked if not error]
    decided = iter(ask(sound) if sound else ())
    for _, error in checked:
        answer = error or next(decided)
        if isinstance(answer, Refused):
            answer = "; ".join(_cell(fault.field, fault.say(lang), lang) for fault in answer.faults)
        yield {"error": answer} if isinstance(answer, str) else _columns(answer, lang)


def _check(row: dict[str, Any], faults: dict[str, str], lang: str) -> tuple[dict[str, Any], str]:
    """Return a row as an application, and a sentence if it is none."""
    if "" in faults:
        return {}, faults[""]
    errors = [_cell(column, sentence, lang) for column, sentence in faults.items()]
    application = as_request(row)
    for fault in errors_of(application, 0, DECODER):
        name = fault.field.rpartition(".")[2]
        if name not in faults:
            errors.append(_cell(name, fault.say(lang), lang))
    return application, "; ".join(errors)


def _cell(column: str, sentence: str, lang: str) -> str:
    return say("cell", lang, column=column, sentence=sentence)


def _columns(decision: Decision, lang: str) -> dict[str, Any]:
    said = [of_service(warning.text, lang) for warning in decision.warnings]
    kept = {name: getattr(decision, name) for name in ANSWERS[:-1]}
    why = "; ".join(decision.review_reasons) or None
    return kept | {"review_reasons": why, "warnings": " ".join(said) or None, "error": None}


def _type(kind: Any) -> type[pl.DataType]:
    """Return the type of a column; null is of every type."""
    return TYPES.get(get_args(kind)[0] if get_origin(kind) is UnionType else kind, pl.String)


def summary(scored: ScoredFile, lang: str) -> str:
    """Return how many rows were decided how, and the first of them as a table."""
    counts = {
        "all": len(scored.table),
        "granted": scored.count("granted"),
        "refused": scored.count("refused"),
        "faulty": scored.faulty,
    }
    written: dict[str, Any] = {name: number(count, lang) for name, count in counts.items()}
    done = say("batch_done", lang, **written)
    rows = [_preview(row, lang) for row in scored.table.head(PREVIEW_ROWS).iter_rows(named=True)]
    return render("batch", lang, done=done, counts=counts, rows=rows)


def _preview(row: dict[str, Any], lang: str) -> list[str]:
    """Return the cells of a scored row: number, decision, probability, points, error."""
    client = str(row[KEY] or "")
    if not row["decision"]:
        return [client, "", "", "", row["error"] or ""]
    p, score = percent(row["probability_of_default"], lang, 1), number(row["score"], lang)
    return [client, say(f"{row['decision']}_side", lang), p, score, ""]
