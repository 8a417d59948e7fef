"""The causes that a decision is explained by: features of one group share their weight and their words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Words = tuple[str, str]  # in English and in French
Side = Literal[-1, 0, 1]


@dataclass(frozen=True, slots=True)
class Group:
    """A family of features that a person would call one cause, and what is said when it is a reason.

    A sentence is only said where a fact of the application bears it out: see `scoring.explanation`.

    Attributes
    ----------
    en, fr : str
        Heading.
    claim : tuple of str, optional
        What is wrong, in English and French; a fact on the risky side bears it out. None: nothing is claimed.
    weighs : tuple of str, optional
        That the cause weighs, without saying how. None: the group is never given as a reason.
    unknown : tuple of str, optional
        That little is known of it.
    sides : mapping of str to {-1, 0, 1}
        Which side of the usual value bears the claim out (+1: above), for features whose direction of risk is
        not declared; 0: a feature of declared direction that says something else than the claim.
    """

    en: str
    fr: str
    claim: Words | None = None
    weighs: Words | None = None
    unknown: Words | None = None
    sides: Mapping[str, Side] = field(default_factory=dict)

    @property
    def is_told(self) -> bool:
        """Whether the group may be given as a reason."""
        return self.weighs is not None


def _sides(above: str = "", below: str = "", neither: str = "") -> dict[str, Side]:
    sides: tuple[tuple[str, Side], ...] = ((above, 1), (below, -1), (neither, 0))
    return {name: side for names, side in sides for name in names.split()}


GROUPS: dict[str, Group] = {
    "external_score": Group(
        "External score",
        "Note externe",
        (
            "The score received from an external agency is low",
            "La note reçue d'un organisme externe est basse",
        ),
        (
            "The scores received from external agencies weigh on the estimate",
            "Les notes reçues d'organismes externes pèsent sur l'estimation",
        ),
        (
            "A score from an external agency is missing",
            "La note d'un organisme externe manque",
        ),
    ),
    "request": Group(
        "Present request",
        "Demande actuelle",
        (
            "The loan asked for is heavy for the income, the purchase or what was repaid before",
            "Le prêt demandé est lourd au regard des revenus, de l'achat ou des remboursements passés",
        ),
        (
            "The kind and the terms of the loan asked for weigh on the estimate",
            "La nature et les conditions du prêt demandé pèsent sur l'estimation",
        ),
        (
            "Little or nothing is known to compare the loan asked for with",
            "Peu ou pas d'éléments permettent de situer le prêt demandé",
        ),
        _sides(
            above="AMT_CREDIT AMT_ANNUITY credit_to_income goods_to_income request_to_bureau_largest "
            "credit_to_previous_last annuity_to_previous_last goods_to_previous_largest "
            "annuity_to_installment_largest annuity_to_installment_year",
            below="AMT_INCOME_TOTAL income_less_annuity installment_paid_to_annuity_mean "
            "installment_paid_to_annuity_max",
        ),
    ),
    "other_debts": Group(
        "Other loans",
        "Autres crédits",
        (
            "Other loans are heavy or largely still to be repaid",
            "Les autres crédits sont lourds ou restent en grande partie à rembourser",
        ),
        (
            "The kind and the terms of other loans weigh on the estimate",
            "La nature et les conditions des autres crédits pèsent sur l'estimation",
        ),
        (
            "Little or nothing is known about other loans",
            "Peu ou rien n'est connu des autres crédits",
        ),
        _sides(
            above="bureau_debt_mean bureau_debt_max bureau_debt_sum bureau_active_debt_mean "
            "bureau_active_debt_max bureau_active_debt_sum bureau_active_credit_mean "
            "bureau_active_credit_max bureau_active_credit_sum bureau_annuity_mean bureau_annuity_sum "
            "bureau_active_annuity_sum bureau_consumer_active_count bureau_card_active_count "
            "bureau_consumer_debt_sum bureau_card_debt_sum bureau_mortgage_debt_sum bureau_car_debt_sum "
            "bureau_micro_debt_sum bureau_remaining_days_max bureau_remaining_days_mean "
            "previous_running_count previous_running_annuity_sum previous_running_credit_sum "
            "pos_remaining_sum pos_remaining_share_mean pos_remaining_share_min pos_loans_now "
            "pos_last_remaining bureau_active_credit_to_income bureau_debt_to_income "
            "bureau_annuity_to_annuity monthly_burden debt_with_request_to_income bureau_debt_to_request"
        ),
    ),
    "delays": Group(
        "Repayment delays",
        "Retards de paiement",
        (
            "Past instalments were paid late or in part",
            "Des échéances passées ont été payées en retard ou en partie",
        ),
        (
            "The way past instalments were paid weighs on the estimate",
            "La façon dont les échéances passées ont été payées pèse sur l'estimation",
        ),
        (
            "Little or nothing is known about past repayments",
            "Peu ou rien n'est connu des remboursements passés",
        ),
        _sides(above="bureau_overran_share", below="installment_paid_to_due_min"),
    ),
    "card_use": Group(
        "Use of credit cards",
        "Usage des cartes de crédit",
        (
            "Credit cards are used heavily",
            "Les cartes de crédit sont fortement utilisées",
        ),
        (
            "The use of credit cards weighs on the estimate",
            "L'usage des cartes de crédit pèse sur l'estimation",
        ),
        (
            "Little or nothing is known about the use of credit cards",
            "Peu ou rien n'est connu de l'usage des cartes de crédit",
        ),
        _sides(neither="previous_first_drawn_days_max previous_card_unused_share"),
    ),
    "earlier_requests": Group(
        "Earlier requests",
        "Demandes antérieures",
        (
            "Earlier loan requests were refused or made on costly terms",
            "Des demandes antérieures ont été refusées ou accordées à des conditions coûteuses",
        ),
        (
            "The kind and the terms of earlier requests weigh on the estimate",
            "La nature et les conditions des demandes antérieures pèsent sur l'estimation",
        ),
        (
            "Little or nothing is known about earlier requests",
            "Peu ou rien n'est connu des demandes antérieures",
        ),
        _sides(
            above="previous_last_rate previous_latest_3_rate_mean previous_latest_5_rate_mean",
            neither="previous_walk_in_share previous_purpose_share previous_down_payment_rate_mean "
            "previous_down_payment_rate_max previous_down_payment_mean previous_down_payment_max "
            "previous_latest_3_down_payment_rate_mean previous_latest_5_down_payment_rate_mean",
        ),
    ),
    "history_length": Group(
        "Length and size of the credit history",
        "Ancienneté et ampleur de l'historique de crédit",
        (
            "The credit history is short, recent or small",
            "L'historique de crédit est court, récent ou mince",
        ),
        (
            "The credit history weighs on the estimate",
            "L'historique de crédit pèse sur l'estimation",
        ),
        (
            "Little or nothing is known about the credit history",
            "Peu ou rien n'est connu de l'historique de crédit",
        ),
        _sides(
            above="bureau_consumer_opened_days_max bureau_card_opened_days_max previous_decided_days_mean "
            "previous_decided_days_min card_first_month",
            below="bureau_count bureau_types bureau_closed_count bureau_closed_credit_mean "
            "bureau_closed_credit_max balance_months_mean previous_count pos_loans pos_12m_count card_count "
            "installment_count installment_loans installment_due_mean installment_due_max "
            "installment_due_min installment_due_sum installment_paid_min installment_paid_mean "
            "installment_paid_max installment_paid_sum",
            neither="balance_closed_share pos_completed_share",
        ),
    ),
    "stability": Group(
        "Work and stability",
        "Emploi et stabilité",
        (
            "The work or the address situation is recent or less stable",
            "La situation d'emploi ou de domicile est récente ou moins stable",
        ),
        (
            "The work, the education and the contact details weigh on the estimate",
            "L'emploi, les études et les coordonnées pèsent sur l'estimation",
        ),
        (
            "Little or nothing is known about the work and the address",
            "Peu ou rien n'est connu de l'emploi et du domicile",
        ),
        _sides(
            above="is_not_employed REG_REGION_NOT_LIVE_REGION REG_REGION_NOT_WORK_REGION "
            "LIVE_REGION_NOT_WORK_REGION REG_CITY_NOT_LIVE_CITY REG_CITY_NOT_WORK_CITY "
            "LIVE_CITY_NOT_WORK_CITY"
        ),
    ),
    "new_credit": Group(
        "New credit",
        "Nouveaux crédits",
        (
            "Credit was sought or opened recently, or often",
            "Des crédits ont été demandés ou ouverts récemment, ou souvent",
        ),
        (
            "Enquiries and new loans weigh on the estimate",
            "Les demandes de renseignements et les nouveaux crédits pèsent sur l'estimation",
        ),
        (
            "Little or nothing is known about recent enquiries and loans",
            "Peu ou rien n'est connu des demandes et crédits récents",
        ),
        _sides(
            above="AMT_REQ_CREDIT_BUREAU_HOUR AMT_REQ_CREDIT_BUREAU_DAY AMT_REQ_CREDIT_BUREAU_WEEK "
            "AMT_REQ_CREDIT_BUREAU_MON AMT_REQ_CREDIT_BUREAU_QRT AMT_REQ_CREDIT_BUREAU_YEAR enquiries "
            "enquiries_recent_share"
        ),
    ),
    "home": Group(
        "Home and region",
        "Logement et région",
        weighs=(
            "The home and the region weigh on the estimate",
            "Le logement et la région pèsent sur l'estimation",
        ),
        unknown=(
            "Little or nothing is known about the home",
            "Peu ou rien n'est connu du logement",
        ),
    ),
    # Age, household, gender: never a reason, whatever the policy lets the model read (Reg B, GDPR art. 22).
    "person": Group("Person", "Personne"),
    # What acquaintances owe is known to the model, but nobody is told that they answer for others.
    "circle": Group("Social circle", "Entourage"),
}
