"""The six history tables: one record class each, with the columns of the Kaggle files.

In a request a record belongs to the application that carries it, so SK_ID_CURR may be left out. Amounts
that may be negative, and 365243 for "no such date", are as the source has them.
"""

from scoring.schema import extension, levels
from scoring.schema.application import Application
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

    SK_ID_CURR: OptionalIdentifier = column("Application number")
    SK_ID_BUREAU: OptionalIdentifier = column("Number of the bureau credit")
    CREDIT_ACTIVE: Category = column("Status of the credit", levels=levels.BUREAU_STATUSES)
    CREDIT_CURRENCY: Category = column("Currency", levels=levels.CURRENCIES)
    DAYS_CREDIT: PastDays = column("Day of the request for this credit")
    CREDIT_DAY_OVERDUE: Count = column("Days past due now")
    DAYS_CREDIT_ENDDATE: Days = column("Day of the planned end")
    DAYS_ENDDATE_FACT: PastDays = column("Day of the actual end")
    AMT_CREDIT_MAX_OVERDUE: Amount = column("Highest amount overdue so far")
    CNT_CREDIT_PROLONG: Count = column("Times prolonged")
    AMT_CREDIT_SUM: Amount = column("Amount of the credit")
    AMT_CREDIT_SUM_DEBT: SignedAmount = column("Debt left")
    AMT_CREDIT_SUM_LIMIT: SignedAmount = column("Limit of the credit card")
    AMT_CREDIT_SUM_OVERDUE: Amount = column("Amount overdue now")
    CREDIT_TYPE: Category = column("Type of credit", levels=levels.BUREAU_CREDIT_TYPES)
    DAYS_CREDIT_UPDATE: Days = column("Day of the last report")
    AMT_ANNUITY: Amount = column("Instalment")


class BureauBalance(Record):
    """The status of one bureau credit in one month."""

    SK_ID_BUREAU: Identifier = column("Number of the bureau credit", required=True)
    MONTHS_BALANCE: PastMonths = column("Month (0 = the request's)")
    STATUS: Category = column(
        "Status in the month (C closed, X unknown, 0-5 days past due)", levels=levels.MONTH_STATUSES
    )


class PreviousApplication(Record):
    """One earlier request at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request")
    SK_ID_CURR: OptionalIdentifier = column("Application number")
    NAME_CONTRACT_TYPE: Category = column("Type of loan", levels=levels.PREVIOUS_CONTRACT_TYPES)
    AMT_ANNUITY: Amount = column("Instalment")
    AMT_APPLICATION: Amount = column("Amount asked for")
    AMT_CREDIT: Amount = column("Amount granted")
    AMT_DOWN_PAYMENT: SignedAmount = column("Down payment")  # the source has -0.9
    AMT_GOODS_PRICE: Amount = column("Price of the goods")
    WEEKDAY_APPR_PROCESS_START: Category = column("Weekday of the request", levels=levels.WEEKDAYS)
    HOUR_APPR_PROCESS_START: Hour = column("Hour of the request")
    FLAG_LAST_APPL_PER_CONTRACT: Category = column("Last request of its contract", levels=levels.YES_NO)
    NFLAG_LAST_APPL_IN_DAY: Flag = column("Last request of its day")
    RATE_DOWN_PAYMENT: Number = column("Down payment rate (normalised)")  # the source has -0.000015
    RATE_INTEREST_PRIMARY: Number = column("Interest rate (normalised)")
    RATE_INTEREST_PRIVILEGED: Number = column("Privileged interest rate (normalised)")
    NAME_CASH_LOAN_PURPOSE: Category = column("Purpose of the loan", levels=levels.PURPOSES)
    NAME_CONTRACT_STATUS: Category = column("Outcome of the request", levels=levels.PREVIOUS_STATUSES)
    DAYS_DECISION: PastDays = column("Day of the decision")
    NAME_PAYMENT_TYPE: Category = column("Means of payment", levels=levels.PAYMENT_TYPES)
    CODE_REJECT_REASON: Category = column("Reason of refusal", levels=levels.REJECT_REASONS)
    NAME_TYPE_SUITE: Category = column("Accompanied by", levels=levels.COMPANIONS)
    NAME_CLIENT_TYPE: Category = column("New or old client", levels=levels.CLIENT_TYPES)
    NAME_GOODS_CATEGORY: Category = column("Kind of goods", levels=levels.GOODS)
    NAME_PORTFOLIO: Category = column("Portfolio", levels=levels.PORTFOLIOS)
    NAME_PRODUCT_TYPE: Category = column("Cross-sold or walk-in", levels=levels.PRODUCT_TYPES)
    CHANNEL_TYPE: Category = column("Sales channel", levels=levels.CHANNELS)
    SELLERPLACE_AREA: Integer = column("Selling area (-1 = none)")
    NAME_SELLER_INDUSTRY: Category = column("Industry of the seller", levels=levels.SELLER_INDUSTRIES)
    CNT_PAYMENT: Count = column("Term (instalments)")
    NAME_YIELD_GROUP: Category = column("Level of interest", levels=levels.YIELD_GROUPS)
    PRODUCT_COMBINATION: Category = column("Product", levels=levels.PRODUCTS)
    DAYS_FIRST_DRAWING: Days = column("Day of the first drawing")
    DAYS_FIRST_DUE: Days = column("Day of the first due date")
    DAYS_LAST_DUE_1ST_VERSION: Days = column("Day of the last due date, first plan")
    DAYS_LAST_DUE: Days = column("Day of the last due date")
    DAYS_TERMINATION: Days = column("Day of the expected end")
    NFLAG_INSURED_ON_APPROVAL: Flag = column("Insurance asked for")


class PosCashBalance(Record):
    """One month of an earlier consumer or cash loan at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request")
    SK_ID_CURR: OptionalIdentifier = column("Application number")
    MONTHS_BALANCE: PastMonths = column("Month (-1 = the last)")
    CNT_INSTALMENT: Count = column("Term (instalments)")
    CNT_INSTALMENT_FUTURE: Count = column("Instalments left")
    NAME_CONTRACT_STATUS: Category = column("Status of the contract", levels=levels.POS_STATUSES)
    SK_DPD: Count = column("Days past due")
    SK_DPD_DEF: Count = column("Days past due, small debts left out")


