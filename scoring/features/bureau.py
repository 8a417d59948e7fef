"""Features of the outside credit bureau: loans elsewhere (bureau) and their months (bureau_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import (
    DAYS_A_MONTH,
    RATIO,
    Feature,
    HistoryTable,
    count,
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

declare = partial(Feature, table="bureau")

OLDEST_DAYS = -40_000  # the source holds end dates a century back (-42,060): typing errors
LARGEST_CREDIT = 50_000_000  # 44 loans of the source lie above, up to 585 million: not believable

IS_ACTIVE, IS_CLOSED = col("CREDIT_ACTIVE") == "Active", col("CREDIT_ACTIVE") == "Closed"
TYPES = {
    "consumer": ("Consumer credit", "consumer loans", "prêts à la consommation"),
    "card": ("Credit card", "credit cards", "cartes de crédit"),
    "mortgage": ("Mortgage", "mortgages", "prêts immobiliers"),
    "car": ("Car loan", "car loans", "prêts automobiles"),
    "micro": ("Microloan", "microloans", "microcrédits"),
}
WINDOWS = {
    30: ("a month", "un mois"),
    90: ("three months", "trois mois"),
    180: ("six months", "six mois"),
    365: ("a year", "un an"),
    730: ("two years", "deux ans"),
    1095: ("three years", "trois ans"),
}
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
opened_active = where(IS_ACTIVE, opened)
opened_closed = where(IS_CLOSED, opened)
remaining = where(IS_ACTIVE & (end > 0), end)
credit_closed = where(IS_CLOSED, credit)
annuity_active = where(IS_ACTIVE, col("AMT_ANNUITY"))
overdue_recent = where(opened >= -730, col("AMT_CREDIT_MAX_OVERDUE"))
# What must be paid a month to be clear by the planned end; the bureau knows the instalment of few loans.
due_monthly = ratio(debt, where(remaining.is_not_null(), max_horizontal(divided(remaining, DAYS_A_MONTH), lit(1))))


BUREAU: tuple[Feature, ...] = (
    declare("bureau_count", length(), "count", "history_length", "Loans on file at the credit bureau", "Crédits connus du bureau de crédit"),
    declare("bureau_active_count", count(IS_ACTIVE), "count", "other_debts", "Running loans elsewhere", "Crédits en cours ailleurs", 1),
    declare("bureau_active_share", share(IS_ACTIVE), "share", "other_debts", "Share of loans elsewhere still running", "Part des crédits externes en cours", 1),
    declare("bureau_types", col("CREDIT_TYPE").n_unique_known(), "count", "history_length", "Kinds of loan elsewhere", "Types de crédit ailleurs"),
    *statistics(declare, "bureau_credit", credit, "amount", "other_debts", "Amount of loans elsewhere", "Montant des crédits externes", ("mean", "max", "sum")),
    *statistics(declare, "bureau_debt", debt, "amount", "other_debts", "Debt on loans elsewhere", "Dette sur crédits externes", ("mean", "max", "sum")),
    *statistics(declare, "bureau_debt_share", debt_share, "share", "other_debts", "Share of each loan elsewhere still owed", "Part restant due de chaque crédit externe", ("mean", "max"), 1),
    declare("bureau_debt_to_credit", ratio(total(debt), total(where(debt.is_not_null(), credit))), "share", "other_debts", "Debt elsewhere as a share of the amounts lent", "Dette externe en part des montants prêtés", 1),
    declare("bureau_active_debt_to_credit", ratio(total(debt_active), total(where(debt_active.is_not_null(), credit_active))), "share", "other_debts", "Debt on running loans as a share of the amounts lent", "Dette des crédits en cours en part des montants prêtés", 1),
    *statistics(declare, "bureau_active_debt", debt_active, "amount", "other_debts", "Debt on running loans elsewhere", "Dette sur crédits externes en cours", ("mean", "max", "sum")),
    *statistics(declare, "bureau_active_credit", credit_active, "amount", "other_debts", "Amount of running loans elsewhere", "Montant des crédits externes en cours", ("mean", "sum")),
    *statistics(declare, "bureau_limit", col("AMT_CREDIT_SUM_LIMIT"), "amount", "card_use", "Card limits elsewhere", "Plafonds de carte externes", ("mean", "sum")),
    *statistics(declare, "bureau_overdue", col("AMT_CREDIT_SUM_OVERDUE"), "amount", "delays", "Amount overdue elsewhere", "Montant en retard ailleurs", ("mean", "max", "sum"), 1),
    *statistics(declare, "bureau_max_overdue", col("AMT_CREDIT_MAX_OVERDUE"), "amount", "delays", "Highest amount ever overdue on loans elsewhere", "Plus haut retard sur crédits externes", ("mean", "max"), 1),
    declare("bureau_overdue_days_max", col("CREDIT_DAY_OVERDUE").max(), "days", "delays", "Most days overdue elsewhere", "Jours de retard ailleurs, maximum", 1),
    declare("bureau_overdue_to_debt", ratio(total(col("AMT_CREDIT_SUM_OVERDUE")), total(debt)), "share", "delays", "Share of the debt elsewhere that is overdue", "Part de la dette externe en retard", 1),
    declare("bureau_prolongations", total(col("CNT_CREDIT_PROLONG"), 1), "count", "delays", "Prolongations of loans elsewhere", "Prolongations de crédits externes", 1),
    *statistics(declare, "bureau_opened_days", opened, "days", "history_length", "Day a loan elsewhere was opened", "Jour d'ouverture des crédits externes", ("mean", "min", "max"), 1),
    declare("bureau_active_opened_days_max", opened_active.max(), "days", "history_length", "Day the latest running loan was opened", "Jour d'ouverture du dernier crédit en cours", 1),
    declare("bureau_active_opened_days_mean", mean(opened_active), "days", "history_length", "Day running loans were opened, average", "Jour d'ouverture des crédits en cours, moyenne", 1),
    declare("bureau_closed_opened_days_mean", mean(opened_closed), "days", "history_length", "Day closed loans were opened, average", "Jour d'ouverture des crédits clos, moyenne", 1),
    *statistics(declare, "bureau_updated_days", updated, "days", "history_length", "Day of the bureau's last news of a loan", "Jour de la dernière nouvelle d'un crédit externe", ("mean", "max")),
    *statistics(declare, "bureau_end_days", end, "days", "other_debts", "Day a loan elsewhere is to end", "Jour de fin prévue des crédits externes", ("mean", "max")),
    *statistics(declare, "bureau_ended_days", ended, "days", "history_length", "Day a loan elsewhere ended", "Jour de fin réelle des crédits externes", ("mean", "max")),
    declare("bureau_remaining_days_max", remaining.max(), "days", "other_debts", "Days until the last loan elsewhere ends", "Jours jusqu'à la fin du dernier crédit externe"),
    declare("bureau_duration_days_mean", mean(duration), "days", "other_debts", "Planned length of loans elsewhere, average", "Durée prévue des crédits externes, moyenne"),
    declare("bureau_early_end_days_mean", mean(early_end), "days", "history_length", "Days by which loans elsewhere ended early, average", "Jours d'avance à la clôture des crédits externes, moyenne"),
    *statistics(declare, "bureau_annuity", col("AMT_ANNUITY"), "amount", "other_debts", "Instalment of loans elsewhere", "Mensualité des crédits externes", ("mean", "sum")),
    *(
        item
        for key, (level, en, fr) in TYPES.items()
        for item in (
            declare(f"bureau_{key}_share", share(col("CREDIT_TYPE") == level), "share", "other_debts", f"Share of {en} among loans elsewhere", f"Part des {fr} parmi les crédits externes"),
            declare(f"bureau_{key}_debt_sum", total(where(col("CREDIT_TYPE") == level, debt)), "amount", "other_debts", f"Debt on {en} elsewhere, total", f"Dette sur {fr} externes, total"),
        )
    ),
    *(
        declare(f"bureau_opened_{days}d_count", count(opened >= -days), "count", "new_credit", f"Loans opened elsewhere within {en}", f"Crédits ouverts ailleurs depuis {fr}", 1)
        for days, (en, fr) in WINDOWS.items()
    ),
    *(
        declare(f"bureau_opened_{days}d_credit_sum", total(where(opened >= -days, credit)), "amount", "other_debts", f"Amount lent elsewhere within {WINDOWS[days][0]}", f"Montant prêté ailleurs depuis {WINDOWS[days][1]}")
        for days in (180, 365, 730)
    ),
    *(
        item
        for key, (level, en, fr) in TYPES.items()
        if key in ("consumer", "card")  # the others are too rare to bear a slice each
        for item in (
            declare(f"bureau_{key}_active_count", count(IS_ACTIVE & (col("CREDIT_TYPE") == level)), "count", "other_debts", f"Running {en} elsewhere", f"Nombre de {fr} en cours ailleurs"),
            declare(f"bureau_{key}_credit_mean", mean(where(col("CREDIT_TYPE") == level, credit)), "amount", "other_debts", f"Amount of {en} elsewhere, average", f"Montant des {fr} externes, moyenne"),
            declare(f"bureau_{key}_debt_to_credit", ratio(total(where(col("CREDIT_TYPE") == level, debt)), total(where((col("CREDIT_TYPE") == level) & debt.is_not_null(), credit))), "share", "other_debts", f"Debt on {en} elsewhere as a share of the amounts lent", f"Dette sur {fr} externes en part des montants prêtés", 1),
            declare(f"bureau_{key}_opened_days_max", where(col("CREDIT_TYPE") == level, opened).max(), "days", "history_length", f"Day the latest of the {en} elsewhere was opened", f"Jour de la dernière ouverture parmi les {fr} externes"),
        )
    ),
    *(
        declare(f"bureau_opened_{days}d_share", share(opened >= -days), "share", "new_credit", f"Share of the loans elsewhere opened within {WINDOWS[days][0]}", f"Part des crédits externes ouverts depuis {WINDOWS[days][1]}", 1)
        for days in (365, 1095)
    ),
    declare("bureau_gap_days_mean", ratio(opened.max() - opened.min(), opened.count() - 1), "days", "new_credit", "Days between one loan elsewhere and the next, average", "Jours entre deux crédits externes, moyenne", -1),
    declare("bureau_closed_count", count(IS_CLOSED), "count", "history_length", "Closed loans elsewhere", "Crédits externes clos"),
    declare("bureau_written_off_count", count(col("CREDIT_ACTIVE").is_in(["Sold", "Bad debt"])), "count", "delays", "Loans elsewhere sold or written off", "Crédits externes cédés ou passés en perte", 1),
    *statistics(declare, "bureau_closed_credit", credit_closed, "amount", "history_length", "Amount of closed loans elsewhere", "Montant des crédits externes clos", ("mean", "max")),
    declare("bureau_active_credit_max", credit_active.max(), "amount", "other_debts", "Largest running loan elsewhere", "Plus grand crédit externe en cours"),
    *statistics(declare, "bureau_active_debt_share", where(IS_ACTIVE, debt_share), "share", "other_debts", "Share of each running loan elsewhere still owed", "Part restant due de chaque crédit externe en cours", ("mean", "max"), 1),
    declare("bureau_remaining_days_mean", mean(remaining), "days", "other_debts", "Days until running loans elsewhere end, average", "Jours jusqu'à la fin des crédits externes, moyenne"),
    declare("bureau_due_monthly_sum", total(due_monthly), "amount", "other_debts", "Monthly payments that clear the running loans elsewhere in time", "Paiements mensuels pour solder à temps les crédits externes en cours", 1),
    declare("bureau_active_annuity_sum", total(annuity_active), "amount", "other_debts", "Instalments of running loans elsewhere, total", "Mensualités des crédits externes en cours, total"),
    declare("bureau_repaid_sum", total(where(IS_ACTIVE, credit - debt)), "amount", "other_debts", "Already repaid on running loans elsewhere", "Déjà remboursé sur crédits externes en cours"),
    declare("bureau_max_overdue_share", share(col("AMT_CREDIT_MAX_OVERDUE") > 0), "share", "delays", "Share of loans elsewhere ever overdue", "Part des crédits externes déjà en retard", 1),
    declare("bureau_730d_max_overdue_max", overdue_recent.max(), "amount", "delays", "Highest amount overdue on loans opened elsewhere within two years", "Plus haut retard sur crédits externes de moins de deux ans", 1),
    declare("bureau_overran_share", share(early_end < 0), "share", "delays", "Share of loans elsewhere closed after their planned end", "Part des crédits externes clos après la fin prévue"),
    declare("bureau_end_future_share", share(end > 0), "share", "other_debts", "Share of loans elsewhere with their planned end ahead", "Part des crédits externes dont la fin prévue est à venir"),
    *(
        item
        for k in (3, 5)
        for item in (
            declare(f"bureau_latest_{k}_debt_share_mean", mean(latest(debt_share, k, *ORDER), RATIO), "share", "other_debts", f"Share still owed on the {k} latest loans elsewhere, average", f"Part restant due des {k} derniers crédits externes, moyenne", 1),
            declare(f"bureau_latest_{k}_credit_mean", mean(latest(credit, k, *ORDER)), "amount", "other_debts", f"Amount of the {k} latest loans elsewhere, average", f"Montant des {k} derniers crédits externes, moyenne"),
        )
    ),
    declare("bureau_last_type", last(col("CREDIT_TYPE"), *ORDER), "category", "other_debts", "Kind of the latest loan elsewhere", "Type du dernier crédit externe"),
    declare("bureau_last_credit", last(credit, *ORDER), "amount", "other_debts", "Amount of the latest loan elsewhere", "Montant du dernier crédit externe"),
    declare("bureau_last_duration_days", last(duration, *ORDER), "days", "other_debts", "Planned length of the latest loan elsewhere", "Durée prévue du dernier crédit externe"),
    declare("bureau_last_debt_share", last(debt_share, *ORDER), "share", "other_debts", "Share still owed on the latest loan elsewhere", "Part restant due du dernier crédit externe", 1),
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


balance = partial(Feature, table="bureau_balance")
BALANCE: tuple[Feature, ...] = (
    *statistics(balance, "balance_late_share", late_share, "share", "delays", "Share of months late on loans elsewhere", "Part des mois en retard sur crédits externes", ("mean", "max"), 1),
    *statistics(balance, "balance_late_recent_share", late_recent_share, "share", "delays", "Share of the last twelve months late elsewhere", "Part des douze derniers mois en retard ailleurs", ("mean", "max"), 1),
    balance("balance_level_mean", mean(level_mean, RATIO), "months", "delays", "Months past due elsewhere, average", "Mois de retard ailleurs, moyenne", 1),
    balance("balance_level_max", level_max.max(), "months", "delays", "Months past due elsewhere, worst", "Mois de retard ailleurs, maximum", 1),
    balance("balance_closed_share", mean(closed_share, RATIO), "share", "history_length", "Share of months with a loan elsewhere closed", "Part des mois de crédit externe clos", -1),
    balance("balance_unknown_share", mean(unknown_share, RATIO), "share", "history_length", "Share of months without news elsewhere", "Part des mois sans nouvelle ailleurs"),
    *statistics(balance, "balance_late_two_years_share", late_two_years_share, "share", "delays", "Share of the last two years' months late elsewhere", "Part des mois des deux dernières années en retard ailleurs", ("mean", "max"), 1),
    balance("balance_late_loans_share", share(level_max > 0), "share", "delays", "Share of loans elsewhere ever late", "Part des crédits externes déjà en retard mensuel", 1),
    balance("balance_paying_recent_share", mean(paying_recent_share, RATIO), "share", "other_debts", "Share of the last twelve months with a loan elsewhere paid on time", "Part des douze derniers mois de crédit externe payés à temps"),
    balance("balance_months_mean", mean(months), "months", "history_length", "Months on file per loan elsewhere, average", "Mois connus par crédit externe, moyenne"),
    balance("balance_last_late_month", last_late_month.max(), "months", "delays", "Month of the last delay elsewhere", "Mois du dernier retard ailleurs", 1),
)

TABLES = (
    HistoryTable("bureau", BUREAU),
    HistoryTable("bureau_balance", BALANCE),
)
