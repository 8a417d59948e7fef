"""Features of the monthly balances of the lender's own credit cards (credit_card_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import RATIO, Feature, HistoryTable, mean, ratio, share, statistics, total, where
from scoring.features.terms import Term, col, length

declare = partial(Feature, table="credit_card_balance")

LOWEST_BALANCE = -50_000  # 26 months of the source lie below: not believable
WINDOWS = {6: ("the last six months", "les six derniers mois"), 12: ("the last year", "la dernière année")}


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
paid_to_minimum = ratio(paid, minimum)


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
    declare("card_first_month", col("MONTHS_BALANCE").min(), "months", "history_length", "First month of a card", "Premier mois d'une carte"),
)

TABLE = HistoryTable("credit_card_balance", FEATURES)
