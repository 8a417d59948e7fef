"""A file of applications in, the same file with decisions out: same order, errors row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from scoring import tables
from scoring.client import ServiceError
from scoring.client.files import RESULT
from scoring.features import HISTORY_FEATURES
from scoring.features.checks import RULES, checker_of, explain
from scoring.features.wording import written
from scoring.language import joined, number
from scoring.problems import nearest
from scoring.schema import KEY, Decision, FieldError
from ui.service import ServedModel
from ui.words import of_service, quoted, say

MOST_ROWS = 50_000  # in one upload; the command line has no such limit
MOST_BYTES = 2**28  # of an upload, unpacked
ROWS_A_REQUEST = 2_000  # one request takes a second or two, so the progress moves and a cancel is soon obeyed
LAST = ("event_id", "warnings")
WORDS = ("decision_in_words", "history", "history_in_words")
"""What the page adds to a decision: its words, and which credit history it rests on."""
ANSWERS = (
    *(name for name in Decision.model_fields if name not in (KEY, *LAST)),
    *WORDS,
    *LAST,
    "error",
)
"""Columns of a decision in the file: its fields, those last that a person reads last."""
DECIDED = tuple(name for name in Decision.model_fields if name not in (KEY, "warnings"))
KINDS = ("file", "portfolio", "none")
"""Where the history of a row comes from: the file's own aggregates, the portfolio of the page, nowhere."""

Score = Callable[[pl.DataFrame], pl.DataFrame]
"""Asks the service for a table of applications: per row a decision, as `scoring.client` gives it."""


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

    def history(self, kind: str) -> int:
        """Return how many decisions rest on a kind of history, one of `KINDS`."""
        return int((self.table["history"] == kind).sum())


class Histories(Protocol):
    """Whoever knows credit histories by client."""

    def histories(self, numbers: pl.Series) -> pl.DataFrame:
        """Return the aggregates of the histories of those clients that are known, with their number."""
        ...


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


def _strange(name: str, lang: str) -> str:
    """Name a column that no application has, and the one that is probably meant."""
    close = nearest(name, RULES)
    return say("file_column_near", lang, column=quoted(name), close=close) if close else quoted(name)


