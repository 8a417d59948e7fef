"""Trainings and imports that leave out what another test has seen already."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scoring import proof


@contextmanager
def plain(has_scorecard: bool = False) -> Iterator[None]:
    """Train without figures and without the readable scorecard: half of a small training is theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.tracking.draw", lambda *_: {})
        patch.setattr("training.trying.draw_importance", lambda _: {})
        if not has_scorecard:
            patch.setattr("training.material.Material.readable", None)
        yield


@contextmanager
def tried_here() -> Iterator[None]:
    """Import models that are tried in this process, where each is one that training wrote.

    A process of its own takes two seconds; tests/test_trial.py and the first import of tests/test_import.py
    hold what it is for.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("import_model.try_out", proof.prove)
        yield
