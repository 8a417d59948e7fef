"""What a model may read of it."""

from scoring.features.base import declaring
from scoring.features.vocabulary import col

(request,) = declaring("application", "request")

FEATURES = (
    request("months", col("MONTHS"), "count", label="Duration in months"),
    request("current_account", col("CURRENT_ACCOUNT"), "category", label="Current account"),
    request("savings", col("SAVINGS"), "category", label="Savings"),
    request("earlier_credits", col("EARLIER_CREDITS"), "category", label="Earlier credits"),
)
