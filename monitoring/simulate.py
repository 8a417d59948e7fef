"""Send a portfolio's later applications through the running service, as production traffic would come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from monitoring.errors import InputError
from scoring.client.batch import JobError, score_file
from scoring.client.errors import ServiceError
from scoring.client.files import FileError
from scoring.schema import Purpose
from scoring.tables import TableError

PURPOSE: Purpose = "test"
"""What a simulation asks for: it decides nothing, and the monitor of decisions leaves it out."""


@dataclass(frozen=True)
class Sent:
    """What became of a simulation.

    Attributes
    ----------
    model : str
        Exact tag that decided.
    event_ids : frozenset of str
    rows, refused, resumed : int
        Applications, how many of them were refused as invalid, and how many an earlier run had sent.
    """

    model: str
    event_ids: frozenset[str]
    rows: int
    refused: int
    resumed: int


def send(
    portfolio: Path,
    to: Path,
    url: str,
    limit: int | None,
    api_key: str | None,
    progress: Callable[[int, int], None],
) -> Sent:
    """Have a portfolio's application_test decided, with its histories.

    A busy service is asked again when it says so. What was sent stays sent: the same call goes on from there.

    Parameters
    ----------
    to : Path
        Folder for the answers; they are removed when all have come.

    Raises
    ------
    InputError
        If the portfolio cannot be read, the service gives no decisions, or its model changed meanwhile.
    """
    to.mkdir(parents=True, exist_ok=True)
    job = hashlib.sha256(f"{portfolio.resolve()} {url} {limit}".encode()).hexdigest()[:8]
    out = to / f"simulation-{job}.parquet"
    try:
        done = score_file(
            portfolio, out, url, limit=limit, progress=progress, api_key=api_key, purpose=PURPOSE
        )
    except ServiceError as error:
        again = f" What was sent is in {out}.part: the same command goes on." if error.kind == "busy" else ""
        raise InputError(f"{error}{again}") from error
    except (FileError, JobError, TableError) as error:
        raise InputError(str(error)) from error
    answers = pl.read_parquet(out)
    for file in (out, done.rejected_file):
        if file is not None:
            file.unlink(missing_ok=True)
    models = answers["model"].unique().sort().to_list() if answers.height else []
    if len(models) > 1:
        raise InputError(
            f"the service changed its model meanwhile, {' and '.join(models)} decided; simulate again."
        )
    if not models:
        raise InputError(f"all {done.rows} applications of {portfolio} were refused as invalid.")
    events = frozenset(answers["event_id"].to_list())
    return Sent(models[0], events, done.rows, done.rejected, done.resumed)
