"""The figures of the pack, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from scoring.decision import COSTS
from scoring.evidence.description import GAPS, ColumnSummary, Shape
from scoring.evidence.fairness import RULE_OF_THUMB, SMALLEST, Audit
from scoring.evidence.figures.plots import (
    Figure,
    Line,
    as_svg,
    draw_bars,
    draw_distribution,
    draw_lines,
    draw_pairs,
    draw_stack,
)
from scoring.evidence.money import MoneyOutcome
from scoring.evidence.ranking import Ranking
from scoring.metrics import Measured, Outcomes, Vector
from validation.blocks import Plot
from validation.language import Language

POINTS = 100  # of a curve at most; between two of them stand `SMALLEST` applications or more
DECILES = 10
AXES = {unit: unit for unit in ("share", "amount", "years", "days", "months")} | {
    "date": "days",
    "month": "months",
}


def plot(name: str, figure: Figure, caption: str) -> Plot:
    """Wrap a figure with its caption."""
    return Plot(caption, as_svg(figure, name, caption))


def discrimination(language: Language, y: Outcomes, raw: Vector, p: Vector, served: float) -> list[Plot]:
    """Draw ROC, precision and recall, KS, CAP, gain, calibration, and cost against the threshold.

    What reads the order only reads the log-odds, as the measures of rank do; calibration and cost read the
    probability. No two neighbouring points have fewer than ``SMALLEST`` applications between them.
    """
    say, code = language.say, language.code
    whole = Ranking.of(y, raw)
    ranked = whole.thinned(SMALLEST, POINTS)
    by_p = Ranking.of(y, p).thinned(SMALLEST, POINTS)
    rate = float(y.mean())
    refused = ranked.refused / len(y)
    zero = [np.concatenate(([0.0], values)) for values in (ranked.caught, ranked.alarms, refused)]
    caught, alarms, share = zero
    diagonal = Line([0, 1], [0, 1], say("chance"), is_aside=True)
    mean = Line([0, 1], [rate, rate], say("default_rate"), is_aside=True)
    widest = float(share[np.argmax(caught - alarms)])
    drawn = {
        "roc": draw_lines([Line(alarms, caught), diagonal], say("good_refused"), say("bad_refused"), code),
        "pr": draw_lines(
            [Line(ranked.caught, ranked.bads / ranked.refused), mean],
            say("bad_refused"),
            say("bad_among_refused"),
            code,
        ),
        "ks": draw_lines(
            [Line(share, caught, say("defaults")), Line(share, alarms, say("repaid"))],
            say("refused_first"),
            say("share_reached"),
            code,
            at=[(widest, f"KS = {language.number(whole.ks, 4)}")],
        ),
        "cap": draw_lines(
            [
                Line(share, caught, say("model")),
                diagonal,
                Line([0, rate, 1], [0, 1, 1], say("perfect"), is_aside=True),
            ],
            say("refused_first"),
            say("bad_refused"),
            code,
        ),
        "gain": _gain(language, y, whole),
        "calibration": _calibration(language, y, p),
        "cost": draw_lines(
            [Line(by_p.scores, by_p.cost_per_1000)],
            say("threshold"),
            say("cost_axis"),
            code,
            at=[
                (served, say("marked", name=say("in_force"), value=language.number(served, 4))),
                (COSTS.threshold, say("marked", name="1/11", value=language.number(COSTS.threshold, 4))),
            ],
            limits=(0.0, min(0.5, float(by_p.scores.max()))),
        ),
    }
    parts = min(DECILES, max(1, len(y) // SMALLEST))
    by = say("by_decile") if parts == DECILES else say("by_part", parts=parts)
    return [plot(f"{name}-{language.code}", f, say(f"plot:{name}", by=by)) for name, f in drawn.items()]


def _gain(language: Language, y: Outcomes, whole: Ranking) -> Figure:
    parts = whole.thinned(SMALLEST, DECILES).parts()
    names = [_part(language, i + 1, len(parts)) for i in range(len(parts))]
    rates = [100 * float(y[rows].mean()) for rows in parts]
    axis = language.say("default_rate_percent")
    return draw_bars(names, rates, axis, language.code, line=100 * float(y.mean()))


def _part(language: Language, number: int, parts: int) -> str:
    """Name a part of equal count: a decile where there are ten."""
    return language.say("decile" if parts == DECILES else "part", number=number, parts=parts)


def _calibration(language: Language, y: Outcomes, p: Vector) -> Figure:
    parts = Ranking.of(y, p).thinned(SMALLEST, DECILES).parts()
    said, seen = np.array([p[r].mean() for r in parts]), np.array([y[r].mean() for r in parts])
    error = 1.96 * np.sqrt(seen * (1 - seen) / [len(r) for r in parts])
    top = float(max(said.max(), seen.max()))
    say = language.say
    label = say("decile_interval" if len(parts) == DECILES else "part_interval")
    points = Line(said, seen, label, seen - error, seen + error, is_points=True)
    perfect = Line([0, top], [0, top], say("perfect"), is_aside=True)
    return draw_lines([points, perfect], say("forecast"), say("default_rate"), language.code)


def importance(language: Language, names: Mapping[str, float], labels: Mapping[str, str]) -> Plot:
    """Draw the features that weigh most."""
    first = list(names.items())[:20]
    figure = draw_bars(
        [labels[n] for n, _ in first], [v for _, v in first], language.say("log_odds"), language.code
    )
    return plot(f"importance-{language.code}", figure, language.say("plot:importance"))


def strategy(
    language: Language, curve: list[MoneyOutcome], cutoffs: Mapping[str, MoneyOutcome]
) -> list[Plot]:
    """Draw the default rate and the money against the share granted."""
    say, code = language.say, language.code
    granted = [100 * point.share_granted for point in curve]
    at = [(100 * cutoffs[k].share_granted, say(f"cutoff:{k}")) for k in ("in_force", "most_profit")]
    rate = draw_lines(
        [Line(granted[1:], [100 * point.default_rate for point in curve[1:]])],
        say("granted_percent"),
        say("default_rate_granted_percent"),
        code,
        at=at,
    )
    earned = draw_lines(
        [
            Line(granted, [point.profit for point in curve], say("profit")),
            Line(granted, [point.loss for point in curve], say("loss")),
            Line(granted, [point.expected_loss for point in curve], say("expected_loss")),
        ],
        say("granted_percent"),
        say("money_axis"),
        code,
        at=at,
    )
    return [
        plot(f"strategy-{code}", rate, say("plot:strategy")),
        plot(f"money-{code}", earned, say("plot:money")),
    ]


def fairness(language: Language, audit: Audit) -> list[Plot]:
    """Draw each group's approval ratio, and its gap among good clients, at every share of approvals."""
    say, code = language.say, language.code
    attribute = say(f"attribute:{audit.attribute}")
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
            if any(m.value != best for m in curve)  # else it is the reference at every threshold
        ]

    rule = Line(
        [granted[0], granted[-1]], [RULE_OF_THUMB] * 2, language.number(RULE_OF_THUMB, 2), is_aside=True
    )
    ratios = draw_lines(
        [*drawn(audit.ratios, 1.0), rule], say("granted_percent"), say("approval_ratio"), code
    )
    gaps = draw_lines(drawn(audit.gaps, 0.0), say("granted_percent"), say("gap"), code)
    return [
        plot(f"fair-{audit.attribute}-{code}", ratios, say("plot:fairness", attribute=attribute)),
        plot(f"gaps-{audit.attribute}-{code}", gaps, say("plot:gaps", attribute=attribute)),
    ]


