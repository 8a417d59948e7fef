"""The same candidate, refitted otherwise: block by block, without an attribute, or less discriminating.

Every variant meets the same folds, so that differences are paired. Each is judged at the threshold that is
cheapest for itself; approval ratios are compared at one share of approvals for all. Intervals take the fitted
models as given: they hold the chance of the applications, not that of another fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import features as declared
from scoring.candidates import PROBE, Candidate, TrainingSet, fit_rows
from scoring.candidates.coding import Coded
from scoring.decision import DEFAULT_PROTECTED, PROTECTED
from scoring.evidence.fairness import Audit, Labels, audit
from scoring.evidence.paired import Difference, FoldScores, differences
from scoring.features import Feature
from scoring.metrics import Measured, Outcomes, Vector, measure
from scoring.schema import Application, columns
from scoring.scorer.model import probability

TOLERANCE = 0.01  # of the cost: what a less discriminating model may cost more
PROXIES = (10, 40)  # features that tell an attribute best, to do without
PROBE_ROUNDS = 60  # trees of the model that guesses an attribute
AUDIT_REPLICATES = 200

Progress = Callable[[str], None]  # called with the name of what is fitted next
Folds = NDArray[np.int8]

_RAW = frozenset(columns(Application))
BLOCKS: dict[str, Callable[[Feature], bool]] = {
    "application": lambda f: f.name in _RAW,
    "terms": lambda f: f.name == "loan_terms",
    "ratios": lambda f: f.table == "application" and f.group != "external_score" and f.name not in _RAW,
    "scores": lambda f: f.group == "external_score" and f.is_plain,
    "products": lambda f: f.table == "application" and f.group == "external_score" and not f.is_plain,
    "bureau": lambda f: f.table in ("bureau", "bureau_balance"),
    "previous": lambda f: f.table == "previous_application",
    "repayment": lambda f: f.table in ("POS_CASH_balance", "credit_card_balance", "installments_payments"),
    "cross": lambda f: f.table == "cross",
}


@dataclass(frozen=True)
class Variant:
    """One way to fit: its features, and settings and seed if they are other ones."""

    name: str
    features: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Refit:
    """A variant out of fold, beside the one that it is measured against (None: it is the first).

    ``auc_gained`` and ``cost_saved`` (per 1,000 applications) are above 0 where it is better.
    """

    variant: Variant
    judged: FoldScores
    auc_gained: Difference | None = None
    cost_saved: Difference | None = None

    @property
    def auc(self) -> float:
        """AUC out of fold."""
        return self.judged.auc()

    @property
    def cost(self) -> float:
        """Cost per 1,000 applications at its own cheapest threshold."""
        return self.judged.cost_per_1000


@dataclass(frozen=True, eq=False)
class Bench:
    """What all variants share.

    Attributes
    ----------
    coded : Coded
        Every declared feature of these applications, whatever the policy.
    y, folds : ndarray of shape (n_applications,)
    candidate : Candidate
        ``lightgbm`` in the settings of the run.
    rounds : int
        Trees of each booster of every fit.
    known : dict
        What was fitted already: several questions ask for the same fit.
    """

    coded: Coded
    y: Outcomes
    folds: Folds
    candidate: Candidate
    rounds: int
    known: dict[tuple[object, ...], Vector] = field(default_factory=dict)

    def refit(self, variant: Variant, against: Refit | None = None) -> Refit:
        """Cross-validate a variant; compare it with another one."""
        judged = FoldScores(variant.name, self.y, probability(self.log_odds(variant))[None, :])
        if against is None:
            return Refit(variant, judged)
        return Refit(variant, judged, *differences(judged, against.judged))

    def log_odds(self, variant: Variant) -> Vector:
        """Return the out-of-fold log-odds of a variant, not calibrated."""
        key = (variant.features, tuple(sorted(variant.settings.items())), variant.seed)
        if key not in self.known:
            self.known[key] = self._cross_validate(variant)
        return self.known[key]

    def _cross_validate(self, variant: Variant) -> Vector:
        tried = replace(self.candidate, settings={**self.candidate.settings, **variant.settings})
        coded = self.coded.only(variant.features)
        data = TrainingSet(coded, self.y, directions(variant.features), variant.seed)
        raw = np.empty(len(self.y))
        for fold in range(int(self.folds.max()) + 1):
            outside = self.folds == fold
            encoding, function = fit_rows(tried, data.take(~outside), self.rounds)
            raw[outside] = function.raw(coded.encode(encoding, outside))
        return raw


@dataclass(frozen=True, eq=False)
class Alternative:
    """A refit with how it falls on the groups, at the share of approvals of the model in force.

    Attributes
    ----------
    refit : Refit
    ratios : mapping of str to Measured
        Per attribute, the lowest approval ratio of a group.
    gains : mapping of str to Measured
        Per attribute, by how much that ratio is above the one of the model in force, on the same bootstrap
        samples; empty for the model in force.
    is_affordable : bool
        Whether it costs at most so much more on these applications. A point estimate: ``refit.cost_saved``
        has the interval.
    """

    refit: Refit
    ratios: Mapping[str, Measured]
    gains: Mapping[str, Measured]
    is_affordable: bool


def directions(names: Sequence[str]) -> dict[str, int]:
    """Return the declared direction of each feature."""
    return {name: declared.FEATURE_BY_NAME[name].direction for name in names}


def ladder(bench: Bench, names: Sequence[str], on_progress: Progress) -> list[Refit]:
    """Add one block of features after the other; each step is measured against the step before."""
    have: set[str] = set()
    steps: list[Refit] = []
    for name, belongs in BLOCKS.items():
        block = {
            n
            for n in names
            if n not in have and belongs(declared.FEATURE_BY_NAME[n]) and _is_filled(bench.coded, n)
        }
        if not block:
            continue
        have |= block
        on_progress(name)
        variant = Variant(name, tuple(n for n in names if n in have))
        steps.append(bench.refit(variant, steps[-1] if steps else None))
    return steps


def exclusions(bench: Bench, on_progress: Progress) -> list[Refit]:
    """Measure what each protected attribute is worth: all features, then without each, then without all.

    ``cost_saved`` below 0 is the price of the exclusion.
    """
    on_progress("nothing")
    first = bench.refit(Variant("nothing", bench.coded.names))
    policies: list[tuple[str, ...]] = [(attribute,) for attribute in PROTECTED]
    found = [first]
    for policy in (*policies, DEFAULT_PROTECTED, tuple(PROTECTED)):
        name = " + ".join(policy)
        on_progress(name)
        kept = tuple(n for n in declared.names(policy) if n in first.variant.features)
        found.append(bench.refit(Variant(name, kept), first))
    return found


def reveals(coded: Coded, groups: Labels, seed: int = 0) -> tuple[float, list[str]]:
    """Tell how well the features give an attribute away, and which ones do it best.

    Returns
    -------
    float
        AUC of guessing the largest group against all others, on half of the applications.
    list of str
        Features by gain, the most telling first.
    """
    names, sizes = np.unique(groups[groups != ""], return_counts=True)
    belongs = (groups == names[int(np.argmax(sizes))]).astype(np.int8)
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(groups != ""))
    learn, judge = np.sort(rows[: len(rows) // 2]), np.sort(rows[len(rows) // 2 :])
    encoding, function = fit_rows(PROBE, TrainingSet(coded, belongs, seed=seed).take(learn), PROBE_ROUNDS)
    said = probability(function.raw(coded.encode(encoding, judge)))
    order = np.argsort(-function.gains(), kind="stable")
    return measure(belongs[judge], said, 0.5)["auc"], [coded.names[i] for i in order]


def search(
    bench: Bench,
    names: Sequence[str],
    groups: Mapping[str, Labels],
    share_granted: float,
    on_progress: Progress,
    seed: int = 0,
) -> list[Alternative]:
    """Look for a model that falls more evenly on the groups at nearly the same cost.

    Parameters
    ----------
    bench : Bench
    names : sequence of str
        Features of the model in force, which comes first.
    groups : mapping of str to ndarray of str
        From ``fairness.labels``.
    share_granted : float
        Approvals at which the ratios are compared, in (0, 1).
    on_progress : callable
    """
    base: Refit | None = None
    first: dict[str, Audit] = {}
    found: list[Alternative] = []
    for variant in _variants(bench.coded.only(names), groups, seed):
        on_progress(variant.name)
        refit = bench.refit(variant, base)
        base = base or refit
        p = refit.judged.probability[0]
        cut = np.full(len(p), np.quantile(p, share_granted))
        audits = {
            name: one
            for name, labels in groups.items()
            if (one := audit(name, labels, bench.y, p, cut, replicates=AUDIT_REPLICATES, seed=seed))
        }
        if not audits:
            return []
        gains = {name: _gain(audits[name], other) for name, other in first.items()}
        first = first or audits
        ratios = {name: one.worst for name, one in audits.items()}
        found.append(Alternative(refit, ratios, gains, refit.cost <= (1 + TOLERANCE) * base.cost))
    return found


def choose(found: Sequence[Alternative]) -> Alternative | None:
    """Return the affordable alternative that raises the worst ratio most; None if none does beyond chance.

    The ratio is that of the attribute on which the model in force falls least evenly. Beyond chance: the
    paired interval of the gain lies above 0. An alternative that lowers another attribute's ratio beyond
    chance is none: it would move the harm from one group to another.
    """
    if not found:
        return None
    base, *others = found
    attribute = min(base.ratios, key=lambda name: base.ratios[name].value)
    fairer = [
        one
        for one in others
        if one.is_affordable
        and one.gains[attribute].low > 0
        and all(gain.high >= 0 for gain in one.gains.values())
    ]
    return max(fairer, key=lambda one: one.gains[attribute].value, default=None)


def _gain(ours: Audit, other: Audit) -> Measured:
    """Return by how much the worst ratio is above another model's, paired by bootstrap sample."""
    low, high = np.nanquantile(ours.drawn - other.drawn, [0.025, 0.975])
    return Measured(ours.worst.value - other.worst.value, float(low), float(high))


