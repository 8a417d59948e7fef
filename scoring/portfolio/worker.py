"""A process of the pool: it does what is asked, line by line, until nobody asks any more.

A line is a call in JSON, ``["lay", plan, table, folder]`` or ``["work", task, layout, out, number]``; the
answer is a line, ``{"done": …}`` or ``{"error": "…"}``. It ends when its input does: with who started it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from scoring import features
from scoring.portfolio.job import Receipt, RunError, Task, keep, unusable
from scoring.portfolio.work import Work
from scoring.scorer import ScorerError
from scoring.tables import TableError
from scoring.tables.buckets import BucketPlan, Buckets, LayoutError, lay_out

EXPECTED = (TableError, LayoutError, RunError, ScorerError)


@cache
def _work(task: str, layout: str) -> tuple[Work, str, Buckets]:
    work, kernel = Task(**json.loads(task)).work()
    return work, kernel, Buckets(Path(layout), features.READS)


def lay(plan: dict[str, Any], table: str, folder: str) -> str:
    """Lay out one table."""
    lay_out(BucketPlan(**plan), table, Path(folder))
    return table


def work(task: dict[str, Any], layout: str, out: str, number: int) -> Receipt:
    """Do what is to be done with a bucket, and return its receipt."""
    doing, kernel, buckets = _work(json.dumps(task, sort_keys=True), layout)
    bucket = buckets.read(number)
    return keep(Path(out), number, bucket, doing(bucket), kernel)


CALLS: dict[str, Callable[..., Any]] = {"lay": lay, "work": work}


def answer(line: str) -> dict[str, Any]:
    """Return the answer to a call; what nobody expects is told with its traceback on the standard error."""
    name, *arguments = json.loads(line)
    try:
        return {"done": CALLS[name](*arguments)}
    except EXPECTED as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": str(unusable(error, Path(arguments[2])))}
    except Exception as error:
        traceback.print_exc()
        what = arguments[1] if name == "lay" else f"bucket {arguments[-1]}"
        return {"error": f"a worker failed over {what} ({type(error).__name__}); report this."}


def main() -> None:
    """Answer on the standard output; libraries write elsewhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with answers:
        for line in sys.stdin:
            answers.write(json.dumps(answer(line)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