class CreditCardBalance(Record):
    """One month of an earlier credit card at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request")
    SK_ID_CURR: OptionalIdentifier = column("Application number")
    MONTHS_BALANCE: PastMonths = column("Month (-1 = the last)")
    AMT_BALANCE: SignedAmount = column("Balance")
    AMT_CREDIT_LIMIT_ACTUAL: Amount = column("Limit")
    AMT_DRAWINGS_ATM_CURRENT: SignedAmount = column("Drawn at cash machines")
    AMT_DRAWINGS_CURRENT: SignedAmount = column("Drawn in all")
    AMT_DRAWINGS_OTHER_CURRENT: SignedAmount = column("Drawn otherwise")
    AMT_DRAWINGS_POS_CURRENT: SignedAmount = column("Spent on goods")
    AMT_INST_MIN_REGULARITY: Amount = column("Minimal instalment")
    AMT_PAYMENT_CURRENT: Amount = column("Paid in the month")
    AMT_PAYMENT_TOTAL_CURRENT: Amount = column("Paid in the month in all")
    AMT_RECEIVABLE_PRINCIPAL: SignedAmount = column("Principal receivable")
    AMT_RECIVABLE: SignedAmount = column("Amount receivable")
    AMT_TOTAL_RECEIVABLE: SignedAmount = column("Total amount receivable")
    CNT_DRAWINGS_ATM_CURRENT: Count = column("Drawings at cash machines")
    CNT_DRAWINGS_CURRENT: Count = column("Drawings in all")
    CNT_DRAWINGS_OTHER_CURRENT: Count = column("Other drawings")
    CNT_DRAWINGS_POS_CURRENT: Count = column("Purchases")
    CNT_INSTALMENT_MATURE_CUM: Count = column("Instalments paid so far")
    NAME_CONTRACT_STATUS: Category = column("Status of the contract", levels=levels.CARD_STATUSES)
    SK_DPD: Count = column("Days past due")
    SK_DPD_DEF: Count = column("Days past due, small debts left out")


class InstallmentsPayment(Record):
    """One payment (or missed payment) of one instalment of an earlier credit at this lender."""

    SK_ID_PREV: OptionalIdentifier = column("Number of the earlier request")
    SK_ID_CURR: OptionalIdentifier = column("Application number")
    NUM_INSTALMENT_VERSION: Count = column("Version of the plan (0 = credit card)")
    NUM_INSTALMENT_NUMBER: Count = column("Number of the instalment")
    DAYS_INSTALMENT: PastDays = column("Day on which it was due")
    DAYS_ENTRY_PAYMENT: PastDays = column("Day on which it was paid")
    AMT_INSTALMENT: Amount = column("Amount due")
    AMT_PAYMENT: Amount = column("Amount paid")


_TABLES: dict[str, type[Record]] = {
    "bureau": Bureau,
    "bureau_balance": BureauBalance,
    "previous_application": PreviousApplication,
    "POS_CASH_balance": PosCashBalance,
    "credit_card_balance": CreditCardBalance,
    "installments_payments": InstallmentsPayment,
}
extension.check_tables(_TABLES, Application)
HISTORY: dict[str, type[Record]] = _TABLES | extension.tables()
"""Table (its Kaggle name, or that of an extension) -> class of its records."""
