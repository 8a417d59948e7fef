"""What would turn a refusal: the ways that the service found and scored again, one press from a try."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.language import number, percent
from scoring.schema import Counterfactual
from ui import form
from ui.rendering import render
from ui.service import ServedModel
from ui.words import of_service, say


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


def card(found: Counterfactual, model: ServedModel, lang: str) -> str:
    """Return the alternatives as HTML, or why there is none; beside them, what policy lets change."""
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
    policy = [
        say("ways_most", lang, change=of_service(lever["title"], lang), most=percent(lever["most"], lang, 0))
        for lever in model.facts.get("changes", ())  # a service of another version may not tell
    ]
    return render("ways", lang, outcome=of_service(found.text, lang), ways=ways, policy=policy)
