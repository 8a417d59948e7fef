"""The public 'LightGBM with simple features' recipe: its columns, as published (J. Aguiar, Kaggle 2018, MIT).

Every text column becomes one column per level; every history table becomes minima, maxima, means, sums and
variances per applicant, once over all its records and once over the active, closed, approved, refused ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from scoring.decision import DEFAULT_PROTECTED, protected_columns
from scoring.tables import Portfolio

Plan = Mapping[str, Sequence[str]]
LATER = 365_243  # the source's "no such date"; the recipe reads it as missing
BUREAU: Plan = {
    "DAYS_CREDIT": ("min", "max", "mean", "var"),
    "DAYS_CREDIT_ENDDATE": ("min", "max", "mean"),
    "DAYS_CREDIT_UPDATE": ("mean",),
    "CREDIT_DAY_OVERDUE": ("max", "mean"),
    "AMT_CREDIT_MAX_OVERDUE": ("mean",),
    "AMT_CREDIT_SUM": ("max", "mean", "sum"),
    "AMT_CREDIT_SUM_DEBT": ("max", "mean", "sum"),
    "AMT_CREDIT_SUM_OVERDUE": ("mean",),
    "AMT_CREDIT_SUM_LIMIT": ("mean", "sum"),
    "AMT_ANNUITY": ("max", "mean"),
    "CNT_CREDIT_PROLONG": ("sum",),
    "months_min": ("min",),
    "months_max": ("max",),
    "months_size": ("mean", "sum"),
}
PREVIOUS: Plan = {
    "AMT_ANNUITY": ("min", "max", "mean"),
    "AMT_APPLICATION": ("min", "max", "mean"),
    "AMT_CREDIT": ("min", "max", "mean"),
    "asked_to_granted": ("min", "max", "mean", "var"),
    "AMT_DOWN_PAYMENT": ("min", "max", "mean"),
    "AMT_GOODS_PRICE": ("min", "max", "mean"),
    "HOUR_APPR_PROCESS_START": ("min", "max", "mean"),
    "RATE_DOWN_PAYMENT": ("min", "max", "mean"),
    "DAYS_DECISION": ("min", "max", "mean"),
    "CNT_PAYMENT": ("mean", "sum"),
}
POS: Plan = {"MONTHS_BALANCE": ("max", "mean"), "SK_DPD": ("max", "mean"), "SK_DPD_DEF": ("max", "mean")}
PAYMENTS: Plan = {
    "late": ("max", "mean", "sum"),
    "early": ("max", "mean", "sum"),
    "paid_share": ("max", "mean", "sum", "var"),
    "short": ("max", "mean", "sum", "var"),
    "AMT_INSTALMENT": ("max", "mean", "sum"),
    "AMT_PAYMENT": ("min", "max", "mean", "sum"),
    "DAYS_ENTRY_PAYMENT": ("max", "mean", "sum"),
}


def columns(portfolio: Portfolio) -> pl.DataFrame:
    """Return the recipe's numbers, one row per application by position; missing is null."""
    wide = application(portfolio.applications)
    for table in (_bureau, _previous, _pos, _payments, _cards):
        found = table(portfolio)
        if found is not None:
            wide = wide.join(found, on="row", how="left", maintain_order="left")
    numbers = wide.drop("row").cast(pl.Float64)
    return numbers.with_columns(pl.when(pl.all().is_finite()).then(pl.all()))


def lawful(portfolio: Portfolio) -> pl.DataFrame:
    """Return the recipe's numbers without those that read an attribute which our policy protects."""
    forbidden = {*protected_columns(DEFAULT_PROTECTED), "income_per_person"}
    found = columns(portfolio)
    return found.drop(name for name in found.columns if name.split("=")[0] in forbidden)


