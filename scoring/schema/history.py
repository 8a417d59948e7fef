"""The six history tables: one record class each, with the columns of the Kaggle files.

In a request a record belongs to the application that carries it, so SK_ID_CURR may be left out. Amounts
that may be negative, and 365243 for "no such date", are as the source has them.
"""

# One column, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from scoring.schema import levels
from scoring.schema.columns import (
    Amount,
    Category,
    Count,
    Days,
    Flag,
    Hour,
    Identifier,
    Integer,
    Number,
    OptionalIdentifier,
    PastDays,
    PastMonths,
    Record,
    SignedAmount,
    column,
)


class Bureau(Record):
    """One credit at another lender, as the credit bureau reports it."""

    SK_ID_CURR: OptionalIdentifier = column("Application number", "Numéro de demande")
    SK_ID_BUREAU: OptionalIdentifier = column("Number of the bureau credit", "Numéro du crédit au bureau")
    CREDIT_ACTIVE: Category = column("Status of the credit", "Statut du crédit", levels=levels.BUREAU_STATUSES)
    CREDIT_CURRENCY: Category = column("Currency", "Devise", levels=levels.CURRENCIES)
    DAYS_CREDIT: PastDays = column("Day of the request for this credit", "Jour de la demande de ce crédit")
    CREDIT_DAY_OVERDUE: Count = column("Days past due now", "Jours de retard actuels")
    DAYS_CREDIT_ENDDATE: Days = column("Day of the planned end", "Jour de la fin prévue")
    DAYS_ENDDATE_FACT: PastDays = column("Day of the actual end", "Jour de la fin effective")
    AMT_CREDIT_MAX_OVERDUE: Amount = column("Highest amount overdue so far", "Montant maximal en retard à ce jour")
    CNT_CREDIT_PROLONG: Count = column("Times prolonged", "Nombre de prolongations")
    AMT_CREDIT_SUM: Amount = column("Amount of the credit", "Montant du crédit")
    AMT_CREDIT_SUM_DEBT: SignedAmount = column("Debt left", "Dette restante")
    AMT_CREDIT_SUM_LIMIT: SignedAmount = column("Limit of the credit card", "Plafond de la carte de crédit")
    AMT_CREDIT_SUM_OVERDUE: Amount = column("Amount overdue now", "Montant en retard actuel")
    CREDIT_TYPE: Category = column("Type of credit", "Type de crédit", levels=levels.BUREAU_CREDIT_TYPES)
    DAYS_CREDIT_UPDATE: Days = column("Day of the last report", "Jour de la dernière information")
    AMT_ANNUITY: Amount = column("Instalment", "Mensualité")


class BureauBalance(Record):
    """The status of one bureau credit in one month."""

    SK_ID_BUREAU: Identifier = column("Number of the bureau credit", "Numéro du crédit au bureau", required=True)
    MONTHS_BALANCE: PastMonths = column("Month (0 = the request's)", "Mois (0 = celui de la demande)")
    STATUS: Category = column("Status in the month (C closed, X unknown, 0-5 days past due)", "Statut du mois (C clos, X inconnu, 0-5 retard)", levels=levels.MONTH_STATUSES)


