"""What answers look-ups in a worker: the index, the log, the scorer of any model that decided."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from bentoml.exceptions import BentoMLException
from prometheus_client import Counter

from scoring import trial
from scoring.decider import Decider
from scoring.decider.few import utc_now
from scoring.decisions import Index, place_of
from scoring.hosting import models
from scoring.inference_log import InferenceLog, identity, pseudonym_key
from scoring.scorer import Scorer
from scoring.serving.records import RecordedDecisions
from scoring.serving.settings import Settings
from scoring.store import StoreError

KEPT = 2  # scorers of earlier models: each takes tens of megabytes

REVIEWS = Counter(
    "credit_scoring_reviews",
    "Decisions that a person reviewed; verdict otherwise: overridden, to the decision that is named.",
    ["verdict", "decision"],
)
LOOKUPS = Counter("credit_scoring_lookups", "Look-ups of recorded decisions: one, or a page.", ["kind"])


class Scorers:
    """Gives the scorer of a tag: the one that serves, or an earlier one from the model store.

    Parameters
    ----------
    serving : callable
        Gives the decider that serves now.
    """

    def __init__(self, serving: Callable[[], Decider]) -> None:
        self._serving = serving
        self._kept: OrderedDict[str, Scorer] = OrderedDict()
        self._lock = threading.Lock()  # two loads at once would take twice the memory

    def __call__(self, tag: str) -> Scorer:
        """Return a scorer.

        Raises
        ------
        StoreError
            If the model store has it no more.
        ScorerError
            If it cannot be loaded.
        """
        if (now := self._serving()).model == tag:
            return now.scorer
        with self._lock:
            if tag not in self._kept:
                try:
                    folder: Path = models.folder(tag)
                except (BentoMLException, ValueError):
                    gone = f"the model {tag} is not in the model store any more; import it again."
                    raise StoreError(gone) from None
                self._kept[tag] = trial.load(folder)
            self._kept.move_to_end(tag)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return self._kept[tag]


def records(settings: Settings, log: InferenceLog, serving: Callable[[], Decider]) -> RecordedDecisions:
    """Return what answers the look-ups of a worker."""
    assert settings.log is not None
    key = pseudonym_key(settings.key_file, is_new_allowed=False)
    index = Index(place_of(settings.index, settings.log), identity(key), settings.instance)

    def on_look(kind: str) -> None:
        LOOKUPS.labels(kind).inc()

    def on_review(verdict: str, decision: str) -> None:
        REVIEWS.labels(verdict, decision).inc()

    return RecordedDecisions(
        index, log, settings.log, Scorers(serving), utc_now, on_look=on_look, on_review=on_review
    )
