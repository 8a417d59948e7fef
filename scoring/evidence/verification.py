"""Whether the reasons hold: against another method, against the model itself, and when it is fitted again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import polars as pl
from lightgbm import Booster

from scoring import features as declared
from scoring.explanation import NEVER, explain
from scoring.metrics import Measured
from scoring.scorer import Scorer
from scoring.scorer.model import Boosted, Matrix, Vector

LIME_ROWS = 20  # applications that LIME explains, each by a model of its own
LIME_SAMPLES = 2_000  # perturbations of each
SAMPLE = 200  # applications that shap explains too; refused ones whose reasons are verified
REPLICATES = 1_000


@dataclass(frozen=True)
class Agreement:
    """How far our contributions (SHAP) and LIME's weights tell the same story, over groups of features.

    Both explain the same applications with the gaps filled by the median of the others, since LIME knows no
    missing value: what a gap itself contributes is not compared.

    Attributes
    ----------
    applications : int
    rank_correlation : Measured
        Mean Spearman correlation of the groups' weights.
    same_sign : Measured
        Share of the four weightiest groups to which LIME gives the same sign.
    shared : Measured
        Mean share of the four weightiest groups that both name.
    """

    applications: int
    rank_correlation: Measured
    same_sign: Measured
    shared: Measured


@dataclass(frozen=True)
class Outside:
    """How far what `/explain` says of features and of groups lies from shap, which computes it by itself.

    Attributes
    ----------
    applications : int
    features, groups : float
        Largest difference of a contribution, in log-odds: of a feature, of a group.
    points : float
        Largest distance of a group's whole points from its exact ones by shap.
    first : float
        Share of applications for which the weightiest group is the same.
    """

    applications: int
    features: float
    groups: float
    points: float
    first: float


@dataclass(frozen=True)
class Verified:
    """What became of the probability when a reason's facts were set to those of granted applicants.

    Attributes
    ----------
    applications, reasons : int
        Refused applications and the reasons told to them.
    fell : float
        Share of reasons without which the probability fell.
    fell_by_rank : tuple of float
        The same by the rank of the reason, the weightiest first.
    median_fall : float
        Of the probability, by one reason.
    granted_then : float
        Share of applications that would be granted if all their reasons were set so.
    """

    applications: int
    reasons: int
    fell: float
    fell_by_rank: tuple[float, ...]
    median_fall: float
    granted_then: float


@dataclass(frozen=True)
class Stable:
    """How many of the reasons of the model in force its refits tell too.

    Attributes
    ----------
    applications, refits : int
        Refused by the model in force; compared with it.
    same_first : Measured
        Share of applications to which a refit tells the same weightiest reason.
    shared : Measured
        Mean share of the model's reasons that a refit tells too.
    same_first_between, shared_between : Measured or None
        The same of one refit against another; None for a single one.
    """

    applications: int
    refits: int
    same_first: Measured
    shared: Measured
    same_first_between: Measured | None
    shared_between: Measured | None


def outside(scorer: Scorer, features: pl.DataFrame) -> Outside | None:
    """Explain some applications by shap too; None for a model without trees, which shap would not read.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame of shape (n_applications, n_features)
        The first ``SAMPLE`` are explained.
    """
    function = scorer.model.function
    if not isinstance(function, Boosted) or not len(features):
        return None
    import shap  # here: it takes a second, and whoever reads a text of the pack imports this room

    features = features[:SAMPLE]
    explainer = shap.TreeExplainer(Booster(model_str=function.text))
    explainer.model.model_type = "internal"  # by shap's own algorithm: it would ask LightGBM
    theirs, _ = scorer.calibration.apportion(
        np.asarray(explainer.shap_values(scorer.encode(features), check_additivity=False), dtype=np.float64),
        float(np.ravel(explainer.expected_value)[-1]),
    )
    said = explain(scorer, features)
    ours = np.array([[part["contribution"] for part in one["contributions"]] for one in said])
    told = np.array([[part["contribution"] for part in one["groups"]] for one in said])
    whole = np.array([[part["points"] for part in one["groups"]] for one in said])
    groups = [declared.FEATURE_BY_NAME[name].group for name in scorer.feature_names]
    sums = np.column_stack(
        [theirs[:, [group == one["group"] for group in groups]].sum(axis=1) for one in said[0]["groups"]]
    )
    return Outside(
        len(said),
        float(np.abs(ours - theirs).max()),
        float(np.abs(told - sums).max()),
        float(np.abs(whole + scorer.points.factor * sums).max()),
        float((np.abs(told).argmax(axis=1) == np.abs(sums).argmax(axis=1)).mean()),
    )


def agreement(scorer: Scorer, features: pl.DataFrame, seed: int = 0) -> Agreement | None:
    """Explain some applications by LIME too; None where there are too few to perturb.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame of shape (n_applications, n_features)
        The first ``LIME_ROWS`` are explained; the others say how values are distributed.
    """
    if len(features) < LIME_ROWS:
        return None
    from lime.lime_tabular import LimeTabularExplainer  # here: as shap above

    matrix = scorer.encode(features)
    with np.errstate(all="ignore"):
        middle = np.nan_to_num(
            [np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in matrix.T]
        )
    filled = np.where(np.isnan(matrix), middle, matrix)  # LIME knows no missing value
    explainer = LimeTabularExplainer(
        filled,
        mode="regression",
        discretize_continuous=False,
        sample_around_instance=False,
        feature_selection="none",
        random_state=seed,
    )
    rows = filled[:LIME_ROWS]
    shap, _ = scorer.calibration.apportion(*scorer.model.function.contributions(rows))
    names = scorer.feature_names
    groups = [declared.FEATURE_BY_NAME[name].group for name in names]

    def predict(values: Matrix) -> Vector:
        return scorer.calibration.of(scorer.model.function.raw(np.ascontiguousarray(values)))

    centre, width = filled.mean(axis=0), np.maximum(filled.std(axis=0), 1e-12)
    correlation, sign, shared = [], [], []
    for row, ours in zip(rows, shap, strict=True):
        found = explainer.explain_instance(row, predict, num_features=len(names), num_samples=LIME_SAMPLES)
        slopes = np.zeros(len(names))
        for position, slope in found.as_map()[1]:  # 0 has them with the other sign
            slopes[position] = slope
        theirs = slopes * (row - centre) / width  # a slope times how far the applicant is from the mean
        a, b = _by_group(groups, ours), _by_group(groups, theirs)
        correlation.append(_rank_correlation(a, b))
        first, other = np.argsort(-np.abs(a))[:4], np.argsort(-np.abs(b))[:4]
        sign.append(float((np.sign(a[first]) == np.sign(b[first])).mean()))
        shared.append(len(set(first.tolist()) & set(other.tolist())) / len(first))
    return Agreement(len(rows), *(_mean(np.array(found), seed) for found in (correlation, sign, shared)))


def substitute(scorer: Scorer, features: pl.DataFrame) -> Verified | None:
    """Set the facts of each reason to those of granted applicants and score again; None if nobody is refused.

    Parameters
    ----------
    scorer : Scorer
        Its ``granted_values`` are the facts that take the place; a feature that has none stays as it is.
    features : polars.DataFrame of shape (n_applications, n_features)
        The first ``SAMPLE`` refused ones are looked at.
    """
    refused = features.filter(pl.Series(scorer.probability(features) >= scorer.threshold))[:SAMPLE]
    stated = [one["reasons"] for one in explain(scorer, refused)] if len(refused) else []
    if not any(stated):
        return None
    before = scorer.probability(refused)
    falls: list[tuple[int, float]] = []  # rank of the reason, fall of the probability
    for group in sorted({reason.group for reasons in stated for reason in reasons}):
        rows = [i for i, reasons in enumerate(stated) if group in {r.group for r in reasons}]
        ranks = [[r.group for r in stated[i]].index(group) for i in rows]
        after = scorer.probability(_with_granted(scorer, refused[rows], (group,)))
        falls += zip(ranks, (before[rows] - after).tolist(), strict=True)
    sets: dict[tuple[str, ...], list[int]] = {}
    for i, reasons in enumerate(stated):
        sets.setdefault(tuple(sorted(r.group for r in reasons)), []).append(i)
    granted = sum(
        int((scorer.probability(_with_granted(scorer, refused[rows], chosen)) < scorer.threshold).sum())
        for chosen, rows in sets.items()
        if chosen
    )
    by_rank = [[fall > 0 for rank, fall in falls if rank == k] for k in range(max(r for r, _ in falls) + 1)]
    return Verified(
        len(refused),
        len(falls),
        float(np.mean([fall > 0 for _, fall in falls])),
        tuple(float(np.mean(rank)) for rank in by_rank),
        float(np.median([fall for _, fall in falls])),
        granted / len(refused),
    )


def compare_reasons(scorer: Scorer, refits: Sequence[Scorer], features: pl.DataFrame) -> Stable | None:
    """Compare the reasons of the model in force with those of refits; None if nobody is refused or refits.

    Parameters
    ----------
    scorer : Scorer
        The model in force.
    refits : sequence of Scorer
        Assembled as training does, each with its own calibration and its own granted applicants.
    features : polars.DataFrame of shape (n_applications, n_features)
        What all explain: the first ``SAMPLE`` applications that the model in force refuses. None of them
        should have been learned from.
    """
    refused = features.filter(pl.Series(scorer.probability(features) >= scorer.threshold))[:SAMPLE]
    ours = _stated(scorer, refused) if len(refused) else []
    kept = [i for i, reasons in enumerate(ours) if reasons]
    if not kept or not refits:
        return None
    stated = [_stated(refit, refused[kept]) for refit in refits]
    against = np.mean([_alike([ours[i] for i in kept], theirs) for theirs in stated], axis=0)
    between: list[Measured | None] = [None, None]
    if pairs := [_alike(a, b) for a, b in permutations(stated, 2)]:
        known = [i for i in range(len(kept)) if all(refit[i] for refit in stated)]
        between = [_mean(column) for column in np.mean(pairs, axis=0)[known].T] if known else between
    return Stable(len(kept), len(refits), *(_mean(column) for column in against.T), *between)


def _stated(scorer: Scorer, features: pl.DataFrame) -> list[list[str]]:
    return [[reason.group for reason in one["reasons"]] for one in explain(scorer, features)]


def _alike(ours: Sequence[Sequence[str]], others: Sequence[Sequence[str]]) -> Matrix:
    """Tell whether the first reason is the same, and which share of ours is told again, by application."""
    return np.array(
        [
            (bool(b) and a[0] == b[0], len(set(a) & set(b)) / len(a)) if a else (np.nan, np.nan)
            for a, b in zip(ours, others, strict=True)
        ],
        dtype=np.float64,
    )


def _mean(values: Vector, seed: int = 0) -> Measured:
    """Return the mean over applications with its 95 % bootstrap interval."""
    rows = np.random.default_rng(seed).integers(0, len(values), (REPLICATES, len(values)))
    low, high = np.quantile(values[rows].mean(axis=1), [0.025, 0.975])
    return Measured(float(values.mean()), float(low), float(high))


def _with_granted(scorer: Scorer, features: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Set the features of some groups to what is usual among granted applicants."""
    usual: Mapping[str, float | str] = scorer.granted_values
    return features.with_columns(
        pl.lit(usual[name], dtype=features.schema[name]).alias(name)
        for name in scorer.feature_names
        if declared.FEATURE_BY_NAME[name].group in groups and name not in NEVER and name in usual
    )


def _by_group(groups: Sequence[str], values: Vector) -> Vector:
    names = sorted(set(groups))
    codes = np.array([names.index(group) for group in groups])
    return np.asarray(np.bincount(codes, values, len(names)), dtype=np.float64)


def _rank_correlation(a: Vector, b: Vector) -> float:
    """Return Spearman's correlation; weights are never tied but at 0."""
    ranks = np.array([np.argsort(np.argsort(values)) for values in (a, b)], dtype=np.float64)
    return float(np.asarray(np.corrcoef(ranks))[0, 1])
