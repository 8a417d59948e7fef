"""Trainings that leave out what another test has seen already."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def plain(has_scorecard: bool = False) -> Iterator[None]:
    """Train without figures and without the readable scorecard: half of a small training is theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.tracking.draw", lambda *_: {})
        patch.setattr("train.draw_importance", lambda _: {})
        if not has_scorecard:
            patch.setattr("training.material.Material.readable", None)
        yield
