"""The decision in money: expected loss, the margin of a good loan, and the threshold that earns most.

Amounts are in the portfolio's own currency. A loan that is repaid earns a share of its amount; one that
defaults loses another. A cost ratio of 10 to 1 says that a default loses ten margins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.decision import COSTS, GRANT_ALL
from scoring.evidence.ranking import apart
from scoring.metrics import Outcomes, Vector

CURVE = 200  # points of a strategy curve; more is invisible
LOSSES = (0.25, 0.45, 0.65)  # given default: what a scenario supposes


@dataclass(frozen=True)
class Terms:
    """What a loan earns and loses, as shares of its amount.

    Attributes
    ----------
    loss_given_default : float
        Share of the exposure that a default loses, in (0, 1].
    margin : float
        Share of the amount that a repaid loan earns over its life, after funding and running costs.
    """

    loss_given_default: float = 0.45  # unsecured, senior: the Basel foundation figure of 2004
    margin: float = 0.045  # a tenth of it: what the cost ratio of 10 to 1 says

    def __post_init__(self) -> None:
        """Refuse terms under which no threshold makes sense."""
        if not 0 < self.loss_given_default <= 1:
            raise ValueError(
                f"loss given default {self.loss_given_default!r} is outside (0, 1]; give a share of the loan."
            )
        if not 0 < self.margin <= 1:
            raise ValueError(f"margin {self.margin!r} is outside (0, 1]; give a share of the loan.")

    @property
    def threshold(self) -> float:
        """The threshold that earns most for calibrated probabilities: ``margin / (margin + LGD)``."""
        return self.margin / (self.margin + self.loss_given_default)

    @property
    def cost_ratio(self) -> float:
        """How many margins a default loses."""
        return self.loss_given_default / self.margin


TERMS = Terms()


@dataclass(frozen=True)
class MoneyOutcome:
    """What a threshold leads to. Money is per 1,000 of credit asked for, granted or not.

    Attributes
    ----------
    threshold : float
        Applications at or above it are refused.
    share_granted, default_rate : float
        Of all applications; of the granted ones (0 where none is).
    expected_loss : float
        PD x LGD x exposure of the granted loans.
    loss, margin, profit : float
        What defaults lost, what repaid loans earned, and their difference.
    cost_per_1000 : float
        The business cost, 10 for a granted default and 1 for a refused good client, per 1,000 applications.
    """

    threshold: float
    share_granted: float
    default_rate: float
    expected_loss: float
    loss: float
    margin: float
    profit: float
    cost_per_1000: float


def expected_loss(probability: Vector, exposure: Vector, terms: Terms = TERMS) -> Vector:
    """Return PD x LGD x exposure of each loan, in the exposure's currency."""
    return probability * terms.loss_given_default * exposure


def outcome(
    y: Outcomes, probability: Vector, exposure: Vector, threshold: float, terms: Terms = TERMS
) -> MoneyOutcome:
    """Return what one threshold leads to.

    Parameters
    ----------
    y : ndarray of shape (n_applications,)
        1 = default, 0 = repaid.
    probability : ndarray of shape (n_applications,)
        Calibrated probability of default, best out of fold.
    exposure : ndarray of shape (n_applications,)
        Credit asked for, above 0.
    threshold : float
    terms : Terms
    """
    curve = _Curve(y, probability, exposure, terms)
    return curve.at(int(np.searchsorted(curve.probability, threshold, side="left")), threshold)


def decided(
    y: Outcomes,
    probability: Vector,
    exposure: Vector,
    thresholds: Vector,
    served: float,
    terms: Terms = TERMS,
) -> MoneyOutcome:
    """Return what decisions out of fold lead to, where each fold has its threshold from the others.

    Parameters as ``outcome``; ``thresholds`` has one per application, and ``served``, the threshold that was
    chosen on all folds, is what the outcome is named by.
    """
    refused = (probability >= thresholds).astype(np.float64)
    curve = _Curve(y, probability, exposure, terms, by=refused)
    return curve.at(int(np.count_nonzero(refused == 0)), served)


