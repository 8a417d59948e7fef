"""What this lender knows beyond the built-in tables: the rent, and whether it was paid."""

from scoring.schema.columns import Amount, Category, Count, OptionalIdentifier, PastMonths, Record, column


class Application(Record):
    """Columns that are added to an application."""

    AMT_RENT: Amount = column("Monthly rent", group="home")
    NAME_TENANCY: Category = column("Kind of tenancy", group="home", levels=("Private", "Social", "Sublet"))


class RentPayment(Record):
    """One month of rent at the present address."""

    SK_ID_CURR: OptionalIdentifier = column("Application number")
    MONTHS_BALANCE: PastMonths = column("Month (-1 = the last)")
    AMT_DUE: Amount = column("Rent due")
    AMT_PAID: Amount = column("Rent paid")
    DAYS_LATE: Count = column("Days late")


TABLES = {"rent_payments": RentPayment}
