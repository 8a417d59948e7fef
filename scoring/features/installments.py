"""Features of the payments of earlier loans (installments_payments)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import (
    RATIO,
    Feature,
    HistoryTable,
    count,
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

declare = partial(Feature, table="installments_payments")

LATE_DAYS = (0, 7, 30)
WINDOWS = {
    60: ("the last two months", "les deux derniers mois"),
    90: ("the last three months", "les trois derniers mois"),
    180: ("the last six months", "les six derniers mois"),
    365: ("the last year", "la dernière année"),
    1095: ("the last three years", "les trois dernières années"),
}
SIGNIFICANT = 0.05  # an instalment short by less than this share is not counted as unpaid


# The source has one row per payment, and some instalments are paid in parts.
instalment = Grouping("SK_ID_PREV", "NUM_INSTALMENT_NUMBER", "DAYS_INSTALMENT", "AMT_INSTALMENT")
loan, on, due = instalment.key("SK_ID_PREV"), instalment.key("DAYS_INSTALMENT"), instalment.key("AMT_INSTALMENT")
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


def window(days: int, en: str, fr: str) -> list[Feature]:
    """Declare the delays of the instalments due within a number of days."""
    inside = on >= -days
    return [
        declare(f"installment_{days}d_late_share", share(where(inside, late_days) > 0), "share", "delays", f"Share of instalments paid late in {en}", f"Part des échéances payées en retard sur {fr}", 1),
        declare(f"installment_{days}d_late_days_mean", mean(where(inside, late_days), RATIO), "days", "delays", f"Days late in {en}, average", f"Jours de retard sur {fr}, moyenne", 1),
        declare(f"installment_{days}d_underpaid_sum", total(where(inside, underpaid)), "amount", "delays", f"Amount underpaid in {en}", f"Montant impayé sur {fr}", 1),
        declare(f"installment_{days}d_paid_sum", total(where(inside, paid)), "amount", "delays", f"Amount paid in {en}", f"Montant payé sur {fr}"),
    ]


FEATURES: tuple[Feature, ...] = (
    declare("installment_count", parts.count(), "count", "history_length", "Past instalments", "Échéances passées"),
    declare("installment_loans", loan.n_unique(), "count", "history_length", "Loans with past instalments", "Prêts avec échéances passées"),
    *statistics(declare, "installment_late_days", late_days, "days", "delays", "Days late on past instalments", "Jours de retard des échéances passées", ("mean", "max"), 1),
    *statistics(declare, "installment_early_days", early_days, "days", "delays", "Days early on past instalments", "Jours d'avance des échéances passées", ("mean", "max")),
    *(
        declare(f"installment_late_{days}_share" if days else "installment_late_share", share(late_days > days), "share", "delays", f"Share of instalments paid more than {days} days late" if days else "Share of instalments paid late", f"Part des échéances payées avec plus de {days} jours de retard" if days else "Part des échéances payées en retard", 1)
        for days in LATE_DAYS
    ),
    declare("installment_late_count", count(late_days > 0), "count", "delays", "Instalments paid late", "Échéances payées en retard", 1),
    *statistics(declare, "installment_underpaid", underpaid, "amount", "delays", "Amount underpaid on instalments", "Montant impayé des échéances", ("mean", "max", "sum"), 1),
    declare("installment_underpaid_share", share(is_underpaid), "share", "delays", "Share of instalments not fully paid", "Part des échéances non entièrement payées", 1),
    declare("installment_never_paid_count", count(is_never_paid), "count", "delays", "Instalments never paid", "Échéances jamais payées", 1),
    declare("installment_overpaid_mean", mean(overpaid), "amount", "delays", "Amount overpaid on instalments, average", "Montant payé en trop des échéances, moyenne"),
    declare("installment_paid_to_due", ratio(total(paid), total(due)), "share", "delays", "Amount paid over amount due", "Montant payé sur montant dû", -1),
    declare("installment_paid_to_due_min", paid_to_due.min(), "share", "delays", "Amount paid over amount due, smallest", "Montant payé sur montant dû, minimum"),
    *statistics(declare, "installment_due", due, "amount", "history_length", "Instalment due", "Échéance due", ("mean", "max")),
    *statistics(declare, "installment_paid", paid, "amount", "history_length", "Instalment paid", "Échéance payée", ("min", "mean", "max", "sum")),
    declare("installment_parts_share", share(parts > 1), "share", "delays", "Share of instalments paid in parts", "Part des échéances payées en plusieurs fois"),
    declare("installment_calendar_change_share", share(is_calendar_change), "share", "delays", "Share of instalments on a changed calendar", "Part des échéances à calendrier modifié"),
    declare("installment_first_late_share", share(where(instalment.key("NUM_INSTALMENT_NUMBER") <= 4, late_days) > 0), "share", "delays", "Share of the first four instalments paid late", "Part des quatre premières échéances payées en retard", 1),
    declare("installment_first_days", on.min(), "days", "history_length", "Day of the first instalment", "Jour de la première échéance", 1),
    declare("installment_last_days", on.max(), "days", "history_length", "Day of the latest instalment", "Jour de la dernière échéance"),
    *(item for days, (en, fr) in WINDOWS.items() for item in window(days, en, fr)),
    *(
        item
        for k in (3, 10, 50)
        for item in (
            declare(f"installment_latest_{k}_late_share", share(latest(late_days, k, *ORDER) > 0), "share", "delays", f"Share of the {k} latest instalments paid late", f"Part des {k} dernières échéances payées en retard", 1),
            declare(f"installment_latest_{k}_late_days_mean", mean(latest(late_days, k, *ORDER), RATIO), "days", "delays", f"Days late on the {k} latest instalments, average", f"Jours de retard des {k} dernières échéances, moyenne", 1),
            declare(f"installment_latest_{k}_paid_to_due", ratio(total(latest(paid, k, *ORDER)), total(latest(due, k, *ORDER))), "share", "delays", f"Amount paid over amount due on the {k} latest instalments", f"Montant payé sur montant dû des {k} dernières échéances", -1),
        )
    ),
    declare("installment_late_trend", share(where(on >= -180, late_days) > 0) - share(late_days > 0), "share", "delays", "Share paid late within six months, less the share over all time", "Part payée en retard sur six mois, moins la part de toujours", is_plain=False),
    declare("installment_late_due_share", ratio(total(late_due), total(due)), "share", "delays", "Share of the money due that was paid late", "Part des sommes dues payée en retard", 1),
    declare("installment_late_days_by_money", ratio(total(late_money), total(where(late_days.is_not_null(), due))), "days", "delays", "Days late, weighted by the instalments' amounts", "Jours de retard, pondérés par le montant des échéances", 1),
    declare("installment_due_min", due.min(), "amount", "history_length", "Instalment due, smallest", "Échéance due, minimum"),
    declare("installment_due_sum", total(due), "amount", "history_length", "Instalments due, total", "Échéances dues, total"),
    declare("installment_1000d_short_mean", mean(where(on >= -1000, due - paid)), "amount", "delays", "Amount due less amount paid within a thousand days, average", "Montant dû moins montant payé sur mille jours, moyenne", 1),
    declare("installment_365d_due_max", where(on >= -365, due).max(), "amount", "other_debts", "Largest instalment within a year", "Plus grande échéance depuis un an"),
)

TABLE = HistoryTable("installments_payments", FEATURES)
