"""A client among others: on a fact, on two, on the curve of one; as the service gives it, in groups only.

The service bins and rounds; here is only where bars, cells and lines stand. No other person is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from scoring.language import compact, joined, number, percent, small
from scoring.schema import KEY, Curve, Placement, ValueBin
from ui import form, waterfall
from ui.plots import LinePlot, PlotLine, line_plot
from ui.rendering import render
from ui.service import ServedModel, Service
from ui.words import of_service, say

SCORE, ALL, NEIGHBOURS, CREDIT = "score", "all", "neighbours", "AMT_CREDIT"
STEPS = 5  # shades of a cell, from no refusal to the most


@dataclass(frozen=True)
class ComparedFacts:
    """What is compared: a fact, among whom, perhaps beside another one, and of which fact the curve is."""

    fact: str = SCORE
    among: str = NEIGHBOURS
    beside: str = ""
    curve: str = CREDIT

    @classmethod
    def of(cls, query: Mapping[str, str], model: ServedModel) -> ComparedFacts:
        """Read an address; what the model does not offer is left out."""
        facts = {SCORE, *(item["name"] for item in model.compared)}
        drawn = {item["name"] for item in model.drawn}
        offered = {"fact": facts, "beside": facts, "among": set(model.among), "curve": drawn}
        found = {name: query[name] for name, known in offered.items() if query.get(name) in known}
        if found.get("beside") == found.get("fact", SCORE):
            found.pop("beside", None)
        return cls(**found)


@dataclass(frozen=True)
class ValueBar:
    """A part of the values of a fact, and who of a group lies in it.

    Attributes
    ----------
    words : str
        Which values.
    edge : str
        Its upper end, short; "" where there is none.
    granted, refused : float
        Shares of the granted, and of the refused, that lie in it.
    up, down : float
        Their bars, of the longest one.
    texts : tuple of str
        Both shares, and how many of 100 in it are refused.
    is_own : bool
        Whether the client lies in it.
    """

    words: str
    edge: str
    granted: float
    refused: float
    up: float
    down: float
    texts: tuple[str, str, str]
    is_own: bool


@dataclass(frozen=True)
class GroupPosition:
    """A fact in one group of the reference: its title, its size, its bins; none where it is too small."""

    title: str
    size: str
    text: str
    is_ordered: bool
    bins: Sequence[ValueBar]


@dataclass(frozen=True)
class Cell:
    """Applications with two facts alike: how many of 100 are refused, in words and as a shade."""

    text: str
    shade: int
    is_own: bool


@dataclass(frozen=True)
class Grid:
    """Two facts against each other."""

    text: str
    across: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


def page(
    service: Service,
    application: Mapping[str, Any],
    query: Mapping[str, str],
    wording: form.Wording,
    edits: Sequence[str] = (),
) -> str:
    """Return where an application stands among others, as HTML.

    Parameters
    ----------
    query : mapping of str to str
        What the address asks for.
    edits : sequence of str
        What was changed in the application, in words.

    Raises
    ------
    ServiceError
        If the service does not answer.
    """
    lang, model = wording.lang, service.model()
    asked = ComparedFacts.of(query, model)
    questions: list[Callable[[], Any]] = [
        lambda: service.curve(application, asked.curve),
        *(
            (lambda among=among: service.compare(application, asked.fact, among))
            for among in dict.fromkeys((ALL, asked.among))
        ),
    ]
    if asked.beside:
        # Of few neighbours no cell would have enough to be shown.
        within = ALL if asked.among == NEIGHBOURS else asked.among
        questions.append(lambda: service.compare(application, asked.fact, within, asked.beside))
    with ThreadPoolExecutor(len(questions)) as pool:
        curve, *placements = pool.map(lambda ask: ask(), questions)
    crossed = placements.pop() if asked.beside else None
    own = placements[0].values
    return render(
        "compare",
        lang,
        client=application[KEY] or None,
        asked=asked,
        edits=edits,
        facts=list(_facts(model, lang)),
        among={name: _among(name, model, lang) for name in model.among},
        drawn={item["name"]: waterfall.feature_label(item, item["name"], lang) for item in model.drawn},
        fact=_label(asked.fact, model, lang),
        own=_value(asked.fact, own[0], model, wording) if own else "",
        groups=[_group(one, application, model, wording) for one in placements],
        beside=_label(asked.beside, model, lang) if asked.beside else "",
        crossing=say(
            "grid_title",
            lang,
            one=_label(asked.fact, model, lang),
            other=small(_label(asked.beside, model, lang), lang),
        )
        if asked.beside
        else "",
        grid=_grid(crossed, model, wording) if crossed else None,
        curve=_curve(curve, model, wording),
        curve_title=_label(asked.curve, model, lang),
        curve_text=of_service(curve.text, lang),
        linked=joined([small(_label(name, model, lang), lang) for name in curve.linked], lang),
    )


def nobody(lang: str) -> str:
    """Return what stands there while no application is open."""
    return render("waiting", lang, title=say("compare_none", lang), note=say("compare_none_note", lang))


def _facts(model: ServedModel, lang: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Give the themes with their facts, the weightiest first."""
    by_group: dict[str, list[tuple[str, str]]] = {}
    for item in sorted(model.compared, key=lambda item: -item.get("importance", 0)):
        words = waterfall.feature_label(item, item["name"], lang)
        by_group.setdefault(item["group"], []).append((item["name"], words))
    for key, found in by_group.items():
        yield of_service(model.facts["groups"].get(key, {}), lang) or key, found


def _label(name: str, model: ServedModel, lang: str) -> str:
    return say("total", lang) if name == SCORE else waterfall.feature_label(model.feature(name), name, lang)


