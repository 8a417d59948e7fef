"""Features of the payments of earlier loans (installments_payments)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

import polars as pl

from scoring.features.base import (
    MONEY,
    RATIO,
    Feature,
    HistoryTable,
    count,
    divided,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)

declare = partial(Feature, table="installments_payments")
col = pl.col

LATE_DAYS = (0, 7, 30)
WINDOWS = {
    90: ("the last three months", "les trois derniers mois"),
    365: ("the last year", "la dernière année"),
    1095: ("the last three years", "les trois dernières années"),
}
SIGNIFICANT = 0.05  # an instalment short by less than this share is not counted as unpaid


def prepare(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Bring the payments of one instalment together: the source has one row per payment, and some are paid in parts."""
    payments = rows.with_columns(
        payment=(col("AMT_PAYMENT") * MONEY).round().cast(pl.Int64, strict=False),
        is_calendar_change=col("NUM_INSTALMENT_VERSION") > 1,
    )
    instalments = payments.group_by(
        "row", "SK_ID_PREV", "NUM_INSTALMENT_NUMBER", "DAYS_INSTALMENT", "AMT_INSTALMENT"
    ).agg(
        paid=divided(col("payment").sum(), MONEY),
        # Paid when its last part arrived; no date at all means that it was never paid.
        paid_on=col("DAYS_ENTRY_PAYMENT").max(),
        parts=pl.len(),
        is_calendar_change=col("is_calendar_change").any(),
    )
    due = col("AMT_INSTALMENT")
    delay = col("paid_on") - col("DAYS_INSTALMENT")
    return instalments.with_columns(
        due=due,
        late_days=pl.max_horizontal(delay, where(delay.is_not_null(), pl.lit(0))),
        early_days=pl.max_horizontal(-delay, where(delay.is_not_null(), pl.lit(0))),
        underpaid=pl.max_horizontal(due - col("paid"), pl.lit(0.0)),
        overpaid=pl.max_horizontal(col("paid") - due, pl.lit(0.0)),
        paid_to_due=ratio(col("paid"), due),
        is_never_paid=col("paid_on").is_null(),
        on=col("DAYS_INSTALMENT"),
    ).with_columns(is_underpaid=ratio(col("underpaid"), due) > SIGNIFICANT)


def window(days: int, en: str, fr: str) -> list[Feature]:
    """Declare the delays of the instalments due within a number of days."""
    inside = col("on") >= -days
    return [
        declare(f"installment_{days}d_late_share", share(where(inside, col("late_days")) > 0), "share", "delays", f"Share of instalments paid late in {en}", f"Part des échéances payées en retard sur {fr}", 1),
        declare(f"installment_{days}d_late_days_mean", mean(where(inside, col("late_days")), RATIO), "days", "delays", f"Days late in {en}, average", f"Jours de retard sur {fr}, moyenne", 1),
        declare(f"installment_{days}d_underpaid_sum", total(where(inside, col("underpaid"))), "amount", "delays", f"Amount underpaid in {en}", f"Montant impayé sur {fr}", 1),
        declare(f"installment_{days}d_paid_sum", total(where(inside, col("paid"))), "amount", "delays", f"Amount paid in {en}", f"Montant payé sur {fr}"),
    ]


FEATURES: tuple[Feature, ...] = (
    declare("installment_count", pl.len().cast(pl.Float64), "count", "history_length", "Past instalments", "Échéances passées"),
    declare("installment_loans", col("SK_ID_PREV").n_unique().cast(pl.Float64), "count", "history_length", "Loans with past instalments", "Prêts avec échéances passées"),
    *statistics(declare, "installment_late_days", col("late_days"), "days", "delays", "Days late on past instalments", "Jours de retard des échéances passées", ("mean", "max"), 1),
    *statistics(declare, "installment_early_days", col("early_days"), "days", "delays", "Days early on past instalments", "Jours d'avance des échéances passées", ("mean", "max")),
    *(
        declare(f"installment_late_{days}_share" if days else "installment_late_share", share(col("late_days") > days), "share", "delays", f"Share of instalments paid more than {days} days late" if days else "Share of instalments paid late", f"Part des échéances payées avec plus de {days} jours de retard" if days else "Part des échéances payées en retard", 1)
        for days in LATE_DAYS
    ),
    declare("installment_late_count", count(col("late_days") > 0), "count", "delays", "Instalments paid late", "Échéances payées en retard", 1),
    *statistics(declare, "installment_underpaid", col("underpaid"), "amount", "delays", "Amount underpaid on instalments", "Montant impayé des échéances", ("mean", "max", "sum"), 1),
    declare("installment_underpaid_share", share(col("is_underpaid")), "share", "delays", "Share of instalments not fully paid", "Part des échéances non entièrement payées", 1),
    declare("installment_never_paid_count", count(col("is_never_paid")), "count", "delays", "Instalments never paid", "Échéances jamais payées", 1),
    declare("installment_overpaid_mean", mean(col("overpaid")), "amount", "delays", "Amount overpaid on instalments, average", "Montant payé en trop des échéances, moyenne"),
    declare("installment_paid_to_due", ratio(total(col("paid")), total(col("due"))), "share", "delays", "Amount paid over amount due", "Montant payé sur montant dû", -1),
    declare("installment_paid_to_due_min", col("paid_to_due").min(), "share", "delays", "Amount paid over amount due, smallest", "Montant payé sur montant dû, minimum"),
    *statistics(declare, "installment_due", col("due"), "amount", "history_length", "Instalment due", "Échéance due", ("mean", "max")),
    *statistics(declare, "installment_paid", col("paid"), "amount", "history_length", "Instalment paid", "Échéance payée", ("min", "mean", "max", "sum")),
    declare("installment_parts_share", share(col("parts") > 1), "share", "delays", "Share of instalments paid in parts", "Part des échéances payées en plusieurs fois"),
    declare("installment_calendar_change_share", share(col("is_calendar_change")), "share", "delays", "Share of instalments on a changed calendar", "Part des échéances à calendrier modifié"),
    declare("installment_first_late_share", share(where(col("NUM_INSTALMENT_NUMBER") <= 4, col("late_days")) > 0), "share", "delays", "Share of the first four instalments paid late", "Part des quatre premières échéances payées en retard", 1),
    declare("installment_first_days", col("on").min().cast(pl.Float64), "days", "history_length", "Day of the first instalment", "Jour de la première échéance", 1),
    declare("installment_last_days", col("on").max().cast(pl.Float64), "days", "history_length", "Day of the latest instalment", "Jour de la dernière échéance"),
    *(item for days, (en, fr) in WINDOWS.items() for item in window(days, en, fr)),
)

TABLE = HistoryTable(
    "installments_payments",
    (
        "SK_ID_PREV",
        "NUM_INSTALMENT_VERSION",
        "NUM_INSTALMENT_NUMBER",
        "DAYS_INSTALMENT",
        "DAYS_ENTRY_PAYMENT",
        "AMT_INSTALMENT",
        "AMT_PAYMENT",
    ),
    prepare,
    FEATURES,
)
