"""Features of the monthly balances of the lender's own credit cards (credit_card_balance)."""

from __future__ import annotations

from scoring.features.base import (
    RATIO,
    Feature,
    HistoryTable,
    declaring,
    last,
    latest,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.terms import Term
from scoring.features.vocabulary import col, length

history, cards, delays = declaring("credit_card_balance", "history_length", "card_use", "delays")

LOWEST_BALANCE = -50_000  # 26 months of the source lie below: not believable
WINDOWS = (6, 12)
ORDER = ("MONTHS_BALANCE", "SK_ID_PREV")


def amount(name: str) -> Term:
    """Give an amount; a negative drawing is a booking error of the source."""
    return where(col(name) >= 0, col(name))


balance = where(col("AMT_BALANCE") >= LOWEST_BALANCE, col("AMT_BALANCE"))
limit = col("AMT_CREDIT_LIMIT_ACTUAL")
drawn = amount("AMT_DRAWINGS_CURRENT")
drawn_cash = amount("AMT_DRAWINGS_ATM_CURRENT")
drawings = col("CNT_DRAWINGS_CURRENT")
paid = col("AMT_PAYMENT_CURRENT")
minimum = col("AMT_INST_MIN_REGULARITY")
use = ratio(balance, limit)
balance_now = where(col("MONTHS_BALANCE") >= -3, balance)
year = col("MONTHS_BALANCE") >= -12


def within(months: int, value: Term) -> Term:
    """Give a value in the last months, null before."""
    return where(col("MONTHS_BALANCE") >= -months, value)


FEATURES: tuple[Feature, ...] = (
    history("card_count", length(), "count", reason="below"),
    cards("card_cards", col("SK_ID_PREV").n_unique(), "count"),
    *statistics(cards, "card_balance", balance, "amount", ("mean", "max"), 1),
    cards("card_balance_now", mean(balance_now), "amount", 1),
    *statistics(cards, "card_limit", limit, "amount", ("mean", "max")),
    *statistics(cards, "card_use", use, "share", ("mean", "max"), 1),
    cards("card_balance_to_limit", ratio(total(balance), total(limit)), "share", 1),
    *(cards(f"card_use_{months}m_mean", mean(within(months, use), RATIO), "share", 1) for months in WINDOWS),
    cards("card_drawings_mean", mean(drawings, RATIO), "count", 1),
    *statistics(cards, "card_drawn", drawn, "amount", ("mean", "max"), 1),
    cards("card_cash_share", ratio(total(drawn_cash), total(drawn)), "share", 1),
    cards("card_active_share", share(drawings > 0), "share"),
    cards("card_paid_to_minimum", ratio(total(paid), total(where(paid.is_not_null(), minimum))), "ratio"),
    cards("card_paid_mean", mean(paid), "amount"),
    *statistics(delays, "card_dpd", col("SK_DPD"), "days", ("mean", "max"), 1),
    delays("card_late_share", share(col("SK_DPD") > 0), "share", 1),
    delays("card_late_tolerated_share", share(col("SK_DPD_DEF") > 0), "share", 1),
    *(
        item
        for months in WINDOWS
        for item in (
            cards(f"card_drawn_{months}m_mean", mean(within(months, drawn)), "amount", 1),
            cards(f"card_drawings_{months}m_mean", mean(within(months, drawings), RATIO), "count", 1),
        )
    ),
    cards("card_use_trend", mean(within(6, use), RATIO) - mean(use, RATIO), "share", is_plain=False),
    cards("card_over_limit_share", share(use > 1), "share", 1),
    cards("card_year_use_max", where(year, use).max(), "share", 1),
    cards("card_last_balance", last(balance, *ORDER), "amount", 1),
    cards("card_last_use", last(use, *ORDER), "share", 1),
    cards("card_latest_3_use_mean", mean(latest(use, 3, *ORDER), RATIO), "share", 1),
    *statistics(cards, "card_minimum", minimum, "amount", ("mean", "max"), 1),
    cards("card_cash_months_share", share(drawn_cash > 0), "share", 1),
    cards("card_cash_year_sum", total(where(year, drawn_cash)), "amount", 1),
    delays("card_short_paid_share", share(where(minimum > 0, paid < minimum)), "share", 1),
    cards("card_paid_to_balance", ratio(total(paid), total(where(paid.is_not_null(), balance))), "share"),
    history("card_first_month", col("MONTHS_BALANCE").min(), "month", reason="above"),
)

TABLE = HistoryTable("credit_card_balance", FEATURES)
