"""Features of earlier applications at this lender (previous_application)."""

from __future__ import annotations

from scoring.features.base import (
    DAYS_A_MONTH,
    RATIO,
    Feature,
    HistoryTable,
    count,
    date,
    declaring,
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

history, requests, debts, cards = declaring(
    "previous_application", "history_length", "earlier_requests", "other_debts", "card_use"
)

STATUS = col("NAME_CONTRACT_STATUS")
IS_APPROVED, IS_REFUSED, IS_CANCELLED = STATUS == "Approved", STATUS == "Refused", STATUS == "Canceled"
IS_CASH, IS_CONSUMER = (
    col("NAME_CONTRACT_TYPE") == "Cash loans",
    col("NAME_CONTRACT_TYPE") == "Consumer loans",
)
WINDOWS = (90, 180, 365, 730)
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

yield_group, product = where(IS_APPROVED, col("NAME_YIELD_GROUP")), col("NAME_PRODUCT_TYPE")
rejected_for, has_purpose = col("CODE_REJECT_REASON"), ~col("NAME_CASH_LOAN_PURPOSE").is_in(["XAP", "XNA"])
credit_cash, credit_consumer = where(IS_CASH & IS_APPROVED, credit), where(IS_CONSUMER & IS_APPROVED, credit)
seller_area = where(col("SELLERPLACE_AREA") >= 0, col("SELLERPLACE_AREA"))
status_year, down_rate = where(decided >= -365, STATUS), col("RATE_DOWN_PAYMENT")


FEATURES: tuple[Feature, ...] = (
    history("previous_count", length(), "count", reason="below"),
    requests("previous_approved_share", share(IS_APPROVED), "share", -1),
    requests("previous_refused_share", share(IS_REFUSED), "share", 1),
    requests("previous_refused_count", count(IS_REFUSED), "count", 1),
    requests("previous_cancelled_share", share(IS_CANCELLED), "share"),
    requests("previous_approved_count", count(IS_APPROVED), "count"),
    requests("previous_cash_share", share(IS_CASH), "share"),
    requests("previous_consumer_share", share(IS_CONSUMER), "share"),
    requests("previous_new_client_share", share(col("NAME_CLIENT_TYPE") == "New"), "share"),
    requests("previous_high_yield_share", share(yield_group == "high"), "share", 1),
    requests("previous_low_yield_share", share(yield_group.is_in(["low_action", "low_normal"])), "share", -1),
    requests("previous_walk_in_share", share(product == "walk-in"), "share", 1, reason="never"),
    requests("previous_x_sell_share", share(product == "x-sell"), "share"),
    requests("previous_insured_share", share(col("NFLAG_INSURED_ON_APPROVAL") == 1), "share"),
    requests("previous_score_refused_count", count(rejected_for.is_in(["SCO", "SCOFR"])), "count", 1),
    requests("previous_limit_refused_count", count(rejected_for == "LIMIT"), "count", 1),
    requests("previous_phone_goods_share", share(col("NAME_GOODS_CATEGORY") == "Mobile"), "share"),
    *statistics(requests, "previous_asked", asked, "amount", ("mean", "max")),
    *statistics(requests, "previous_credit", credit, "amount", ("mean", "max", "sum")),
    *statistics(requests, "previous_annuity", annuity, "amount", ("mean", "max")),
    *statistics(requests, "previous_term", term, "months", ("mean", "max", "sum")),
    *statistics(requests, "previous_asked_to_granted", asked_to_granted, "ratio", ("mean", "max")),
    requests("previous_credit_to_goods_mean", mean(credit_to_goods, RATIO), "ratio"),
    *statistics(requests, "previous_credit_to_annuity", credit_to_annuity, "ratio", ("mean", "max")),
    *statistics(requests, "previous_interest", interest, "share", ("mean", "max"), 1),
    *statistics(
        requests, "previous_down_payment_rate", down_rate, "share", ("mean", "max"), -1, reason="never"
    ),
    *statistics(history, "previous_decided_days", decided, "date", ("mean", "min"), reason="above"),
    *statistics(history, "previous_decided_days", decided, "date", ("max",)),
    requests("previous_approved_decided_days_max", decided_approved.max(), "date"),
    history("previous_approved_decided_days_min", decided_approved.min(), "date", 1),
    requests("previous_refused_decided_days_max", decided_refused.max(), "date", 1),
    *statistics(requests, "previous_approved_credit", credit_approved, "amount", ("mean", "max", "min")),
    *statistics(requests, "previous_approved_annuity", annuity_approved, "amount", ("mean", "max")),
    *statistics(requests, "previous_refused_asked", asked_refused, "amount", ("mean", "max")),
    debts("previous_running_count", count(is_running), "count", reason="above"),
    debts("previous_running_annuity_sum", total(annuity_running), "amount", reason="above"),
    debts("previous_running_credit_sum", total(credit_running), "amount", reason="above"),
    requests("previous_early_days_mean", mean(early_days), "days"),
    *(
        item
        for days in WINDOWS
        for item in (
            requests(f"previous_{days}d_count", count(decided >= -days), "count"),
            requests(f"previous_refused_{days}d_count", count(IS_REFUSED & (decided >= -days)), "count", 1),
        )
    ),
    *statistics(requests, "previous_rate", rate_approved, "share", ("mean", "max", "min"), 1),
    requests("previous_refused_rate_mean", mean(rate_refused, RATIO), "share", 1),
    requests("previous_last_rate", last(rate, *ORDER), "share", reason="above"),
    *statistics(requests, "previous_credit_less_asked", credit_less_asked, "amount", ("mean", "max", "min")),
    *statistics(requests, "previous_approved_term", term_approved, "months", ("mean", "max")),
    requests("previous_approved_goods_max", goods_approved.max(), "amount"),
    *statistics(
        requests, "previous_down_payment", down_payment, "amount", ("mean", "max"), -1, reason="never"
    ),
    *statistics(debts, "previous_planned_end_days", last_due_planned, "date", ("mean", "max", "min")),
    *statistics(history, "previous_first_due_days", first_due, "date", ("mean", "max", "min"), 1),
    *statistics(history, "previous_end_days", ends, "date", ("mean", "max")),
    cards("previous_first_drawn_days_max", first_drawn.max(), "date", 1, reason="never"),
    cards("previous_card_unused_share", share(is_card_unused), "share", -1, reason="never"),
    debts("previous_due_left_sum", total(due_left), "amount", 1),
    requests("previous_early_share", share(early_days > 0), "share"),
    requests("previous_revolving_share", share(col("NAME_CONTRACT_TYPE") == "Revolving loans"), "share"),
    requests("previous_cash_refused_share", share(where(IS_CASH, STATUS) == "Refused"), "share", 1),
    requests("previous_consumer_refused_share", share(where(IS_CONSUMER, STATUS) == "Refused"), "share", 1),
    requests("previous_cash_approved_credit_mean", mean(credit_cash), "amount"),
    requests("previous_consumer_approved_credit_mean", mean(credit_consumer), "amount"),
    requests("previous_policy_refused_count", count(rejected_for == "HC"), "count", 1),
    requests("previous_purpose_share", share(has_purpose), "share", 1, reason="never"),
    requests("previous_seller_area_mean", mean(seller_area, 1), "count"),
    requests("previous_hour_mean", mean(col("HOUR_APPR_PROCESS_START"), RATIO), "count", is_plain=False),
    requests("previous_gap_days_mean", ratio(decided.max() - decided.min(), decided.count() - 1), "days"),
    debts("previous_365d_approved_credit_sum", total(where(decided >= -365, credit_approved)), "amount"),
    requests("previous_365d_approved_share", share(status_year == "Approved"), "share", -1),
    *(
        item
        for k in (3, 5)
        for item in (
            requests(f"previous_latest_{k}_refused_share", share(latest(IS_REFUSED, k, *ORDER)), "share", 1),
            requests(
                f"previous_latest_{k}_approved_share", share(latest(IS_APPROVED, k, *ORDER)), "share", -1
            ),
            requests(f"previous_latest_{k}_credit_mean", mean(latest(credit, k, *ORDER)), "amount"),
            requests(
                f"previous_latest_{k}_rate_mean",
                mean(latest(rate, k, *ORDER), RATIO),
                "share",
                reason="above",
            ),
            requests(
                f"previous_latest_{k}_down_payment_rate_mean",
                mean(latest(down_rate, k, *ORDER), RATIO),
                "share",
                -1,
                reason="never",
            ),
        )
    ),
    requests("previous_last_reject_reason", last(rejected_for, *ORDER), "category"),
    requests("previous_last_channel", last(col("CHANNEL_TYPE"), *ORDER), "category"),
    requests("previous_last_yield", last(col("NAME_YIELD_GROUP"), *ORDER), "category"),
    requests("previous_last_goods", last(col("NAME_GOODS_CATEGORY"), *ORDER), "category"),
    requests("previous_last_annuity", last(annuity, *ORDER), "amount"),
    requests("previous_last_term", last(term, *ORDER), "months"),
    requests("previous_last_product", last(col("PRODUCT_COMBINATION"), *ORDER), "category"),
    requests("previous_last_status", last(STATUS, *ORDER), "category"),
    requests("previous_last_credit", last(credit, *ORDER), "amount"),
)

TABLE = HistoryTable("previous_application", FEATURES)