def _variants(coded: Coded, groups: Mapping[str, Labels], seed: int) -> Iterator[Variant]:
    """Give the models to try, the one in force first."""
    names = coded.names
    yield Variant("in_force", names, seed=seed)
    for attribute in ("age", "household"):
        kept = tuple(n for n in names if attribute not in declared.protected_by(declared.FEATURE_BY_NAME[n]))
        if kept != names:
            yield Variant(f"without:{attribute}", kept, seed=seed)
    for attribute in ("gender", "age"):
        if attribute in groups and len(np.unique(groups[attribute][groups[attribute] != ""])) > 1:
            _, telling = reveals(coded, groups[attribute], seed)
            for number in (n for n in PROXIES if 2 * n <= len(names)):
                left = frozenset(telling[:number])
                kept = tuple(n for n in names if n not in left)
                yield Variant(f"proxies:{attribute}:{number}", kept, seed=seed)
    yield Variant("smoother", names, {"num_leaves": 8, "lambda_l2": 300.0}, seed)
    yield Variant("seed", names, seed=seed + 1)


def _is_filled(coded: Coded, name: str) -> bool:
    """Tell whether a feature has more than one value; a table that is absent is no step."""
    column = coded.matrix[:, coded.names.index(name)]
    known = column[~np.isnan(column)]
    return bool(known.size) and bool((known != known[0]).any() or known.size < column.size)
