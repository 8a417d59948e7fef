"""Features of earlier applications at this lender (previous_application)."""

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
    date,
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
from scoring.features.terms import Term
from scoring.features.vocabulary import col, length
from scoring.schema import NO_DATE

declare = partial(Feature, table="previous_application")

STATUS = col("NAME_CONTRACT_STATUS")
IS_APPROVED, IS_REFUSED, IS_CANCELLED = STATUS == "Approved", STATUS == "Refused", STATUS == "Canceled"
IS_CASH, IS_CONSUMER = col("NAME_CONTRACT_TYPE") == "Cash loans", col("NAME_CONTRACT_TYPE") == "Consumer loans"
WINDOWS = {
    90: ("three months", "trois mois"),
    180: ("six months", "six mois"),
    365: ("a year", "un an"),
    730: ("two years", "deux ans"),
}
ORDER = ("DAYS_DECISION", "SK_ID_PREV")


def amount(name: str) -> Term:
    """Give an amount; on cancelled requests 0 means none."""
    return where(col(name) > 0, col(name))


def monthly_rate(interest: Term, term: Term) -> Term:
    """Give the interest a month of a loan repaid in ``term`` equal instalments.

    ``interest`` is all of it, as a share of the loan. The direct-ratio formula of consumer-credit textbooks
    solves the annuity equation in closed form, to 1.5 % of the rate up to 24 instalments at 3 % a month.
    """
    return ratio(interest * 6, (term + 1) * 3 + interest * (term - 1))