def scenarios(
    y: Outcomes, probability: Vector, exposure: Vector, terms: Terms = TERMS
) -> list[tuple[Terms, MoneyOutcome]]:
    """Return what other terms would say, each at its own threshold: other losses; half and twice the margin.

    A margin stays within the loan. Parameters as ``outcome``.
    """
    margins = dict.fromkeys(min(times * terms.margin, 1.0) for times in (0.5, 1.0, 2.0))
    other = [Terms(loss, margin) for loss in LOSSES for margin in margins]
    return [(one, outcome(y, probability, exposure, one.threshold, one)) for one in other]


def strategy(
    y: Outcomes,
    probability: Vector,
    exposure: Vector,
    terms: Terms = TERMS,
    points: int = CURVE,
    smallest: int = 1,
) -> list[MoneyOutcome]:
    """Return the strategy curve: what every share of approvals leads to, from refusing all to granting all.

    Parameters as ``outcome``; at most ``points`` thresholds, spread evenly over the applications, with at
    least ``smallest`` of them between two.
    """
    curve = _Curve(y, probability, exposure, terms)
    ends = curve.cuts[1:]
    cuts = [0, *(int(ends[i]) for i in apart(ends, smallest, points - 1))]
    return [curve.at(cut, curve.threshold(cut)) for cut in cuts]


def best_cutoff(y: Outcomes, probability: Vector, exposure: Vector, terms: Terms = TERMS) -> MoneyOutcome:
    """Return the threshold of highest profit on these applications, exact over every way to cut them.

    Among equally good ones the highest threshold wins. Parameters as ``outcome``.
    """
    curve = _Curve(y, probability, exposure, terms)
    profit = curve.earned[curve.cuts] - curve.lost[curve.cuts]
    cut = int(curve.cuts[len(profit) - 1 - int(np.argmax(profit[::-1]))])
    return curve.at(cut, curve.threshold(cut))


class _Curve:
    """Running sums from low to high probability, or ``by`` another order; a cut grants those before it."""

    def __init__(
        self, y: Outcomes, probability: Vector, exposure: Vector, terms: Terms, by: Vector | None = None
    ) -> None:
        if not (len(y) == len(probability) == len(exposure) > 0):
            raise ValueError("give one outcome, one probability and one exposure per application.")
        if not (np.isfinite(exposure).all() and (exposure > 0).all()):
            raise ValueError("an exposure is missing or not above 0; give the credit asked for.")
        order = np.argsort(probability if by is None else by, kind="stable")
        bad, self.probability, amount = y[order].astype(np.float64), probability[order], exposure[order]
        self.bads, self.asked = _running(bad), float(amount.sum())
        self.lost = _running(bad * terms.loss_given_default * amount)
        self.earned = _running((1 - bad) * terms.margin * amount)
        self.expected = _running(expected_loss(self.probability, amount, terms))
        ends = np.diff(probability[order] if by is None else by[order]) > 0  # equal ones are decided alike
        self.cuts = np.concatenate(([0], np.flatnonzero(ends) + 1, [len(bad)]))

    def threshold(self, cut: int) -> float:
        """Return a threshold that cuts here: the probability of the first application refused."""
        return float(self.probability[cut]) if cut < len(self.probability) else GRANT_ALL

    def at(self, cut: int, threshold: float) -> MoneyOutcome:
        """Return what granting the first so many leads to."""
        n, bads = len(self.probability), float(self.bads[cut])
        goods_refused = (n - float(self.bads[-1])) - (cut - bads)
        per_1000 = 1_000 / self.asked
        lost, earned = float(self.lost[cut]) * per_1000, float(self.earned[cut]) * per_1000
        return MoneyOutcome(
            threshold=threshold,
            share_granted=cut / n,
            default_rate=bads / cut if cut else 0.0,
            expected_loss=float(self.expected[cut]) * per_1000,
            loss=lost,
            margin=earned,
            profit=earned - lost,
            cost_per_1000=1_000 * (COSTS.false_negative * bads + COSTS.false_positive * goods_refused) / n,
        )


def _running(values: Vector) -> Vector:
    return np.concatenate(([0.0], np.cumsum(values)))
