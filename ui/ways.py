"""What would turn a refusal: the ways that the service found and scored again, one press from a try."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.language import number, percent
from scoring.schema import Counterfactual
from ui import form
from ui.rendering import render
from ui.words import of_service


@dataclass(frozen=True)
class ShownWay:
    """One alternative.

    ``texts`` are what the form has to hold, by column; empty where a credit history has to change, which
    the form does not show.
    """

    text: str
    probability: str
    score: str
    texts: dict[str, str]


def card(found: Counterfactual, lang: str) -> str:
    """Return the alternatives as HTML; without any, why there is none."""
    columns = form.fields()
    ways = []
    for way in found.alternatives:
        is_here = all(change.field in columns for change in way.changes)
        texts = {
            change.field: form.show(columns[change.field], change.becomes, lang)
            for change in way.changes
            if is_here
        }
        p, score = percent(way.probability_of_default, lang, 1), number(way.score, lang)
        ways.append(ShownWay(of_service(way.text, lang), p, score, texts))
    return render("ways", lang, outcome=of_service(found.text, lang), ways=ways)
