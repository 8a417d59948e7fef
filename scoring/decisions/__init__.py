"""What became of decisions: a database that follows the log, so that they are found, and reviewed.

The log is the truth. The index is a copy of what is asked for, made from it and made again at any time
(``python -m scoring.decisions rebuild``); when it is late or gone, decisions go on. It holds no input of a
model: a decision that was found is read from the log.
"""

from scoring.decisions.follower import Follower
from scoring.decisions.index import Index, IndexFault, MissingError, OtherLogError, place_of
from scoring.decisions.lookup import CursorError, Filter, Found, LateError, Page, by_event, page
from scoring.decisions.outcome import Loaded, Misfit, Outcome, decided, load
from scoring.decisions.review import ReviewError, review

__all__ = [
    "CursorError",
    "Filter",
    "Follower",
    "Found",
    "Index",
    "IndexFault",
    "LateError",
    "Loaded",
    "Misfit",
    "MissingError",
    "OtherLogError",
    "Outcome",
    "Page",
    "ReviewError",
    "by_event",
    "decided",
    "load",
    "page",
    "place_of",
    "review",
]
