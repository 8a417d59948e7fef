"""Refusals in the form that reasonsmith reads: ``python -m validation.duties --out refusals.jsonl``.

reasonsmith, a public package, judges a log of decisions against clauses of ECOA, GDPR and the AI Act that it
has as formulas. It is told what the record holds, under the names that its clauses ask for, and nothing that
the record does not hold: docs/LAW.md says which duties are left open by that, and why.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from scoring import settings
from scoring.explanation import explain
from scoring.inference_log import (
    BrokenError,
    Checkpoint,
    LogError,
    anchor_of,
    anchors_folder,
    at,
    files,
    follow,
    pseudonym_key,
)
from scoring.options import HOME, KEY_FILE, LOG, AnchorsFolder, KeyFile, LogFolder, ModelStore
from scoring.replay import ReplayError, compare, inputs_of
from scoring.scorer import Scorer, ScorerError
from scoring.store import StoreError, stored
from scoring.trial import load

BAD_INPUT = 2
SCOPE = "this decision alone"
MEANT = (
    "approximation: the probability of default is a statistical estimate; the contributions behind the "
    "reasons are exact and sum to the score, and each reason was tried by scoring again without it"
)


class Refusal(NamedTuple):
    """Where a decision is in the log, and the hash of its record, or of the record of its table."""

    file: str
    start: int
    row: int | None
    number: int
    hash: str


def refusals(folder: Path, anchors: Path, key: bytes, most: int, now: float) -> list[Refusal]:
    """Return where the last refusals of a log are, as its chain has them.

    Raises
    ------
    LogError
        If there is no such log, or a file of it is not as it was written.
    """
    found: deque[Refusal] = deque(maxlen=most)
    for name in files(folder):
        try:
            for line in follow(folder, name, anchor_of(anchors, name, key), Checkpoint.start(name), now, key):
                content, rows = line.content, list[int | None]()
                if isinstance(content, dict):
                    purpose = content["audit"].get("purpose", "decision")
                    rows = [None] if (purpose, content["decision"]) == ("decision", "refused") else []
                elif isinstance(content, tuple) and content[0].purpose == "decision":
                    table = content[1]
                    is_refused = (table["decision"] == "refused") & table["applicant"].is_not_null()
                    rows = is_refused.arg_true().to_list()
                found += (Refusal(name, line.start, row, line.after.seq, line.after.head) for row in rows)
        except BrokenError as error:
            raise LogError(f"{name}: {error}; see `python -m scoring.inference_log verify`.") from None
        except FileNotFoundError:
            continue  # it was purged meanwhile
    return list(found)


def judged(record: Mapping[str, Any], place: Refusal, scorer: Scorer) -> dict[str, Any]:
    """Return a refusal as reasonsmith reads it, its reasons made again by the model that decided.

    Raises
    ------
    ReplayError
        If the model does not decide as it did.
    """
    table = inputs_of(record, scorer)
    explanation = explain(scorer, table)[0]
    if differences := compare(record, scorer, table, explanation).differences:
        raise ReplayError(f"the decision does not come out as it was: {differences[0]}.")
    default, threshold = record["probability_of_default"], record["threshold"]
    moment = f"{record['time']:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "artifact_logs_decision_record": {
            "id": record["event_id"],
            "result": "adverse_action",
            "time": moment,
            "probability_of_default": default,
        },
        "artifact_logs_event_log": f"{place.file}, record {place.number}, {place.hash}",
        "artifact_logs_reason_explanation": " ".join(one.text["en"] for one in explanation["reasons"]),
        "artifact_logs_decision_margin": default - threshold,
        "provenance_model_version": record["model"],
        "provenance_constraint_set": [f"refused from a probability of default of {threshold!r} on"],
        "scope_statements_local_vs_global": "local",
        "scope_statements_explanation_scope": SCOPE,
        "scope_statements_approximation_vs_guarantee": MEANT,
    }


def loader(store: Path) -> Callable[[str], Scorer]:
    """Return what loads the models of a store by their tags, each once."""

    @cache
    def of(tag: str) -> Scorer:
        return load(stored(tag, store)[1])

    return of


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m validation.duties --out refusals.jsonl --log var/log")
def main(
    out: Annotated[Path, typer.Option(help="A .jsonl file that does not exist yet.")],
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    model_store: ModelStore = HOME,
    rows: Annotated[int, typer.Option(min=2, help="How many refusals, the last ones.")] = 1_000,
) -> None:
    """Write refusals with their reasons for reasonsmith, which judges logs against ECOA, GDPR, the AI Act.

    pip install reasonsmith, in an environment of its own; then reasonsmith check --system refusals.jsonl
    --pack ecoa --pack gdpr --pack eu_ai_act --system-domain consumer-credit --system-scope high-risk.
    docs/LAW.md says what it finds, and why. Reasons quote values of clients: guard the file.

    Exit codes: 0 written, 2 no such log or model, or the file exists.
    """
    settings.warn_of_unknown()
    console, errors = Console(soft_wrap=True, highlight=False), Console(stderr=True, soft_wrap=True)
    scorer_of = loader(model_store.expanduser())
    try:
        key = pseudonym_key(key_file, is_new_allowed=False)
        with errors.status("Reading the log"):
            places = refusals(log, anchors or anchors_folder(log), key, rows, time.time())
        if not places:
            raise LogError(f"the log {log} has no refusal: nothing to judge.")
        with out.open("x", encoding="utf-8") as file, errors.status("Explaining refusals again"):
            for place in places:
                record = at(log, place.file, place.start, place.row)
                line = judged(record, place, scorer_of(record["model"]))
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except (LogError, ReplayError, StoreError, ScorerError, ValueError) as error:
        errors.print(f"[bold red]Not written:[/] {escape(str(error))}", highlight=False)
        raise typer.Exit(BAD_INPUT) from None
    except OSError as error:
        words = f"{error.filename or out}: {error.strerror}"
        errors.print(f"[bold red]Not written:[/] {escape(words)}.", highlight=False)
        raise typer.Exit(BAD_INPUT) from None
    console.print(f"{escape(str(out))}: {len(places)} refusals.")


if __name__ == "__main__":
    app()
