"""Twenty-five faults of production, put into the raw tables of clean traffic before features are computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from scoring.tables import Portfolio, take

AMOUNTS = ("AMT_INCOME_TOTAL", "AMT_CREDIT", "AMT_ANNUITY", "AMT_GOODS_PRICE")
EXTERNAL = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3")
Generator = np.random.Generator


@dataclass(frozen=True)
class Injected:
    """A fault: what it does to raw tables, or to what was decided of them.

    Attributes
    ----------
    name : str
    origins : tuple of str
        Raw columns or tables of which any may be named first; empty where several sources are at fault.
    kinds : tuple of str
        What it may be called.
    raw : callable, optional
        Portfolio and generator to portfolio.
    decided : callable, optional
        Inputs with ``probability_of_default`` and ``threshold``, outcomes and generator to the same table.
    is_repeating : bool
        A window holds 200 clients only.
    at_500, at_5000 : bool
        Whether the target of detection holds for windows of that size.
    """

    name: str
    origins: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    raw: Callable[[Portfolio, Generator], Portfolio] | None = None
    decided: Callable[[pl.DataFrame, np.ndarray[Any, Any], Generator], pl.DataFrame] | None = None
    is_repeating: bool = False
    at_500: bool = True
    at_5000: bool = True


def _on(*expressions: pl.Expr) -> Callable[[Portfolio, Generator], Portfolio]:
    return lambda portfolio, _: replace(
        portfolio, applications=portfolio.applications.with_columns(*expressions)
    )


def _some(share: float, column: str, value: Any) -> Callable[[Portfolio, Generator], Portfolio]:
    """Put a value into a random share of a column."""

    def change(portfolio: Portfolio, rng: Generator) -> Portfolio:
        hit = pl.Series(rng.random(len(portfolio)) < share)
        put = pl.when(hit).then(pl.lit(value)).otherwise(column).alias(column)
        return replace(portfolio, applications=portfolio.applications.with_columns(put))

    return change


def _stuck(column: str) -> Callable[[Portfolio, Generator], Portfolio]:
    return _on(pl.col(column).drop_nulls().sort().get(pl.col(column).count() // 2).alias(column))


def _renamed(column: str, level: str, to: str) -> Callable[[Portfolio, Generator], Portfolio]:
    return _on(pl.when(pl.col(column) == level).then(pl.lit(to)).otherwise(column).alias(column))


def _fewer_revolving(portfolio: Portfolio, rng: Generator) -> Portfolio:
    is_revolving = (portfolio.applications["NAME_CONTRACT_TYPE"] == "Revolving loans").to_numpy()
    return take(portfolio, np.flatnonzero(~is_revolving | (rng.random(len(portfolio)) < 0.1)))


def _one_region(portfolio: Portfolio, _: Generator) -> Portfolio:
    regions = portfolio.applications["REGION_POPULATION_RELATIVE"]
    shares = regions.value_counts(normalize=True).with_columns(off=(pl.col("proportion") - 0.05).abs())
    here = pl.col(regions.name) == shares.sort("off")[regions.name][0]
    doubled = [pl.when(here).then(pl.col(name) * 2).otherwise(name).alias(name) for name in AMOUNTS]
    gone = pl.when(~here).then("EXT_SOURCE_2").alias("EXT_SOURCE_2")
    return _on(*doubled, gone)(portfolio, _)


def _without_bureau(portfolio: Portfolio, rng: Generator) -> Portfolio:
    lost = pl.Series(np.flatnonzero(rng.random(len(portfolio)) < 0.3).astype(np.uint32))
    history = {
        name: table.filter(~pl.col("row").is_in(lost.implode())) if name.startswith("bureau") else table
        for name, table in portfolio.history.items()
    }
    return replace(portfolio, history=history)


def _others_scores(portfolio: Portfolio, rng: Generator) -> Portfolio:
    order = rng.permutation(len(portfolio))
    moved = [portfolio.applications[name][order] for name in EXTERNAL]
    return replace(portfolio, applications=portfolio.applications.with_columns(moved))


def _others_bureau(portfolio: Portfolio, rng: Generator) -> Portfolio:
    order = pl.Series(rng.permutation(len(portfolio)).astype(np.uint32))
    history = {
        name: table.with_columns(row=order.gather(table["row"])).sort("row", maintain_order=True)
        if name.startswith("bureau")
        else table
        for name, table in portfolio.history.items()
    }
    return replace(portfolio, history=history)


def _permuted(decided: pl.DataFrame, _: np.ndarray[Any, Any], rng: Generator) -> pl.DataFrame:
    """Give each number the values of another one, as a matrix with its columns in another order would."""
    names = [n for n, dtype in decided.schema.items() if dtype == pl.Float64][2:]
    others = [names[place] for place in rng.permutation(len(names))]
    return decided.with_columns(decided[other].alias(name) for name, other in zip(names, others, strict=True))


def _more_defaults(decided: pl.DataFrame, y: np.ndarray[Any, Any], rng: Generator) -> pl.DataFrame:
    weights = np.where(y == 1, 1.5, (1 - 1.5 * y.mean()) / (1 - y.mean()))
    return decided[rng.choice(decided.height, decided.height, p=weights / weights.sum())]


def faults(top_category: str, its_level: str) -> list[Injected]:
    """Return the faults of the table.

    Parameters
    ----------
    top_category, its_level : str
        The most important category of the model, and its most frequent level.
    """
    income, ext2 = pl.col("AMT_INCOME_TOTAL"), "EXT_SOURCE_2"
    swapped = (pl.col("AMT_CREDIT").alias("AMT_GOODS_PRICE"), pl.col("AMT_GOODS_PRICE").alias("AMT_CREDIT"))
    times, level = ("times",), ("renamed", "new_level")
    raised = pl.col("probability_of_default") * 1.25
    return [
        Injected("income x 2", ("AMT_INCOME_TOTAL",), times, _on(income * 2)),
        Injected("income x 100 (cents)", ("AMT_INCOME_TOTAL",), times, _on(income * 100)),
        Injected("all AMT_* x 1.1", AMOUNTS, times, _on(pl.col(AMOUNTS) * 1.1)),
        Injected("EXT_SOURCE_2 60% missing", (ext2,), ("missing",), _some(0.6, ext2, None)),
        Injected("EXT_SOURCE_2 5% missing", (ext2,), ("missing",), _some(0.05, ext2, None)),
        Injected(
            "a top input's category renamed",
            (top_category,),
            level,
            _renamed(top_category, its_level, f"{its_level} (new)"),
        ),
        Injected(
            "NAME_INCOME_TYPE: one level renamed",
            ("NAME_INCOME_TYPE",),
            level,
            _renamed("NAME_INCOME_TYPE", "State servant", "Civil servant"),
        ),
        Injected(
            "new level 2%, a top input", (top_category,), level, _some(0.02, top_category, "Never seen")
        ),
        Injected(
            "new level 2%, WALLSMATERIAL_MODE",
            ("WALLSMATERIAL_MODE",),
            level,
            _some(0.02, "WALLSMATERIAL_MODE", "Never seen"),
        ),
        Injected("EXT_SOURCE_3 stuck", ("EXT_SOURCE_3",), ("stuck",), _stuck("EXT_SOURCE_3")),
        Injected(
            "DAYS_LAST_PHONE_CHANGE stuck",
            ("DAYS_LAST_PHONE_CHANGE",),
            ("stuck",),
            _stuck("DAYS_LAST_PHONE_CHANGE"),
        ),
        Injected(
            "AMT_CREDIT and AMT_GOODS_PRICE swapped",
            ("AMT_CREDIT", "AMT_GOODS_PRICE"),
            ("swapped",),
            _on(*swapped),
        ),
        Injected("sign of DAYS_BIRTH", ("DAYS_BIRTH",), ("sign",), _on(-pl.col("DAYS_BIRTH"))),
        Injected(
            "ages + 3 years", ("DAYS_BIRTH",), ("plus",), _on(pl.col("DAYS_BIRTH") - 1_096), at_500=False
        ),
        Injected("revolving loans 10% to 1%", ("NAME_CONTRACT_TYPE",), ("mix",), _fewer_revolving),
        Injected("one region (5%): amounts x 2, EXT_SOURCE_2 missing", (*AMOUNTS, ext2), (), _one_region),
        Injected("bureau absent for 30%", ("bureau", "bureau_balance"), ("missing",), _without_bureau),
        Injected("200 clients repeated", (), ("repeated",), is_repeating=True),
        Injected(
            "external scores of other applicants", EXTERNAL, ("misjoined",), _others_scores, at_500=False
        ),
        Injected(
            "bureau of other applicants",
            ("bureau", "bureau_balance"),
            ("misjoined",),
            _others_bureau,
            at_500=False,
        ),
        Injected("every input permuted", decided=_permuted),
        Injected(
            "threshold .091 to .07", decided=lambda table, *_: table.with_columns(threshold=pl.lit(0.07))
        ),
        Injected(
            "score + 25%",
            ("probability_of_default",),
            ("score",),
            decided=lambda table, *_: table.with_columns(raised),
            at_500=False,
        ),
        Injected(
            "default rate + 50%, same inputs given outcome",
            decided=_more_defaults,
            at_500=False,
            at_5000=False,
        ),
        Injected("concept drift (outcome given inputs)", at_500=False, at_5000=False),
    ]
