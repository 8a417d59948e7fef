"""Groups that no model reads (gender): how they were decided and how their loans ended, time after time.

The log holds what a model read, so a lender brings the groups in a file, by event; nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import ndtri

from monitoring.errors import InputError
from monitoring.realised import WithInterval, wilson
from monitoring.reference import Reference
from monitoring.segments import SHIFT, SMALLEST
from monitoring.statistic import FALSE_WINDOWS
from monitoring.words import Said
from scoring.decision import REFUSED
from scoring.tables.decisions import AUDIT

UNKNOWN = ("", "XNA", "Unknown")
Shares = Mapping[str, tuple[int, float]]


@dataclass(frozen=True)
class LenderGroup:
    """Decisions on a group, beside the group of the same attribute most of whom are granted.

    Attributes
    ----------
    attribute, value : str
    decisions : int
    granted : WithInterval
    ratio : float
        Share granted, of that of the most granted group.
    usual_ratio : float, optional
        The same in the reference, to the same group.
    expected : float
        Mean probability of default.
    defaulted : WithInterval, optional
        Of loans whose outcome is known.
    by_quarter : tuple of (str, float)
        First day and ratio.
    is_alarm : bool
        Whether the ratio is lower than in the reference, beyond chance.
    """

    attribute: str
    value: str
    decisions: int
    granted: WithInterval
    ratio: float
    usual_ratio: float | None
    expected: float
    defaulted: WithInterval | None
    by_quarter: tuple[tuple[str, float], ...]
    is_alarm: bool

    @property
    def name(self) -> Said:
        """What it is called."""
        return Said("part", {"origin": self.attribute, "word": self.value})

    def said(self) -> list[Said]:
        """Return what is wrong with it."""
        if not self.is_alarm:
            return []
        return [Said("part_ratio", {"part": self.name, "ratio": self.ratio, "usual_ratio": self.usual_ratio})]


def read(path: Path) -> pl.DataFrame:
    """Read groups by event: ``event_id`` and a column of words for each attribute, Parquet or CSV.

    Raises
    ------
    InputError
        If it is not that.
    """
    try:
        table = pl.read_csv(path, infer_schema=False) if path.suffix == ".csv" else pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} cannot be read: give event_id and groups as Parquet or CSV.") from error
    if "event_id" not in table.columns or table.width < 2:
        raise InputError(f"{path} needs the column 'event_id' and one for each attribute, as gender.")
    return table.with_columns(pl.all().cast(pl.String)).unique("event_id", keep="last")


def audit(
    decided: pl.DataFrame, groups: pl.DataFrame, model: str, reference: Reference
) -> tuple[LenderGroup, ...]:
    """Compare the groups of each attribute, those with 200 decisions.

    Parameters
    ----------
    decided : polars.DataFrame
        As ``python -m scoring.outcomes export`` writes it.
    groups : polars.DataFrame
        From `read`.
    model : str
    reference : Reference
        Whose ``audit.`` columns say what is usual, by the same names.

    Raises
    ------
    InputError
        If the groups are of other decisions, or are called as a column of theirs.
    """
    attributes = [name for name in groups.columns if name != "event_id"]
    if known := sorted({*attributes} & {*decided.columns}):
        raise InputError(f"--audit has the column {known[0]!r} of the outcomes; call the group otherwise.")
    own = decided.filter(pl.col("model") == model).join(groups, on="event_id", how="inner")
    if own.is_empty():
        raise InputError(f"none of the events of --audit is a decision of {model} among the outcomes.")
    return tuple(chain.from_iterable(_of(own, name, reference) for name in attributes))


def _shares(table: pl.DataFrame, attribute: str) -> dict[str, tuple[int, float]]:
    """Return decisions and share granted of each group that is known."""
    kept = table.filter(pl.col(attribute).is_not_null() & ~pl.col(attribute).is_in(UNKNOWN))
    found = kept.group_by(attribute).agg(n=pl.len(), granted=(pl.col("decision") != REFUSED).mean())
    return {value: (n, granted) for value, n, granted in found.sort(attribute).iter_rows()}


def _of(own: pl.DataFrame, attribute: str, reference: Reference) -> list[LenderGroup]:
    large = {value: one for value, one in _shares(own, attribute).items() if one[0] >= SMALLEST}
    if len(large) < 2:
        return []
    best = max(large, key=lambda value: large[value][1])
    column = f"{AUDIT}{attribute}"
    then = reference.table
    usual = _shares(then.rename({column: attribute}), attribute) if column in then.columns else {}
    z = -float(ndtri(FALSE_WINDOWS / len(large)))
    quarters = own.with_columns(_start=pl.col("time").dt.date().dt.truncate("1q")).partition_by(
        "_start", as_dict=True
    )
    found = []
    for value, (n, granted) in large.items():
        rows = own.filter(pl.col(attribute) == value)
        known = rows.filter((pl.col("outcome") != "unknown") & (pl.col("decision") != REFUSED))
        defaults = known.filter(pl.col("outcome") == "defaulted").height
        by_quarter = []
        for (start,), part in sorted(quarters.items()):
            shares = _shares(part, attribute)
            if best in shares and value in shares and shares[best][1]:
                by_quarter.append((start.isoformat(), shares[value][1] / shares[best][1]))
        share = wilson(granted * n, n)
        assert share is not None
        found.append(
            LenderGroup(
                attribute,
                value,
                n,
                share,
                granted / large[best][1] if large[best][1] else 1.0,
                _ratio(usual, value, best),
                float(rows["probability_of_default"].mean() or 0.0),  # type: ignore[arg-type]
                wilson(defaults, known.height),
                tuple(by_quarter),
                value != best and _has_fallen(large, usual, value, best, z),
            )
        )
    return found


def _ratio(shares: Shares, value: str, best: str) -> float | None:
    if value not in shares or best not in shares or not shares[best][1]:
        return None
    return shares[value][1] / shares[best][1]


def _has_fallen(now: Shares, usual: Shares, value: str, best: str, z: float) -> bool:
    """Say whether a ratio is lower than in the reference by 5 points, beyond chance."""
    ratios = [_ratio(side, value, best) for side in (now, usual)]
    if not ratios[0] or not ratios[1]:
        return False
    variance = sum((1 - side[k][1]) / side[k][1] / side[k][0] for side in (now, usual) for k in (value, best))
    return ratios[1] - ratios[0] > SHIFT and np.log(ratios[0] / ratios[1]) < -z * np.sqrt(variance)
