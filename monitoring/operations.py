"""How decisions were taken: volumes, thresholds, refusals, clients; alarms that need no distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitoring.words import Said

REPEATED = 0.2  # share of a window's decisions on clients that it has already, from which on it is an alarm
VOLUME = 3.0  # times fewer or more decisions a day than the median of the windows before
WINDOWS = 3  # before the first that is judged by those before it
NOISE = 4.0  # standard errors by which a share must differ
SHIFT = 0.05  # and by how much at least


@dataclass(frozen=True)
class Operations:
    """What is counted of decisions beside the cells of their inputs; it adds up.

    Attributes
    ----------
    decisions, refused : int
    repeated : int
        Decisions on a client whom the same window has already.
    thresholds : mapping of float to int
        Decisions taken with each.
    """

    decisions: int = 0
    refused: int = 0
    repeated: int = 0
    thresholds: Mapping[float, int] = field(default_factory=dict)

    def __add__(self, other: Operations) -> Operations:
        """Return both together."""
        return Operations(
            self.decisions + other.decisions,
            self.refused + other.refused,
            self.repeated + other.repeated,
            dict(Counter(self.thresholds) + Counter(other.thresholds)),
        )


def alarms(
    now: Operations,
    thresholds: Collection[float],
    days: int = 1,
    before: Sequence[tuple[Operations, int]] = (),
    others: Mapping[str, int] | None = None,
) -> list[Said]:
    """Return what is wrong with how decisions were taken.

    Parameters
    ----------
    now : Operations
    thresholds : collection of float
        Those of the reference.
    days : int
        Length of the window.
    before : sequence of (Operations, int)
        Windows before it, with their days.
    others : mapping of str to int, optional
        Decisions of the window that other models took, for the same purpose.
    """
    found = []
    if others and now.decisions:
        models = ", ".join(sorted(others))
        found.append(Said("model_changed", {"n": sum(others.values()), "models": models}))
    found += _thresholds(now, thresholds)
    if now.decisions and now.repeated >= REPEATED * now.decisions:
        found.append(Said("repeated", {"share": now.repeated / now.decisions}))
    if len(before) < WINDOWS:
        return found
    usual = float(np.median([one.decisions / length for one, length in before]))
    rate = now.decisions / days
    if usual and not 1 / VOLUME <= rate / usual <= VOLUME:
        found.append(Said("volume", {"now": round(rate), "usual": round(usual)}))
    decisions = sum(one.decisions for one, _ in before)
    share = sum(one.refused for one, _ in before) / max(decisions, 1)
    if now.decisions and decisions:
        refused = now.refused / now.decisions
        error = np.sqrt(share * (1 - share) * (1 / now.decisions + 1 / decisions))
        if abs(refused - share) > max(SHIFT, NOISE * error):
            found.append(Said("refused", {"share": refused, "usual_share": share}))
    return found


def _thresholds(now: Operations, thresholds: Collection[float]) -> list[Said]:
    others = {value: count for value, count in now.thresholds.items() if value not in thresholds}
    if not others or not thresholds:
        return []
    values = {"n": sum(others.values()), "now": _list(others), "known": _list(thresholds)}
    return [Said("threshold", values)]


def _list(values: Collection[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in sorted(values))