def _read(raw: tables.Raw, lang: str, keep_unknown: bool) -> Upload:
    # A file that was scored before is scored anew: its old answers would stand beside the new ones.
    names = [name for name in raw.names if name not in RESULT]
    strange = [name for name in names if name not in RULES and name != tables.LABEL]
    if KEY not in names:
        raise FileProblem(say("file_no_number", lang, name=raw.label))
    if strange and not keep_unknown:
        columns = joined((_strange(name, lang) for name in strange[:8]), lang)
        raise FileProblem(say("file_columns", lang, name=raw.label, columns=columns))
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
    upload: Upload, ask: Score, model: ServedModel, known: Histories, lang: str
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Score a file, a part at a time; a row that is wrong gets an error and harms no other.

    A row has the history that the file gives it, or else that of its client in the portfolio: so a client is
    decided as where the client is opened.

    Parameters
    ----------
    upload : Upload
        As `read` gives it.
    ask : callable
        Has a table of applications decided that passed the schema.
    model : ServedModel
        Names the features in warnings.
    known : Histories
        The portfolio.

    Yields
    ------
    (int, polars.DataFrame)
        Rows done, and `ANSWERS` for those of this part; `scored` makes a file of all.
    """
    for start in range(0, len(upload.table), ROWS_A_REQUEST):
        part = _score_part(upload, start, ask, model, known, lang)
        yield start + part.height, part


def scored(upload: Upload, parts: Sequence[pl.DataFrame]) -> ScoredFile:
    """Return a file whose rows were all scored."""
    return ScoredFile(
        upload.table.hstack(pl.concat(parts, how="vertical_relaxed")), upload.delimiter, upload.is_comma
    )


def _score_part(
    upload: Upload, start: int, ask: Score, model: ServedModel, known: Histories, lang: str
) -> pl.DataFrame:
    """Return `ANSWERS` for some rows."""
    rows = upload.read.slice(start, ROWS_A_REQUEST)
    errors = _errors(rows, {i - start: upload.faults[i] for i in upload.faults}, lang)
    places = [i for i in range(rows.height) if i not in errors]
    table, kinds = with_history(rows[places], known)
    while table.height:
        try:
            decided = ask(table)
            break
        except ServiceError as error:
            # Only a service of another version refuses what passed the same checks here.
            refused = _refused(error, lang)
            if not refused:
                raise
            errors |= {places[row]: sentence for row, sentence in refused.items()}
            keep = [row for row in range(table.height) if row not in refused]
            places, table, kinds = [places[row] for row in keep], table[keep], kinds[keep]
    else:
        nothing = dict.fromkeys((*DECIDED, "warnings"), pl.Null) | {"decision": pl.String}
        decided = pl.DataFrame(schema=nothing)
    words = {code: say(f"{code}_side", lang) for code in ("granted", "refused")}
    origins = {kind: say(f"history_{kind}", lang) for kind in KINDS}
    answered = decided.select(DECIDED).with_columns(
        kinds.alias("history"),
        review_reasons=_reasons(decided, lang),
        decision_in_words=pl.col("decision").replace_strict(words, return_dtype=pl.String),
        history_in_words=kinds.replace_strict(origins, return_dtype=pl.String),
        warnings=pl.Series(_warned(decided, model, lang), dtype=pl.String),
        error=pl.lit(None, pl.String),
        row=pl.Series(places, dtype=pl.Int64),
    )
    wrong = pl.DataFrame(
        {"row": list(errors), "error": list(errors.values())}, schema={"row": pl.Int64, "error": pl.String}
    )
    return pl.concat([answered, wrong], how="diagonal_relaxed").sort("row").select(ANSWERS)


def with_history(rows: pl.DataFrame, known: Histories) -> tuple[pl.DataFrame, pl.Series]:
    """Return rows with the aggregates of their credit history, and for each where they come from."""
    given = [name for name in HISTORY_FEATURES if name in rows.columns]
    is_given = rows.select(pl.any_horizontal(pl.col(given).is_not_null())) if given else None
    mark = is_given.to_series() if is_given is not None else pl.repeat(False, rows.height, eager=True)
    found = known.histories(rows[KEY].filter(~mark))
    if found.is_empty():
        return rows, pl.select(pl.when(mark).then(pl.lit("file")).otherwise(pl.lit("none"))).to_series()
    whole = rows.drop(given).with_columns(pl.col(KEY).cast(pl.Int64, strict=False))
    whole = whole.join(found.with_columns(_known=True), on=KEY, how="left", maintain_order="left")
    mine = [
        pl.when(mark).then(rows[name] if name in given else None).otherwise(pl.col(name)).alias(name)
        for name in HISTORY_FEATURES
    ]
    kinds = whole.select(
        pl.when(mark)
        .then(pl.lit("file"))
        .when(pl.col("_known").is_not_null())
        .then(pl.lit("portfolio"))
        .otherwise(pl.lit("none"))
    ).to_series()
    return whole.with_columns(mine).drop("_known"), kinds


def _errors(rows: pl.DataFrame, faults: Mapping[int, dict[str, str]], lang: str) -> dict[int, str]:
    """Return what is wrong with each row that the service would refuse, as a sentence."""
    wrong: dict[int, list[str]] = {}
    for row, column in checker_of(tuple(rows.schema.items())).faults(rows).iter_rows():
        wrong.setdefault(row, []).append(column)
    errors = {}
    for row in sorted({*wrong, *(row for row in faults if 0 <= row < rows.height)}):
        said = faults.get(row, {})
        if "" in said:
            errors[row] = said[""]
            continue
        cells = [_cell(column, sentence, lang) for column, sentence in said.items()]
        more = [column for column in wrong.get(row, ()) if column not in said]
        found = explain(rows.row(row, named=True), more, row) if more else []
        errors[row] = "; ".join(cells + [_fault(fault, lang) for fault in found])
    return errors


def _refused(error: ServiceError, lang: str) -> dict[int, str]:
    """Return the rows that the service refuses, each with what is wrong."""
    said: dict[int, list[str]] = {}
    for fault in error.problem.errors if error.problem and error.kind == "refused" else ():
        if fault.row is not None:
            said.setdefault(fault.row, []).append(_fault(fault, lang))
    return {row: "; ".join(sentences) for row, sentences in said.items()}


def _fault(fault: FieldError, lang: str) -> str:
    return _cell(fault.field.rpartition(".")[2], fault.say(lang), lang)


def _cell(column: str, sentence: str, lang: str) -> str:
    return say("cell", lang, column=column, sentence=sentence)


def _reasons(decided: pl.DataFrame, lang: str) -> pl.Series:
    """Return in words why a person should look at each decision."""
    said = [
        "; ".join(say(f"why_{reason.replace(' ', '_')}", lang) for reason in reasons or ()) or None
        for reasons in decided["review_reasons"].to_list()
    ]
    return pl.Series("review_reasons", said, dtype=pl.String)


def _warned(decided: pl.DataFrame, model: ServedModel, lang: str) -> list[str | None]:
    """Return the warnings of each decision in words."""
    return [
        " ".join(_warning(warning, model, lang) for warning in warnings) if warnings else None
        for warnings in decided["warnings"].to_list()
    ]


def _warning(warning: Mapping[str, str], model: ServedModel, lang: str) -> str:
    """Say of a value that training never saw it, as the service says it of a single application."""
    feature = model.feature(warning["feature"])
    fact = of_service(feature.get("label", {}), lang) or warning["feature"]
    if warning["problem"] == "unseen category":
        return say("warning_unseen", lang, fact=fact, value=quoted(warning["value"]))
    unit, ends = feature.get("unit", "ratio"), (feature.get("minimum"), feature.get("maximum"))
    value, low, high = (written(unit, end, lang) for end in (float(warning["value"]), *ends))
    return say("warning_outside", lang, fact=fact, value=value, low=low, high=high)
