"""Whether a lender's own columns and features keep the laws: ``python -m scoring.extension check FOLDER``.

``words`` writes its catalogues, for a translator to fill. What an extension is stands in
`scoring.schema.extension`.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import typer

from scoring import features, tables
from scoring.decision import DEFAULT_PROTECTED, PROTECTED
from scoring.features import Feature
from scoring.features import added as theirs
from scoring.features.checks import DECODER
from scoring.features.wording import ADDED, LEVELS
from scoring.language import ENGLISH, Text, languages, say
from scoring.language.catalogues import LanguageError, unsaid
from scoring.language.filling import fill
from scoring.language.numbers import is_known
from scoring.schema import HISTORY, KEY, Application, Column, columns, extension
from scoring.settings import EXTENSION
from scoring.tables import LABEL, Portfolio
from scoring.tables.values import MISSING as MISSING_WORDS

APPLICANTS = 60
RECORDS = 4  # most records of one applicant in an added table
MISSING = 0.2
NEAR = 0.75  # an area under the curve from which on a feature tells a protected attribute
CELLS = 40  # into which the values of a feature are put for that
SURE = 3.0  # standard errors by which a direction must be contradicted

Values = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int64]

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Example: python -m scoring.extension check docs/extension",
)


@app.callback()
def main() -> None:
    """Check a lender's own columns, tables, features and words."""


