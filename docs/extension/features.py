"""What a model may read of it."""

from scoring.features.base import HistoryTable, count, declaring, mean, ratio, share
from scoring.features.vocabulary import col, length

(home,) = declaring("application", "home")
history, delays = declaring("rent_payments", "history_length", "delays")

FEATURES = (
    home("rent", col("AMT_RENT"), "amount", label="Monthly rent"),
    home(
        "rent_to_income",
        ratio(col("AMT_RENT") * 12, col("AMT_INCOME_TOTAL")),
        "share",
        1,
        label="Rent as a share of income",
    ),
    home("tenancy", col("NAME_TENANCY"), "category", label="Kind of tenancy"),
)

TABLES = (
    HistoryTable(
        "rent_payments",
        (
            history("rent_months", length(), "count", -1, label="Months of rent on record"),
            delays(
                "rent_late_share", share(col("DAYS_LATE") > 0), "share", 1, label="Share of rents paid late"
            ),
            delays(
                "rent_late_count",
                count(col("DAYS_LATE") > 30),
                "count",
                1,
                label="Rents more than a month late",
            ),
            delays(
                "rent_paid_share",
                mean(ratio(col("AMT_PAID"), col("AMT_DUE"))),
                "share",
                -1,
                label="Share of rent paid",
            ),
        ),
    ),
)
