"""Large requests: an Arrow table of applications in, a table of decisions out, or JSON of many rows.

A row has the raw columns of an application under their Kaggle names and, if there is a history, its
aggregates (`features.HISTORY_FEATURES`) as columns under theirs: lower case, so the two never meet. What
the middleware accepts and refuses is what `schema.ApplicationRequest` does, value by value; null is missing.
"""

from scoring.serving.large.answering import Large, check
from scoring.serving.large.answers import ANSWER
from scoring.serving.large.stream import ArrowTable

__all__ = ["ANSWER", "ArrowTable", "Large", "check"]
