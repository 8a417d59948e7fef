"""Curves of an evaluation, drawn without a display. The only room that knows matplotlib."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure  # also for those who keep what is drawn here

from scoring.decision import COSTS
from scoring.evidence.ranking import Ranking
from scoring.metrics import Outcomes, Vector

POINTS = 500  # of a curve; more is invisible
BLUE, ORANGE, GREY = "#0b5394", "#b45f06", "#666666"  # 4.5 to 1 or better on white


def draw(
    y: Outcomes, raw: Vector, probability: Vector, thresholds: Vector, served: float
) -> dict[str, Figure]:
    """Draw the curves of a run, out of fold.

    Parameters
    ----------
    y, raw, probability, thresholds : ndarray of shape (n_applications,)
        Outcomes, log-odds (measures of rank read them), calibrated probabilities of default and thresholds.
    served : float
        The threshold that was chosen on all folds.

    Returns
    -------
    dict
        ``roc``, ``precision_recall``, ``calibration``, ``cost``.
    """
    ranked = Ranking.of(y, raw).thinned(1, POINTS)
    refused = probability >= thresholds
    at = (float((y * refused).sum()), float(((1 - y) * refused).sum()))
    return {
        "roc": _roc(ranked, at),
        "precision_recall": _precision_recall(ranked, at),
        "calibration": _calibration(y, probability),
        "cost": _cost(Ranking.of(y, probability).thinned(1, POINTS), served),
    }


def _axes(title: str, x: str, y: str, height: float = 5.0) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.5, height), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _roc(ranked: Ranking, at: tuple[float, float]) -> Figure:
    figure, axes = _axes(
        "ROC curve, out of fold", "Share of good credits refused", "Share of defaults refused"
    )
    axes.plot([0, *ranked.alarms], [0, *ranked.caught], color=BLUE)
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label="chance")
    axes.plot(at[1] / ranked.goods[-1], at[0] / ranked.bads[-1], "o", color=ORANGE, label="at the threshold")
    axes.legend(loc="lower right")
    return figure


def _precision_recall(ranked: Ranking, at: tuple[float, float]) -> Figure:
    figure, axes = _axes(
        "Precision and recall, out of fold", "Share of defaults refused", "Defaults among refused"
    )
    axes.plot(ranked.caught, ranked.bads / ranked.refused, color=BLUE)
    axes.axhline(ranked.bads[-1] / ranked.refused[-1], color=GREY, linestyle="--", label="default rate")
    if sum(at):
        axes.plot(at[0] / ranked.bads[-1], at[0] / sum(at), "o", color=ORANGE, label="at the threshold")
    axes.legend(loc="upper right")
    return figure


def _calibration(y: Outcomes, p: Vector) -> Figure:
    figure, axes = _axes("Calibration by decile, out of fold", "Probability of default", "Default rate")
    bins = Ranking.of(y, p).thinned(1, 10).parts()
    said, seen = [float(p[rows].mean()) for rows in bins], [float(y[rows].mean()) for rows in bins]
    error = [1.96 * (rate * (1 - rate) / len(rows)) ** 0.5 for rate, rows in zip(seen, bins, strict=True)]
    axes.errorbar(said, seen, yerr=error, fmt="o", color=BLUE, capsize=3, label="decile, 95% interval")
    top = max(*said, *seen)
    axes.plot([0, top], [0, top], color=GREY, linestyle="--", label="perfect")
    axes.legend(loc="upper left")
    return figure


def _cost(ranked: Ranking, threshold: float) -> Figure:
    figure, axes = _axes("Cost against threshold, out of fold", "Threshold", "Cost per 1,000 applications")
    axes.plot(ranked.scores, ranked.cost_per_1000, color=BLUE)
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
