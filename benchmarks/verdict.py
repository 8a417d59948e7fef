"""How sure the verdicts are, measured where the truth is known: `python -m benchmarks.verdict`.

A synthetic portfolio knows each applicant's true probability of default. A scorer is trained on one, as
`train.py` does, and judged on others of the same and of the later population: benchmarks/verdict.json.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import lightgbm
import numpy as np
import polars as pl
import typer
from sklearn.isotonic import IsotonicRegression

from benchmarks.results import record
from scoring import features as declared
from scoring import synthetic, tables
from scoring.assembly import assemble
from scoring.candidates import LIGHTGBM, SCORECARD, TrainingSet, fit_rows
from scoring.decision import COSTS, DEFAULT_PROTECTED
from scoring.evaluation import certain, cross_validate, deal_folds, evaluate
from scoring.evidence.completeness import complete
from scoring.evidence.sense import WAYS, sense, walk
from scoring.metrics import Outcomes
from scoring.scorer import Scorer
from scoring.scorer.model import Boosted, Vector
from scoring.scorer.single import Single
from scoring.synthetic.outcome import probability as truth_of
from scoring.synthetic.portfolio import PopulationName
from scoring.tables import Portfolio

FILE = Path(__file__).resolve().parent / "verdict.json"
FRESH = 5_000  # applicants that nobody learned from, of either population
VENN_ABERS = 400  # of them, as each asks for two isotonic regressions
RIGHT = (0.6, 0.7, 0.8, 0.9)  # how often a reviewer decides as the outcome would
WALKED = 1_000
COVERED = (0.88, 0.92)
REPEATS = 2_000
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class People:
    """A synthetic portfolio with what only its maker knows."""

    def __init__(self, applicants: int, seed: int, population: PopulationName) -> None:
        made = synthetic.generate(applicants, seed, population)
        history = {name: table for name, table in made.items() if not name.startswith("application")}
        self.truth: Vector = truth_of({"application": made[f"application_{population}"], **history})
        with tempfile.TemporaryDirectory() as folder:
            for name, table in made.items():
                table.write_parquet(Path(folder) / f"{name}.parquet")
            self.portfolio: Portfolio = tables.read(Path(folder), population, columns=declared.READS)
        self.features = declared.build(self.portfolio).select(declared.names(DEFAULT_PROTECTED))


def train(people: People, y: Outcomes, seed: int) -> tuple[Scorer, Vector]:
    """Train the champion's family as `train.py` does; return it with its log-odds out of fold."""
    names = people.features.columns
    directions = {name: declared.FEATURE_BY_NAME[name].direction for name in names}
    data = TrainingSet.of(people.features, y, directions, seed)
    folds = deal_folds(y, 5, seed)
    found = cross_validate(LIGHTGBM, data, folds, has_lesser=True)
    evaluation = evaluate(y, found.raw, folds, replicates=20, seed=seed)
    readable = certain.Readable(fit_rows(SCORECARD, data)[1], cross_validate(SCORECARD, data, folds).raw)
    assert found.lesser is not None
    threshold = evaluation.choice.threshold
    sure = certain.learn(
        y, evaluation.probability, found.lesser, threshold, people.features, readable=readable
    )
    scorer = assemble(
        LIGHTGBM,
        people.features,
        data,
        evaluation,
        policy=DEFAULT_PROTECTED,
        lineage={},
        rounds=found.best_rounds,
        certainty=sure,
    )
    return scorer, found.raw


def covered(default: Vector, truth: Vector, low: Vector, high: Vector) -> Vector:
    """Return the share of true probabilities that lie in their intervals, by tenths of risk."""
    inside = (low <= truth) & (truth <= high)
    tenths = np.argsort(np.argsort(default)) * 10 // len(default)
    return np.array([inside[tenths == tenth].mean() for tenth in range(10)])


def venn_abers(raw: Vector, y: Outcomes, scores: Vector) -> tuple[Vector, Vector]:
    """Return the two probabilities of each score: with its outcome taken as 0, and as 1 (Vovk 2014)."""
    ends = np.empty((2, len(scores)))
    for i, score in enumerate(scores):
        for outcome in (0, 1):
            whole = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
            whole.fit(np.append(raw, score), np.append(y, outcome))
            ends[outcome, i] = whole.predict([score])[0]
    return ends[0], ends[1]


def spread(scorer: Scorer, table: pl.DataFrame) -> tuple[Vector, Vector]:
    """Return the 90 % interval that the champion's own boosters give by how far they lie apart."""
    function = scorer.model.function
    assert isinstance(function, Boosted)
    booster, matrix = lightgbm.Booster(model_str=function.text), scorer.encode(table)
    trees = booster.num_trees() // LIGHTGBM.boosters
    parts = [
        LIGHTGBM.boosters
        * np.asarray(booster.predict(matrix, raw_score=True, start_iteration=k * trees, num_iteration=trees))
        for k in range(LIGHTGBM.boosters)
    ]
    found = np.array([scorer.calibration.of(part) for part in parts])
    middle = found.mean(axis=0)
    # Each was grown without another fifth of the rows: the jackknife of a mean.
    error = np.sqrt((len(parts) - 1) / len(parts) * ((found - middle) ** 2).sum(axis=0))
    ends = [middle + side * 1.645 * error for side in (-1, 1)]
    return 1 / (1 + np.exp(-ends[0])), 1 / (1 + np.exp(-ends[1]))


