"""What happened, by undoing it: on the logged inputs, and the drift vanishes or stays.

A hypothesis is a fault that is known to happen (other units, a sign, a stuck value, a renamed level, gaps,
a swapped column). It is undone in the rows of the window, what follows from the column is computed anew, and
what is left of the distances says how much it explains. Then the model decides the undone rows: which
decisions would have been otherwise, and what that costs. No model is loaded for the first part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from monitoring.judgement import Finding
from monitoring.origins import origins_of
from monitoring.recompute import Recompute
from monitoring.reference import PREDICTION, Reference
from monitoring.words import Said
from scoring.decision import REFUSED, decide
from scoring.schema import HISTORY

if TYPE_CHECKING:
    from scoring.scorer import Scorer

ROWS = 5_000  # of a window that are looked at
MOST = 4  # origins that are explained
ENOUGH = 0.6  # of the distance that has to vanish for a cause to be named
NEAR = 0.15  # of an estimated factor, within which a round one is tried
SAME = 1e-9  # of scores that were logged and are made again
DRAWN = frozenset({"missing", "new_level", "stuck"})  # undone by values of the reference
EXACT = 12  # digits to which a number that was multiplied comes back
ROUND = (0.001, 0.01, 0.1, 1 / 12, 0.5, 2.0, 10.0, 12.0, 100.0, 1_000.0)
LEAST_SHARE = 0.005  # of rows that went missing, or that have a new level
STUCK = 0.5  # share of one value that had a much smaller one
SIMPLE = {"sign": 0.0, "swapped": 0.0, "renamed": 0.0, "times": 0.01, "plus": 0.02, "missing": 0.02}
SIMPLE |= {
    "new_level": 0.02,
    "stuck": 0.02,
    "mix": 0.05,
}  # what a hypothesis must explain more than a simpler one


@dataclass(frozen=True)
class Cause:
    """What happened to an origin.

    Attributes
    ----------
    origin : str
    kind : str
        ``times``, ``plus``, ``sign``, ``swapped``, ``stuck``, ``missing``, ``renamed``, ``new_level``,
        ``mix``, ``misjoined``, ``score``; ``unknown`` where undoing none of them lets the drift vanish.
    said : Said
        The sentence.
    explained : float
        Share of the distances that vanishes.
    rows, changed : int
        Rows that were decided again, and decisions that would have been otherwise; 0 without a model.
    cost : float, optional
        What the fault costs per 1,000 applications, in lost good clients, as the model expects it.
    """

    origin: str
    kind: str
    said: Said
    explained: float
    rows: int = 0
    changed: int = 0
    cost: float | None = None


@dataclass(frozen=True)
class _Hypothesis:
    kind: str
    said: Said
    changed: Mapping[str, pl.Series]
    weights: NDArray[np.float64] | None = None  # of rows, where the mix of them is what changed


def explain(
    reference: Reference,
    rows: pl.DataFrame,
    findings: Sequence[Finding],
    scorer: Scorer | None = None,
    seed: int = 0,
) -> list[Cause]:
    """Explain findings, the first ones.

    Parameters
    ----------
    reference : Reference
    rows : polars.DataFrame
        Decisions of the window in the reference's columns.
    findings : sequence of Finding
    scorer : Scorer, optional
        The model that decided; without it nothing is decided again.
    seed : int
        Of values that are drawn for those that are gone.
    """
    rows = rows.sample(ROWS, seed=seed) if rows.height > ROWS else rows
    if rows.is_empty() or not findings:
        return []
    case = _Case(reference, rows, scorer, seed)
    return [case.explain(finding, [other.origin for other in findings]) for finding in findings[:MOST]]


class _Case:
    """A window whose findings are explained."""

    def __init__(self, reference: Reference, rows: pl.DataFrame, scorer: Scorer | None, seed: int) -> None:
        self.reference, self.scorer, self.seed = reference, scorer, seed
        self.now = Recompute(rows, reference.inputs)
        self.then = Recompute(reference.table, reference.inputs)
        bins = reference.bins
        own = [origins_of(axis.name) for axis in bins.axes]
        self.behind = [*own, *(own[pair.first] | own[pair.second] for pair in bins.pairs)]
        self.codes = bins.codes(self.now.rows)
        self.apart = self._distances(self.codes)

    def explain(self, finding: Finding, origins: Sequence[str]) -> Cause:
        """Explain one finding."""
        name = finding.origin
        if name == PREDICTION:
            return self._score()
        if finding.is_parted:
            return Cause(name, "misjoined", Said("cause_misjoined"), self._parted(name))
        best, left = None, np.inf
        for hypothesis in self._hypotheses(name, origins):
            share = self._left(name, hypothesis, origins)
            if share + SIMPLE[hypothesis.kind] < left:
                best, left = hypothesis, share + SIMPLE[hypothesis.kind]
        explained = 0.0 if best is None else max(0.0, 1 - left + SIMPLE[best.kind])
        if best is None or explained < ENOUGH:
            return Cause(name, "unknown", Said("cause_unknown"), explained)
        return self._decided(Cause(name, best.kind, best.said, explained), best)

    def _distances(
        self, codes: NDArray[np.uint16], weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        bins = self.reference.bins
        if weights is not None:
            rng = np.random.default_rng(self.seed)
            codes = codes[rng.choice(len(codes), len(codes), p=weights / weights.sum())]
        return self.reference.detector.compare(bins.count(codes)).distance

    def _left(self, name: str, hypothesis: _Hypothesis, origins: Sequence[str]) -> float:
        """Return which share of the distances stays when a hypothesis is undone."""
        readers = {*self.now.readers(name), *hypothesis.changed}
        names = [axis.name for axis in self.reference.bins.axes]
        others = {*origins} - {name, *hypothesis.changed}  # they moved by themselves
        asked = np.array([name in behind and not behind & others for behind in self.behind])
        if hypothesis.kind in DRAWN:  # such values know nothing of the others of their row
            asked = np.array([behind == {name} for behind in self.behind])
        if hypothesis.changed:  # what the log does not allow to compute anew cannot vanish
            own = np.array([one in readers for one in names])
            both = [bool(own[pair.first] or own[pair.second]) for pair in self.reference.bins.pairs]
            asked &= np.concatenate([own, np.array(both, dtype=bool)])
        codes = self.codes
        if hypothesis.changed:
            codes = self.reference.bins.codes(self.now.with_columns(hypothesis.changed))
        after = self._distances(codes, hypothesis.weights)
        before = float(self.apart[asked].sum())
        return float(after[asked].sum()) / before if before > 0 else 1.0

    def _hypotheses(self, name: str, origins: Sequence[str]) -> Iterator[_Hypothesis]:
        if name in HISTORY:
            yield from self._absent(name)
            return
        if name not in self.now.columns:
            return
        now, then = self.now.rows[name], self.then.rows[name]
        if now.dtype == pl.String:
            yield from self._levels(name, now, then)
        else:
            yield from self._numbers(name, now.cast(pl.Float64), then.cast(pl.Float64), origins)
        yield from self._gaps(name, now, then)
        yield from self._mix(name)

    def _numbers(
        self, name: str, now: pl.Series, then: pl.Series, origins: Sequence[str]
    ) -> Iterator[_Hypothesis]:
        if not now.count() or not then.count():
            return
        yield _Hypothesis("sign", Said("cause_sign"), {name: -now})
        medians = (one.filter(one != 0).abs().median() for one in (now, then))
        large, usual = (float(median or 0.0) for median in medians)  # type: ignore[arg-type]
        if usual and large:
            for factor in sorted(_factors(now, then, large / usual)):
                # What was 135,000 shall be that again, and in the cell of its own that it has.
                undone = (now / factor).round_sig_figs(EXACT)
                yield _Hypothesis("times", Said("cause_times", {"factor": factor}), {name: undone})
        shift = float(now.median() or 0.0) - float(then.median() or 0.0)  # type: ignore[arg-type]
        if shift:
            yield _Hypothesis("plus", Said("cause_plus", {"figure": shift}), {name: now - shift})
        value, share = _mode(now)
        if share >= STUCK and (then == value).mean() < share / 2:  # type: ignore[operator]
            drawn = self._drawn(then.drop_nulls(), now.len())
            fresh = pl.select(pl.when(now == value).then(drawn).otherwise(now)).to_series().rename(name)
            yield _Hypothesis("stuck", Said("cause_stuck", {"figure": value}), {name: fresh})
        for other in origins:
            if other != name and other in self.now.columns and self.now.rows[other].dtype != pl.String:
                swapped = {name: self.now.rows[other].alias(name), other: now.alias(other)}
                yield _Hypothesis("swapped", Said("cause_swapped", {"word": other}), swapped)

    def _levels(self, name: str, now: pl.Series, then: pl.Series) -> Iterator[_Hypothesis]:
        was, is_ = (_shares(one) for one in (then, now))
        lost = {level: share - is_.get(level, 0.0) for level, share in was.items()}
        gained = {level: share - was.get(level, 0.0) for level, share in is_.items()}
        if not lost or not gained:
            return
        source = max(lost, key=lambda level: lost[level])
        target = max(gained, key=lambda level: gained[level])
        if lost[source] > LEAST_SHARE and source != target:
            said = Said("cause_renamed", {"word": source, "into": target})
            yield _Hypothesis("renamed", said, {name: now.replace(target, source)})
        new = [
            level for level in is_ if level not in was and level not in self.reference.levels.get(name, ())
        ]
        share = sum(is_[level] for level in new)
        if share > LEAST_SHARE:
            drawn = self._drawn(then.drop_nulls(), now.len())
            fresh = pl.select(pl.when(now.is_in(new)).then(drawn).otherwise(now)).to_series().rename(name)
            yield _Hypothesis("new_level", Said("cause_new_level", {"share": share}), {name: fresh})

    def _gaps(self, name: str, now: pl.Series, then: pl.Series) -> Iterator[_Hypothesis]:
        share = now.null_count() / now.len() - then.null_count() / then.len()
        if share < LEAST_SHARE or not then.count():
            return
        # As many of the gaps are filled as are too many, by values that the reference has.
        rng = np.random.default_rng(self.seed)
        fills = rng.random(now.len()) < share * now.len() / now.null_count()
        drawn = self._drawn(then.drop_nulls(), now.len())
        fresh = pl.select(pl.when(now.is_null() & pl.Series(fills)).then(drawn).otherwise(now)).to_series()
        yield _Hypothesis("missing", Said("cause_missing", {"share": share}), {name: fresh.rename(name)})

    def _absent(self, table: str) -> Iterator[_Hypothesis]:
        """Give rows whose records of a table are gone those of rows of the reference."""
        inputs = [name for name in self.reference.inputs if origins_of(name) == {table}]
        if not inputs:
            return
        is_empty = pl.all_horizontal(
            pl.col(n).is_null() | (pl.col(n).cast(pl.String) == "0.0") for n in inputs
        )
        now, then = (side.rows.select(is_empty).to_series() for side in (self.now, self.then))
        share = float(now.mean() or 0.0) - float(then.mean() or 0.0)  # type: ignore[arg-type]
        there = self.then.rows.filter(~then)
        if share < LEAST_SHARE or there.is_empty():
            return
        rng = np.random.default_rng(self.seed)
        fills = now & pl.Series(rng.random(now.len()) < share / float(now.mean()))  # type: ignore[arg-type]
        drawn = there[rng.integers(0, there.height, now.len())]
        fresh = {
            name: pl.select(pl.when(fills).then(drawn[name]).otherwise(self.now.rows[name]))
            .to_series()
            .rename(name)
            for name in inputs
        }
        yield _Hypothesis("missing", Said("cause_absent", {"share": share}), fresh)

    def _mix(self, name: str) -> Iterator[_Hypothesis]:
        """Weigh rows so that a column is as in the reference: all else given it may be as it was."""
        bins = self.reference.bins
        names = [axis.name for axis in bins.axes]
        if name not in names:
            return
        place = names.index(name)
        then = bins.of(self.reference.detector.counts, place) / self.then.rows.height
        now = np.bincount(self.codes[:, place], minlength=len(then)) / len(self.codes)
        if now[then == 0].sum() > LEAST_SHARE or then[now == 0].sum() > LEAST_SHARE:
            return  # what one side lacks no weights bring back
        ratio = np.divide(then, now, out=np.zeros(len(then)), where=now > 0)
        cell = int(np.argmax(np.abs(now - then)))
        said = Said(
            "cause_mix",
            {"cell": bins.axes[place].say(cell), "before": float(then[cell]), "now": float(now[cell])},
        )
        yield _Hypothesis("mix", said, {}, ratio[self.codes[:, place]])

    def _parted(self, name: str) -> float:
        """Return how much of the distances is there when the reference's own rows are joined wrongly."""
        inputs = [one for one in self.reference.inputs if name in origins_of(one)]
        order = np.random.default_rng(self.seed).permutation(self.then.rows.height)
        wrong = self.reference.table.with_columns(self.reference.table[one][order] for one in inputs)
        joined = self._distances(self.reference.bins.codes(wrong))
        pairs = np.arange(len(self.behind)) >= len(self.reference.bins.axes)
        asked = np.array([name in behind for behind in self.behind]) & pairs & (joined > 0)
        if not asked.any():
            return 0.0
        return float(np.clip(1 - np.abs(self.apart - joined)[asked].sum() / joined[asked].sum(), 0.0, 1.0))

    def _score(self) -> Cause:
        """Compare the logged scores with what the model says of the logged inputs."""
        if self.scorer is None:
            return Cause(PREDICTION, "unknown", Said("cause_unknown"), 0.0)
        again = self.scorer.probability(self.now.rows[self.scorer.feature_names])
        logged = self.now.rows[PREDICTION].to_numpy()
        wrong = np.abs(again - logged) > SAME
        if not wrong.any():
            return Cause(PREDICTION, "unknown", Said("cause_unknown"), 0.0)
        said = Said("cause_score", {"share": float(wrong.mean()), "factor": float(np.median(logged / again))})
        return self._cost(Cause(PREDICTION, "score", said, 1.0), again)

    def _drawn(self, values: pl.Series, rows: int) -> pl.Series:
        rng = np.random.default_rng(self.seed)
        return values[rng.integers(0, values.len(), rows)]

    def _decided(self, cause: Cause, hypothesis: _Hypothesis) -> Cause:
        if self.scorer is None or not hypothesis.changed:
            return cause
        undone = self.now.with_columns(hypothesis.changed)
        right = self.scorer.probability(undone[self.scorer.feature_names])
        return self._cost(cause, right)

    def _cost(self, cause: Cause, right: NDArray[np.float64]) -> Cause:
        """Add what the fault changed: decisions, and what they are expected to cost, by the undone scores."""
        assert self.scorer is not None
        costs = self.scorer.costs
        were = self.now.rows["decision"].to_numpy() == REFUSED
        would = decide(right, self.scorer.threshold) == REFUSED
        granted, refused = costs.false_negative * right, costs.false_positive * (1 - right)
        expected = [np.where(is_refused, refused, granted).mean() for is_refused in (were, would)]
        return Cause(
            cause.origin,
            cause.kind,
            cause.said,
            cause.explained,
            len(right),
            int((were != would).sum()),
            float(1_000 * (expected[0] - expected[1])),
        )


def _factors(now: pl.Series, then: pl.Series, ratio: float) -> set[float]:
    """Return by what a number may be multiplied: estimates in few digits, and round ones near them."""
    known = [one.filter(one != 0).abs() for one in (now, then)]
    logs = [np.log(one.drop_nulls().to_numpy()).mean() for one in known]
    middle = float(np.exp(logs[0] - logs[1]))
    estimates = [ratio, middle, *(_mode(known[0])[0] / _mode(known[1])[0],)]
    found = {float(f"{estimate:.{digits}g}") for estimate in estimates for digits in (2, 3)}
    return (found | {one for one in ROUND for k in estimates if abs(k / one - 1) < NEAR}) - {1.0}


def _mode(values: pl.Series) -> tuple[float, float]:
    """Return the most frequent value and its share of the known ones."""
    counts = values.drop_nulls().value_counts(sort=True, name="rows")
    return float(counts[values.name][0]), float(counts["rows"][0]) / values.count()


def _shares(values: pl.Series) -> dict[str, float]:
    counts = values.drop_nulls().value_counts(name="rows")
    return {level: rows / max(values.count(), 1) for level, rows in counts.iter_rows()}
