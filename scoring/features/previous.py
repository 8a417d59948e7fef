"""Features of earlier applications at this lender (previous_application)."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

import polars as pl

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

declare = partial(Feature, table="previous_application")
col = pl.col

STATUS = col("NAME_CONTRACT_STATUS")
IS_APPROVED, IS_REFUSED, IS_CANCELLED = STATUS == "Approved", STATUS == "Refused", STATUS == "Canceled"
IS_CASH, IS_CONSUMER = col("NAME_CONTRACT_TYPE") == "Cash loans", col("NAME_CONTRACT_TYPE") == "Consumer loans"
WINDOWS = {180: ("six months", "six mois"), 365: ("a year", "un an"), 730: ("two years", "deux ans")}


def prepare(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add what is computed per earlier application; cancelled ones carry amounts of 0 that mean "none"."""

    def amount(name: str) -> pl.Expr:
        return where(col(name) > 0, col(name))

    cleaned = rows.with_columns(
        # Read before 365243 becomes missing: on an approved loan it means "no last due date yet".
        is_running=IS_APPROVED & (col("DAYS_LAST_DUE") == NOT_APPLICABLE_DAYS),
        asked=amount("AMT_APPLICATION"),
        credit=amount("AMT_CREDIT"),
        annuity=amount("AMT_ANNUITY"),
        goods=amount("AMT_GOODS_PRICE"),
        term=amount("CNT_PAYMENT"),
        decided=col("DAYS_DECISION").cast(pl.Float64),
        last_due=date("DAYS_LAST_DUE"),
        last_due_planned=date("DAYS_LAST_DUE_1ST_VERSION"),
    )
    return cleaned.with_columns(
        asked_to_granted=ratio(col("asked"), col("credit")),
        credit_to_goods=ratio(col("credit"), col("goods")),
        credit_to_annuity=ratio(col("credit"), col("annuity")),
        interest=ratio(ratio(col("annuity") * col("term"), col("credit")) - 1, col("term")),
        early_days=col("last_due_planned") - col("last_due"),
        credit_approved=where(IS_APPROVED, col("credit")),
        annuity_approved=where(IS_APPROVED, col("annuity")),
        decided_approved=where(IS_APPROVED, col("decided")),
        decided_refused=where(IS_REFUSED, col("decided")),
        asked_refused=where(IS_REFUSED, col("asked")),
        annuity_running=where(col("is_running"), col("annuity")),
        credit_running=where(col("is_running"), col("credit")),
    )