def saved(decided: pl.DataFrame, truth: Vector, right: float) -> float:
    """Return the expected cost that a review saves, if the reviewer decides right so often."""
    asked = decided["review"].to_numpy()
    refused = (decided["decision"] == "refused").to_numpy()[asked]
    bad = COSTS.false_negative * truth[asked]
    good = COSTS.false_positive * (1 - truth[asked])
    return float(np.mean(np.where(refused, good, bad) - (1 - right) * (good + bad)))


@app.command()
def main(
    applicants: Annotated[int, typer.Option(min=3_000, help="To train on.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the portfolios.")] = 21,
) -> None:
    """Measure intervals, reviews, reasons and common sense on synthetic portfolios, and keep the figures."""
    command = f"python -m benchmarks.verdict --applicants {applicants} --seed {seed}"

    def keep(
        name: str, figure: float, unit: str, target: float | None = None, met: bool | None = None
    ) -> None:
        record(
            f"{name}, {applicants:,} applicants",
            figure,
            unit,
            target=target,
            met=met,
            command=command,
            file=FILE,
        )
        typer.echo(
            f"{name}: {figure:.4g} {unit}" + ("" if met is None else f" ({'met' if met else 'NOT met'})")
        )

    known = People(applicants, seed, "train")
    y = known.portfolio.applications["TARGET"].to_numpy().astype(np.int8)
    scorer, raw = train(known, y, seed)
    certainty = scorer.certainty
    assert certainty is not None
    keep(
        "review, share out of fold", certainty.shares["any"], "share", 0.15, certainty.shares["any"] <= 0.1505
    )
    for name, count in certainty.shares.items():
        if name != "any":
            keep(f"review, share out of fold for {name}", count, "share")
    populations: dict[PopulationName, str] = {"train": "same population", "test": "later population"}
    for population, title in populations.items():
        people = People(FRESH, seed + 1_000, population)
        decided = scorer.decide(people.features)
        p = decided["probability_of_default"].to_numpy()
        ours = decided["probability_low"].to_numpy(), decided["probability_high"].to_numpy()
        tenths = covered(p, people.truth, *ours)
        whole, least, most = (float(share) for share in (tenths.mean(), tenths.min(), tenths.max()))
        is_same = population == "train"
        inside = COVERED[0] <= whole <= COVERED[1]
        keep(f"interval, {title}: covers", whole, "share", 0.9, inside)
        # Of 500 applicants each: chance alone moves the worst and the best of ten by 2%, see `coverage`.
        keep(f"interval, {title}: worst tenth", least, "share", COVERED[0], least >= COVERED[0])
        keep(f"interval, {title}: best tenth", most, "share", COVERED[1], most <= COVERED[1])
        keep(f"interval, {title}: median width", float(np.median(ours[1] - ours[0])), "probability")
        keep(
            f"interval by the boosters' spread, {title}: covers",
            float(covered(p, people.truth, *spread(scorer, people.features)).mean()),
            "share",
        )
        some = slice(0, VENN_ABERS)
        scores = scorer.model.raw(people.features[some])
        keep(
            f"interval by Venn-Abers, {title}: covers",
            float(covered(p[some], people.truth[some], *venn_abers(raw, y, scores)).mean()),
            "share",
        )
        keep(f"review, {title}: share", float(decided["review"].to_numpy().mean()), "share")
        for right in RIGHT:
            keep(
                f"review, {title}: saved each if right in {right:.0%}",
                saved(decided, people.truth, right),
                "lost good clients",
            )
        if is_same:
            _reasons_and_sense(scorer, people, keep)
            _times(scorer, people, keep)


def _reasons_and_sense(scorer: Scorer, people: People, keep: Callable[..., None]) -> None:
    found = complete(scorer, people.features)
    if found is not None:
        keep("reasons: refused applications", found.applications, "applications")
        keep("reasons: all of them turn the refusal", found.turned, "share")
        keep("reasons: else the answer says so", found.noted, "share", 1.0, found.noted == 1)
        keep("reasons: the risk falls without one", found.fell, "share", 1.0, found.fell == 1)
        keep("reasons: a group not told weighs more", found.outweighed, "share", 0.0, found.outweighed == 0)
        keep(
            "reasons: a value speaks for the applicant", found.quoted_for, "share", 0.0, found.quoted_for == 0
        )
    some = tables.take(people.portfolio, np.arange(WALKED))
    for way in WAYS:
        if (walked := sense(scorer, way, walk(some, way, scorer.feature_names))) is not None:
            keep(f"common sense, {way}: the risk rises at some step", walked.rose, "share")
            keep(f"common sense, {way}: it ends higher", walked.ended_higher, "share")
            keep(f"common sense, {way}: worst rise of a step", walked.worst, "probability")


def _times(scorer: Scorer, people: People, keep: Callable[..., None]) -> None:
    """Time what one decision costs more than without interval and review."""
    certainty, single = scorer.certainty, Single(scorer)
    assert certainty is not None
    row, remarks, values = single.read(people.features.row(0, named=True))
    default = np.array([0.08])
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        certainty.interval(default)
        certainty.review(0.08, False, len(remarks), row, values)
        taken.append(1e6 * (time.perf_counter() - began))
    figure = float(np.median(taken))
    keep("interval and review of one row", figure, "µs", 10, figure < 10)


if __name__ == "__main__":
    app()
