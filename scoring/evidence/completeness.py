"""Whether the reasons of a refusal are all that mattered: without all of them, each of them, each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from scoring import features as declared
from scoring.explanation import NEVER, explain
from scoring.language import ENGLISH
from scoring.scorer import Scorer
from scoring.scorer.model import Vector

TOGETHER = 2_000  # applications that are explained at a time


@dataclass(frozen=True)
class Complete:
    """What the reasons of refused applications leave out, and what they quote wrongly.

    Attributes
    ----------
    applications, reasons : int
        Refused ones, and what was told to them.
    turned : float
        Share of applications that would be granted with all their reasons as usual among granted ones.
    noted : float
        Share of the others whose answer says that further causes act together.
    fell : float
        Share of reasons without which, alone, the risk falls.
    outweighed : float
        Share of applications where a group that is not told weighs more than one that is, the risk would fall
        without it, and the answer does not say that further causes act.
    quoted : int
        Reasons that quote a value.
    quoted_for : float
        Share of them whose value speaks for the applicant: with the usual one the risk would rise.
    """

    applications: int
    reasons: int
    turned: float
    noted: float
    fell: float
    outweighed: float
    quoted: int
    quoted_for: float


def complete(scorer: Scorer, features: pl.DataFrame) -> Complete | None:
    """Try the reasons of every refused application; None if nobody is refused.

    Everything is scored anew from the features: nothing of how the reasons were chosen is taken for granted.

    Parameters
    ----------
    scorer : Scorer
    features : polars.DataFrame of shape (n_applications, n_features)
    """
    refused = features.filter(pl.Series(scorer.probability(features) >= scorer.threshold))
    if not len(refused):
        return None
    parts = [_counts(scorer, refused[start : start + TOGETHER]) for start in range(0, len(refused), TOGETHER)]
    total = {name: sum(part[name] for part in parts) for name in parts[0]}
    n, rest = len(refused), len(refused) - total["turned"]
    return Complete(
        applications=n,
        reasons=total["reasons"],
        turned=total["turned"] / n,
        noted=total["noted"] / rest if rest else 1.0,
        fell=total["fell"] / max(total["reasons"], 1),
        outweighed=total["outweighed"] / n,
        quoted=total["quoted"],
        quoted_for=total["quoted_for"] / max(total["quoted"], 1),
    )


def _counts(scorer: Scorer, refused: pl.DataFrame) -> dict[str, int]:
    explained, before = explain(scorer, refused), scorer.probability(refused)
    stated = [[reason.group for reason in one["reasons"]] for one in explained]
    is_noted = np.array([one["reasons_note"] is not None for one in explained])
    found = dict.fromkeys(("reasons", "turned", "noted", "fell", "outweighed", "quoted", "quoted_for"), 0)

    together = _without(scorer, refused, [_members(scorer, groups) for groups in stated])
    is_turned = together < scorer.threshold
    found["turned"], found["noted"] = int(is_turned.sum()), int((is_noted & ~is_turned).sum())

    falls = {
        group: _without(scorer, refused, [_members(scorer, [group])] * len(refused)) < before
        for group in declared.GROUPS
    }
    for row, (one, groups) in enumerate(zip(explained, stated, strict=True)):
        weights = _weights(scorer, one["contributions"])
        told = {reason.group: reason.contribution for reason in one["reasons"]}
        found["reasons"] += len(groups)
        found["fell"] += sum(bool(falls[group][row]) for group in groups)
        least = min(told.values(), default=0.0)
        left = [g for g in weights if g not in groups and falls[g][row] and weights[g] > max(least, 0.0)]
        found["outweighed"] += bool(left) and not is_noted[row]

    quotes = [
        (row, reason.feature)
        for row, one in enumerate(explained)
        for reason in one["reasons"]
        if "(" in reason.text[ENGLISH]
    ]
    rows = [row for row, _ in quotes]
    after = _without(scorer, refused[rows], [[name] for _, name in quotes])
    found["quoted"], found["quoted_for"] = len(quotes), int((after > before[rows]).sum())
    return found


def _members(scorer: Scorer, groups: Sequence[str]) -> list[str]:
    """Return the features that some groups are told by."""
    return [
        name
        for name in scorer.feature_names
        if declared.FEATURE_BY_NAME[name].group in groups and name not in NEVER
    ]


def _weights(scorer: Scorer, contributions: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how much more than for granted applicants each group raises the risk, in log-odds."""
    weights = dict.fromkeys(declared.GROUPS, 0.0)
    for part in contributions:
        usual = scorer.granted_contributions.get(part["feature"], 0.0)
        weights[declared.FEATURE_BY_NAME[part["feature"]].group] += part["contribution"] - usual
    return weights


def _without(scorer: Scorer, table: pl.DataFrame, names: Sequence[Sequence[str]]) -> Vector:
    """Score applications again, each with some of its features as usual among granted ones."""
    columns = []
    for column in table.iter_columns():
        usual = scorer.granted_values.get(column.name)
        is_set = np.array([column.name in own for own in names], dtype=bool)
        if usual is not None and is_set.any():
            mask = pl.Series(is_set)
            column = column.zip_with(~mask, pl.Series(column.name, [usual] * len(column), column.dtype))
        columns.append(column)
    return scorer.probability(pl.DataFrame(columns))
