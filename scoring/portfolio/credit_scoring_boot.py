"""What Spark's workers are sent by name: it stands alone, finds the code that was sent along, and calls it.

A function of `scoring` itself would be looked for on the worker before its code is there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any


class Step:
    """A step over the Arrow batches of a partition, by its name in `scoring.portfolio.steps`.

    Parameters
    ----------
    code : str
        Name of the archive of the code, as Spark unpacks it on a worker.
    name : str
    said : str
        JSON that the step understands.
    folders : dict of str to str
        Settings that name a folder, and the archive of it.
    """

    def __init__(self, code: str, name: str, said: str, folders: dict[str, str]) -> None:
        self.folders = folders
        self.code = code
        self.name = name
        self.said = said

    def __call__(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Give what the step makes of the batches."""
        from pyspark.core.files import SparkFiles

        os.environ["POLARS_MAX_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # a task has one core
        root = SparkFiles.getRootDirectory()
        for setting, archive in self.folders.items():
            os.environ[setting] = os.path.join(root, archive)  # noqa: PTH118
        if (code := os.path.join(root, self.code)) not in sys.path:  # noqa: PTH118
            sys.path.insert(0, code)
        from scoring.portfolio import steps

        step: Callable[..., Iterator[Any]] = getattr(steps, self.name)
        yield from step(batches, self.said, root)
