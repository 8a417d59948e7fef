"""Features of the monthly balances of earlier cash and purchase loans (POS_CASH_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import (
    Feature,
    HistoryTable,
    count,
    last,
    latest,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.vocabulary import col, length

declare = partial(Feature, table="POS_CASH_balance")

LATE, LATE_TOLERATED = col("SK_DPD") > 0, col("SK_DPD_DEF") > 0
ORDER = ("MONTHS_BALANCE", "SK_ID_PREV")
IS_COMPLETED = col("NAME_CONTRACT_STATUS") == "Completed"
WINDOWS = {
    6: ("the last six months", "les six derniers mois"),
    12: ("the last twelve months", "les douze derniers mois"),
    36: ("the last three years", "les trois dernières années"),
}


remaining_share = ratio(col("CNT_INSTALMENT_FUTURE"), col("CNT_INSTALMENT"))
remaining_now = where(col("MONTHS_BALANCE") >= -1, col("CNT_INSTALMENT_FUTURE"))
late_month = where(LATE, col("MONTHS_BALANCE"))
loan_now = where((col("MONTHS_BALANCE") >= -1) & (col("NAME_CONTRACT_STATUS") == "Active"), col("SK_ID_PREV"))
dpd_year = where(col("MONTHS_BALANCE") >= -12, col("SK_DPD"))


FEATURES: tuple[Feature, ...] = (
    declare("pos_count", length(), "count", "history_length", "Months of earlier loans on file", "Mois connus des prêts antérieurs", -1),
    declare("pos_loans", col("SK_ID_PREV").n_unique(), "count", "history_length", "Earlier loans with monthly balances", "Prêts antérieurs avec soldes mensuels"),
    *statistics(declare, "pos_dpd", col("SK_DPD"), "days", "delays", "Days past due on earlier loans", "Jours de retard des prêts antérieurs", ("mean", "max"), 1),
    *statistics(declare, "pos_dpd_tolerated", col("SK_DPD_DEF"), "days", "delays", "Days past due on earlier loans, small sums left out", "Jours de retard des prêts antérieurs, hors petites sommes", ("mean", "max"), 1),
    declare("pos_late_share", share(LATE), "share", "delays", "Share of months late on earlier loans", "Part des mois en retard sur prêts antérieurs", 1),
    declare("pos_late_tolerated_share", share(LATE_TOLERATED), "share", "delays", "Share of months late on earlier loans, small sums left out", "Part des mois en retard, hors petites sommes", 1),
    declare("pos_last_late_month", late_month.max(), "months", "delays", "Month of the last delay on earlier loans", "Mois du dernier retard sur prêts antérieurs", 1),
    *(
        declare(f"pos_late_{months}m_share", share(where(col("MONTHS_BALANCE") >= -months, col("SK_DPD")) > 0), "share", "delays", f"Share of months late in {en}", f"Part des mois en retard sur {fr}", 1)
        for months, (en, fr) in WINDOWS.items()
    ),
    declare("pos_completed_count", count(IS_COMPLETED), "count", "history_length", "Earlier loans repaid in full", "Prêts antérieurs entièrement remboursés", -1),
    declare("pos_demand_count", count(col("NAME_CONTRACT_STATUS").is_in(["Demand", "Amortized debt"])), "count", "delays", "Months of earlier loans called in", "Mois de prêts antérieurs exigés", 1),
    declare("pos_remaining_sum", total(remaining_now, 1), "count", "other_debts", "Instalments left on running loans here", "Échéances restantes des crédits en cours ici"),
    *statistics(declare, "pos_term", col("CNT_INSTALMENT"), "months", "earlier_requests", "Term of earlier loans", "Durée des prêts antérieurs", ("mean", "max")),
    *statistics(declare, "pos_remaining_share", remaining_share, "share", "other_debts", "Share of instalments left", "Part des échéances restantes", ("mean", "min")),
    *statistics(declare, "pos_dpd_12m", dpd_year, "days", "delays", "Days past due on earlier loans within a year", "Jours de retard des prêts antérieurs sur un an", ("mean", "max"), 1),
    declare("pos_late_trend", share(dpd_year > 0) - share(LATE), "share", "delays", "Share of months late within a year, less the share over all time", "Part des mois en retard sur un an, moins la part de toujours", is_plain=False),
    declare("pos_latest_10_late_share", share(latest(LATE, 10, *ORDER)), "share", "delays", "Share of the 10 latest months late on earlier loans", "Part des 10 derniers mois en retard sur prêts antérieurs", 1),
    declare("pos_loans_now", loan_now.n_unique_known(), "count", "other_debts", "Running loans here, by the monthly balances", "Crédits en cours ici, selon les soldes mensuels"),
    declare("pos_12m_count", count(col("MONTHS_BALANCE") >= -12), "count", "history_length", "Months of earlier loans within a year", "Mois de prêts antérieurs sur un an"),
    declare("pos_completed_share", ratio(count(IS_COMPLETED), col("SK_ID_PREV").n_unique()), "share", "history_length", "Earlier loans repaid in full, per loan", "Prêts antérieurs entièrement remboursés, par prêt", -1),
    declare("pos_last_remaining", last(col("CNT_INSTALMENT_FUTURE"), *ORDER), "count", "other_debts", "Instalments left in the latest month", "Échéances restantes au dernier mois"),
    declare("pos_last_term", last(col("CNT_INSTALMENT"), *ORDER), "months", "earlier_requests", "Term of the latest loan with balances", "Durée du dernier prêt avec soldes"),
    declare("pos_first_month", col("MONTHS_BALANCE").min(), "months", "history_length", "First month of an earlier loan", "Premier mois d'un prêt antérieur", 1),
    declare("pos_last_month", col("MONTHS_BALANCE").max(), "months", "history_length", "Latest month of an earlier loan", "Dernier mois d'un prêt antérieur"),
)

TABLE = HistoryTable("POS_CASH_balance", FEATURES)