@app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help=f"Folder of the extension; {EXTENSION.name} if none is given.")
    ] = None,
    portfolio: Annotated[
        Path | None,
        typer.Option(
            help="Tables with these columns: directions and protected attributes are looked at too."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the invented applications.")] = 0,
) -> None:
    """Try the laws that every feature must keep, on invented applications and on a portfolio.

    A feature depends on its own applicant alone; a batch, a single request and a file give the same bits;
    the order of records changes nothing; every text has words in every language. On a portfolio: no feature
    tells a protected attribute, none goes against the direction that it declares.

    Exit codes: 0 all laws hold, 1 one does not, 2 the folder cannot be used.

    Example: python -m scoring.extension check docs/extension --portfolio var/ours
    """
    looked_at = ["--portfolio", str(portfolio.resolve())] if portfolio else []
    _with(folder, "check", "--seed", str(seed), *looked_at)
    try:
        broken = list(laws(seed))
    except LanguageError as error:
        typer.echo(f"{extension.folder()}: {error}", err=True)
        raise typer.Exit(2) from None
    if portfolio is not None:
        try:
            broken += against(tables.read(portfolio))
        except tables.TableError as error:
            typer.echo(f"{portfolio}: {error}", err=True)
            raise typer.Exit(2) from None
    for law in broken:
        typer.echo(law, err=True)
    if broken:
        raise typer.Exit(1)
    typer.echo(
        f"{len(added())} features of {len(columns(extension.application()))} columns and "
        f"{len(extension.tables())} tables keep the laws; extension {(extension.fingerprint() or '')[:12]}."
        + (
            ""
            if portfolio
            else " Without --portfolio, protected attributes and directions were not looked at."
        )
    )


@app.command()
def words(
    language: Annotated[str, typer.Argument(help="As CLDR names it: fr, de, pt_BR.")],
    folder: Annotated[
        Path | None, typer.Argument(help=f"Folder of the extension; {EXTENSION.name} if none is given.")
    ] = None,
) -> None:
    """Write the extension's catalogue of a language: its texts, with the words that they have, to fill.

    Example: python -m scoring.extension words fr docs/extension
    """
    place = _with(folder, "words", language)
    if not is_known(language):
        raise typer.BadParameter(f"CLDR knows no language {language!r}.")
    file = place / f"{language}.po"
    fill(file, language, texts(), f"python -m scoring.extension words {language}")
    typer.echo(str(file))


def _with(folder: Path | None, *command: str) -> Path:
    """Return the folder of the extension; for one that is given run the command in a process of its own.

    An extension is read as this program is imported, so another process begins with it.
    """
    if folder is not None:
        changed = os.environ | {EXTENSION.name: str(folder.resolve())}
        whole = [sys.executable, "-m", "scoring.extension", *command]
        raise typer.Exit(subprocess.run(whole, env=changed, check=False).returncode)
    named = extension.folder()
    if named is None:
        typer.echo(f"No extension is named: give its folder, or set {EXTENSION.name}.", err=True)
        raise typer.Exit(2)
    return named


def texts() -> list[Text]:
    """Return what the extension says: labels of columns and features, and levels."""
    labels = [column.label for column in extension.added_columns()]
    return labels + [feature.label for feature in added()] + [LEVELS[level] for level in sorted(ADDED)]


def added() -> list[Feature]:
    """Return the features that the extension declares."""
    return [*theirs.features(), *(f for table in theirs.tables() for f in table.features)]


def laws(seed: int) -> Iterator[str]:
    """Give a sentence for each law that the extension breaks on invented applications."""
    yield from _words()
    yield from _levels()
    for feature in added():
        for attribute in sorted(features.protected_by(feature) & set(DEFAULT_PROTECTED)):
            yield f"{feature.name} reads what tells {attribute}, so no model will have it: leave it out."
    names = [feature.name for feature in added()]
    documents = invented(np.random.default_rng(seed))
    requests = DECODER.decode(json.dumps({"applications": documents}).encode(), APPLICANTS)
    if requests is None:
        yield "An application with the added columns is not read as a request."
        return
    together = features.build(tables.from_requests(requests, features.READS)).select(names)
    rows = together.rows()
    alone = [features.build(tables.from_requests([r], features.READS)).select(names).row(0) for r in requests]
    single = [_one(document, names) for document in documents]
    turned = [{**d, "history": {t: r[::-1] for t, r in d["history"].items()}} for d in documents]
    with tempfile.TemporaryDirectory() as folder:
        from_file = features.build(_written(documents, Path(folder))).select(names).rows()
    for law, other in (
        ("is not the same alone and in a batch", alone),
        ("is not the same in a table and in a single request", single),
        ("is not the same from a file and from a request", from_file),
        ("depends on the order of the records", [_one(document, names) for document in turned]),
    ):
        for position, name in enumerate(names):
            if any(not _same(a[position], b[position]) for a, b in zip(rows, other, strict=True)):
                yield f"{name} {law}."
    for name in names:
        if together[name].dtype.is_float() and not together[name].drop_nulls().is_finite().all():
            yield f"{name} is no finite number somewhere; guard it with ratio() or where()."


def against(portfolio: Portfolio) -> Iterator[str]:
    """Give a sentence for each added feature that tells a protected attribute, or belies its direction."""
    built = features.build(portfolio)
    label = portfolio.applications.get_column(LABEL, default=None)
    cells = {feature.name: _cells(built[feature.name]) for feature in added()}
    for attribute, names in PROTECTED.items():
        sides = [side for name in names for side in _sides(portfolio.applications[name])]
        told = {name for name, cell in cells.items() if any(_tells(cell, side) for side in sides)}
        yield from (f"{name} tells {attribute}: leave it out, or make it of other columns." for name in told)
        for one, other in itertools.combinations(sorted(cells.keys() - told), 2):
            together = cells[one] * (CELLS + 1) + cells[other]
            if any(_tells(together, side) for side in sides):
                yield f"{one} and {other} together tell {attribute}: leave one of them out."
    for feature in added():
        if feature.direction and label is not None:
            values = built[feature.name].to_numpy()
            if _is_belied(values, label, feature.direction):
                said = "raises" if feature.direction > 0 else "lowers"
                yield f"{feature.name}: more of it {said} the risk, it says, and this portfolio the opposite."


def _cells(values: pl.Series) -> Cells:
    """Put values into cells: one for each if there are few, else equally many in each; missing apart."""
    known = values.drop_nulls()
    if values.dtype == pl.String or known.n_unique() <= CELLS:
        return values.rank("dense").fill_null(0).to_numpy().astype(np.int64) % (CELLS + 1)
    cuts = np.unique(np.quantile(known.to_numpy(), np.linspace(0, 1, CELLS + 1)[1:-1]))
    found = np.searchsorted(cuts, values.fill_null(0.0).to_numpy(), side="right") + 1
    return np.where(values.is_null().to_numpy(), 0, found)


def _tells(cells: Cells, is_so: Truths) -> bool:
    """Say whether cells tell who is so, whatever the shape: how many of each are so, of the other half."""
    half = np.random.default_rng(0).random(len(cells)) < 0.5
    guessed = np.zeros(len(cells))
    for learn in (half, ~half):
        size = int(cells.max(initial=0)) + 1
        many = np.bincount(cells[learn], minlength=size)
        so = np.bincount(cells[learn], weights=is_so[learn].astype(np.float64), minlength=size)
        rate = np.where(many > 0, (so + is_so[learn].mean()) / (many + 1), is_so[learn].mean())
        guessed[~learn] = rate[cells[~learn]]
    return _auc(guessed, is_so) > NEAR


def _is_belied(values: Values, label: pl.Series, direction: int) -> bool:
    """Say whether the outcomes contradict a direction beyond chance."""
    bad = label.to_numpy() == 1
    error = 0.5 / math.sqrt(max(1, min(int(bad.sum()), int((~bad).sum()))))
    return (_auc(values, bad) - 0.5) * direction < -SURE * error


def invented(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Invent applications: any value that their declarations allow, and missing ones, in every column."""
    return [
        {
            **_record(rng, columns(Application), {KEY: 100_000 + row}),
            "history": {
                table: [
                    _record(rng, columns(record), {KEY: 100_000 + row})
                    for _ in range(rng.integers(0, RECORDS + 1))
                ]
                for table, record in extension.tables().items()
            },
        }
        for row in range(APPLICANTS)
    ]


def _record(
    rng: np.random.Generator, declared: Mapping[str, Column], known: Mapping[str, Any]
) -> dict[str, Any]:
    values = {name: known.get(name, _value(rng, column)) for name, column in declared.items()}
    return {name: value for name, value in values.items() if value is not None}


def _value(rng: np.random.Generator, column: Column) -> float | int | str | None:
    """Draw a value of a column: often an end of what it allows, sometimes none."""
    if rng.random() < MISSING:
        return None
    if column.kind == "category":
        return str(rng.choice([*(column.levels or ("A", "B")), "never seen"]))
    low = -1e6 if column.minimum is None else column.minimum
    high = 1e6 if column.maximum is None else column.maximum
    drawn = float(rng.choice([low, high, 0.0 if low <= 0 <= high else low, rng.uniform(low, high)]))
    return drawn if column.kind == "number" else int(drawn)


def _one(document: Mapping[str, Any], names: list[str]) -> tuple[Any, ...]:
    application = {name: value for name, value in document.items() if name != "history"}
    found = features.one(
        _floats(application), {t: [*map(_floats, r)] for t, r in document["history"].items()}
    )
    return tuple(found[name] for name in names)


def _floats(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is decoded: whole numbers are floats."""
    return {name: float(v) if isinstance(v, int) and name != KEY else v for name, v in record.items()}


def _written(documents: list[dict[str, Any]], folder: Path) -> Portfolio:
    """Write the applications as the CSV files of a portfolio, and read them."""
    rows = [{name: d.get(name) for name in columns(Application)} for d in documents]
    pl.DataFrame(rows, infer_schema_length=None).write_csv(folder / "application_test.csv")
    for table, record in HISTORY.items():
        if table not in extension.tables():
            pl.DataFrame(schema=[*columns(record)]).write_csv(folder / f"{table}.csv")
            continue
        records = [{n: r.get(n) for n in columns(record)} for d in documents for r in d["history"][table]]
        pl.DataFrame(records, infer_schema_length=None).write_csv(folder / f"{table}.csv")
    return tables.read(folder, "test", features.READS)


def _words() -> Iterator[str]:
    """Give a sentence for each text of the extension without words in a language."""
    said = {text.key: say(text, ENGLISH) for text in texts()}
    for language in languages():
        if language != ENGLISH:
            for key in sorted(said.keys() & set(unsaid(language)[0])):
                yield f"{key} ({said[key]!r}) has no words in {language}.po."


def _levels() -> Iterator[str]:
    """Give a sentence for each level that a file would read as missing."""
    for column in extension.added_columns():
        for level in column.levels:
            if level.strip().lower() in MISSING_WORDS:
                yield f"{column.name}: a file reads its level {level!r} as missing; give it another word."


def _sides(column: pl.Series) -> Iterator[Truths]:
    """Give who belongs to one side of a protected attribute: a category, or the upper half of a number."""
    if column.dtype == pl.String:
        for level in column.drop_nulls().unique().sort():
            yield (column == level).fill_null(False).to_numpy()
    elif column.drop_nulls().n_unique() > 1:
        yield (column > column.median()).fill_null(False).to_numpy()


def _auc(values: Values, is_so: Truths) -> float:
    """Return the area under the curve of known values for who is so; 0.5 where nothing can be compared."""
    known = ~np.isnan(values)
    values, is_so = values[known], is_so[known]
    if not 0 < is_so.sum() < len(is_so):
        return 0.5
    ranks = pl.Series(values).rank("average").to_numpy()
    n = int(is_so.sum())
    return float((ranks[is_so].sum() - n * (n + 1) / 2) / (n * (len(is_so) - n)))


def _same(one: Any, other: Any) -> bool:
    return one == other or (one is None and other is None)


if __name__ == "__main__":
    app()
