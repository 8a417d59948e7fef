"""What the other lender's table holds beyond an amount, an instalment and an age."""

from scoring.schema.columns import Category, Count, Record, column


class Application(Record):
    """Columns that are added to an application."""

    MONTHS: Count = column("Duration in months", group="request")
    CURRENT_ACCOUNT: Category = column(
        "Current account", group="request", levels=("no account", "overdrawn", "up to 200", "above 200")
    )
    SAVINGS: Category = column("Savings", group="request", levels=("unknown", "below 500", "500 and more"))
    EARLIER_CREDITS: Category = column(
        "Earlier credits", group="request", levels=("first credit", "paid back", "with delays")
    )