def application(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the application's own columns, one per level of each text, and the recipe's five ratios."""
    days = pl.when(pl.col("DAYS_EMPLOYED") != LATER).then(pl.col("DAYS_EMPLOYED"))
    rows = rows.drop("TARGET", "SK_ID_CURR", strict=False).with_columns(DAYS_EMPLOYED=days)
    return one_hot(rows).with_columns(
        employed_share=pl.col("DAYS_EMPLOYED") / pl.col("DAYS_BIRTH"),
        income_to_credit=pl.col("AMT_INCOME_TOTAL") / pl.col("AMT_CREDIT"),
        income_per_person=pl.col("AMT_INCOME_TOTAL") / pl.col("CNT_FAM_MEMBERS"),
        annuity_to_income=pl.col("AMT_ANNUITY") / pl.col("AMT_INCOME_TOTAL"),
        payment_rate=pl.col("AMT_ANNUITY") / pl.col("AMT_CREDIT"),
    )


def one_hot(rows: pl.DataFrame) -> pl.DataFrame:
    """Turn every text column into one column per level."""
    texts = [name for name, dtype in rows.schema.items() if dtype == pl.String]
    levels = [
        (pl.col(name) == level).fill_null(False).cast(pl.Int8).alias(f"{name}={level}")
        for name in texts
        for level in sorted(rows[name].drop_nulls().unique())
    ]
    return rows.with_columns(levels).drop(texts)


def _sum_up(rows: pl.DataFrame, prefix: str, plan: Plan, levels: Sequence[str] = ()) -> pl.DataFrame:
    """Return each statistic of each column per application; the mean of each level."""
    full: dict[str, Sequence[str]] = {**plan, **dict.fromkeys(levels, ("mean",))}
    statistics = [
        getattr(pl.col(name).cast(pl.Float64), statistic)().alias(f"{prefix}_{name}_{statistic}")
        for name, which in full.items()
        if name in rows.columns
        for statistic in which
    ]
    return rows.group_by("row").agg(statistics)


def _levels(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if "=" in name]


def _sliced(rows: pl.DataFrame, prefix: str, plan: Plan, slices: Mapping[str, str]) -> pl.DataFrame:
    """Sum up all records, then those of each slice."""
    wide = _sum_up(rows, prefix, plan, _levels(rows))
    for name, level in slices.items():
        if level in rows.columns:
            part = _sum_up(rows.filter(pl.col(level) == 1), f"{prefix}_{name}", plan)
            wide = wide.join(part, on="row", how="left")
    return wide


def _bureau(portfolio: Portfolio) -> pl.DataFrame | None:
    loans = portfolio.history.get("bureau")
    if loans is None:
        return None
    loans = one_hot(loans)
    months = portfolio.history.get("bureau_balance")
    if months is not None:
        months = one_hot(months)
        per_loan = months.group_by("row", "SK_ID_BUREAU").agg(
            pl.col("MONTHS_BALANCE").min().alias("months_min"),
            pl.col("MONTHS_BALANCE").max().alias("months_max"),
            pl.len().alias("months_size"),
            *(pl.col(level).mean() for level in _levels(months)),
        )
        loans = loans.join(per_loan, on=["row", "SK_ID_BUREAU"], how="left")
    slices = {"active": "CREDIT_ACTIVE=Active", "closed": "CREDIT_ACTIVE=Closed"}
    return _sliced(loans, "bureau", BUREAU, slices)


def _previous(portfolio: Portfolio) -> pl.DataFrame | None:
    requests = portfolio.history.get("previous_application")
    if requests is None:
        return None
    days = [name for name in requests.columns if name.startswith("DAYS_")]
    requests = one_hot(requests).with_columns(
        *(pl.when(pl.col(d) != LATER).then(pl.col(d)).alias(d) for d in days),
        asked_to_granted=pl.col("AMT_APPLICATION") / pl.col("AMT_CREDIT"),
    )
    requests = requests.with_columns(
        pl.when(pl.col("asked_to_granted").is_finite()).then(pl.col("asked_to_granted"))
    )
    slices = {"approved": "NAME_CONTRACT_STATUS=Approved", "refused": "NAME_CONTRACT_STATUS=Refused"}
    return _sliced(requests, "previous", PREVIOUS, slices)


def _pos(portfolio: Portfolio) -> pl.DataFrame | None:
    months = portfolio.history.get("POS_CASH_balance")
    if months is None:
        return None
    months = one_hot(months)
    counted = months.group_by("row").agg(pl.len().alias("pos_count"))
    return _sum_up(months, "pos", POS, _levels(months)).join(counted, on="row")


def _payments(portfolio: Portfolio) -> pl.DataFrame | None:
    rows = portfolio.history.get("installments_payments")
    if rows is None:
        return None
    late = pl.col("DAYS_ENTRY_PAYMENT") - pl.col("DAYS_INSTALMENT")
    share = pl.col("AMT_PAYMENT") / pl.col("AMT_INSTALMENT")
    rows = rows.with_columns(
        late=pl.max_horizontal(late, pl.lit(0)),
        early=pl.max_horizontal(-late, pl.lit(0)),
        paid_share=pl.when(share.is_finite()).then(share),
        short=pl.col("AMT_INSTALMENT") - pl.col("AMT_PAYMENT"),
    )
    counted = rows.group_by("row").agg(
        pl.len().alias("payment_count"), pl.col("NUM_INSTALMENT_VERSION").n_unique().alias("versions")
    )
    return _sum_up(rows, "payment", PAYMENTS).join(counted, on="row")


def _cards(portfolio: Portfolio) -> pl.DataFrame | None:
    months = portfolio.history.get("credit_card_balance")
    if months is None:
        return None
    months = one_hot(months.drop("SK_ID_PREV", "SK_ID_CURR", strict=False))
    plan = {name: ("min", "max", "mean", "sum", "var") for name in months.columns if name != "row"}
    counted = months.group_by("row").agg(pl.len().alias("card_count"))
    return _sum_up(months, "card", plan).join(counted, on="row")
