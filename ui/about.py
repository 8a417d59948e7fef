"""What the page says of the model in service, from the service's own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from scoring.language import MINUS, day, joined, moment, number, percent
from ui.rendering import render
from ui.service import ServedModel
from ui.words import TEXTS, of_service, say, word

SHARES = ("precision", "recall", "accuracy", "share_granted", "default_rate_granted")
LINEAGE = ("applications", "created", "git_revision", "data_sha256")
NONE = "–"


@dataclass(frozen=True)
class Theme:
    """A group of features: its title, its share of the importance, a row for each feature."""

    title: str
    share: str
    rows: list[tuple[str, str, str]]


def card(model: ServedModel, lang: str, strategy: str = "") -> str:
    """Return the model's card: what it is, how good it is, what it reads.

    ``strategy`` is HTML for its owner, between what it is and how good it is.
    """
    return render(
        "model",
        lang,
        lines=_lines(model, lang),
        strategy=Markup(strategy),
        measures=list(_measures(model.facts.get("metrics", {}), lang)),
        n_features=len(model.facts["features"]),
        themes=list(_themes(model.facts, lang)),
    )


def short(model: ServedModel, lang: str) -> str:
    """Return the model in a few words: its family and the day when it was trained."""
    family = word(f"short_{model.facts.get('family')}", str(model.facts.get("family", "")), lang)
    created = model.facts.get("lineage", {}).get("created")
    if not created:
        return family
    return say("model_short", lang, family=family, day=day(datetime.fromisoformat(created), lang))


def _lines(model: ServedModel, lang: str) -> list[tuple[str, str]]:
    """Return what the model is, as names of texts and values."""
    facts, lineage = model.facts, model.facts.get("lineage", {})
    kept_out = [word(key, key, lang) for key in facts.get("policy", [])]
    costs = [number(cost, lang, 1, is_trimmed=True) for cost in facts.get("costs", {}).values()]
    lines = [
        ("about_tag", model.tag),
        ("about_family", word(f"family_{facts.get('family')}", str(facts.get("family", "")), lang)),
        ("about_threshold", percent(facts["threshold"], lang, 1)),
        ("about_costs", " : ".join(costs)),
        ("about_protected", joined(kept_out, lang) or NONE),
    ]
    return lines + [(f"about_{key}", _plain(lineage[key], lang)) for key in LINEAGE if lineage.get(key)]


def _measures(metrics: Mapping[str, Mapping[str, float]], lang: str) -> Iterator[tuple[str, str, str]]:
    """Give a row for each metric, in the order of the words: that of their weight."""
    order = [name.removeprefix("metric_") for name in TEXTS if name.startswith("metric_")]
    for name in sorted(metrics, key=lambda name: order.index(name) if name in order else len(order)):
        metric = metrics[name]
        ends = [_measure(name, metric[end], lang) for end in ("low", "high") if end in metric]
        label = word(f"metric_{name}", name.replace("_", " "), lang)
        yield label, _measure(name, metric["value"], lang), " – ".join(ends)


def _themes(facts: Mapping[str, Any], lang: str) -> Iterator[Theme]:
    """Give the groups of features, the weightiest first."""
    themes: dict[str, list[Mapping[str, Any]]] = {key: [] for key in facts["groups"]}
    for feature in sorted(facts["features"], key=lambda item: -item.get("importance", 0)):
        themes.setdefault(feature["group"], []).append(feature)
    weights = {key: sum(item.get("importance", 0) for item in found) for key, found in themes.items()}
    whole = sum(weights.values()) or 1
    for key in sorted(filter(themes.get, themes), key=lambda key: -weights[key]):
        rows = [
            (
                of_service(item["label"], lang),
                percent(item.get("importance", 0) / whole, lang, 1),
                item["name"],
            )
            for item in themes[key]
        ]
        yield Theme(
            of_service(facts["groups"].get(key, {}), lang) or key,
            percent(weights[key] / whole, lang, 1),
            rows,
        )


def _measure(name: str, value: float, lang: str) -> str:
    if name in SHARES:
        return percent(value, lang, 1)
    return number(value, lang, 0 if name == "cost_per_1000" else 4, minus=MINUS)


def _plain(value: object, lang: str) -> str:
    """Return a number or a time as people write it, and any other value as it is."""
    if isinstance(value, int):
        return number(value, lang)
    try:
        return moment(datetime.fromisoformat(str(value)), lang)
    except ValueError:
        return str(value)
