"""How often the intervals of a trained scorer hold the truth, on synthetic portfolios of other seeds.

`benchmarks.verdict` trains its own; this one asks a scorer that is there, such as the first of `make demo`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from benchmarks import results
from benchmarks.given import refusing
from benchmarks.verdict import COVERED, FILE, People, covered
from scoring.scorer import Scorer
from scoring.synthetic.portfolio import PopulationName

console = Console(stderr=True)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m benchmarks.coverage --scorer var/scorer --seed 3103 --seed 3104")
@refusing
def main(
    folder: Annotated[Path, typer.Option("--scorer", help="Folder of the scorer.")],
    seeds: Annotated[list[int], typer.Option("--seed", help="Of the portfolios; not that of training.")],
    applicants: Annotated[int, typer.Option(min=500, help="Of each portfolio and population.")] = 3_000,
    further: Annotated[float, typer.Option(help="Let intervals reach so many times as far.")] = 1.0,
    name: Annotated[str, typer.Option(help="What to call the scorer in the figures.")] = "this scorer",
    is_kept: Annotated[bool, typer.Option("--keep", help="Keep the figures in verdict.json.")] = False,
) -> None:
    """Measure what 90% intervals hold, in all and by tenths of risk, now and in the later population."""
    scorer = Scorer.load(folder)
    if scorer.certainty is None:
        raise ValueError("this scorer gives no intervals; train it again.")
    sure = replace(
        scorer.certainty,
        below=tuple(further * reach for reach in scorer.certainty.below),
        above=tuple(further * reach for reach in scorer.certainty.above),
    )
    scorer = replace(scorer, certainty=sure)
    said = f"python -m benchmarks.coverage --scorer DIR --applicants {applicants} --further {further:g}"
    said += "".join(f" --seed {seed}" for seed in seeds) + f" --name '{name}' --keep"
    populations: dict[PopulationName, str] = {"train": "same population", "test": "later population"}
    for population, title in populations.items():
        found = []
        for seed in seeds:
            people = People(applicants, seed, population)
            default = scorer.probability(people.features)
            found.append(covered(default, people.truth, *sure.interval(default)))
            console.print(f"{title}, seed {seed}: {found[-1].mean():.3f}; by tenths {np.round(found[-1], 3)}")
        # Of all seeds together, and only then the worst: of one alone it is mostly the unluckiest.
        tenths = np.mean(found, axis=0)
        whole, least, most = (float(share) for share in (tenths.mean(), tenths.min(), tenths.max()))
        is_met = COVERED[0] <= whole <= COVERED[1]
        where = f"interval of {name}, {further:g} times as far, {len(seeds)} seeds, {title}"
        console.print(f"{where}: covers {whole:.3f}; by tenths {np.round(tenths, 3)}")
        if is_kept:
            results.record(
                f"{where}: covers", whole, "share", target=0.9, met=is_met, command=said, file=FILE
            )
            results.record(
                f"{where}: worst tenth",
                least,
                "share",
                target=COVERED[0],
                met=least >= COVERED[0],
                command=said,
                file=FILE,
            )
            results.record(
                f"{where}: best tenth",
                most,
                "share",
                target=COVERED[1],
                met=most <= COVERED[1],
                command=said,
                file=FILE,
            )


if __name__ == "__main__":
    app()
