"""What the page shows of a file: its progress, and its rows once they are scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from scoring.language import number, percent
from scoring.schema import KEY
from ui.batch import KINDS, ScoredFile
from ui.rendering import render
from ui.words import say

MOST_SHOWN = 200  # rows of each kind on the page; the file that comes back has all


@dataclass(frozen=True)
class FiledRow:
    """A row of the table: its place from 1, its client, what was decided (and its code) or what is wrong."""

    place: str
    client: str
    is_client: bool
    cells: tuple[str, ...]
    decision: str = ""


def progress(done: int, total: int, lang: str) -> str:
    """Return how far a file is."""
    text = say("batch_progress", lang, done=number(done, lang), all=number(total, lang))
    return render("progress", lang, text=text, done=done, total=total)


def summary(scored: ScoredFile, lang: str, is_preview: bool = False) -> str:
    """Return how many rows were decided how, on which history, and the rows: what is wrong comes first."""
    counts = {
        "all": len(scored.table),
        "granted": scored.count("granted"),
        "refused": scored.count("refused"),
        "faulty": scored.faulty,
    }
    written: dict[str, Any] = {name: number(count, lang) for name, count in counts.items()}
    rested: dict[str, Any] = {kind: number(scored.history(kind), lang) for kind in KINDS}
    table = scored.table.with_row_index("_place", 1)
    wrong = table.filter(pl.col("error").is_not_null())
    right = table.filter(pl.col("error").is_null())
    return render(
        "batch",
        lang,
        done=say("batch_done", lang, **written),
        is_preview=is_preview,
        history=say("batch_history", lang, **rested),
        no_history=scored.history("none"),
        counts=counts,
        wrong=[_row(row, lang) for row in wrong.head(MOST_SHOWN).iter_rows(named=True)],
        rows=[_row(row, lang) for row in right.head(MOST_SHOWN).iter_rows(named=True)],
        more=max(0, right.height - MOST_SHOWN) + max(0, wrong.height - MOST_SHOWN),
    )


def _row(row: dict[str, Any], lang: str) -> FiledRow:
    """Return the cells of a scored row."""
    client = str(row[KEY] or "")
    cells: tuple[str, ...] = (row["error"] or "",)
    if row["decision"]:
        shares = percent(row["probability_of_default"], lang, 1), number(row["score"], lang)
        cells = (row["decision_in_words"], *shares, row["history_in_words"])
    place = number(row["_place"], lang)
    return FiledRow(place, client, client.isdecimal(), cells, row["decision"] or "")
