"""How fast a running service decides and explains applications that bring their raw histories, over HTTP.

Example: ``python -m benchmarks.raw_history --portfolio var/demo --url http://127.0.0.1:3000``
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from scoring import tables
from scoring.client import Client, Refused


def rate(answers: Sequence[Any], seconds: float) -> str:
    """Say how many rows were answered, how fast, and how many were refused."""
    refused = sum(isinstance(answer, Refused) for answer in answers)
    return (
        f"{len(answers):,} rows in {seconds:.1f} s, {len(answers) / seconds:,.0f} rows/s, {refused} refused"
    )


def main(
    portfolio: Annotated[
        Path, typer.Option(help="Kaggle folder or zip, or Parquet; its test population is sent.")
    ],
    url: Annotated[str, typer.Option(help="A running service.")] = "http://127.0.0.1:3000",
    rows: Annotated[int, typer.Option(help="Applications to score.")] = 5_000,
    explained: Annotated[int, typer.Option(help="Applications to explain.")] = 100,
    alone: Annotated[int, typer.Option(help="Applications to score one request at a time.")] = 200,
) -> None:
    """Send a portfolio's applications with their raw histories through /score and /explain."""
    console = Console()
    known = tables.read(portfolio, "test")
    applications = tables.to_requests(known, range(min(rows, known.applications.height)))
    with Client(url, purpose="test") as client:
        started = time.perf_counter()
        decisions = list(client.score_many(applications))
        console.print("/score:", rate(decisions, time.perf_counter() - started))
        started = time.perf_counter()
        explanations = list(client.explain_many(applications[:explained]))
        console.print("/explain:", rate(explanations, time.perf_counter() - started))
        seconds = []
        for application in applications[:alone]:
            started = time.perf_counter()
            client.score([application])
            seconds.append(time.perf_counter() - started)
    cuts = statistics.quantiles(seconds, n=100)
    console.print(f"one at a time: p50 {1e3 * cuts[49]:.0f} ms, p99 {1e3 * cuts[98]:.0f} ms")
    gap = max(
        abs(a.raw_score - sum(c.contribution for c in a.contributions) - a.base_value)
        for a in explanations
        if not isinstance(a, Refused)
    )
    granted = sum(d.decision == "granted" for d in decisions if not isinstance(d, Refused))
    console.print(
        f"granted {granted / len(decisions):.1%}; contributions miss the raw score by at most {gap:.1e}"
    )


if __name__ == "__main__":
    typer.run(main)
