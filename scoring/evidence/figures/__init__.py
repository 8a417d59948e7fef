"""Curves of an evaluation, drawn without a display. The only room that knows matplotlib."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.decision import COSTS
from scoring.metrics import Outcomes, Vector

POINTS = 500  # of a curve; more is invisible
BLUE, ORANGE, GREY = "#0b5394", "#b45f06", "#666666"  # 4.5 to 1 or better on white


def draw(y: Outcomes, probability: Vector, threshold: float) -> dict[str, Figure]:
    """Draw the curves of a run.

    Parameters
    ----------
    y, probability : ndarray of shape (n_applications,)
        Outcomes and out-of-fold probabilities of default.
    threshold : float
        Applications at or above it are refused.

    Returns
    -------
    dict
        ``roc``, ``precision_recall``, ``calibration``, ``cost``.
    """
    order = np.argsort(-probability, kind="stable")
    p, bad = probability[order], y[order].astype(np.float64)
    ends = np.flatnonzero(np.concatenate((p[1:] < p[:-1], [True])))
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, POINTS).astype(int))]
    caught, alarms = np.cumsum(bad)[ends], np.cumsum(1 - bad)[ends]
    cut = int(np.count_nonzero(probability >= threshold))
    at = (float(bad[:cut].sum()), float(cut - bad[:cut].sum()))
    totals = (float(bad.sum()), float(len(bad) - bad.sum()))
    return {
        "roc": _roc(caught, alarms, at, totals),
        "precision_recall": _precision_recall(caught, alarms, at, totals),
        "calibration": _calibration(p, bad),
        "cost": _cost(p[ends], caught, alarms, threshold, totals),
    }


def _axes(title: str, x: str, y: str, height: float = 5.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.5, height), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _roc(caught: Vector, alarms: Vector, at: tuple[float, float], totals: tuple[float, float]) -> Figure:
    figure, axes = _axes(
        "ROC curve, out of fold", "Share of good credits refused", "Share of defaults refused"
    )
    axes.plot([0, *(alarms / totals[1])], [0, *(caught / totals[0])], color=BLUE)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="chance")
    axes.plot(at[1] / totals[1], at[0] / totals[0], "o", color=ORANGE, label="at the threshold")
    axes.legend(loc="lower right")
    return figure


def _precision_recall(
    caught: Vector, alarms: Vector, at: tuple[float, float], totals: tuple[float, float]
) -> Figure:
    figure, axes = _axes(
        "Precision and recall, out of fold", "Share of defaults refused", "Defaults among refused"
    )
    axes.plot(caught / totals[0], caught / (caught + alarms), color=BLUE)
    axes.axhline(totals[0] / sum(totals), color=GREY, linestyle="--", label="default rate")
    if sum(at):
        axes.plot(at[0] / totals[0], at[0] / sum(at), "o", color=ORANGE, label="at the threshold")
    axes.legend(loc="upper right")
    return figure


def _calibration(p: Vector, bad: Vector) -> Figure:
    figure, axes = _axes("Calibration by decile, out of fold", "Probability of default", "Default rate")
    bins = [rows for rows in np.array_split(np.arange(len(p)), 10) if len(rows)]
    said, seen = [float(p[rows].mean()) for rows in bins], [float(bad[rows].mean()) for rows in bins]
    error = [1.96 * (rate * (1 - rate) / len(rows)) ** 0.5 for rate, rows in zip(seen, bins, strict=True)]
    axes.errorbar(said, seen, yerr=error, fmt="o", color=BLUE, capsize=3, label="decile, 95% interval")
    top = max(*said, *seen)
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", label="perfect")
    axes.legend(loc="upper left")
    return figure


def _cost(p: Vector, caught: Vector, alarms: Vector, threshold: float, totals: tuple[float, float]) -> Figure:
    figure, axes = _axes("Cost against threshold, out of fold", "Threshold", "Cost per 1,000 applications")
    cost = COSTS.false_negative * (totals[0] - caught) + COSTS.false_positive * alarms
    axes.plot(p, 1_000 * cost / sum(totals), color=BLUE)
    axes.axvline(threshold, color=ORANGE, label=f"chosen, {threshold:.4f}")
    axes.axvline(COSTS.threshold, color=GREY, linestyle="--", label=f"theory, {COSTS.threshold:.4f}")
    axes.set_xlim(0, min(1.0, 6 * COSTS.threshold))
    axes.legend(loc="upper right")
    return figure


def draw_importance(importance: Mapping[str, float]) -> dict[str, Figure]:
    """Draw the mean absolute contribution of the most important features, in log-odds: ``importance``."""
    figure, axes = _axes("Most important features", "Mean absolute contribution (log-odds)", "", 7.0)
    first = sorted(importance.items(), key=lambda item: -item[1])[:25][::-1]
    axes.barh([name for name, _ in first], [value for _, value in first], color=BLUE)
    return {"importance": figure}
