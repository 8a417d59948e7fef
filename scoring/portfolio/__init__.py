"""A whole portfolio scored, explained or aggregated without HTTP, a bucket of applicants at a time.

``python -m scoring.portfolio score PORTFOLIO --model TAG --out DIR`` does it on one machine; what is done
with a bucket (`scoring.portfolio.work`) is the same wherever it is done.
"""

from scoring.portfolio.job import PortfolioRun, RunError, Task
from scoring.portfolio.work import event_id

__all__ = ["PortfolioRun", "RunError", "Task", "event_id"]
