"""The figures of the pack, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scoring.decision import COSTS
from scoring.evidence.description import Column
from scoring.evidence.fairness import RULE_OF_THUMB, Audit
from scoring.evidence.figures.plots import Figure, Line, as_svg, draw_bars, draw_lines
from scoring.evidence.money import Outcome
from scoring.metrics import Measured, Outcomes, Vector
from validation.blocks import Plot
from validation.language import Language

POINTS = 100  # of a curve: each stands for a hundredth of the applications, never for a person


def plot(name: str, figure: Figure, caption: str) -> Plot:
    """Wrap a figure with its caption."""
    return Plot(caption, as_svg(figure, name, caption))


def discrimination(language: Language, y: Outcomes, p: Vector, threshold: float) -> list[Plot]:
    """Draw ROC, precision and recall, KS, CAP, gain, calibration, and cost against the threshold."""
    say, mark = language.say, language.decimal
    order = np.argsort(-p, kind="stable")
    bad = y[order].astype(np.float64)
    n, n_bad = len(bad), float(bad.sum())
    at = np.unique(np.linspace(1, n, POINTS).astype(int))
    caught, alarms = np.cumsum(bad)[at - 1] / n_bad, np.cumsum(1 - bad)[at - 1] / (n - n_bad)
    refused, rate = at / n, n_bad / n
    zero = np.concatenate(([0.0], caught)), np.concatenate(([0.0], alarms)), np.concatenate(([0.0], refused))
    diagonal = Line([0, 1], [0, 1], say("chance"), is_aside=True)
    mean = Line([0, 1], [rate, rate], say("default_rate"), is_aside=True)
    gap = int(np.argmax(caught - alarms))
    cost = (
        1_000
        * (COSTS.false_negative * (1 - caught) * n_bad + COSTS.false_positive * alarms * (n - n_bad))
        / n
    )
    deciles = [float(part.mean()) for part in np.array_split(bad, 10)]
    cut = p[order][at - 1]
    drawn = {
        "roc": draw_lines([Line(zero[1], zero[0]), diagonal], say("good_refused"), say("bad_refused"), mark),
        "pr": draw_lines(
            [Line(caught, caught * n_bad / at), mean],
            say("bad_refused"), say("bad_among_refused"), mark,
        ),
        "ks": draw_lines(
            [Line(refused, caught, say("defaults")), Line(refused, alarms, say("repaid"))],
            say("refused_first"), say("share_reached"), mark,
            at=[(float(refused[gap]), f"KS = {language.number(float(caught[gap] - alarms[gap]))}")],
        ),
        "cap": draw_lines(
            [Line(zero[2], zero[0], say("model")), diagonal,
             Line([0, rate, 1], [0, 1, 1], say("perfect"), is_aside=True)],
            say("refused_first"), say("bad_refused"), mark,
        ),
        "gain": draw_bars(
            [say("tenth", number=i + 1) for i in range(10)], [100 * d for d in deciles],
            say("default_rate_percent"), mark, line=100 * rate,
        ),
        "calibration": _calibration(language, y, p),
        "cost": draw_lines(
            [Line(cut, cost)], say("threshold"), say("cost_axis"), mark,
            at=[(threshold, f"{say('in_force')}: {language.number(threshold, 4)}"),
                (COSTS.threshold, f"1/11: {language.number(COSTS.threshold, 4)}")],
            limits=(0.0, min(0.5, float(cut.max()))),
        ),
    }  # fmt: skip
    return [plot(f"{name}-{language.code}", f, say(f"plot:{name}")) for name, f in drawn.items()]


def _calibration(language: Language, y: Outcomes, p: Vector) -> Figure:
    parts = np.array_split(np.argsort(p, kind="stable"), 10)
    said, seen = np.array([p[r].mean() for r in parts]), np.array([y[r].mean() for r in parts])
    error = 1.96 * np.sqrt(seen * (1 - seen) / [len(r) for r in parts])
    top = float(max(said.max(), seen.max()))
    say = language.say
    points = Line(said, seen, say("tenth_interval"), seen - error, seen + error, is_points=True)
    perfect = Line([0, top], [0, top], say("perfect"), is_aside=True)
    return draw_lines([points, perfect], say("forecast"), say("default_rate"), language.decimal)


def importance(language: Language, names: Mapping[str, float], labels: Mapping[str, str]) -> Plot:
    """Draw the features that weigh most."""
    first = list(names.items())[:20]
    figure = draw_bars(
        [labels[n] for n, _ in first], [v for _, v in first], language.say("log_odds"), language.decimal
    )
    return plot(f"importance-{language.code}", figure, language.say("plot:importance"))


def strategy(language: Language, curve: list[Outcome], cutoffs: Mapping[str, Outcome]) -> list[Plot]:
    """Draw the default rate and the money against the share granted."""
    say, mark = language.say, language.decimal
    granted = [100 * point.share_granted for point in curve]
    at = [(100 * cutoffs[k].share_granted, say(f"cutoff:{k}")) for k in ("in_force", "most_profit")]
    rate = draw_lines(
        [Line(granted[1:], [100 * point.default_rate for point in curve[1:]])],
        say("granted_percent"), say("default_rate_granted_percent"), mark, at=at,
    )  # fmt: skip
    earned = draw_lines(
        [
            Line(granted, [point.profit for point in curve], say("profit")),
            Line(granted, [point.loss for point in curve], say("loss")),
            Line(granted, [point.expected_loss for point in curve], say("expected_loss")),
        ],
        say("granted_percent"), say("money_axis"), mark, at=at,
    )  # fmt: skip
    code = language.code
    return [
        plot(f"strategy-{code}", rate, say("plot:strategy")),
        plot(f"money-{code}", earned, say("plot:money")),
    ]


def fairness(language: Language, audit: Audit) -> list[Plot]:
    """Draw each group's approval ratio, and its gap among good clients, at every share of approvals."""
    say, mark = language.say, language.decimal
    attribute, code = say(f"attribute:{audit.attribute}"), language.code
    granted = [100 * cut for cut in audit.cuts]

    def drawn(groups: Mapping[str, Sequence[Measured]], best: float) -> list[Line]:
        return [
            Line(
                granted,
                [m.value for m in curve],
                language.named("group", name),
                [m.low for m in curve],
                [m.high for m in curve],
            )
            for name, curve in groups.items()
            if any(m.value != best for m in curve)  # else it is the reference at every cut-off
        ]

    rule = Line([granted[0], granted[-1]], [RULE_OF_THUMB] * 2, "0.80".replace(".", mark), is_aside=True)
    ratios = draw_lines(
        [*drawn(audit.ratios, 1.0), rule], say("granted_percent"), say("approval_ratio"), mark
    )
    gaps = draw_lines(drawn(audit.gaps, 0.0), say("granted_percent"), say("gap"), mark)
    return [
        plot(f"fair-{audit.attribute}-{code}", ratios, say("plot:fairness", attribute=attribute)),
        plot(f"gaps-{audit.attribute}-{code}", gaps, say("plot:gaps", attribute=attribute)),
    ]


def column(
    language: Language, described: Column, number: int, label: str, names: list[str], rate: float
) -> Plot:
    """Draw the default rate along one column."""
    figure = draw_bars(
        names,
        [100 * part.default_rate for part in described.bins],
        language.say("default_rate_percent"),
        language.decimal,
        line=100 * rate,
    )
    return plot(f"column-{number}-{language.code}", figure, label)
