"""What the page says of the model in service, from the service's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from ui.figures import Language, number, percent
from ui.service import Model
from ui.words import TEXTS, counted, say

SHARES = ("precision", "recall", "accuracy", "share_granted", "default_rate_granted")


def render(model: Model, lang: Language) -> str:
    """Return the model's card: what it is, how good it is, what it reads."""
    return _what(model, lang) + _quality(model.facts.get("metrics", {}), lang) + _reads(model.facts, lang)


def _what(model: Model, lang: Language) -> str:
    facts, lineage = model.facts, model.facts.get("lineage", {})
    costs = facts.get("costs", {})
    kept_out = [_word(key, key, lang) for key in facts.get("policy", [])]
    lines = [
        ("about_tag", model.tag),
        ("about_family", _word(f"family_{facts.get('family')}", str(facts.get("family", "")), lang)),
        ("about_threshold", percent(facts["threshold"], lang, 2)),
        ("about_costs", " : ".join(number(cost, lang, 1, trim=True) for cost in costs.values())),
        ("about_protected", ", ".join(kept_out) or "–"),
    ]
    known = ("applications", "created", "git_revision", "data_sha256")
    lines += [(f"about_{key}", _plain(lineage[key], lang)) for key in known if lineage.get(key)]
    body = "".join(f"<dt>{escape(say(key, lang))}</dt><dd>{escape(text)}</dd>" for key, text in lines)
    return f'<section class="card"><h2>{escape(say("about_model", lang))}</h2><dl>{body}</dl></section>'


def _quality(metrics: Mapping[str, Mapping[str, float]], lang: Language) -> str:
    rows = []
    order = list(TEXTS)  # the words stand in the order of weight
    known = {name: order.index(f"metric_{name}") for name in metrics if f"metric_{name}" in TEXTS}
    for name, metric in sorted(metrics.items(), key=lambda item: known.get(item[0], len(order))):
        low_high = [_measure(name, metric[end], lang) for end in ("low", "high") if end in metric]
        label = _word(f"metric_{name}", name.replace("_", " "), lang)
        rows.append((label, _measure(name, metric["value"], lang), " – ".join(low_high)))
    heads = [say(key, lang) for key in ("about_measure", "value", "about_interval")]
    return (
        f'<section class="card"><h2>{escape(say("about_metrics", lang))}</h2>'
        f"<p>{escape(say('about_metrics_note', lang))}</p>{_table(heads, rows)}</section>"
    )


def _reads(facts: Mapping[str, Any], lang: Language) -> str:
    items = facts["features"]
    themes: dict[str, list[Mapping[str, Any]]] = {key: [] for key in facts["groups"]}
    for item in sorted(items, key=lambda item: -item.get("importance", 0)):
        themes.setdefault(item["group"], []).append(item)
    whole = sum(item.get("importance", 0) for item in items) or 1
    heads = [say(key, lang) for key in ("fact", "about_weight", "about_name")]
    parts = []
    shares = {key: sum(item.get("importance", 0) for item in found) / whole for key, found in themes.items()}
    for key in sorted(themes, key=lambda key: -shares[key]):
        found = themes[key]
        if found:
            title = facts["groups"].get(key, {}).get(lang, key)
            rows = [
                (item["label"][lang], percent(item.get("importance", 0) / whole, lang), item["name"])
                for item in found
            ]
            count = (
                f"{percent(shares[key], lang, 0)} · {counted('about_count', lang, len(found), n=len(found))}"
            )
            parts.append(
                f'<details><summary>{escape(title)}<span class="count">{escape(count)}</span></summary>'
                f"{_table(heads, rows)}</details>"
            )
    note = say("about_features_note", lang, n=number(len(items), lang))
    return (
        f'<section class="card"><h2>{escape(say("about_features", lang))}</h2><p>{escape(note)}</p>'
        f"{''.join(parts)}</section>"
    )


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(text)}</td>" for text in rest)}</tr>'
        for first, *rest in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _word(key: str, otherwise: str, lang: Language) -> str:
    """Return a text of the page, or what the service calls it where the page has none."""
    return say(key, lang) if key in TEXTS else otherwise


def _measure(name: str, value: float, lang: Language) -> str:
    if name in SHARES:
        return percent(value, lang)
    return number(value, lang, 0 if name == "cost_per_1000" else 4)


def _plain(value: object, lang: Language) -> str:
    """Return a number or a time as people write it, and any other value as it is."""
    if isinstance(value, int):
        return number(value, lang)
    try:
        moment = datetime.fromisoformat(str(value)).astimezone(UTC)
    except ValueError:
        return str(value)
    return f"{moment:%d/%m/%Y %H:%M} UTC" if lang == "fr" else f"{moment:%Y-%m-%d %H:%M} UTC"
