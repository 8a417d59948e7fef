"""A training from beginning to end: every candidate tried, compared with the others, the best proposed."""

from __future__ import annotations

from datetime import datetime

from rich.console import Console

from scoring.language import ENGLISH
from training import runs, tracking
from training.comparison import Result, as_table, show
from training.lineage import peak_memory_mib
from training.material import Plan, prepare
from training.proposal import propose
from training.session import TrainingSession
from training.trying import choose_features, declared_of, try_candidates


def run(plan: Plan, now: datetime, console: Console) -> list[Result]:
    """Train every candidate and propose the one whose decisions cost least; return them, the best first.

    What is finished already, by the same code on the same data, is not computed again.

    Raises
    ------
    ValueError
        If the input does not allow a training.
    LeakSuspected
        If a candidate is too good to be true.
    """
    declared = [declared_of(candidate) for candidate in plan.candidates]  # it says which library is missing
    session = TrainingSession.open(plan, console)
    with console.status("Reading the portfolio, computing features"):
        material = prepare(plan, now)
    say(
        console,
        f"{len(material.y):,} applications, {material.y.mean():.2%} defaults, "
        f"{material.features.width} features, kept out: {', '.join(plan.protect) or 'nothing'}.",
    )
    for notice in material.notices:
        say(console, f"Note: {notice[ENGLISH]}")
    whole = material.key(plan, declared)
    with session.start_run(f"compare {plan.compare}", {runs.KEY: whole, "candidates": plan.compare}):
        if plan.select:
            material = choose_features(session, material)
        results, left = try_candidates(session, material)
        tracking.log_candidates(as_table([result.run for result in results]))
    show(results, console)
    if left:
        over = f"The time budget was over before {', '.join(left)}"
        say(console, f"{over}; the same command goes on from here.")
    cut = [r.candidate.name for r in results if r.run.tags.get(runs.KEY, "").endswith(tracking.CUT)]
    if cut:
        say(console, f"The time budget ended the search of {', '.join(cut)}; the same command searches on.")
    console.print(f"{session.seconds:.0f} s, peak memory {peak_memory_mib() / 1024:.1f} GiB.")
    say(console, propose(results, session.client, now))
    return results


def say(console: Console, text: str) -> None:
    """Print a sentence, which a narrow terminal may wrap where it likes."""
    console.print(text, soft_wrap=True)