def missing(language: Language, by_table: Mapping[str, tuple[float, ...]]) -> Plot:
    """Draw how much is missing: each table's features by their share of gaps."""
    say = language.say
    bounds = [say("gaps:up_to", high=language.share(GAPS[0], 0))]
    bounds += [f"{language.number(100 * a, 0)}–{language.share(b, 0)}" for a, b in pairwise(GAPS)]
    bounds.append(say("gaps:above", low=language.share(GAPS[-1], 0)))
    parts = [(bound, [100 * classes[i] for classes in by_table.values()]) for i, bound in enumerate(bounds)]
    names = [language.named("table", name) for name in by_table]
    figure = draw_stack(names, parts, say("gaps:axis"), language.code)
    return plot(f"missing-{language.code}", figure, say("plot:missing"))


def distribution(
    language: Language, shape: Shape, number: int, caption: str, unit: str, names: list[str]
) -> Plot:
    """Draw how the values of one column, or ``names``, lie among repaid credits and among defaults."""
    say = language.say
    parts = [(say(who), shares) for who, shares in shape.shares.items()]
    if shape.edges:
        scale = 100 if unit == "share" else 1
        axis = say(f"unit:{AXES[unit]}") if unit in AXES else ""
        edges = [scale * edge for edge in shape.edges]
        figure = draw_distribution(edges, parts, axis, say("density"), language.code)
    else:
        percent = [(who, [100 * share for share in shares]) for who, shares in parts]
        figure = draw_pairs(names, percent, say("share_of_each"), language.code)
    return plot(f"shape-{number}-{language.code}", figure, caption)


def column(
    language: Language, described: ColumnSummary, number: int, label: str, names: list[str], rate: float
) -> Plot:
    """Draw the default rate along one column."""
    figure = draw_bars(
        names,
        [100 * part.default_rate for part in described.bins],
        language.say("default_rate_percent"),
        language.code,
        line=100 * rate,
    )
    return plot(f"column-{number}-{language.code}", figure, label)