class PreviousApplication(Record):
    """One earlier request at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request", "Numéro de la demande antérieure")
    SK_ID_CURR: OptionalIdentifier = column("Application number", "Numéro de demande")
    NAME_CONTRACT_TYPE: Category = column("Type of loan", "Type de prêt", levels=levels.PREVIOUS_CONTRACT_TYPES)
    AMT_ANNUITY: Amount = column("Instalment", "Mensualité")
    AMT_APPLICATION: Amount = column("Amount asked for", "Montant demandé")
    AMT_CREDIT: Amount = column("Amount granted", "Montant accordé")
    AMT_DOWN_PAYMENT: SignedAmount = column("Down payment", "Apport")  # the source has -0.9
    AMT_GOODS_PRICE: Amount = column("Price of the goods", "Prix du bien")
    WEEKDAY_APPR_PROCESS_START: Category = column("Weekday of the request", "Jour de la demande", levels=levels.WEEKDAYS)
    HOUR_APPR_PROCESS_START: Hour = column("Hour of the request", "Heure de la demande")
    FLAG_LAST_APPL_PER_CONTRACT: Category = column("Last request of its contract", "Dernière demande du contrat", levels=levels.YES_NO)
    NFLAG_LAST_APPL_IN_DAY: Flag = column("Last request of its day", "Dernière demande de la journée")
    RATE_DOWN_PAYMENT: Number = column("Down payment rate (normalised)", "Taux d'apport (normalisé)")  # the source has -0.000015
    RATE_INTEREST_PRIMARY: Number = column("Interest rate (normalised)", "Taux d'intérêt (normalisé)")
    RATE_INTEREST_PRIVILEGED: Number = column("Privileged interest rate (normalised)", "Taux d'intérêt préférentiel (normalisé)")
    NAME_CASH_LOAN_PURPOSE: Category = column("Purpose of the loan", "Objet du prêt", levels=levels.PURPOSES)
    NAME_CONTRACT_STATUS: Category = column("Outcome of the request", "Issue de la demande", levels=levels.PREVIOUS_STATUSES)
    DAYS_DECISION: PastDays = column("Day of the decision", "Jour de la décision")
    NAME_PAYMENT_TYPE: Category = column("Means of payment", "Moyen de paiement", levels=levels.PAYMENT_TYPES)
    CODE_REJECT_REASON: Category = column("Reason of refusal", "Motif de refus", levels=levels.REJECT_REASONS)
    NAME_TYPE_SUITE: Category = column("Accompanied by", "Accompagné par", levels=levels.COMPANIONS)
    NAME_CLIENT_TYPE: Category = column("New or old client", "Client nouveau ou ancien", levels=levels.CLIENT_TYPES)
    NAME_GOODS_CATEGORY: Category = column("Kind of goods", "Nature du bien", levels=levels.GOODS)
    NAME_PORTFOLIO: Category = column("Portfolio", "Portefeuille", levels=levels.PORTFOLIOS)
    NAME_PRODUCT_TYPE: Category = column("Cross-sold or walk-in", "Vente croisée ou visite spontanée", levels=levels.PRODUCT_TYPES)
    CHANNEL_TYPE: Category = column("Sales channel", "Canal de vente", levels=levels.CHANNELS)
    SELLERPLACE_AREA: Integer = column("Selling area (-1 = none)", "Surface de vente (-1 = aucune)")
    NAME_SELLER_INDUSTRY: Category = column("Industry of the seller", "Secteur du vendeur", levels=levels.SELLER_INDUSTRIES)
    CNT_PAYMENT: Count = column("Term (instalments)", "Durée (échéances)")
    NAME_YIELD_GROUP: Category = column("Level of interest", "Niveau d'intérêt", levels=levels.YIELD_GROUPS)
    PRODUCT_COMBINATION: Category = column("Product", "Produit", levels=levels.PRODUCTS)
    DAYS_FIRST_DRAWING: Days = column("Day of the first drawing", "Jour du premier tirage")
    DAYS_FIRST_DUE: Days = column("Day of the first due date", "Jour de la première échéance")
    DAYS_LAST_DUE_1ST_VERSION: Days = column("Day of the last due date, first plan", "Jour de la dernière échéance, premier plan")
    DAYS_LAST_DUE: Days = column("Day of the last due date", "Jour de la dernière échéance")
    DAYS_TERMINATION: Days = column("Day of the expected end", "Jour de la fin attendue")
    NFLAG_INSURED_ON_APPROVAL: Flag = column("Insurance asked for", "Assurance demandée")


class PosCashBalance(Record):
    """One month of an earlier consumer or cash loan at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request", "Numéro de la demande antérieure")
    SK_ID_CURR: OptionalIdentifier = column("Application number", "Numéro de demande")
    MONTHS_BALANCE: PastMonths = column("Month (-1 = the last)", "Mois (-1 = le dernier)")
    CNT_INSTALMENT: Count = column("Term (instalments)", "Durée (échéances)")
    CNT_INSTALMENT_FUTURE: Count = column("Instalments left", "Échéances restantes")
    NAME_CONTRACT_STATUS: Category = column("Status of the contract", "Statut du contrat", levels=levels.POS_STATUSES)
    SK_DPD: Count = column("Days past due", "Jours de retard")
    SK_DPD_DEF: Count = column("Days past due, small debts left out", "Jours de retard, hors petites dettes")


