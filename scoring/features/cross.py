"""Features that set history against the present request: written over raw columns and aggregates together."""

from __future__ import annotations

from scoring.features.application import age, annuity, credit, employed, ext_mean, goods, income
from scoring.features.base import DAYS_A_YEAR, Feature, declaring, divided, positive, ratio
from scoring.features.vocabulary import col, sum_horizontal

debts, history, requests, request, cards, scores, new_credit = declaring(
    "cross",
    "other_debts",
    "history_length",
    "earlier_requests",
    "request",
    "card_use",
    "external_score",
    "new_credit",
)

active_credit, earlier_duration = col("bureau_active_credit_sum"), col("previous_credit_to_annuity_mean")
approved_annuity, largest_annuity = (
    col("previous_approved_annuity_mean"),
    col("previous_approved_annuity_max"),
)
largest_goods, paid = col("previous_approved_goods_max"), col("installment_paid_mean")
largest_due, year_due = col("installment_due_max"), col("installment_365d_due_max")
running_annuity = col("previous_running_annuity_sum")
# In years: the age of the credit file, of the loans elsewhere, of the earlier decisions.
credit_file = divided(-col("bureau_opened_days_min"), DAYS_A_YEAR)
loans_age = divided(-col("bureau_opened_days_mean"), DAYS_A_YEAR)
decisions_age = divided(-col("previous_decided_days_mean"), DAYS_A_YEAR)
# With the loan asked for: all instalments, all that must be paid a month to be clear in time, all debt.
instalments = sum_horizontal(annuity, running_annuity, col("bureau_annuity_sum"))
all_due = sum_horizontal(annuity, col("bureau_due_monthly_sum"), running_annuity)
all_debt = sum_horizontal(credit, col("bureau_active_debt_sum"), col("previous_due_left_sum"))


FEATURES: tuple[Feature, ...] = (
    debts("bureau_credit_to_income", ratio(col("bureau_credit_mean"), income), "ratio", 1, reason="never"),
    debts("bureau_active_credit_to_income", ratio(active_credit, income), "ratio", 1),
    debts("bureau_debt_to_income", ratio(positive(col("bureau_debt_sum")), income), "ratio", 1),
    history("bureau_opened_to_age", ratio(credit_file, age), "share"),
    debts("monthly_burden", ratio(instalments, income), "share", 1),
    requests(
        "previous_credit_to_credit_mean",
        ratio(col("previous_approved_credit_mean"), credit),
        "ratio",
        -1,
        reason="never",
    ),
    requests(
        "previous_credit_to_credit_max",
        ratio(col("previous_approved_credit_max"), credit),
        "ratio",
        -1,
        reason="never",
    ),
    requests(
        "previous_annuity_to_annuity_mean", ratio(approved_annuity, annuity), "ratio", -1, reason="never"
    ),
    requests("previous_annuity_to_annuity_max", ratio(largest_annuity, annuity), "ratio", -1, reason="never"),
    requests("previous_duration_to_duration", ratio(earlier_duration, ratio(credit, annuity)), "ratio"),
    history("previous_decided_to_employed", ratio(decisions_age, employed), "ratio", is_plain=False),
    request("installment_paid_to_annuity_mean", ratio(paid, annuity), "ratio", -1),
    request("installment_paid_to_annuity_max", ratio(largest_due, annuity), "ratio", -1),
    debts(
        "installment_year_paid_to_income",
        ratio(col("installment_365d_paid_sum"), income),
        "share",
        1,
        reason="never",
    ),
    debts("bureau_due_to_income", ratio(col("bureau_due_monthly_sum"), income), "share", 1),
    debts("debt_with_request_to_income", ratio(positive(all_debt), income), "ratio", 1),
    debts("due_with_request_to_income", ratio(all_due, income), "share", 1),
    request("request_to_bureau_largest", ratio(credit, col("bureau_credit_max")), "ratio", 1),
    history("bureau_opened_mean_to_age", ratio(loans_age, age), "share"),
    history("bureau_opened_mean_to_employed", ratio(loans_age, employed), "ratio", is_plain=False),
    history("previous_decided_to_age", ratio(decisions_age, age), "share"),
    request("credit_to_previous_last", ratio(credit, col("previous_last_credit")), "ratio", 1),
    request("annuity_to_previous_last", ratio(annuity, col("previous_last_annuity")), "ratio", 1),
    request("goods_to_previous_largest", ratio(goods, largest_goods), "ratio", 1),
    request("annuity_to_installment_largest", ratio(annuity, largest_due), "ratio", 1),
    request("annuity_to_installment_year", ratio(annuity, year_due), "ratio", 1),
    cards("card_drawn_to_income", ratio(positive(col("card_drawn_mean")), income), "ratio", 1),
    scores("ext_mean_less_debt", ext_mean - col("bureau_debt_to_credit"), "points", -1, is_plain=False),
    requests("requests_to_age", ratio(col("previous_count"), age), "ratio"),
    new_credit("loans_a_year", ratio(col("bureau_count"), credit_file), "ratio", 1),
    cards("card_balance_to_income", ratio(positive(col("card_balance_mean")), income), "ratio", 1),
)
