"""Features that set history against the present request: written over raw columns and aggregates together."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial

from scoring.features.application import age, annuity, credit, employed, ext_mean, goods, income
from scoring.features.base import DAYS_A_YEAR, Feature, divided, ratio
from scoring.features.vocabulary import col, sum_horizontal

declare = partial(Feature, table="cross")

FEATURES: tuple[Feature, ...] = (
    declare("bureau_credit_to_income", ratio(col("bureau_credit_mean"), income), "ratio", "other_debts", "Loans elsewhere over income", "Crédits externes sur revenus"),
    declare("bureau_active_credit_to_income", ratio(col("bureau_active_credit_sum"), income), "ratio", "other_debts", "Running loans elsewhere over income", "Crédits externes en cours sur revenus"),
    declare("bureau_debt_to_income", ratio(col("bureau_debt_sum"), income), "ratio", "other_debts", "Debt elsewhere over income", "Dette externe sur revenus"),
    declare("bureau_annuity_to_annuity", ratio(col("bureau_annuity_mean"), annuity), "ratio", "other_debts", "Instalments elsewhere over the one asked for", "Mensualités externes sur la mensualité demandée"),
    declare("bureau_opened_to_age", ratio(divided(-col("bureau_opened_days_min"), DAYS_A_YEAR), age), "share", "history_length", "Age of the credit file as a share of age", "Ancienneté du dossier de crédit en part de l'âge"),
    declare("monthly_burden", ratio(sum_horizontal(annuity, col("previous_running_annuity_sum"), col("bureau_annuity_sum")), income), "share", "other_debts", "All instalments as a share of income", "Toutes les mensualités en part des revenus"),
    declare("previous_credit_to_credit_mean", ratio(col("previous_approved_credit_mean"), credit), "ratio", "earlier_requests", "Earlier loans over the one asked for, average", "Prêts antérieurs sur le prêt demandé, moyenne"),
    declare("previous_credit_to_credit_max", ratio(col("previous_approved_credit_max"), credit), "ratio", "earlier_requests", "Largest earlier loan over the one asked for", "Plus grand prêt antérieur sur le prêt demandé"),
    declare("previous_annuity_to_annuity_mean", ratio(col("previous_approved_annuity_mean"), annuity), "ratio", "earlier_requests", "Earlier instalments over the one asked for, average", "Mensualités antérieures sur la mensualité demandée, moyenne"),
    declare("previous_annuity_to_annuity_max", ratio(col("previous_approved_annuity_max"), annuity), "ratio", "earlier_requests", "Largest earlier instalment over the one asked for", "Plus grande mensualité antérieure sur celle demandée"),
    declare("previous_duration_to_duration", ratio(col("previous_credit_to_annuity_mean"), ratio(credit, annuity)), "ratio", "earlier_requests", "Earlier durations over the one asked for", "Durées antérieures sur la durée demandée"),
    declare("previous_decided_to_employed", ratio(divided(-col("previous_decided_days_mean"), DAYS_A_YEAR), employed), "ratio", "history_length", "Age of earlier decisions over years in the job", "Ancienneté des décisions sur ancienneté d'emploi", is_plain=False),
    declare("installment_paid_to_annuity_mean", ratio(col("installment_paid_mean"), annuity), "ratio", "request", "Past payments over the instalment asked for, average", "Paiements passés sur la mensualité demandée, moyenne"),
    declare("installment_paid_to_annuity_max", ratio(col("installment_due_max"), annuity), "ratio", "request", "Largest past instalment over the one asked for", "Plus grande échéance passée sur la mensualité demandée"),
    declare("installment_year_paid_to_income", ratio(col("installment_365d_paid_sum"), income), "share", "other_debts", "Paid back here within a year over income", "Remboursé ici en un an sur revenus"),
    declare("bureau_due_to_income", ratio(col("bureau_due_monthly_sum"), income), "share", "other_debts", "Monthly payments on loans elsewhere as a share of income", "Paiements mensuels des crédits externes en part des revenus", 1),
    declare("debt_with_request_to_income", ratio(sum_horizontal(credit, col("bureau_active_debt_sum"), col("previous_due_left_sum")), income), "ratio", "other_debts", "All debt, this loan included, over income", "Toutes les dettes, ce prêt compris, sur revenus"),
    declare("due_with_request_to_income", ratio(sum_horizontal(annuity, col("bureau_due_monthly_sum"), col("previous_running_annuity_sum")), income), "share", "other_debts", "All monthly payments, this loan included, as a share of income", "Tous les paiements mensuels, ce prêt compris, en part des revenus", 1),
    declare("bureau_debt_to_request", ratio(col("bureau_debt_sum"), credit), "ratio", "other_debts", "Debt elsewhere over the loan asked for", "Dette externe sur le prêt demandé"),
    declare("request_to_bureau_largest", ratio(credit, col("bureau_credit_max")), "ratio", "request", "Loan asked for over the largest loan elsewhere", "Prêt demandé sur le plus grand crédit externe"),
    declare("bureau_opened_mean_to_age", ratio(divided(-col("bureau_opened_days_mean"), DAYS_A_YEAR), age), "share", "history_length", "Average age of loans elsewhere as a share of age", "Ancienneté moyenne des crédits externes en part de l'âge"),
    declare("bureau_opened_mean_to_employed", ratio(divided(-col("bureau_opened_days_mean"), DAYS_A_YEAR), employed), "ratio", "history_length", "Average age of loans elsewhere over years in the job", "Ancienneté moyenne des crédits externes sur ancienneté d'emploi", is_plain=False),
    declare("previous_decided_to_age", ratio(divided(-col("previous_decided_days_mean"), DAYS_A_YEAR), age), "share", "history_length", "Age of earlier decisions as a share of age", "Ancienneté des décisions en part de l'âge"),
    declare("credit_to_previous_last", ratio(credit, col("previous_last_credit")), "ratio", "request", "Loan asked for over the latest one", "Prêt demandé sur le dernier"),
    declare("annuity_to_previous_last", ratio(annuity, col("previous_last_annuity")), "ratio", "request", "Instalment asked for over the latest one", "Mensualité demandée sur la dernière"),
    declare("goods_to_previous_largest", ratio(goods, col("previous_approved_goods_max")), "ratio", "request", "Price of the goods over the highest financed before", "Prix du bien sur le plus élevé déjà financé"),
    declare("annuity_to_installment_largest", ratio(annuity, col("installment_due_max")), "ratio", "request", "Instalment asked for over the largest ever paid", "Mensualité demandée sur la plus grande échéance passée"),
    declare("annuity_to_installment_year", ratio(annuity, col("installment_365d_due_max")), "ratio", "request", "Instalment asked for over the largest within a year", "Mensualité demandée sur la plus grande échéance depuis un an"),
    declare("card_drawn_to_income", ratio(col("card_drawn_mean"), income), "ratio", "card_use", "Drawn by card a month over income", "Tiré par carte par mois sur revenus", 1),
    declare("ext_mean_less_debt", ext_mean - col("bureau_debt_to_credit"), "points", "external_score", "Average external score less the share of debt elsewhere", "Moyenne des notes externes moins la part de dette externe", -1, is_plain=False),
    declare("requests_to_age", ratio(col("previous_count"), age), "ratio", "earlier_requests", "Earlier requests here per year of age", "Demandes antérieures ici par année d'âge"),
    declare("loans_a_year", ratio(col("bureau_count"), divided(-col("bureau_opened_days_min"), DAYS_A_YEAR)), "ratio", "new_credit", "Loans elsewhere per year of the credit file", "Crédits externes par année de dossier", 1),
    declare("card_balance_to_income", ratio(col("card_balance_mean"), income), "ratio", "card_use", "Card balance over income", "Solde de carte sur revenus", 1),
)
