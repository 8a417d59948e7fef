"""The causes that a decision is explained by: features of one group share their weight and their words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """A family of features that a person would call one cause.

    Attributes
    ----------
    en, fr : str
        Heading.
    reason_en, reason_fr : str
        Sentence that says the cause speaks against the application; empty: never to be given as a reason.
    """

    en: str
    fr: str
    reason_en: str = ""
    reason_fr: str = ""


GROUPS: dict[str, Group] = {
    "external_score": Group(
        "Outside score",
        "Note externe",
        "The score received from an external agency is low",
        "La note reçue d'un organisme externe est basse",
    ),
    "request": Group(
        "Present request",
        "Demande actuelle",
        "The loan asked for is heavy for the income or the purchase",
        "Le prêt demandé est lourd au regard des revenus ou de l'achat",
    ),
    "other_debts": Group(
        "Other loans",
        "Autres crédits",
        "A large part of other loans is still to be repaid",
        "Une grande part des autres crédits reste à rembourser",
    ),
    "delays": Group(
        "Repayment delays",
        "Retards de paiement",
        "Past instalments were paid late or in part",
        "Des échéances passées ont été payées en retard ou en partie",
    ),
    "card_use": Group(
        "Use of credit cards",
        "Usage des cartes de crédit",
        "Credit cards are used close to their limit",
        "Les cartes de crédit sont utilisées près de leur plafond",
    ),
    "earlier_requests": Group(
        "Earlier requests",
        "Demandes antérieures",
        "Earlier loan requests were refused or made on costly terms",
        "Des demandes antérieures ont été refusées ou accordées à des conditions coûteuses",
    ),
    "history_length": Group(
        "Length of the credit history",
        "Ancienneté de l'historique de crédit",
        "The credit history is short or recent",
        "L'historique de crédit est court ou récent",
    ),
    "stability": Group(
        "Work and stability",
        "Emploi et stabilité",
        "The work or the address situation is recent or less stable",
        "La situation d'emploi ou de domicile est récente ou moins stable",
    ),
    "enquiries": Group(
        "Credit enquiries",
        "Demandes de renseignements",
        "Several credit enquiries were made recently",
        "Plusieurs demandes de renseignements sont récentes",
    ),
    "home": Group(
        "Home and region",
        "Logement et région",
        "The home and the region weigh on the estimate",
        "Le logement et la région pèsent sur l'estimation",
    ),
    # Age, household, gender: never a reason, whatever the policy lets the model read (Reg B, GDPR art. 22).
    "person": Group("Person", "Personne"),
    # What acquaintances owe is known to the model, but nobody is told that they answer for others.
    "circle": Group("Social circle", "Entourage"),
}
