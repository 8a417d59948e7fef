"""A training under way: what it is to do, where it is written down, and how much time it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter

from mlflow.tracking import MlflowClient
from rich.console import Console

from scoring.candidates.search import Search
from training import mlflow_store, tracking
from training.material import Plan


@dataclass(frozen=True)
class TrainingSession:
    """A training under way; ``started`` is its begin as `time.perf_counter` gives it."""

    plan: Plan
    client: MlflowClient
    console: Console
    started: float

    @classmethod
    def open(cls, plan: Plan, console: Console) -> TrainingSession:
        """Begin a training: say which store it writes to, and make its experiment there."""
        session = cls(plan, mlflow_store.connect(plan.tracking_uri), console, perf_counter())
        shown = mlflow_store.shown(plan.tracking_uri)
        console.print(f"MLflow store: {shown}", highlight=False, soft_wrap=True)
        mlflow_store.open_experiment(session.client, plan.tracking_uri, plan.experiment)
        return session

    @property
    def seconds(self) -> float:
        """How long it has been under way."""
        return perf_counter() - self.started

    def remaining_s(self) -> float:
        """Return how many seconds are left to begin something new."""
        return self.plan.budget_s - self.seconds

    def start_run(
        self, name: str, tags: Mapping[str, str], *, is_nested: bool = False
    ) -> AbstractContextManager[str]:
        """Open a run of the plan's experiment; give its id."""
        plan = self.plan
        return tracking.start_run(self.client, plan.tracking_uri, plan.experiment, name, tags, is_nested)

    def search(self, key: str, on_progress: Callable[[str], None]) -> Search | None:
        """Return the search of a candidate's settings, None where the plan has none."""
        plan = self.plan
        if not plan.trials:
            return None
        return Search(
            trials=plan.trials,
            storage=plan.search_storage,
            key=key,
            seed=plan.seed,
            remaining_s=self.remaining_s,
            on_progress=on_progress,
        )
