"""The owner's screen: what each threshold would approve and cost, on the validation data of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scoring.features.wording import level
from scoring.language import number, percent
from scoring.schema import OwnerCut, OwnerView
from ui.plots import LinePlot, PlotLine, line_plot
from ui.rendering import render
from ui.words import of_service, say, word

NONE = "–"


@dataclass(frozen=True)
class Figure:
    """One figure of a threshold: its name, what it is in force, and at every other threshold."""

    name: str
    in_force: str
    at_each: Sequence[str]


@dataclass(frozen=True)
class Trade:
    """A plot of what a threshold costs, over the share that it approves."""

    title: str
    plot: LinePlot


@dataclass(frozen=True)
class GroupParity:
    """How the decisions fall on the groups of a protected attribute, which no model reads.

    Attributes
    ----------
    title : str
        The attribute.
    lowest : Figure
        The share granted of the group that is granted least often, over that of the one granted most often.
    rows : sequence of tuple of str
        In force, for each group: its name, the share granted, that over the best one's, and the share granted
        of those who repaid.
    """

    title: str
    lowest: Figure
    rows: Sequence[tuple[str, str, str, str]]


def card(view: OwnerView, lang: str) -> str:
    """Return the strategy curve as HTML: figures for each threshold, and plots with the one in force."""
    cuts = view.cuts
    place = next(i for i, cut in enumerate(cuts) if cut.threshold == view.threshold)
    figures = [
        _figure("owner_threshold", lambda cut: percent(cut.threshold, lang, 1), cuts, place, lang),
        _figure("owner_approved", lambda cut: percent(cut.approved, lang, 1), cuts, place, lang),
        _figure("owner_bad_rate", lambda cut: _rate(cut, lang), cuts, place, lang),
        _figure("owner_cost", lambda cut: number(cut.cost_per_1000, lang), cuts, place, lang),
    ]
    return render(
        "owner",
        lang,
        figures=figures,
        last=len(cuts) - 1,
        place=place,
        at=[round(100 * cut.approved, 2) for cut in cuts],
        trades=[
            _trade(
                "owner_bad_rate",
                [cut.bad_rate or 0.0 for cut in cuts],
                lambda v: percent(v, lang),
                view,
                lang,
            ),
            _trade("owner_cost", [cut.cost_per_1000 for cut in cuts], lambda v: number(v, lang), view, lang),
        ],
        parity=_parity(view, place, lang),
        cheapest=percent(min(cuts, key=lambda cut: cut.cost_per_1000).threshold, lang, 1),
        applications=number(view.applications, lang),
        note=of_service(view.text, lang),
    )


def _figure(
    name: str, write: Callable[[OwnerCut], str], cuts: Sequence[OwnerCut], place: int, lang: str
) -> Figure:
    texts = [write(cut) for cut in cuts]
    return Figure(say(name, lang), texts[place], texts)


def _parity(view: OwnerView, place: int, lang: str) -> list[GroupParity]:
    """Return the protected attributes that the reference keeps."""
    found = []
    for attribute in dict.fromkeys(group.attribute for group in view.fairness):

        def lowest(cut: OwnerCut, attribute: str = attribute) -> str:
            return percent(cut.fairness[attribute], lang) if attribute in cut.fairness else NONE

        rows = [
            (
                level(group.name, lang),
                percent(group.approved, lang, 1),
                NONE if group.ratio is None else percent(group.ratio, lang),
                percent(group.good_approved, lang, 1),
            )
            for group in view.fairness
            if group.attribute == attribute
        ]
        figure = _figure("owner_lowest", lowest, view.cuts, place, lang)
        found.append(GroupParity(word(attribute, attribute, lang), figure, rows))
    return found


def _rate(cut: OwnerCut, lang: str) -> str:
    return NONE if cut.bad_rate is None else percent(cut.bad_rate, lang, 1)


def _trade(
    name: str, values: Sequence[float], write: Callable[[float], str], view: OwnerView, lang: str
) -> Trade:
    title = say(name, lang)
    plot = line_plot(
        [cut.approved for cut in view.cuts],
        [PlotLine(values, title)],
        lambda value: percent(value, lang),
        write,
        ends=(0.0, 1.0),
    )
    return Trade(title, plot)
