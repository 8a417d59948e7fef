"""How each family is fitted on an encoded matrix. The one room that knows the libraries that learn.

Those that only some comparisons need are imported where they are used: each takes a second or more.
"""

from scoring.candidates.learners.boosted import deal_parts, fit_boosted
from scoring.candidates.learners.comparators import Comparator, fit_forest, fit_xgboost
from scoring.candidates.learners.imbalance import TREATMENTS, Treatment, hold_back, treat
from scoring.candidates.learners.linear import fit_linear
from scoring.candidates.learners.merging import merge
from scoring.candidates.learners.woe import fit_scorecard

__all__ = [
    "TREATMENTS",
    "Comparator",
    "Treatment",
    "deal_parts",
    "fit_boosted",
    "fit_forest",
    "fit_linear",
    "fit_scorecard",
    "fit_xgboost",
    "hold_back",
    "merge",
    "treat",
]
