"""Features of the monthly balances of earlier cash and purchase loans (POS_CASH_balance)."""

from __future__ import annotations

from scoring.features.base import (
    Feature,
    HistoryTable,
    count,
    declaring,
    last,
    latest,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.vocabulary import col, length

history, delays, debts, requests = declaring(
    "POS_CASH_balance", "history_length", "delays", "other_debts", "earlier_requests"
)

LATE, LATE_TOLERATED = col("SK_DPD") > 0, col("SK_DPD_DEF") > 0
ORDER = ("MONTHS_BALANCE", "SK_ID_PREV")
STATUS, MONTH = col("NAME_CONTRACT_STATUS"), col("MONTHS_BALANCE")
IS_COMPLETED = STATUS == "Completed"
WINDOWS = (6, 12, 36)


remaining_share = ratio(col("CNT_INSTALMENT_FUTURE"), col("CNT_INSTALMENT"))
remaining_now = where(col("MONTHS_BALANCE") >= -1, col("CNT_INSTALMENT_FUTURE"))
late_month = where(LATE, col("MONTHS_BALANCE"))
loan_now = where((col("MONTHS_BALANCE") >= -1) & (col("NAME_CONTRACT_STATUS") == "Active"), col("SK_ID_PREV"))
dpd_year = where(col("MONTHS_BALANCE") >= -12, col("SK_DPD"))

loans = col("SK_ID_PREV").n_unique()


FEATURES: tuple[Feature, ...] = (
    history("pos_count", length(), "count", -1),
    history("pos_loans", loans, "count", reason="below"),
    *statistics(delays, "pos_dpd", col("SK_DPD"), "days", ("mean", "max"), 1),
    *statistics(delays, "pos_dpd_tolerated", col("SK_DPD_DEF"), "days", ("mean", "max"), 1),
    delays("pos_late_share", share(LATE), "share", 1),
    delays("pos_late_tolerated_share", share(LATE_TOLERATED), "share", 1),
    delays("pos_last_late_month", late_month.max(), "month", 1),
    *(
        delays(f"pos_late_{months}m_share", share(where(-months <= MONTH, col("SK_DPD")) > 0), "share", 1)
        for months in WINDOWS
    ),
    history("pos_completed_count", count(IS_COMPLETED), "count", -1),
    delays("pos_demand_count", count(STATUS.is_in(["Demand", "Amortized debt"])), "count", 1),
    debts("pos_remaining_sum", total(remaining_now, 1), "count", reason="above"),
    *statistics(requests, "pos_term", col("CNT_INSTALMENT"), "months", ("mean", "max")),
    *statistics(debts, "pos_remaining_share", remaining_share, "share", ("mean", "min"), reason="above"),
    *statistics(delays, "pos_dpd_12m", dpd_year, "days", ("mean", "max"), 1),
    delays("pos_late_trend", share(dpd_year > 0) - share(LATE), "share", is_plain=False),
    delays("pos_latest_10_late_share", share(latest(LATE, 10, *ORDER)), "share", 1),
    debts("pos_loans_now", loan_now.n_unique_known(), "count", reason="above"),
    history("pos_12m_count", count(col("MONTHS_BALANCE") >= -12), "count", reason="below"),
    history("pos_completed_share", ratio(count(IS_COMPLETED), loans), "share", -1, reason="never"),
    debts("pos_last_remaining", last(col("CNT_INSTALMENT_FUTURE"), *ORDER), "count", reason="above"),
    requests("pos_last_term", last(col("CNT_INSTALMENT"), *ORDER), "months"),
    history("pos_first_month", col("MONTHS_BALANCE").min(), "month", 1),
    history("pos_last_month", col("MONTHS_BALANCE").max(), "month"),
)

TABLE = HistoryTable("POS_CASH_balance", FEATURES)
