"""Features of the monthly balances of the lender's own credit cards (credit_card_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

import polars as pl

from scoring.features.base import RATIO, Feature, HistoryTable, mean, ratio, share, statistics, total, where

declare = partial(Feature, table="credit_card_balance")
col = pl.col

LOWEST_BALANCE = -50_000  # 26 months of the source lie below: not believable
WINDOWS = {6: ("the last six months", "les six derniers mois"), 12: ("the last year", "la dernière année")}


def prepare(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Clean impossible amounts and add what is computed per month of a card."""

    def amount(name: str) -> pl.Expr:
        return where(col(name) >= 0, col(name))  # a negative drawing is a booking error of the source

    return rows.with_columns(
        balance=where(col("AMT_BALANCE") >= LOWEST_BALANCE, col("AMT_BALANCE")),
        limit=col("AMT_CREDIT_LIMIT_ACTUAL").cast(pl.Float64),
        drawn=amount("AMT_DRAWINGS_CURRENT"),
        drawn_cash=amount("AMT_DRAWINGS_ATM_CURRENT"),
        drawings=col("CNT_DRAWINGS_CURRENT").cast(pl.Float64),
        paid=col("AMT_PAYMENT_CURRENT"),
        minimum=col("AMT_INST_MIN_REGULARITY"),
    ).with_columns(
        use=ratio(col("balance"), col("limit")),
        balance_now=where(col("MONTHS_BALANCE") >= -3, col("balance")),
        paid_to_minimum=ratio(col("paid"), col("minimum")),
    )


FEATURES: tuple[Feature, ...] = (
    declare("card_count", pl.len().cast(pl.Float64), "count", "history_length", "Months of cards on file", "Mois de carte connus"),
    declare("card_cards", col("SK_ID_PREV").n_unique().cast(pl.Float64), "count", "card_use", "Cards held here", "Cartes détenues ici"),
    *statistics(declare, "card_balance", col("balance"), "amount", "card_use", "Card balance", "Solde de carte", ("mean", "max"), 1),
    declare("card_balance_now", mean(col("balance_now")), "amount", "card_use", "Card balance of the last three months", "Solde de carte des trois derniers mois", 1),
    *statistics(declare, "card_limit", col("limit"), "amount", "card_use", "Card limit", "Plafond de carte", ("mean", "max")),
    *statistics(declare, "card_use", col("use"), "share", "card_use", "Share of the card limit used", "Part du plafond de carte utilisée", ("mean", "max"), 1),
    declare("card_balance_to_limit", ratio(total(col("balance")), total(col("limit"))), "share", "card_use", "Card balances over card limits", "Soldes de carte sur plafonds", 1),
    *(
        declare(f"card_use_{months}m_mean", mean(where(col("MONTHS_BALANCE") >= -months, col("use")), RATIO), "share", "card_use", f"Share of the card limit used in {en}", f"Part du plafond de carte utilisée sur {fr}", 1)
        for months, (en, fr) in WINDOWS.items()
    ),
    declare("card_drawings_mean", mean(col("drawings"), RATIO), "count", "card_use", "Card drawings a month, average", "Retraits et achats par carte par mois, moyenne", 1),
    *statistics(declare, "card_drawn", col("drawn"), "amount", "card_use", "Amount drawn by card a month", "Montant tiré par carte par mois", ("mean", "max"), 1),
    declare("card_cash_share", ratio(total(col("drawn_cash")), total(col("drawn"))), "share", "card_use", "Share of card drawings in cash", "Part des retraits d'espèces par carte", 1),
    declare("card_active_share", share(col("drawings") > 0), "share", "card_use", "Share of months with a card drawing", "Part des mois avec usage de la carte"),
    declare("card_paid_to_minimum", ratio(total(col("paid")), total(where(col("paid").is_not_null(), col("minimum")))), "ratio", "card_use", "Card payments over the minimum due", "Paiements de carte sur minimum dû"),
    declare("card_paid_mean", mean(col("paid")), "amount", "card_use", "Card payment a month, average", "Paiement de carte par mois, moyenne"),
    *statistics(declare, "card_dpd", col("SK_DPD"), "days", "delays", "Days past due on cards", "Jours de retard des cartes", ("mean", "max"), 1),
    declare("card_late_share", share(col("SK_DPD") > 0), "share", "delays", "Share of months late on cards", "Part des mois en retard sur cartes", 1),
    declare("card_late_tolerated_share", share(col("SK_DPD_DEF") > 0), "share", "delays", "Share of months late on cards, small sums left out", "Part des mois en retard sur cartes, hors petites sommes", 1),
    declare("card_first_month", col("MONTHS_BALANCE").min().cast(pl.Float64), "months", "history_length", "First month of a card", "Premier mois d'une carte"),
)

TABLE = HistoryTable(
    "credit_card_balance",
    (
        "SK_ID_PREV",
        "MONTHS_BALANCE",
        "AMT_BALANCE",
        "AMT_CREDIT_LIMIT_ACTUAL",
        "AMT_DRAWINGS_ATM_CURRENT",
        "AMT_DRAWINGS_CURRENT",
        "AMT_INST_MIN_REGULARITY",
        "AMT_PAYMENT_CURRENT",
        "CNT_DRAWINGS_CURRENT",
        "SK_DPD",
        "SK_DPD_DEF",
    ),
    prepare,
    FEATURES,
)