FEATURES: tuple[Feature, ...] = (
    declare("previous_count", pl.len().cast(pl.Float64), "count", "history_length", "Earlier requests here", "Demandes antérieures ici"),
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
    *statistics(declare, "previous_asked", col("asked"), "amount", "earlier_requests", "Amount asked earlier", "Montant demandé auparavant", ("mean", "max")),
    *statistics(declare, "previous_credit", col("credit"), "amount", "earlier_requests", "Amount granted earlier", "Montant accordé auparavant", ("mean", "max", "sum")),
    *statistics(declare, "previous_annuity", col("annuity"), "amount", "earlier_requests", "Instalment of earlier requests", "Mensualité des demandes antérieures", ("mean", "max")),
    *statistics(declare, "previous_term", col("term"), "months", "earlier_requests", "Term of earlier requests", "Durée des demandes antérieures", ("mean", "max", "sum")),
    *statistics(declare, "previous_asked_to_granted", col("asked_to_granted"), "ratio", "earlier_requests", "Amount asked over amount granted", "Montant demandé sur montant accordé", ("mean", "max")),
    declare("previous_credit_to_goods_mean", mean(col("credit_to_goods"), RATIO), "ratio", "earlier_requests", "Earlier loans over price of the goods, average", "Prêts antérieurs sur prix du bien, moyenne"),
    *statistics(declare, "previous_credit_to_annuity", col("credit_to_annuity"), "ratio", "earlier_requests", "Earlier loans over their instalment", "Prêts antérieurs sur leur mensualité", ("mean", "max")),
    *statistics(declare, "previous_interest", col("interest"), "share", "earlier_requests", "Simple interest a month of earlier loans", "Intérêt simple mensuel des prêts antérieurs", ("mean", "max"), 1),
    *statistics(declare, "previous_down_payment_rate", col("RATE_DOWN_PAYMENT"), "share", "earlier_requests", "Down payment of earlier purchases", "Apport des achats antérieurs", ("mean", "max"), -1),
    *statistics(declare, "previous_decided_days", col("decided"), "days", "history_length", "Day of earlier decisions", "Jour des décisions antérieures", ("mean", "min", "max")),
    declare("previous_approved_decided_days_max", col("decided_approved").max(), "days", "earlier_requests", "Day of the latest approval", "Jour du dernier accord"),
    declare("previous_approved_decided_days_min", col("decided_approved").min(), "days", "history_length", "Day of the first approval", "Jour du premier accord", 1),
    declare("previous_refused_decided_days_max", col("decided_refused").max(), "days", "earlier_requests", "Day of the latest refusal", "Jour du dernier refus", 1),
    *statistics(declare, "previous_approved_credit", col("credit_approved"), "amount", "earlier_requests", "Amount of approved loans", "Montant des prêts acceptés", ("mean", "max", "min")),
    *statistics(declare, "previous_approved_annuity", col("annuity_approved"), "amount", "earlier_requests", "Instalment of approved loans", "Mensualité des prêts acceptés", ("mean", "max")),
    *statistics(declare, "previous_refused_asked", col("asked_refused"), "amount", "earlier_requests", "Amount asked and refused", "Montant demandé et refusé", ("mean", "max")),
    declare("previous_running_count", count(col("is_running")), "count", "other_debts", "Running loans here", "Crédits en cours ici"),
    declare("previous_running_annuity_sum", total(col("annuity_running")), "amount", "other_debts", "Instalments of running loans here, total", "Mensualités des crédits en cours ici, total"),
    declare("previous_running_credit_sum", total(col("credit_running")), "amount", "other_debts", "Amount of running loans here, total", "Montant des crédits en cours ici, total"),
    declare("previous_early_days_mean", mean(col("early_days")), "days", "earlier_requests", "Days by which earlier loans were repaid early, average", "Jours d'avance au remboursement des prêts, moyenne"),
    *(
        item
        for days, (en, fr) in WINDOWS.items()
        for item in (
            declare(f"previous_{days}d_count", count(col("decided") >= -days), "count", "earlier_requests", f"Requests here within {en}", f"Demandes ici depuis {fr}"),
            declare(f"previous_refused_{days}d_count", count(IS_REFUSED & (col("decided") >= -days)), "count", "earlier_requests", f"Requests refused here within {en}", f"Demandes refusées ici depuis {fr}", 1),
        )
    ),
    declare("previous_last_product", last(col("PRODUCT_COMBINATION"), "DAYS_DECISION", "SK_ID_PREV"), "category", "earlier_requests", "Product of the latest request", "Produit de la dernière demande"),
    declare("previous_last_status", last(STATUS, "DAYS_DECISION", "SK_ID_PREV"), "category", "earlier_requests", "Outcome of the latest request", "Issue de la dernière demande"),
    declare("previous_last_credit", last(col("credit"), "DAYS_DECISION", "SK_ID_PREV"), "amount", "earlier_requests", "Amount of the latest request", "Montant de la dernière demande"),
)

TABLE = HistoryTable(
    "previous_application",
    (
        "SK_ID_PREV",
        "NAME_CONTRACT_TYPE",
        "NAME_CONTRACT_STATUS",
        "AMT_ANNUITY",
        "AMT_APPLICATION",
        "AMT_CREDIT",
        "AMT_GOODS_PRICE",
        "RATE_DOWN_PAYMENT",
        "DAYS_DECISION",
        "CODE_REJECT_REASON",
        "NAME_CLIENT_TYPE",
        "NAME_GOODS_CATEGORY",
        "NAME_PRODUCT_TYPE",
        "CNT_PAYMENT",
        "NAME_YIELD_GROUP",
        "PRODUCT_COMBINATION",
        "DAYS_LAST_DUE_1ST_VERSION",
        "DAYS_LAST_DUE",
        "NFLAG_INSURED_ON_APPROVAL",
    ),
    prepare,
    FEATURES,
)
