"""What would turn refusals: how many are turned, how soon, and whether what is said is so; beside DiCE.

Who could be turned at all is asked of chance: many random changes within policy, rated by the model.
DiCE runs in an environment of its own (``python -m venv DIR; DIR/bin/pip install -r benchmarks/dice.txt``).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from benchmarks import results
from benchmarks.given import MadeBy, command, refusing
from scoring import features, tables
from scoring.counterfactual import POLICY, Advisor, Lever, straight
from scoring.counterfactual.variations import Rater, Steps, Variations
from scoring.evidence.recourse import hold, near_refusals
from scoring.judge import Judge
from scoring.schema import ApplicationRequest, Counterfactual
from scoring.scorer import Scorer

ROOT = Path(__file__).resolve().parent.parent
FILE = Path(__file__).resolve().parent / "verdict.json"
SECONDS, SHARE = 2.0, 0.95  # what was asked for
SEED = 5
DRAWN = 3_000  # random changes of one application
HITS = 50  # granted ones of these that are looked at
IDLE = 0.4  # share of levers that a random change leaves alone
console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def chosen(scorer: Scorer, portfolio: tables.Portfolio, count: int) -> list[dict[str, Any]]:
    """Return the first refusals below twice the threshold, as requests.

    Raises
    ------
    ValueError
        If there is none.
    """
    default = scorer.probability(features.build(portfolio))
    rows = near_refusals(scorer, default, count)
    if not rows:
        raise ValueError("no application is refused below twice the threshold; give more of them.")
    return tables.to_requests(portfolio, rows)


def can_be_turned(rater: Rater, application: ApplicationRequest, random: np.random.Generator) -> bool:
    """Say whether one of many random changes within policy would do."""
    here = Variations(rater, application)
    for other in ("longer", "shorter"):
        levers = [lever for lever in POLICY.values() if lever.name != other and here.can(lever)]
        if not levers:
            continue
        steps = np.stack([random.integers(0, lever.steps + 1, DRAWN // 2) for lever in levers], axis=1)
        steps[random.random(steps.shape) < IDLE] = 0
        granted = steps[here.rate(levers, steps) < rater.scorer.threshold]
        if any(holds(here, levers, one, rater.scorer.threshold) for one in granted[:HITS]):
            return True
    return False


def holds(here: Variations, levers: list[Lever], steps: Steps, threshold: float) -> bool:
    """Say whether a granted change is advice: a step further is granted, and no higher risk on the way."""
    beyond = np.minimum(steps + (steps > 0), [lever.steps for lever in levers])
    risks = here.rate(levers, np.vstack([beyond, straight(steps)]))
    return bool(risks[0] < threshold and (risks[1:] <= risks[1]).all())


def dice(python: Path, scorer: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Have DiCE look for the same in its own environment: see `benchmarks.dice`."""
    done = subprocess.run(
        [str(python), "-m", "benchmarks.dice", str(scorer.resolve())],
        input=json.dumps(requests),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


@app.command(epilog="Example: python -m benchmarks.counterfactual --portfolio var/demo --scorer var/scorer")
@refusing
def main(
    path: Annotated[Path, typer.Option("--portfolio", help="Applications to ask about.")],
    folder: Annotated[Path, typer.Option("--scorer", help="Folder of the scorer.")],
    applicants: Annotated[int, typer.Option(min=1)] = 200,
    peer: Annotated[Path | None, typer.Option("--dice", help="Python of an environment with DiCE.")] = None,
    peers: Annotated[int, typer.Option(min=1, help="Applicants that DiCE is asked about.")] = 20,
    is_kept: Annotated[bool, typer.Option("--keep", help="Keep the figures in verdict.json.")] = False,
    made_by: MadeBy = "",
) -> None:
    """Ask for counterfactuals of refusals below twice the threshold, and check every one."""
    scorer = Scorer.load(folder)
    portfolio = tables.read(path, "train")
    requests = chosen(scorer, portfolio, applicants)
    applications = [ApplicationRequest.model_validate(request) for request in requests]
    advisor, judge, rater = Advisor(scorer, "measured"), Judge(scorer), Rater(scorer)
    random = np.random.default_rng(SEED)
    times, answers = [], []
    for application in applications:
        began = time.process_time()
        answers.append(advisor.find(application))
        times.append(time.process_time() - began)
    truths = [
        truth
        for request, answer in zip(requests, answers, strict=True)
        for truth in hold(judge, request, answer)
    ]
    turned = np.array([answer.outcome == "found" for answer in answers])
    could = np.array([can_be_turned(rater, application, random) for application in applications]) | turned
    beside_it = {} if peer is None else {"dice": "PYTHON", "peers": peers}
    said = (
        command("counterfactual", path, made_by, scorer="DIR", applicants=applicants, **beside_it) + " --keep"
    )

    def keep(name: str, figure: float, unit: str, target: float | None = None, least: bool = True) -> None:
        met = None if target is None else figure >= target if least else figure <= target
        console.print(f"{name}: {figure:.4g} {unit}")
        if is_kept:
            results.record(
                f"counterfactual, {name}", figure, unit, target=target, met=met, command=said, file=FILE
            )

    n = len(requests)
    keep(
        f"answered within 2 s of CPU time, {n} refusals",
        float(np.mean(np.array(times) <= SECONDS)),
        "share",
        SHARE,
    )
    keep(f"found, {n} refusals", float(turned.mean()), "share")
    if could.any():
        keep("found, of those that chance or search can turn", float(turned[could].mean()), "share", SHARE)
    if truths:
        keep("granted as said, to the bit", float(np.mean(truths)), "share", 1.0)
    keep("CPU time, p50", 1e3 * statistics.median(times), "ms")
    keep("CPU time, p95", 1e3 * float(np.quantile(times, 0.95)), "ms", 1e3 * SECONDS, least=False)
    if peer is not None:
        beside(dice(peer, folder, requests[:peers]), answers[:peers], times[:peers], keep)


def beside(found: list[dict[str, Any]], answers: list[Counterfactual], times: list[float], keep: Any) -> None:
    """Set what DiCE found beside our answers on the same applicants."""
    n = len(answers)
    keep(
        f"beside DiCE, {n} refusals: ours, valid",
        float(np.mean([bool(a.alternatives) for a in answers])),
        "share",
    )
    keep("beside DiCE: ours, CPU time, mean", 1e3 * statistics.mean(times[:n]), "ms")
    for way in sorted({one["way"] for one in found}):
        own = [one for one in found if one["way"] == way]
        keep(f"DiCE, {way}: valid when scored again", float(np.mean([o["is_valid"] for o in own])), "share")
        keep(
            f"DiCE, {way}: touches what may not change",
            float(np.mean([o["is_forbidden"] for o in own])),
            "share",
        )
        keep(f"DiCE, {way}: CPU time, mean", 1e3 * statistics.mean(o["seconds"] for o in own), "ms")
        both = [
            (a.alternatives[0], o)
            for a, o in zip(answers, own, strict=True)
            if a.alternatives and o["is_valid"]
        ]
        if both and all(o["size"] is not None for _, o in both):
            ours = statistics.mean(sum(abs(c.becomes / c.value - 1) for c in a.changes) for a, _ in both)
            keep(
                f"DiCE, {way}: size where both are valid",
                statistics.mean(o["size"] for _, o in both),
                "sum of shares",
            )
            keep(f"DiCE, {way}: ours there, size", ours, "sum of shares")


if __name__ == "__main__":
    app()
