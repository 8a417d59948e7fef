"""Features of earlier applications at this lender (previous_application)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.base import (
    NOT_APPLICABLE_DAYS,
    RATIO,
    Feature,
    HistoryTable,
    count,
    date,
    last,
    mean,
    ratio,
    share,
    statistics,
    total,
    where,
)
from scoring.features.terms import Term, col, length

declare = partial(Feature, table="previous_application")

STATUS = col("NAME_CONTRACT_STATUS")
IS_APPROVED, IS_REFUSED, IS_CANCELLED = STATUS == "Approved", STATUS == "Refused", STATUS == "Canceled"
IS_CASH, IS_CONSUMER = col("NAME_CONTRACT_TYPE") == "Cash loans", col("NAME_CONTRACT_TYPE") == "Consumer loans"
WINDOWS = {180: ("six months", "six mois"), 365: ("a year", "un an"), 730: ("two years", "deux ans")}


def amount(name: str) -> Term:
    """Give an amount; on cancelled requests 0 means none."""
    return where(col(name) > 0, col(name))


# Read before 365243 becomes missing: on an approved loan it means "no last due date yet".
is_running = IS_APPROVED & (col("DAYS_LAST_DUE") == NOT_APPLICABLE_DAYS)
asked = amount("AMT_APPLICATION")
credit = amount("AMT_CREDIT")
annuity = amount("AMT_ANNUITY")
goods = amount("AMT_GOODS_PRICE")
term = amount("CNT_PAYMENT")
decided = col("DAYS_DECISION")
last_due = date("DAYS_LAST_DUE")
last_due_planned = date("DAYS_LAST_DUE_1ST_VERSION")
asked_to_granted = ratio(asked, credit)
credit_to_goods = ratio(credit, goods)
credit_to_annuity = ratio(credit, annuity)
interest = ratio(ratio(annuity * term, credit) - 1, term)
early_days = last_due_planned - last_due
credit_approved = where(IS_APPROVED, credit)
annuity_approved = where(IS_APPROVED, annuity)
decided_approved = where(IS_APPROVED, decided)
decided_refused = where(IS_REFUSED, decided)
asked_refused = where(IS_REFUSED, asked)
annuity_running = where(is_running, annuity)
credit_running = where(is_running, credit)


FEATURES: tuple[Feature, ...] = (
    declare("previous_count", length(), "count", "history_length", "Earlier requests here", "Demandes antérieures ici"),
    declare("previous_approved_share", share(IS_APPROVED), "share", "earlier_requests", "Share of earlier requests approved", "Part des demandes antérieures acceptées", -1),
    declare("previous_refused_share", share(IS_REFUSED), "share", "earlier_requests", "Share of earlier requests refused", "Part des demandes antérieures refusées", 1),
    declare("previous_refused_count", count(IS_REFUSED), "count", "earlier_requests", "Earlier requests refused", "Demandes antérieures refusées", 1),
    declare("previous_cancelled_share", share(IS_CANCELLED), "share", "earlier_requests", "Share of earlier requests cancelled", "Part des demandes antérieures annulées"),
    declare("previous_approved_count", count(IS_APPROVED), "count", "earlier_requests", "Earlier requests approved", "Demandes antérieures acceptées"),
    declare("previous_cash_share", share(IS_CASH), "share", "earlier_requests", "Share of cash loans among earlier requests", "Part des prêts en espèces parmi les demandes"),
    declare("previous_consumer_share", share(IS_CONSUMER), "share", "earlier_requests", "Share of purchase loans among earlier requests", "Part des prêts d'achat parmi les demandes"),
    declare("previous_new_client_share", share(col("NAME_CLIENT_TYPE") == "New"), "share", "earlier_requests", "Share of earlier requests as a new client", "Part des demandes en tant que nouveau client"),
    declare("previous_high_yield_share", share(where(IS_APPROVED, col("NAME_YIELD_GROUP")) == "high"), "share", "earlier_requests", "Share of earlier loans at a high rate", "Part des prêts antérieurs à taux élevé", 1),
    declare("previous_low_yield_share", share(where(IS_APPROVED, col("NAME_YIELD_GROUP")).is_in(["low_action", "low_normal"])), "share", "earlier_requests", "Share of earlier loans at a low rate", "Part des prêts antérieurs à taux bas", -1),
    declare("previous_walk_in_share", share(col("NAME_PRODUCT_TYPE") == "walk-in"), "share", "earlier_requests", "Share of earlier requests made at a desk unasked", "Part des demandes faites spontanément au guichet", 1),
    declare("previous_x_sell_share", share(col("NAME_PRODUCT_TYPE") == "x-sell"), "share", "earlier_requests", "Share of earlier requests answering an offer", "Part des demandes répondant à une offre"),
    declare("previous_insured_share", share(col("NFLAG_INSURED_ON_APPROVAL") == 1), "share", "earlier_requests", "Share of earlier loans insured", "Part des prêts antérieurs assurés"),
    declare("previous_score_refused_count", count(col("CODE_REJECT_REASON").is_in(["SCO", "SCOFR"])), "count", "earlier_requests", "Earlier refusals for the score", "Refus antérieurs liés au score", 1),
    declare("previous_limit_refused_count", count(col("CODE_REJECT_REASON") == "LIMIT"), "count", "earlier_requests", "Earlier refusals for the limit", "Refus antérieurs liés au plafond", 1),
    declare("previous_phone_goods_share", share(col("NAME_GOODS_CATEGORY") == "Mobile"), "share", "earlier_requests", "Share of earlier requests for a telephone", "Part des demandes pour un téléphone"),
    *statistics(declare, "previous_asked", asked, "amount", "earlier_requests", "Amount asked earlier", "Montant demandé auparavant", ("mean", "max")),
    *statistics(declare, "previous_credit", credit, "amount", "earlier_requests", "Amount granted earlier", "Montant accordé auparavant", ("mean", "max", "sum")),
    *statistics(declare, "previous_annuity", annuity, "amount", "earlier_requests", "Instalment of earlier requests", "Mensualité des demandes antérieures", ("mean", "max")),
    *statistics(declare, "previous_term", term, "months", "earlier_requests", "Term of earlier requests", "Durée des demandes antérieures", ("mean", "max", "sum")),
    *statistics(declare, "previous_asked_to_granted", asked_to_granted, "ratio", "earlier_requests", "Amount asked over amount granted", "Montant demandé sur montant accordé", ("mean", "max")),
    declare("previous_credit_to_goods_mean", mean(credit_to_goods, RATIO), "ratio", "earlier_requests", "Earlier loans over price of the goods, average", "Prêts antérieurs sur prix du bien, moyenne"),
    *statistics(declare, "previous_credit_to_annuity", credit_to_annuity, "ratio", "earlier_requests", "Earlier loans over their instalment", "Prêts antérieurs sur leur mensualité", ("mean", "max")),
    *statistics(declare, "previous_interest", interest, "share", "earlier_requests", "Simple interest a month of earlier loans", "Intérêt simple mensuel des prêts antérieurs", ("mean", "max"), 1),
    *statistics(declare, "previous_down_payment_rate", col("RATE_DOWN_PAYMENT"), "share", "earlier_requests", "Down payment of earlier purchases", "Apport des achats antérieurs", ("mean", "max"), -1),
    *statistics(declare, "previous_decided_days", decided, "days", "history_length", "Day of earlier decisions", "Jour des décisions antérieures", ("mean", "min", "max")),
    declare("previous_approved_decided_days_max", decided_approved.max(), "days", "earlier_requests", "Day of the latest approval", "Jour du dernier accord"),
    declare("previous_approved_decided_days_min", decided_approved.min(), "days", "history_length", "Day of the first approval", "Jour du premier accord", 1),
    declare("previous_refused_decided_days_max", decided_refused.max(), "days", "earlier_requests", "Day of the latest refusal", "Jour du dernier refus", 1),
    *statistics(declare, "previous_approved_credit", credit_approved, "amount", "earlier_requests", "Amount of approved loans", "Montant des prêts acceptés", ("mean", "max", "min")),
    *statistics(declare, "previous_approved_annuity", annuity_approved, "amount", "earlier_requests", "Instalment of approved loans", "Mensualité des prêts acceptés", ("mean", "max")),
    *statistics(declare, "previous_refused_asked", asked_refused, "amount", "earlier_requests", "Amount asked and refused", "Montant demandé et refusé", ("mean", "max")),
    declare("previous_running_count", count(is_running), "count", "other_debts", "Running loans here", "Crédits en cours ici"),
    declare("previous_running_annuity_sum", total(annuity_running), "amount", "other_debts", "Instalments of running loans here, total", "Mensualités des crédits en cours ici, total"),
    declare("previous_running_credit_sum", total(credit_running), "amount", "other_debts", "Amount of running loans here, total", "Montant des crédits en cours ici, total"),
    declare("previous_early_days_mean", mean(early_days), "days", "earlier_requests", "Days by which earlier loans were repaid early, average", "Jours d'avance au remboursement des prêts, moyenne"),
    *(
        item
        for days, (en, fr) in WINDOWS.items()
        for item in (
            declare(f"previous_{days}d_count", count(decided >= -days), "count", "earlier_requests", f"Requests here within {en}", f"Demandes ici depuis {fr}"),
            declare(f"previous_refused_{days}d_count", count(IS_REFUSED & (decided >= -days)), "count", "earlier_requests", f"Requests refused here within {en}", f"Demandes refusées ici depuis {fr}", 1),
        )
    ),
    declare("previous_last_product", last(col("PRODUCT_COMBINATION"), "DAYS_DECISION", "SK_ID_PREV"), "category", "earlier_requests", "Product of the latest request", "Produit de la dernière demande"),
    declare("previous_last_status", last(STATUS, "DAYS_DECISION", "SK_ID_PREV"), "category", "earlier_requests", "Outcome of the latest request", "Issue de la dernière demande"),
    declare("previous_last_credit", last(credit, "DAYS_DECISION", "SK_ID_PREV"), "amount", "earlier_requests", "Amount of the latest request", "Montant de la dernière demande"),
)

TABLE = HistoryTable("previous_application", FEATURES)