def _among(name: str, model: ServedModel, lang: str) -> str:
    if name in (ALL, NEIGHBOURS):
        return say(f"among_{name}", lang)
    return say("among_same", lang, fact=_label(name, model, lang))


def _value(name: str, value: float | str | None, model: ServedModel, wording: form.Wording) -> str:
    if name == SCORE and isinstance(value, float):
        return f"{number(value, wording.lang)} {say('points', wording.lang)}"
    return waterfall.feature_value(model.feature(name), value, wording)


def _short(name: str, value: float, model: ServedModel, lang: str) -> str:
    """Write the end of a bin as briefly as it can be told from the next one."""
    return percent(value, lang, 1, is_trimmed=True) if _unit(name, model) == "share" else compact(value, lang)


def _unit(name: str, model: ServedModel) -> str:
    return str(model.feature(name).get("unit", ""))


def _bin(name: str, found: ValueBin, model: ServedModel, wording: form.Wording) -> str:
    """Return which values lie in a bin."""
    lang = wording.lang
    if found.kind != "values":
        return say("missing" if found.kind == "missing" else "bin_other", lang)
    if found.level is not None:
        return form.in_house(found.level, wording)
    low, high = (None if end is None else _short(name, end, model, lang) for end in (found.above, found.to))
    if low is None:
        return say("bin_any", lang) if high is None else say("bin_first", lang, high=high)
    return say("bin_last", lang, low=low) if high is None else say("bin", lang, low=low, high=high)


def _group(
    found: Placement, application: Mapping[str, Any], model: ServedModel, wording: form.Wording
) -> GroupPosition:
    """Return one fact in one group."""
    lang, name = wording.lang, found.facts[0]
    title = _among(found.among, model, lang)
    column = form.fields().get(found.among)
    if column is not None:
        title = say(
            "among_level",
            lang,
            fact=_label(found.among, model, lang),
            value=form.in_words(column, application.get(found.among), wording),
        )
    sums = sum(found.granted), sum(found.refused)
    size = say("group_size", lang, sum(sums), refused=_of_100(sums[1], sum(sums), lang)) if any(sums) else ""
    if found.among == NEIGHBOURS:
        size = f"{size} {say('neighbours_like', lang)}"
    is_ordered = bool(found.axes) and all(one.level is None for one in found.axes[0])
    return GroupPosition(
        title, size, of_service(found.text, lang), is_ordered, _bins(name, found, model, wording)
    )


def _bins(name: str, found: Placement, model: ServedModel, wording: form.Wording) -> list[ValueBar]:
    lang = wording.lang
    if not found.axes:
        return []
    granted, refused = ([n / (sum(side) or 1) for n in side] for side in (found.granted, found.refused))
    longest = max(*granted, *refused) or 1
    return [
        ValueBar(
            words=_bin(name, one, model, wording),
            edge=_short(name, one.to, model, lang) if one.to is not None else "",
            granted=good,
            refused=bad,
            up=good / longest,
            down=bad / longest,
            texts=(percent(good, lang), percent(bad, lang), _of_100(n_bad, n_good + n_bad, lang)),
            is_own=place == found.own[0],
        )
        for place, (one, good, bad, n_good, n_bad) in enumerate(
            zip(found.axes[0], granted, refused, found.granted, found.refused, strict=True)
        )
        if one.kind == "values" or n_good or n_bad or place == found.own[0]
    ]


def _of_100(refused: int, all_of_them: int, lang: str) -> str:
    """Return how many of 100 are refused; a dash where nobody is."""
    return percent(refused / all_of_them, lang) if all_of_them else "–"


def _grid(found: Placement, model: ServedModel, wording: form.Wording) -> Grid:
    """Return two facts against each other: the first one down, the second one across."""
    lang = wording.lang
    text = f"{_among(found.among, model, lang)}. {of_service(found.text, lang)}"
    if not found.axes:
        return Grid(text, (), ())
    down, across = found.axes
    width = len(across)
    both = [g + r for g, r in zip(found.granted, found.refused, strict=True)]
    kept_down = [i for i in range(len(down)) if any(both[i * width : (i + 1) * width]) or i == found.own[0]]
    kept_across = [j for j in range(width) if any(both[j::width]) or j == found.own[1]]

    def cell(i: int, j: int) -> Cell:
        n, refused = both[i * width + j], found.refused[i * width + j]
        shade = round(STEPS * refused / n) if n else -1
        return Cell(_of_100(refused, n, lang), shade, [i, j] == list(found.own))

    return Grid(
        text,
        [_bin(found.facts[1], across[j], model, wording) for j in kept_across],
        [
            (_bin(found.facts[0], down[i], model, wording), [cell(i, j) for j in kept_across])
            for i in kept_down
        ],
    )


def _curve(found: Curve, model: ServedModel, wording: form.Wording) -> LinePlot | None:
    """Return the curve of a fact: the probability of default by its values."""
    if not found.points:
        return None
    lang, name = wording.lang, found.fact
    xs = [point.value for point in found.points]
    lines = [PlotLine([point.probability_of_default for point in found.points], say("alone", lang))]
    if found.linked:
        lines.append(PlotLine([point.together or 0.0 for point in found.points], say("together", lang)))
    return line_plot(
        xs,
        lines,
        lambda value: _short(name, value, model, lang),
        lambda value: percent(value, lang, 1, is_trimmed=True),
        level=(found.threshold, f"{say('threshold', lang)} {percent(found.threshold, lang, 1)}"),
        at=None if found.value is None else (found.value, _value(name, found.value, model, wording)),
    )
