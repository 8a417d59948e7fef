"""Features of the monthly balances of the lender's own credit cards (credit_card_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import (
    RATIO,
    Feature,
    HistoryTable,
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

declare = partial(Feature, table="credit_card_balance")

LOWEST_BALANCE = -50_000  # 26 months of the source lie below: not believable
WINDOWS = {6: ("the last six months", "les six derniers mois"), 12: ("the last year", "la dernière année")}
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


FEATURES: tuple[Feature, ...] = (
    declare("card_count", length(), "count", "history_length", "Months of cards on file", "Mois de carte connus"),
    declare("card_cards", col("SK_ID_PREV").n_unique(), "count", "card_use", "Cards held here", "Cartes détenues ici"),
    *statistics(declare, "card_balance", balance, "amount", "card_use", "Card balance", "Solde de carte", ("mean", "max"), 1),
    declare("card_balance_now", mean(balance_now), "amount", "card_use", "Card balance of the last three months", "Solde de carte des trois derniers mois", 1),
    *statistics(declare, "card_limit", limit, "amount", "card_use", "Card limit", "Plafond de carte", ("mean", "max")),
    *statistics(declare, "card_use", use, "share", "card_use", "Share of the card limit used", "Part du plafond de carte utilisée", ("mean", "max"), 1),
    declare("card_balance_to_limit", ratio(total(balance), total(limit)), "share", "card_use", "Card balances over card limits", "Soldes de carte sur plafonds", 1),
    *(
        declare(f"card_use_{months}m_mean", mean(where(col("MONTHS_BALANCE") >= -months, use), RATIO), "share", "card_use", f"Share of the card limit used in {en}", f"Part du plafond de carte utilisée sur {fr}", 1)
        for months, (en, fr) in WINDOWS.items()
    ),
    declare("card_drawings_mean", mean(drawings, RATIO), "count", "card_use", "Card drawings a month, average", "Retraits et achats par carte par mois, moyenne", 1),
    *statistics(declare, "card_drawn", drawn, "amount", "card_use", "Amount drawn by card a month", "Montant tiré par carte par mois", ("mean", "max"), 1),
    declare("card_cash_share", ratio(total(drawn_cash), total(drawn)), "share", "card_use", "Share of card drawings in cash", "Part des retraits d'espèces par carte", 1),
    declare("card_active_share", share(drawings > 0), "share", "card_use", "Share of months with a card drawing", "Part des mois avec usage de la carte"),
    declare("card_paid_to_minimum", ratio(total(paid), total(where(paid.is_not_null(), minimum))), "ratio", "card_use", "Card payments over the minimum due", "Paiements de carte sur minimum dû"),
    declare("card_paid_mean", mean(paid), "amount", "card_use", "Card payment a month, average", "Paiement de carte par mois, moyenne"),
    *statistics(declare, "card_dpd", col("SK_DPD"), "days", "delays", "Days past due on cards", "Jours de retard des cartes", ("mean", "max"), 1),
    declare("card_late_share", share(col("SK_DPD") > 0), "share", "delays", "Share of months late on cards", "Part des mois en retard sur cartes", 1),
    declare("card_late_tolerated_share", share(col("SK_DPD_DEF") > 0), "share", "delays", "Share of months late on cards, small sums left out", "Part des mois en retard sur cartes, hors petites sommes", 1),
    *(
        item
        for months, (en, fr) in WINDOWS.items()
        for item in (
            declare(f"card_drawn_{months}m_mean", mean(where(col("MONTHS_BALANCE") >= -months, drawn)), "amount", "card_use", f"Amount drawn by card a month in {en}", f"Montant tiré par carte par mois sur {fr}", 1),
            declare(f"card_drawings_{months}m_mean", mean(where(col("MONTHS_BALANCE") >= -months, drawings), RATIO), "count", "card_use", f"Card drawings a month in {en}", f"Retraits et achats par carte par mois sur {fr}", 1),
        )
    ),
    declare("card_use_trend", mean(where(col("MONTHS_BALANCE") >= -6, use), RATIO) - mean(use, RATIO), "share", "card_use", "Share of the limit used in the last six months, less that over all time", "Part du plafond utilisée sur six mois, moins celle de toujours", is_plain=False),
    declare("card_over_limit_share", share(use > 1), "share", "card_use", "Share of months over the card limit", "Part des mois au-delà du plafond", 1),
    declare("card_year_use_max", where(year, use).max(), "share", "card_use", "Highest share of the card limit used within a year", "Plus haute part du plafond utilisée sur un an", 1),
    declare("card_last_balance", last(balance, *ORDER), "amount", "card_use", "Card balance of the latest month", "Solde de carte du dernier mois", 1),
    declare("card_last_use", last(use, *ORDER), "share", "card_use", "Share of the card limit used in the latest month", "Part du plafond utilisée au dernier mois", 1),
    declare("card_latest_3_use_mean", mean(latest(use, 3, *ORDER), RATIO), "share", "card_use", "Share of the card limit used in the 3 latest months", "Part du plafond utilisée sur les 3 derniers mois", 1),
    *statistics(declare, "card_minimum", minimum, "amount", "card_use", "Least payment due a month on cards", "Paiement minimal mensuel des cartes", ("mean", "max"), 1),
    declare("card_cash_months_share", share(drawn_cash > 0), "share", "card_use", "Share of months with cash drawn by card", "Part des mois avec retrait d'espèces par carte", 1),
    declare("card_cash_year_sum", total(where(year, drawn_cash)), "amount", "card_use", "Cash drawn by card within a year", "Espèces retirées par carte sur un an", 1),
    declare("card_short_paid_share", share(where(minimum > 0, paid < minimum)), "share", "delays", "Share of months with less than the minimum paid on cards", "Part des mois payés sous le minimum sur cartes", 1),
    declare("card_paid_to_balance", ratio(total(paid), total(where(paid.is_not_null(), balance))), "share", "card_use", "Card payments over balances", "Paiements de carte sur soldes"),
    declare("card_first_month", col("MONTHS_BALANCE").min(), "months", "history_length", "First month of a card", "Premier mois d'une carte"),
)

TABLE = HistoryTable("credit_card_balance", FEATURES)
