"""Features of the outside credit bureau: loans elsewhere (bureau) and their months (bureau_balance)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

import polars as pl

from scoring.features.base import (
    RATIO,
    Feature,
    HistoryTable,
    count,
    last,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)

declare = partial(Feature, table="bureau")
col = pl.col

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
WINDOWS = {180: ("six months", "six mois"), 365: ("a year", "un an"), 730: ("two years", "deux ans")}


def prepare_bureau(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Clean the source's odd values and add what is computed per loan."""

    def day(name: str) -> pl.Expr:
        return where(col(name) >= OLDEST_DAYS, col(name).cast(pl.Float64))

    cleaned = rows.with_columns(
        credit=where(col("AMT_CREDIT_SUM") <= LARGEST_CREDIT, col("AMT_CREDIT_SUM")),
        # 8,418 loans of the source owe less than nothing: an overpaid card, not a debt.
        debt=where(col("AMT_CREDIT_SUM_DEBT") >= 0, col("AMT_CREDIT_SUM_DEBT")),
        end=day("DAYS_CREDIT_ENDDATE"),
        ended=day("DAYS_ENDDATE_FACT"),
        updated=day("DAYS_CREDIT_UPDATE"),
        opened=col("DAYS_CREDIT").cast(pl.Float64),
    )
    return cleaned.with_columns(
        debt_share=ratio(col("debt"), col("credit")),
        duration=col("end") - col("opened"),
        early_end=col("end") - col("ended"),
        debt_active=where(IS_ACTIVE, col("debt")),
        credit_active=where(IS_ACTIVE, col("credit")),
        opened_active=where(IS_ACTIVE, col("opened")),
        opened_closed=where(IS_CLOSED, col("opened")),
        remaining=where(IS_ACTIVE & (col("end") > 0), col("end")),
    )


