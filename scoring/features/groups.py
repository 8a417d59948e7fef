"""The causes that a decision is explained by: features of one group share their weight and their words."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.language import Text


@dataclass(frozen=True, slots=True)
class Group:
    """A family of features that a person would call one cause, and what is said when it is a reason.

    A sentence is only said where a fact of the application bears it out: see `scoring.explanation`.

    Attributes
    ----------
    title : Text
        Heading.
    claim : Text, optional
        What is wrong; a fact on the risky side bears it out. None: nothing is claimed.
    weighs : Text, optional
        That the cause weighs, without saying how. None: the group is never given as a reason.
    unknown : Text, optional
        That little is known of it.
    """

    title: Text
    claim: Text | None = None
    weighs: Text | None = None
    unknown: Text | None = None

    @property
    def gives_reasons(self) -> bool:
        """Whether the group may be given as a reason."""
        return self.weighs is not None


def _group(key: str, title: str, **sentences: str) -> tuple[str, Group]:
    """Declare a group: the texts' keys are ``group.<key>`` and ``group.<key>.<sentence>``."""
    said = {name: Text(f"group.{key}.{name}", words) for name, words in sentences.items()}
    return key, Group(Text(f"group.{key}", title), **said)


GROUPS: dict[str, Group] = dict(
    (
        _group(
            "external_score",
            "External score",
            claim="The score received from an external agency is low",
            weighs="The scores received from external agencies weigh on the estimate",
            unknown="A score from an external agency is missing",
        ),
        _group(
            "request",
            "Present request",
            claim="The loan asked for is heavy for the income, the purchase or what was repaid before",
            weighs="The kind and the terms of the loan asked for weigh on the estimate",
            unknown="Little or nothing is known to compare the loan asked for with",
        ),
        _group(
            "other_debts",
            "Other loans",
            claim="Other loans are heavy or largely still to be repaid",
            weighs="The kind and the terms of other loans weigh on the estimate",
            unknown="Little or nothing is known about other loans",
        ),
        _group(
            "delays",
            "Repayment delays",
            claim="Past instalments were paid late or in part",
            weighs="The way past instalments were paid weighs on the estimate",
            unknown="Little or nothing is known about past repayments",
        ),
        _group(
            "card_use",
            "Use of credit cards",
            claim="Credit cards are used heavily",
            weighs="The use of credit cards weighs on the estimate",
            unknown="Little or nothing is known about the use of credit cards",
        ),
        _group(
            "earlier_requests",
            "Earlier requests",
            claim="Earlier loan requests were refused or made on costly terms",
            weighs="The kind and the terms of earlier requests weigh on the estimate",
            unknown="Little or nothing is known about earlier requests",
        ),
        _group(
            "history_length",
            "Length and size of the credit history",
            claim="The credit history is short, recent or small",
            weighs="The credit history weighs on the estimate",
            unknown="Little or nothing is known about the credit history",
        ),
        _group(
            "stability",
            "Work and stability",
            claim="The work or the address situation is recent or less stable",
            weighs="The work, the education and the contact details weigh on the estimate",
            unknown="Little or nothing is known about the work and the address",
        ),
        _group(
            "new_credit",
            "New credit",
            claim="Credit was sought or opened recently, or often",
            weighs="Enquiries and new loans weigh on the estimate",
            unknown="Little or nothing is known about recent enquiries and loans",
        ),
        _group(
            "home",
            "Home and region",
            weighs="The home and the region weigh on the estimate",
            unknown="Little or nothing is known about the home",
        ),
        # Age, household, gender: never a reason, whatever the policy lets the model read (Reg B,
        # GDPR art. 22).
        _group("person", "Person"),
        # What acquaintances owe is known to the model, but nobody is told that they answer for others.
        _group("circle", "Social circle"),
    )
)
