"""What a portfolio must not be, and what its owner should know, before anything is learned of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import numpy as np
import polars as pl

from scoring.candidates.coding import Coded
from scoring.language import Text, by_language, joined, number, percent, say
from scoring.metrics import Outcomes, measure
from scoring.scorer.model import Vector

LEAK_AUC = 0.82  # the best public result on these tables is 0.807; more tells of a leak of TARGET
# Of a validation at least 100 defaults, better 200: below, a 95 % interval of the AUC is wider than 0.08
# (Vergouwe 2005; Collins, Ogundimu and Altman 2016; Hanley and McNeil 1982).
FEWEST_DEFAULTS, FEW_DEFAULTS = 100, 200
USUAL_DEFAULTS = 2_000  # what a scorecard is usually built on (Siddiqi 2017)
MOSTLY_MISSING = 0.99
NAMED = 5  # features that a notice names
JUDGED_ROWS = 20_000  # applications that a single feature is judged on


Notice = dict[str, str]
"""A sentence that the owner of a portfolio should read, by language."""

NO_HISTORY = Text(
    "notice.no_history",
    "The portfolio has no history table: the model knows the application forms only.",
)
LACKS = Text("notice.lacks", "The portfolio lacks {tables}: features of it are missing for everybody.")
TOO_FEW = Text(
    "notice.too_few",
    "Only {defaults} defaults: below {least} a good model cannot be told from a lucky one (Collins 2016). "
    "A scorecard is usually built on about {usual} (Siddiqi 2017).",
)
FEW = Text(
    "notice.few",
    "Only {defaults} defaults: below {least} intervals are wide and comparisons say little (Collins 2016). "
    "A scorecard is usually built on about {usual} (Siddiqi 2017).",
)
EMPTY = Text(
    "notice.empty",
    "One feature has no value at all, so nothing is learned of it: {names}.",
    "Each of {n} features has no value at all, so nothing is learned of it: {names}.",
)
SPARSE = Text(
    "notice.sparse",
    "One feature is missing for more than {most} of the applications; it is kept, but little can be learned "
    "of it: {names}.",
    "Each of {n} features is missing for more than {most} of the applications; it is kept, but little can be "
    "learned of it: {names}.",
)
CONSTANT = Text(
    "notice.constant",
    "One feature is the same for everybody, so nothing is learned of it: {names}.",
    "Each of {n} features is the same for everybody, so nothing is learned of it: {names}.",
)
AND_MORE = Text("notice.and_more", "{names} and {n} more", "{names} and {n} more")


class LeakSuspected(ValueError):
    """A result too good to be true, or a feature that knows what it must not."""


def check_auc(auc: float, reason: str | None = None) -> None:
    """Stop at an out-of-fold AUC that honest features cannot reach.

    Raises
    ------
    LeakSuspected
        If the AUC is above 0.82 and no reason is given to accept it.
    """
    if auc > LEAK_AUC and not reason:
        raise LeakSuspected(
            f"out-of-fold AUC {auc:.4f} is above {LEAK_AUC}: a feature probably knows TARGET. Look at the "
            "most important features; if the portfolio explains it, say so with --allow-leak REASON."
        )


def check_features(
    coded: Coded,
    y: Outcomes,
    seed: int = 0,
    reason: str | None = None,
    sources: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Stop at a feature that alone tells the outcome better than all honest ones together.

    Each is judged by the AUC of its values and of its gaps; the order of a category's levels is learned on
    one half of the applications and judged on the other. Few defaults widen what chance allows.

    Parameters
    ----------
    sources : mapping of str to collection of str, optional
        Raw columns that each feature comes from. The leak is in one of them: the error names them, the most
        suspicious first, by the AUC of the features that read them.

    Raises
    ------
    LeakSuspected
        If one is above 0.82 and no reason is given to accept it.
    """
    if reason:
        return
    rows = np.random.default_rng(seed).permutation(len(y))[:JUDGED_ROWS]
    learn, judge = np.sort(rows[: len(rows) // 2]), np.sort(rows[len(rows) // 2 :])
    encoding, _ = coded.learn(learn, y[learn])
    judged = zip(coded.names, coded.encode(encoding, judge).T, strict=True)
    found = {name: _auc(column, y[judge]) for name, column in judged}
    worst = max(found, key=lambda name: found[name])
    if found[worst] > LEAK_AUC:
        columns = _suspects(found, sources) if sources else []
        behind = f" It comes from {', '.join(columns)}, the most suspicious first." if columns else ""
        raise LeakSuspected(
            f"the feature {worst!r} alone orders defaults with an AUC of {found[worst]:.3f}, above "
            f"{LEAK_AUC}: it was probably made from TARGET, or is known only later.{behind} Take its column "
            "out; if the portfolio explains it, say so with --allow-leak REASON."
        )


def _suspects(found: Mapping[str, float], sources: Mapping[str, Collection[str]]) -> list[str]:
    """Name the raw columns of all features above the limit, with what they tell; the strongest first.

    A column that is a feature itself is judged by itself, any other one by the mean of the features that
    read it.
    """
    columns = {column for name, auc in found.items() if auc > LEAK_AUC for column in sources[name]}
    strength = {
        column: found.get(column)
        or float(np.mean([auc for name, auc in found.items() if column in sources[name]]))
        for column in columns
    }
    ordered = sorted(columns, key=lambda column: (-strength[column], column))
    return [f"{column} ({strength[column]:.3f})" for column in ordered[:NAMED]]


def check_alone(together: pl.DataFrame, alone: pl.DataFrame) -> None:
    """Stop at a feature that is another one when its application is computed among fewer others.

    Parameters
    ----------
    together, alone : polars.DataFrame of shape (n_applications, n_features)
        The same applications: computed with all others, and without them.

    Raises
    ------
    LeakSuspected
        If a feature differs: no decision could be repeated.
    """
    for name in together.columns:
        if not together[name].equals(alone[name]):
            raise LeakSuspected(
                f"the feature {name!r} of an application depends on the other applications of the portfolio: "
                "it changes when the application is scored alone. Compute it from its own records only."
            )


def notices(features: pl.DataFrame, y: Outcomes, absent: Sequence[str], tables: int) -> list[Notice]:
    """Say in sentences what weakens a training without stopping it.

    Parameters
    ----------
    features : polars.DataFrame of shape (n_applications, n_features)
    y : ndarray of shape (n_applications,)
    absent : sequence of str
        History tables that the portfolio lacks, of so many ``tables``.
    """
    found: list[Callable[[str], str]] = []
    if len(absent) == tables:
        found.append(lambda language: say(NO_HISTORY, language))
    elif absent:
        found.append(lambda language: say(LACKS, language, tables=_names(absent, language)))
    if (defaults := int(y.sum())) < FEW_DEFAULTS:
        text, least = (TOO_FEW, FEWEST_DEFAULTS) if defaults < FEWEST_DEFAULTS else (FEW, FEW_DEFAULTS)
        found.append(
            lambda language: say(
                text,
                language,
                defaults=number(defaults, language),
                least=number(least, language),
                usual=number(USUAL_DEFAULTS, language),
            )
        )
    gaps = features.null_count().row(0)
    empty = [name for name, n in zip(features.columns, gaps, strict=True) if n == len(features)]
    sparse = [
        name
        for name, n in zip(features.columns, gaps, strict=True)
        if MOSTLY_MISSING * len(features) < n < len(features)
    ]
    levels = features.select(pl.all().n_unique()).row(0)
    constant = [name for name, n, k in zip(features.columns, gaps, levels, strict=True) if n == 0 and k == 1]
    for sort, names in ((EMPTY, empty), (SPARSE, sparse), (CONSTANT, constant)):
        if names:
            found.append(partial(_of_features, sort, names))
    return [by_language(sentence) for sentence in found]


def _auc(column: Vector, y: Outcomes) -> float:
    """Return the larger AUC of a column's values and of its gaps, less three standard errors of chance."""
    gaps = np.isnan(column)
    found = [0.5]
    for values, outcome in ((column[~gaps], y[~gaps]), (gaps.astype(np.float64), y)):
        if 0 < outcome.sum() < len(outcome):
            auc = measure(outcome, values, 0.5)["auc"]
            bads, goods = int(outcome.sum()), int((1 - outcome).sum())
            error = ((bads + goods + 1) / (12 * bads * goods)) ** 0.5  # of a column that says nothing
            found.append(max(auc, 1 - auc) - 3 * error)
    return max(found)


def _of_features(text: Text, names: Sequence[str], language: str) -> str:
    most = {"most": percent(MOSTLY_MISSING, language)} if text is SPARSE else {}
    return say(text, language, len(names), names=_names(names, language), **most)


def _names(names: Sequence[str], language: str) -> str:
    """List the first names, and say how many more there are."""
    first, more = joined(names[:NAMED], language), len(names) - NAMED
    return say(AND_MORE, language, more, names=first) if more > 0 else first