BUREAU: tuple[Feature, ...] = (
    declare("bureau_count", pl.len().cast(pl.Float64), "count", "history_length", "Loans on file at the credit bureau", "Crédits connus du bureau de crédit"),
    declare("bureau_active_count", count(IS_ACTIVE), "count", "other_debts", "Running loans elsewhere", "Crédits en cours ailleurs", 1),
    declare("bureau_active_share", share(IS_ACTIVE), "share", "other_debts", "Share of loans elsewhere still running", "Part des crédits externes en cours", 1),
    declare("bureau_types", col("CREDIT_TYPE").drop_nulls().n_unique().cast(pl.Float64), "count", "history_length", "Kinds of loan elsewhere", "Types de crédit ailleurs"),
    *statistics(declare, "bureau_credit", col("credit"), "amount", "other_debts", "Amount of loans elsewhere", "Montant des crédits externes", ("mean", "max", "sum")),
    *statistics(declare, "bureau_debt", col("debt"), "amount", "other_debts", "Debt on loans elsewhere", "Dette sur crédits externes", ("mean", "max", "sum")),
    *statistics(declare, "bureau_debt_share", col("debt_share"), "share", "other_debts", "Share of each loan elsewhere still owed", "Part restant due de chaque crédit externe", ("mean", "max"), 1),
    declare("bureau_debt_to_credit", ratio(total(col("debt")), total(where(col("debt").is_not_null(), col("credit")))), "share", "other_debts", "Debt elsewhere as a share of the amounts lent", "Dette externe en part des montants prêtés", 1),
    declare("bureau_active_debt_to_credit", ratio(total(col("debt_active")), total(where(col("debt_active").is_not_null(), col("credit_active")))), "share", "other_debts", "Debt on running loans as a share of the amounts lent", "Dette des crédits en cours en part des montants prêtés", 1),
    *statistics(declare, "bureau_active_debt", col("debt_active"), "amount", "other_debts", "Debt on running loans elsewhere", "Dette sur crédits externes en cours", ("mean", "max", "sum")),
    *statistics(declare, "bureau_active_credit", col("credit_active"), "amount", "other_debts", "Amount of running loans elsewhere", "Montant des crédits externes en cours", ("mean", "sum")),
    *statistics(declare, "bureau_limit", col("AMT_CREDIT_SUM_LIMIT"), "amount", "card_use", "Card limits elsewhere", "Plafonds de carte externes", ("mean", "sum")),
    *statistics(declare, "bureau_overdue", col("AMT_CREDIT_SUM_OVERDUE"), "amount", "delays", "Amount overdue elsewhere", "Montant en retard ailleurs", ("mean", "max", "sum"), 1),
    *statistics(declare, "bureau_max_overdue", col("AMT_CREDIT_MAX_OVERDUE"), "amount", "delays", "Highest amount ever overdue on loans elsewhere", "Plus haut retard sur crédits externes", ("mean", "max"), 1),
    declare("bureau_overdue_days_max", col("CREDIT_DAY_OVERDUE").max().cast(pl.Float64), "days", "delays", "Most days overdue elsewhere", "Jours de retard ailleurs, maximum", 1),
    declare("bureau_overdue_to_debt", ratio(total(col("AMT_CREDIT_SUM_OVERDUE")), total(col("debt"))), "share", "delays", "Share of the debt elsewhere that is overdue", "Part de la dette externe en retard", 1),
    declare("bureau_prolongations", total(col("CNT_CREDIT_PROLONG"), 1), "count", "delays", "Prolongations of loans elsewhere", "Prolongations de crédits externes", 1),
    *statistics(declare, "bureau_opened_days", col("opened"), "days", "history_length", "Day a loan elsewhere was opened", "Jour d'ouverture des crédits externes", ("mean", "min", "max"), 1),
    declare("bureau_active_opened_days_max", col("opened_active").max(), "days", "history_length", "Day the latest running loan was opened", "Jour d'ouverture du dernier crédit en cours", 1),
    declare("bureau_active_opened_days_mean", mean(col("opened_active")), "days", "history_length", "Day running loans were opened, average", "Jour d'ouverture des crédits en cours, moyenne", 1),
    declare("bureau_closed_opened_days_mean", mean(col("opened_closed")), "days", "history_length", "Day closed loans were opened, average", "Jour d'ouverture des crédits clos, moyenne", 1),
    *statistics(declare, "bureau_updated_days", col("updated"), "days", "history_length", "Day of the bureau's last news of a loan", "Jour de la dernière nouvelle d'un crédit externe", ("mean", "max")),
    *statistics(declare, "bureau_end_days", col("end"), "days", "other_debts", "Day a loan elsewhere is to end", "Jour de fin prévue des crédits externes", ("mean", "max")),
    *statistics(declare, "bureau_ended_days", col("ended"), "days", "history_length", "Day a loan elsewhere ended", "Jour de fin réelle des crédits externes", ("mean", "max")),
    declare("bureau_remaining_days_max", col("remaining").max(), "days", "other_debts", "Days until the last loan elsewhere ends", "Jours jusqu'à la fin du dernier crédit externe"),
    declare("bureau_duration_days_mean", mean(col("duration")), "days", "other_debts", "Planned length of loans elsewhere, average", "Durée prévue des crédits externes, moyenne"),
    declare("bureau_early_end_days_mean", mean(col("early_end")), "days", "history_length", "Days by which loans elsewhere ended early, average", "Jours d'avance à la clôture des crédits externes, moyenne"),
    *statistics(declare, "bureau_annuity", col("AMT_ANNUITY"), "amount", "other_debts", "Instalment of loans elsewhere", "Mensualité des crédits externes", ("mean", "sum")),
    *(
        item
        for key, (level, en, fr) in TYPES.items()
        for item in (
            declare(f"bureau_{key}_share", share(col("CREDIT_TYPE") == level), "share", "other_debts", f"Share of {en} among loans elsewhere", f"Part des {fr} parmi les crédits externes"),
            declare(f"bureau_{key}_debt_sum", total(where(col("CREDIT_TYPE") == level, col("debt"))), "amount", "other_debts", f"Debt on {en} elsewhere, total", f"Dette sur {fr} externes, total"),
        )
    ),
    *(
        item
        for days, (en, fr) in WINDOWS.items()
        for item in (
            declare(f"bureau_opened_{days}d_count", count(col("opened") >= -days), "count", "history_length", f"Loans opened elsewhere within {en}", f"Crédits ouverts ailleurs depuis {fr}", 1),
            declare(f"bureau_opened_{days}d_credit_sum", total(where(col("opened") >= -days, col("credit"))), "amount", "other_debts", f"Amount lent elsewhere within {en}", f"Montant prêté ailleurs depuis {fr}"),
        )
    ),
    declare("bureau_last_debt_share", last(col("debt_share"), "opened", "SK_ID_BUREAU"), "share", "other_debts", "Share still owed on the latest loan elsewhere", "Part restant due du dernier crédit externe", 1),
)

