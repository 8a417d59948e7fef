"""Features of the payments of earlier loans (installments_payments)."""

from __future__ import annotations

from scoring.features.base import (
    RATIO,
    Feature,
    HistoryTable,
    count,
    declaring,
    latest,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.terms import lit
from scoring.features.vocabulary import Grouping, col, max_horizontal

history, delays, debts = declaring("installments_payments", "history_length", "delays", "other_debts")

LATE_DAYS = (0, 7, 30)
WINDOWS = (60, 90, 180, 365, 1095)
SIGNIFICANT = 0.05  # an instalment short by less than this share is not counted as unpaid


# The source has one row per payment, and some instalments are paid in parts.
instalment = Grouping("SK_ID_PREV", "NUM_INSTALMENT_NUMBER", "DAYS_INSTALMENT", "AMT_INSTALMENT")
loan, on, due = (
    instalment.key("SK_ID_PREV"),
    instalment.key("DAYS_INSTALMENT"),
    instalment.key("AMT_INSTALMENT"),
)
is_calendar_change = instalment((col("NUM_INSTALMENT_VERSION") > 1).any())
paid = instalment(total(col("AMT_PAYMENT")).fill_null(0))
# Paid when its last part arrived; no date at all means that it was never paid.
paid_on = instalment(col("DAYS_ENTRY_PAYMENT").max())
parts = instalment.length()
delay = paid_on - on
late_days = max_horizontal(delay, where(delay.is_not_null(), lit(0)))
early_days = max_horizontal(-delay, where(delay.is_not_null(), lit(0)))
underpaid = max_horizontal(due - paid, lit(0.0))
overpaid = max_horizontal(paid - due, lit(0.0))
paid_to_due = ratio(paid, due)
is_never_paid = paid_on.is_null()
is_underpaid = ratio(underpaid, due) > SIGNIFICANT
late_due = where(late_days > 0, due)
late_money = late_days * due
ORDER = (on, loan, instalment.key("NUM_INSTALMENT_NUMBER"), due)


def within(days: int) -> list[Feature]:
    """Declare the delays of the instalments due within a number of days."""
    inside = on >= -days
    return [
        delays(f"installment_{days}d_late_share", share(where(inside, late_days) > 0), "share", 1),
        delays(f"installment_{days}d_late_days_mean", mean(where(inside, late_days), RATIO), "days", 1),
        delays(f"installment_{days}d_underpaid_sum", total(where(inside, underpaid)), "amount", 1),
        delays(f"installment_{days}d_paid_sum", total(where(inside, paid)), "amount"),
    ]


late_first, late_recent = (
    where(instalment.key("NUM_INSTALMENT_NUMBER") <= 4, late_days),
    where(on >= -180, late_days),
)
due_known = where(late_days.is_not_null(), due)


FEATURES: tuple[Feature, ...] = (
    history("installment_count", parts.count(), "count", reason="below"),
    history("installment_loans", loan.n_unique(), "count", reason="below"),
    *statistics(delays, "installment_late_days", late_days, "days", ("mean", "max"), 1),
    *statistics(delays, "installment_early_days", early_days, "days", ("mean", "max")),
    *(
        delays(
            f"installment_late_{days}_share" if days else "installment_late_share",
            share(late_days > days),
            "share",
            1,
        )
        for days in LATE_DAYS
    ),
    delays("installment_late_count", count(late_days > 0), "count", 1),
    *statistics(delays, "installment_underpaid", underpaid, "amount", ("mean", "max", "sum"), 1),
    delays("installment_underpaid_share", share(is_underpaid), "share", 1),
    delays("installment_never_paid_count", count(is_never_paid), "count", 1),
    delays("installment_overpaid_mean", mean(overpaid), "amount"),
    delays("installment_paid_to_due", ratio(total(paid), total(due)), "share", -1),
    delays("installment_paid_to_due_min", paid_to_due.min(), "share", reason="below"),
    *statistics(history, "installment_due", due, "amount", ("mean", "max"), reason="below"),
    *statistics(history, "installment_paid", paid, "amount", ("min", "mean", "max", "sum"), reason="below"),
    delays("installment_parts_share", share(parts > 1), "share"),
    delays("installment_calendar_change_share", share(is_calendar_change), "share"),
    delays("installment_first_late_share", share(late_first > 0), "share", 1),
    history("installment_first_days", on.min(), "date", 1),
    history("installment_last_days", on.max(), "date"),
    *(item for days in WINDOWS for item in within(days)),
    *(
        item
        for k in (3, 10, 50)
        for item in (
            delays(f"installment_latest_{k}_late_share", share(latest(late_days, k, *ORDER) > 0), "share", 1),
            delays(
                f"installment_latest_{k}_late_days_mean", mean(latest(late_days, k, *ORDER), RATIO), "days", 1
            ),
            delays(
                f"installment_latest_{k}_paid_to_due",
                ratio(total(latest(paid, k, *ORDER)), total(latest(due, k, *ORDER))),
                "share",
                -1,
            ),
        )
    ),
    delays("installment_late_trend", share(late_recent > 0) - share(late_days > 0), "share", is_plain=False),
    delays("installment_late_due_share", ratio(total(late_due), total(due)), "share", 1),
    delays("installment_late_days_by_money", ratio(total(late_money), total(due_known)), "days", 1),
    history("installment_due_min", due.min(), "amount", reason="below"),
    history("installment_due_sum", total(due), "amount", reason="below"),
    delays("installment_1000d_short_mean", mean(where(on >= -1000, due - paid)), "amount", 1),
    debts("installment_365d_due_max", where(on >= -365, due).max(), "amount"),
)

TABLE = HistoryTable("installments_payments", FEATURES)
