"""Features of the outside credit bureau: loans elsewhere (bureau) and their months (bureau_balance)."""

from __future__ import annotations

from scoring.features.base import (
    DAYS_A_MONTH,
    RATIO,
    Feature,
    HistoryTable,
    count,
    declaring,
    divided,
    last,
    latest,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.terms import Term, lit
from scoring.features.vocabulary import Grouping, col, length, max_horizontal

history, debts, delays, new_credit, cards = declaring(
    "bureau", "history_length", "other_debts", "delays", "new_credit", "card_use"
)

OLDEST_DAYS = -40_000  # the source holds end dates a century back (-42,060): typing errors
LARGEST_CREDIT = 50_000_000  # 44 loans of the source lie above, up to 585 million: not believable

credit_type = col("CREDIT_TYPE")
IS_ACTIVE, IS_CLOSED = col("CREDIT_ACTIVE") == "Active", col("CREDIT_ACTIVE") == "Closed"
TYPES = {
    "consumer": "Consumer credit",
    "card": "Credit card",
    "mortgage": "Mortgage",
    "car": "Car loan",
    "micro": "Microloan",
}
WINDOWS = (30, 90, 180, 365, 730, 1095)
ORDER = ("DAYS_CREDIT", "SK_ID_BUREAU")


def day(name: str) -> Term:
    """Give a day count, the unbelievable ones missing."""
    return where(col(name) >= OLDEST_DAYS, col(name))


credit = where(col("AMT_CREDIT_SUM") <= LARGEST_CREDIT, col("AMT_CREDIT_SUM"))
# 8,418 loans of the source owe less than nothing: an overpaid card, not a debt.
debt = where(col("AMT_CREDIT_SUM_DEBT") >= 0, col("AMT_CREDIT_SUM_DEBT"))
end = day("DAYS_CREDIT_ENDDATE")
ended = day("DAYS_ENDDATE_FACT")
updated = day("DAYS_CREDIT_UPDATE")
opened = col("DAYS_CREDIT")
debt_share = ratio(debt, credit)
duration = end - opened
early_end = end - ended
debt_active = where(IS_ACTIVE, debt)
credit_active = where(IS_ACTIVE, credit)
credit_with_debt = where(debt_active.is_not_null(), credit_active)
opened_active = where(IS_ACTIVE, opened)
opened_closed = where(IS_CLOSED, opened)
remaining = where(IS_ACTIVE & (end > 0), end)
credit_closed = where(IS_CLOSED, credit)
annuity_active = where(IS_ACTIVE, col("AMT_ANNUITY"))
overdue_recent = where(opened >= -730, col("AMT_CREDIT_MAX_OVERDUE"))
# What must be paid a month to be clear by the planned end; the bureau knows the instalment of few loans.
due_monthly = ratio(
    debt, where(remaining.is_not_null(), max_horizontal(divided(remaining, DAYS_A_MONTH), lit(1)))
)


def of_kind(key: str) -> list[Feature]:
    """Declare what is told of one kind of loan."""
    is_kind = credit_type == TYPES[key]
    its_debt, its_credit = where(is_kind, debt), where(is_kind, credit)
    with_debt = where(is_kind & debt.is_not_null(), credit)
    return [
        debts(f"bureau_{key}_active_count", count(IS_ACTIVE & is_kind), "count", reason="above"),
        debts(f"bureau_{key}_credit_mean", mean(its_credit), "amount"),
        debts(f"bureau_{key}_debt_to_credit", ratio(total(its_debt), total(with_debt)), "share", 1),
        history(f"bureau_{key}_opened_days_max", where(is_kind, opened).max(), "date", reason="above"),
    ]


BUREAU: tuple[Feature, ...] = (
    history("bureau_count", length(), "count", reason="below"),
    debts("bureau_active_count", count(IS_ACTIVE), "count", 1),
    debts("bureau_active_share", share(IS_ACTIVE), "share", 1),
    history("bureau_types", credit_type.n_unique_known(), "count", reason="below"),
    *statistics(debts, "bureau_credit", credit, "amount", ("mean", "max", "sum")),
    *statistics(debts, "bureau_debt", debt, "amount", ("mean", "max", "sum"), reason="above"),
    *statistics(debts, "bureau_debt_share", debt_share, "share", ("mean", "max"), 1),
    debts("bureau_debt_to_credit", ratio(total(debt), total(where(debt.is_not_null(), credit))), "share", 1),
    debts("bureau_active_debt_to_credit", ratio(total(debt_active), total(credit_with_debt)), "share", 1),
    *statistics(debts, "bureau_active_debt", debt_active, "amount", ("mean", "max", "sum"), reason="above"),
    *statistics(debts, "bureau_active_credit", credit_active, "amount", ("mean", "sum"), reason="above"),
    *statistics(cards, "bureau_limit", col("AMT_CREDIT_SUM_LIMIT"), "amount", ("mean", "sum")),
    *statistics(delays, "bureau_overdue", col("AMT_CREDIT_SUM_OVERDUE"), "amount", ("mean", "max", "sum"), 1),
    *statistics(delays, "bureau_max_overdue", col("AMT_CREDIT_MAX_OVERDUE"), "amount", ("mean", "max"), 1),
    delays("bureau_overdue_days_max", col("CREDIT_DAY_OVERDUE").max(), "days", 1),
    delays("bureau_overdue_to_debt", ratio(total(col("AMT_CREDIT_SUM_OVERDUE")), total(debt)), "share", 1),
    delays("bureau_prolongations", total(col("CNT_CREDIT_PROLONG"), 1), "count", 1),
    *statistics(history, "bureau_opened_days", opened, "date", ("mean", "min", "max"), 1),
    history("bureau_active_opened_days_max", opened_active.max(), "date", 1),
    history("bureau_active_opened_days_mean", mean(opened_active), "date", 1),
    history("bureau_closed_opened_days_mean", mean(opened_closed), "date", 1),
    *statistics(history, "bureau_updated_days", updated, "date", ("mean", "max")),
    *statistics(debts, "bureau_end_days", end, "date", ("mean", "max")),
    *statistics(history, "bureau_ended_days", ended, "date", ("mean", "max")),
    debts("bureau_remaining_days_max", remaining.max(), "days", reason="above"),
    debts("bureau_duration_days_mean", mean(duration), "days"),
    history("bureau_early_end_days_mean", mean(early_end), "days"),
    *statistics(debts, "bureau_annuity", col("AMT_ANNUITY"), "amount", ("mean", "sum"), reason="above"),
    *(
        item
        for key, kind in TYPES.items()
        for item in (
            debts(f"bureau_{key}_share", share(credit_type == kind), "share"),
            debts(
                f"bureau_{key}_debt_sum", total(where(credit_type == kind, debt)), "amount", reason="above"
            ),
        )
    ),
    *(new_credit(f"bureau_opened_{days}d_count", count(opened >= -days), "count", 1) for days in WINDOWS),
    *(
        debts(f"bureau_opened_{days}d_credit_sum", total(where(opened >= -days, credit)), "amount")
        for days in (180, 365, 730)
    ),
    *of_kind("consumer"),
    *of_kind("card"),  # the others are too rare to bear a slice each
    *(new_credit(f"bureau_opened_{days}d_share", share(opened >= -days), "share", 1) for days in (365, 1095)),
    new_credit("bureau_gap_days_mean", ratio(opened.max() - opened.min(), opened.count() - 1), "days", -1),
    history("bureau_closed_count", count(IS_CLOSED), "count", reason="below"),
    delays("bureau_written_off_count", count(col("CREDIT_ACTIVE").is_in(["Sold", "Bad debt"])), "count", 1),
    *statistics(history, "bureau_closed_credit", credit_closed, "amount", ("mean", "max"), reason="below"),
    debts("bureau_active_credit_max", credit_active.max(), "amount", reason="above"),
    *statistics(debts, "bureau_active_debt_share", where(IS_ACTIVE, debt_share), "share", ("mean", "max"), 1),
    debts("bureau_remaining_days_mean", mean(remaining), "days", reason="above"),
    debts("bureau_due_monthly_sum", total(due_monthly), "amount", 1),
    debts("bureau_active_annuity_sum", total(annuity_active), "amount", reason="above"),
    debts("bureau_repaid_sum", total(where(IS_ACTIVE, credit - debt)), "amount"),
    delays("bureau_max_overdue_share", share(col("AMT_CREDIT_MAX_OVERDUE") > 0), "share", 1),
    delays("bureau_730d_max_overdue_max", overdue_recent.max(), "amount", 1),
    delays("bureau_overran_share", share(early_end < 0), "share", reason="above"),
    debts("bureau_end_future_share", share(end > 0), "share"),
    *(
        item
        for k in (3, 5)
        for item in (
            debts(
                f"bureau_latest_{k}_debt_share_mean", mean(latest(debt_share, k, *ORDER), RATIO), "share", 1
            ),
            debts(f"bureau_latest_{k}_credit_mean", mean(latest(credit, k, *ORDER)), "amount"),
        )
    ),
    debts("bureau_last_type", last(credit_type, *ORDER), "category"),
    debts("bureau_last_credit", last(credit, *ORDER), "amount"),
    debts("bureau_last_duration_days", last(duration, *ORDER), "days"),
    debts("bureau_last_debt_share", last(debt_share, *ORDER), "share", 1),
)

LATE = {"0": 0, "C": 0, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5}  # months past due, worst at 5; X: not known

loan = Grouping("SK_ID_BUREAU")  # summed up first, so that a long loan weighs no more than a short one
# Shares of the observed months, not counts: the later population has three times as many months on file.
level = col("STATUS").replace(LATE)
recent = col("MONTHS_BALANCE") >= -12
late_share = loan(share(level > 0))
late_recent_share = loan(share(where(recent, level) > 0))
late_two_years_share = loan(share(where(col("MONTHS_BALANCE") >= -24, level) > 0))
paying_recent_share = loan(share(where(recent, col("STATUS")) == "0"))
level_mean = loan(mean(level, RATIO))
level_max = loan(level.max())
closed_share = loan(share(col("STATUS") == "C"))
unknown_share = loan(share(col("STATUS") == "X"))
months = loan(length())
last_late_month = loan(where(level > 0, col("MONTHS_BALANCE")).max())


month_delays, month_history, month_debts = declaring(
    "bureau_balance", "delays", "history_length", "other_debts"
)
BALANCE: tuple[Feature, ...] = (
    *statistics(month_delays, "balance_late_share", late_share, "share", ("mean", "max"), 1),
    *statistics(month_delays, "balance_late_recent_share", late_recent_share, "share", ("mean", "max"), 1),
    month_delays("balance_level_mean", mean(level_mean, RATIO), "months", 1),
    month_delays("balance_level_max", level_max.max(), "months", 1),
    month_history("balance_closed_share", mean(closed_share, RATIO), "share", -1, reason="never"),
    month_history("balance_unknown_share", mean(unknown_share, RATIO), "share"),
    *statistics(
        month_delays, "balance_late_two_years_share", late_two_years_share, "share", ("mean", "max"), 1
    ),
    month_delays("balance_late_loans_share", share(level_max > 0), "share", 1),
    month_debts("balance_paying_recent_share", mean(paying_recent_share, RATIO), "share"),
    month_history("balance_months_mean", mean(months), "months", reason="below"),
    month_delays("balance_last_late_month", last_late_month.max(), "month", 1),
)

TABLES = (
    HistoryTable("bureau", BUREAU),
    HistoryTable("bureau_balance", BALANCE),
)