LATE = {"0": 0, "C": 0, "X": None, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5}  # months past due, worst at 5


def prepare_balance(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Sum the months of each loan up, so that a long loan weighs no more than a short one."""
    # Shares of the observed months, not counts: the later population has three times as many months on file.
    months = rows.with_columns(level=col("STATUS").replace_strict(LATE, default=None, return_dtype=pl.Int8))
    recent = col("MONTHS_BALANCE") >= -12
    return months.group_by("row", "SK_ID_BUREAU").agg(
        late_share=share(col("level") > 0),
        late_recent_share=share(where(recent, col("level")) > 0),
        level_mean=mean(col("level"), RATIO),
        level_max=col("level").max().cast(pl.Float64),
        closed_share=share(col("STATUS") == "C"),
        unknown_share=share(col("STATUS") == "X"),
        months=pl.len().cast(pl.Float64),
        last_late_month=where(col("level") > 0, col("MONTHS_BALANCE")).max().cast(pl.Float64),
    )


balance = partial(Feature, table="bureau_balance")
BALANCE: tuple[Feature, ...] = (
    *statistics(balance, "balance_late_share", col("late_share"), "share", "delays", "Share of months late on loans elsewhere", "Part des mois en retard sur crédits externes", ("mean", "max"), 1),
    *statistics(balance, "balance_late_recent_share", col("late_recent_share"), "share", "delays", "Share of the last twelve months late elsewhere", "Part des douze derniers mois en retard ailleurs", ("mean", "max"), 1),
    balance("balance_level_mean", mean(col("level_mean"), RATIO), "months", "delays", "Months past due elsewhere, average", "Mois de retard ailleurs, moyenne", 1),
    balance("balance_level_max", col("level_max").max(), "months", "delays", "Months past due elsewhere, worst", "Mois de retard ailleurs, maximum", 1),
    balance("balance_closed_share", mean(col("closed_share"), RATIO), "share", "history_length", "Share of months with a loan elsewhere closed", "Part des mois de crédit externe clos", -1),
    balance("balance_unknown_share", mean(col("unknown_share"), RATIO), "share", "history_length", "Share of months without news elsewhere", "Part des mois sans nouvelle ailleurs"),
    balance("balance_months_mean", mean(col("months")), "months", "history_length", "Months on file per loan elsewhere, average", "Mois connus par crédit externe, moyenne"),
    balance("balance_last_late_month", col("last_late_month").max(), "months", "delays", "Month of the last delay elsewhere", "Mois du dernier retard ailleurs", 1),
)

TABLES = (
    HistoryTable(
        "bureau",
        (
            "SK_ID_BUREAU",
            "CREDIT_ACTIVE",
            "CREDIT_TYPE",
            "DAYS_CREDIT",
            "CREDIT_DAY_OVERDUE",
            "DAYS_CREDIT_ENDDATE",
            "DAYS_ENDDATE_FACT",
            "AMT_CREDIT_MAX_OVERDUE",
            "CNT_CREDIT_PROLONG",
            "AMT_CREDIT_SUM",
            "AMT_CREDIT_SUM_DEBT",
            "AMT_CREDIT_SUM_LIMIT",
            "AMT_CREDIT_SUM_OVERDUE",
            "DAYS_CREDIT_UPDATE",
            "AMT_ANNUITY",
        ),
        prepare_bureau,
        BUREAU,
    ),
    HistoryTable("bureau_balance", ("SK_ID_BUREAU", "MONTHS_BALANCE", "STATUS"), prepare_balance, BALANCE),
)