class CreditCardBalance(Record):
    """One month of an earlier credit card at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request", "Numéro de la demande antérieure")
    SK_ID_CURR: OptionalIdentifier = column("Application number", "Numéro de demande")
    MONTHS_BALANCE: PastMonths = column("Month (-1 = the last)", "Mois (-1 = le dernier)")
    AMT_BALANCE: SignedAmount = column("Balance", "Solde")
    AMT_CREDIT_LIMIT_ACTUAL: Amount = column("Limit", "Plafond")
    AMT_DRAWINGS_ATM_CURRENT: SignedAmount = column("Drawn at cash machines", "Retraits au distributeur")
    AMT_DRAWINGS_CURRENT: SignedAmount = column("Drawn in all", "Total des tirages")
    AMT_DRAWINGS_OTHER_CURRENT: SignedAmount = column("Drawn otherwise", "Autres tirages")
    AMT_DRAWINGS_POS_CURRENT: SignedAmount = column("Spent on goods", "Achats")
    AMT_INST_MIN_REGULARITY: Amount = column("Minimal instalment", "Échéance minimale")
    AMT_PAYMENT_CURRENT: Amount = column("Paid in the month", "Payé dans le mois")
    AMT_PAYMENT_TOTAL_CURRENT: Amount = column("Paid in the month in all", "Total payé dans le mois")
    AMT_RECEIVABLE_PRINCIPAL: SignedAmount = column("Principal receivable", "Capital dû")
    AMT_RECIVABLE: SignedAmount = column("Amount receivable", "Montant dû")
    AMT_TOTAL_RECEIVABLE: SignedAmount = column("Total amount receivable", "Montant total dû")
    CNT_DRAWINGS_ATM_CURRENT: Count = column("Drawings at cash machines", "Nombre de retraits au distributeur")
    CNT_DRAWINGS_CURRENT: Count = column("Drawings in all", "Nombre total de tirages")
    CNT_DRAWINGS_OTHER_CURRENT: Count = column("Other drawings", "Nombre d'autres tirages")
    CNT_DRAWINGS_POS_CURRENT: Count = column("Purchases", "Nombre d'achats")
    CNT_INSTALMENT_MATURE_CUM: Count = column("Instalments paid so far", "Échéances payées à ce jour")
    NAME_CONTRACT_STATUS: Category = column("Status of the contract", "Statut du contrat", levels=levels.CARD_STATUSES)
    SK_DPD: Count = column("Days past due", "Jours de retard")
    SK_DPD_DEF: Count = column("Days past due, small debts left out", "Jours de retard, hors petites dettes")


class InstallmentsPayment(Record):
    """One payment (or missed payment) of one instalment of an earlier credit at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request", "Numéro de la demande antérieure")
    SK_ID_CURR: OptionalIdentifier = column("Application number", "Numéro de demande")
    NUM_INSTALMENT_VERSION: Count = column("Version of the plan (0 = credit card)", "Version de l'échéancier (0 = carte de crédit)")
    NUM_INSTALMENT_NUMBER: Count = column("Number of the instalment", "Numéro de l'échéance")
    DAYS_INSTALMENT: PastDays = column("Day on which it was due", "Jour de l'échéance")
    DAYS_ENTRY_PAYMENT: PastDays = column("Day on which it was paid", "Jour du paiement")
    AMT_INSTALMENT: Amount = column("Amount due", "Montant dû")
    AMT_PAYMENT: Amount = column("Amount paid", "Montant payé")


HISTORY: dict[str, type[Record]] = {
    "bureau": Bureau,
    "bureau_balance": BureauBalance,
    "previous_application": PreviousApplication,
    "POS_CASH_balance": PosCashBalance,
    "credit_card_balance": CreditCardBalance,
    "installments_payments": InstallmentsPayment,
}
"""Kaggle table name -> class of its records."""
