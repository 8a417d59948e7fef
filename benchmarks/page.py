"""How fast the desk is: first load, a click until it is painted, many officers at once.

`python -m benchmarks.page` beside `make run`: it drives a real Chromium, and asks the service itself for the
same applications, so that both times are of one machine at one moment.
"""

from __future__ import annotations

import json
import secrets
import shutil
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from playwright.sync_api import sync_playwright
from rich.console import Console

from benchmarks.results import record
from scoring.client import Client
from ui.clients import Clients
from ui.words import say

FILE = Path(__file__).resolve().parent / "page.json"
KB, MOST_KB, MOST_MS, TIMES = 1_000, 500, 300.0, 2.0
WARM_UP = 3
OPEN = """async (number) => {
  const field = document.querySelector(".opening input");
  field.value = number;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  await new Promise((done) => setTimeout(done, 50));
  const start = performance.now();
  document.querySelector(".opening button.primary").click();
  const isThere = () => document.querySelector("[data-client]")?.dataset.client === number;
  while (!isThere() || !document.querySelector(".verdict"))
    await new Promise((done) => setTimeout(done, 2));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
AGAIN = """async (amount) => {
  const field = document.querySelector("#fact-AMT_CREDIT");
  field.value = amount;
  field.dispatchEvent(new Event("input", {bubbles: true}));
  const start = performance.now();
  document.querySelector("#score-again").click();
  const isScored = () => document.querySelector(".change")?.textContent.includes(amount);
  while (document.querySelector(".verdict.stale") || !isScored())
    await new Promise((done) => setTimeout(done, 2));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return performance.now() - start;
}"""
console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def quantile(times: list[float], share: float) -> float:
    """Return a quantile of times in ms."""
    return sorted(times)[min(len(times) - 1, round(share * (len(times) - 1)))]


def of_service(api: str, applications: list[dict[str, Any]]) -> list[float]:
    """Return how long the service takes to explain each application alone, in ms."""
    times = []
    with Client(api) as client:
        asking = client.asking("test")
        for application in applications:
            start = time.perf_counter()
            asking.explain([application])
            times.append(1_000 * (time.perf_counter() - start))
    return times[WARM_UP:]


def in_browser(page: str, numbers: list[int]) -> tuple[float, list[float], list[float]]:
    """Return the bytes of a first load in KB, and the times from click to paint: opening, scoring again."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    opened, again, loaded = [], [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        shown = browser.new_page()
        shown.set_default_timeout(120_000)
        wire = shown.context.new_cdp_session(shown)
        wire.send("Network.enable")

        def count(told: dict[str, Any]) -> None:
            nonlocal loaded
            loaded += int(told["encodedDataLength"])

        wire.on("Network.loadingFinished", count)
        shown.goto(f"{page}/en/")
        shown.locator(".examples button").first.wait_for()
        shown.wait_for_timeout(1_000)
        first = loaded / KB
        for place, number in enumerate(numbers):
            opened.append(float(shown.evaluate(OPEN, str(number))))
            again.append(float(shown.evaluate(AGAIN, f"{400 + place},000")))
        browser.close()
    return first, opened[WARM_UP:], again[WARM_UP:]


def at_once(page: str, numbers: list[int]) -> tuple[int, float]:
    """Open clients in as many sessions at once; return how many saw theirs alone, and the seconds for all."""
    config = httpx.get(f"{page}/en/config", trust_env=False, timeout=60).json()
    button = next(
        part["id"]
        for part in config["components"]
        if part["type"] == "button" and part["props"].get("value") == say("open", "en")
    )
    event = next(one["id"] for one in config["dependencies"] if [button, "click"] in one["targets"])

    def session(number: int) -> bool:
        name, seen = secrets.token_hex(6), ""
        with httpx.Client(base_url=f"{page}/en", trust_env=False, timeout=120) as client:
            call = {"fn_index": event, "data": [str(number), {}], "session_hash": name}
            client.post("/gradio_api/queue/join", json=call).raise_for_status()
            with client.stream("GET", f"/gradio_api/queue/data?session_hash={name}") as stream:
                for line in stream.iter_lines():
                    if line.startswith("data:") and json.loads(line[5:])["msg"] == "process_completed":
                        seen = line
                        break
        return f"Client {number}" in seen and not any(
            f"Client {other}" in seen for other in numbers if other != number
        )

    start = time.perf_counter()
    with ThreadPoolExecutor(len(numbers)) as pool:
        own = sum(pool.map(session, numbers))
    return own, time.perf_counter() - start


@app.command()
def main(
    page: Annotated[str, typer.Option(help="Address of the page.")] = "http://127.0.0.1:7860",
    api: Annotated[str, typer.Option(help="Address of the service behind it.")] = "http://127.0.0.1:3000",
    portfolio: Annotated[Path, typer.Option(help="That of the page.")] = Path("var/demo"),
    clients: Annotated[int, typer.Option(min=5, help="Clients that are opened one after the other.")] = 30,
    sessions: Annotated[int, typer.Option(min=2, help="Officers at once.")] = 50,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the figures into benchmarks/page.json.")
    ] = False,
) -> None:
    """Measure the desk and say which targets it keeps.

    Example: python -m benchmarks.page --keep
    """
    known = Clients(portfolio)
    numbers = known.numbers()[: max(clients + WARM_UP, sessions)]
    some = numbers[: clients + WARM_UP]
    own = of_service(api, [known.open(number) for number in some])
    first, opened, again = in_browser(page, some)
    alone, took = at_once(page, numbers[:sessions])
    answer = statistics.median(own)
    rows: list[tuple[str, float, str, float | None]] = [
        ("first load", first, "KB", MOST_KB),
        ("the service's own time to explain, p50", answer, "ms", None),
        ("click to painted, open, p50", statistics.median(opened), "ms", None),
        (
            "click to painted, open, p50, times the service's own",
            statistics.median(opened) / answer,
            "ratio",
            TIMES,
        ),
        ("click to painted, open, p95", quantile(opened, 0.95), "ms", MOST_MS),
        ("click to painted, score again, p50", statistics.median(again), "ms", None),
        ("click to painted, score again, p95", quantile(again, 0.95), "ms", MOST_MS),
        (f"{sessions} sessions at once, all opened", took, "s", None),
        (
            f"{sessions} sessions at once, that saw another's client",
            len(numbers[:sessions]) - alone,
            "sessions",
            0,
        ),
    ]
    for name, figure, unit, target in rows:
        met = None if target is None else figure <= target
        console.print(
            f"{name}: {figure:.4g} {unit}" + ("" if met is None else " (met)" if met else " (missed)")
        )
        if keep:
            record(
                f"desk, {name}",
                figure,
                unit,
                target=target,
                met=met,
                command="python -m benchmarks.page --keep",
                file=FILE,
            )


if __name__ == "__main__":
    app()