# Read before 365243 becomes missing: on an approved loan it means "no last due date yet".
is_running = IS_APPROVED & (col("DAYS_LAST_DUE") == NO_DATE)
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
first_due, ends, first_drawn = date("DAYS_FIRST_DUE"), date("DAYS_TERMINATION"), date("DAYS_FIRST_DRAWING")
down_payment = col("AMT_DOWN_PAYMENT")
rate = monthly_rate(ratio(annuity * term, credit) - 1, term)
rate_approved, rate_refused = where(IS_APPROVED, rate), where(IS_REFUSED, rate)
credit_less_asked = credit - asked
term_approved, goods_approved = where(IS_APPROVED, term), where(IS_APPROVED, goods)
# 365243 as the day a card was first drawn on: it never was.
is_card = IS_APPROVED & (col("NAME_CONTRACT_TYPE") == "Revolving loans")
is_card_unused = where(is_card, col("DAYS_FIRST_DRAWING")) == NO_DATE
# Equal instalments: what is left of a running loan falls with the time that has passed of its plan.
due_left = where(is_running & (last_due_planned > 0), divided(annuity * last_due_planned, DAYS_A_MONTH))


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
    *statistics(declare, "previous_rate", rate_approved, "share", "earlier_requests", "Interest a month of approved loans, by their instalments", "Intérêt mensuel des prêts acceptés, selon leurs mensualités", ("mean", "max", "min"), 1),
    declare("previous_refused_rate_mean", mean(rate_refused, RATIO), "share", "earlier_requests", "Interest a month of refused requests, average", "Intérêt mensuel des demandes refusées, moyenne", 1),
    declare("previous_last_rate", last(rate, *ORDER), "share", "earlier_requests", "Interest a month of the latest request", "Intérêt mensuel de la dernière demande"),
    *statistics(declare, "previous_credit_less_asked", credit_less_asked, "amount", "earlier_requests", "Amount granted less amount asked", "Montant accordé moins montant demandé", ("mean", "max", "min")),
    *statistics(declare, "previous_approved_term", term_approved, "months", "earlier_requests", "Term of approved loans", "Durée des prêts acceptés", ("mean", "max")),
    declare("previous_approved_goods_max", goods_approved.max(), "amount", "earlier_requests", "Highest price of goods financed", "Prix le plus élevé d'un bien financé"),
    *statistics(declare, "previous_down_payment", down_payment, "amount", "earlier_requests", "Down payment of earlier purchases, in money", "Apport des achats antérieurs, en montant", ("mean", "max"), -1),
    *statistics(declare, "previous_planned_end_days", last_due_planned, "days", "other_debts", "Day the last instalment of a loan here was planned", "Jour prévu de la dernière échéance des prêts ici", ("mean", "max", "min")),
    *statistics(declare, "previous_first_due_days", first_due, "days", "history_length", "Day of the first instalment of loans here", "Jour de la première échéance des prêts ici", ("mean", "max", "min"), 1),
    *statistics(declare, "previous_end_days", ends, "days", "history_length", "Day a loan here ended", "Jour de fin des prêts ici", ("mean", "max")),
    declare("previous_first_drawn_days_max", first_drawn.max(), "days", "card_use", "Day a card was first drawn on", "Jour du premier usage d'une carte", 1),
    declare("previous_card_unused_share", share(is_card_unused), "share", "card_use", "Share of cards never used", "Part des cartes jamais utilisées", -1),
    declare("previous_due_left_sum", total(due_left), "amount", "other_debts", "Instalments left of running loans here, total", "Échéances restant dues des crédits en cours ici, total", 1),
    declare("previous_early_share", share(early_days > 0), "share", "earlier_requests", "Share of earlier loans repaid early", "Part des prêts antérieurs remboursés par anticipation"),
    declare("previous_revolving_share", share(col("NAME_CONTRACT_TYPE") == "Revolving loans"), "share", "earlier_requests", "Share of cards among earlier requests", "Part des cartes parmi les demandes antérieures"),
    declare("previous_cash_refused_share", share(where(IS_CASH, STATUS) == "Refused"), "share", "earlier_requests", "Share of earlier cash loan requests refused", "Part des demandes de prêt en espèces refusées", 1),
    declare("previous_consumer_refused_share", share(where(IS_CONSUMER, STATUS) == "Refused"), "share", "earlier_requests", "Share of earlier purchase loan requests refused", "Part des demandes de prêt d'achat refusées", 1),
    declare("previous_cash_approved_credit_mean", mean(where(IS_CASH & IS_APPROVED, credit)), "amount", "earlier_requests", "Amount of approved cash loans, average", "Montant des prêts en espèces acceptés, moyenne"),
    declare("previous_consumer_approved_credit_mean", mean(where(IS_CONSUMER & IS_APPROVED, credit)), "amount", "earlier_requests", "Amount of approved purchase loans, average", "Montant des prêts d'achat acceptés, moyenne"),
    declare("previous_policy_refused_count", count(col("CODE_REJECT_REASON") == "HC"), "count", "earlier_requests", "Earlier refusals by the lender's rules", "Refus antérieurs par les règles du prêteur", 1),
    declare("previous_purpose_share", share(~col("NAME_CASH_LOAN_PURPOSE").is_in(["XAP", "XNA"])), "share", "earlier_requests", "Share of earlier requests with a need stated", "Part des demandes avec un besoin déclaré", 1),
    declare("previous_seller_area_mean", mean(where(col("SELLERPLACE_AREA") >= 0, col("SELLERPLACE_AREA")), 1), "count", "earlier_requests", "Size of the selling place, average", "Taille du lieu de vente, moyenne"),
    declare("previous_hour_mean", mean(col("HOUR_APPR_PROCESS_START"), RATIO), "count", "earlier_requests", "Hour of earlier requests, average", "Heure des demandes antérieures, moyenne", is_plain=False),
    declare("previous_gap_days_mean", ratio(decided.max() - decided.min(), decided.count() - 1), "days", "earlier_requests", "Days between one request here and the next, average", "Jours entre deux demandes ici, moyenne"),
    declare("previous_365d_approved_credit_sum", total(where(decided >= -365, credit_approved)), "amount", "other_debts", "Amount approved here within a year", "Montant accordé ici depuis un an"),
    declare("previous_365d_approved_share", share(where(decided >= -365, STATUS) == "Approved"), "share", "earlier_requests", "Share of requests here approved within a year", "Part des demandes acceptées ici depuis un an", -1),
    *(
        item
        for k in (3, 5)
        for item in (
            declare(f"previous_latest_{k}_refused_share", share(latest(IS_REFUSED, k, *ORDER)), "share", "earlier_requests", f"Share of the {k} latest requests refused", f"Part des {k} dernières demandes refusées", 1),
            declare(f"previous_latest_{k}_approved_share", share(latest(IS_APPROVED, k, *ORDER)), "share", "earlier_requests", f"Share of the {k} latest requests approved", f"Part des {k} dernières demandes acceptées", -1),
            declare(f"previous_latest_{k}_credit_mean", mean(latest(credit, k, *ORDER)), "amount", "earlier_requests", f"Amount of the {k} latest requests, average", f"Montant des {k} dernières demandes, moyenne"),
            declare(f"previous_latest_{k}_rate_mean", mean(latest(rate, k, *ORDER), RATIO), "share", "earlier_requests", f"Interest a month of the {k} latest requests, average", f"Intérêt mensuel des {k} dernières demandes, moyenne"),
            declare(f"previous_latest_{k}_down_payment_rate_mean", mean(latest(col("RATE_DOWN_PAYMENT"), k, *ORDER), RATIO), "share", "earlier_requests", f"Down payment of the {k} latest requests, average", f"Apport des {k} dernières demandes, moyenne", -1),
        )
    ),
    declare("previous_last_reject_reason", last(col("CODE_REJECT_REASON"), *ORDER), "category", "earlier_requests", "Reason of refusal of the latest request", "Motif de refus de la dernière demande"),
    declare("previous_last_channel", last(col("CHANNEL_TYPE"), *ORDER), "category", "earlier_requests", "Sales channel of the latest request", "Canal de vente de la dernière demande"),
    declare("previous_last_yield", last(col("NAME_YIELD_GROUP"), *ORDER), "category", "earlier_requests", "Level of interest of the latest request", "Niveau d'intérêt de la dernière demande"),
    declare("previous_last_goods", last(col("NAME_GOODS_CATEGORY"), *ORDER), "category", "earlier_requests", "Kind of goods of the latest request", "Nature du bien de la dernière demande"),
    declare("previous_last_annuity", last(annuity, *ORDER), "amount", "earlier_requests", "Instalment of the latest request", "Mensualité de la dernière demande"),
    declare("previous_last_term", last(term, *ORDER), "months", "earlier_requests", "Term of the latest request", "Durée de la dernière demande"),
    declare("previous_last_product", last(col("PRODUCT_COMBINATION"), *ORDER), "category", "earlier_requests", "Product of the latest request", "Produit de la dernière demande"),
    declare("previous_last_status", last(STATUS, *ORDER), "category", "earlier_requests", "Outcome of the latest request", "Issue de la dernière demande"),
    declare("previous_last_credit", last(credit, *ORDER), "amount", "earlier_requests", "Amount of the latest request", "Montant de la dernière demande"),
)

TABLE = HistoryTable("previous_application", FEATURES)
