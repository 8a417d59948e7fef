"""From the evidence to one self-contained page: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from scoring.evidence.fairness import SMALLEST
from scoring.language import say
from validation import people, sections
from validation.blocks import Facts, Plot, Section, TableBlock
from validation.clauses import CLAUSES
from validation.evidence import Evidence
from validation.language import Language, spoken

HERE = Path(__file__).resolve().parent
ABOUT = (
    sections.card,
    sections.data,
    sections.ladder,
    sections.candidates,
    sections.card_of_points,
    sections.curve,
    sections.money,
    sections.importance,
    people.verdict,
    people.reasons,
    people.fairness,
    people.stability,
    people.limits,
)


def write(evidence: Evidence, language: Language) -> str:
    """Return the pack in one language, as HTML."""
    templates = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["svg"] = Markup  # drawn by us; matplotlib escapes every text in it
    kinds = {TableBlock: "table", Plot: "plot", Facts: "facts"}
    e = evidence
    made = language.say(
        "made",
        run=e.run.id,
        portfolio=e.portfolio,
        n=language.count(len(e.y)),
        bad=language.count(int(e.y.sum())),
        rate=language.share(float(e.y.mean())),
    )
    return templates.get_template("page.html").render(
        say=language.say,
        tag=language.tag,
        others=[other for other in spoken() if other != language],
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        made=made,
        privacy=language.say("privacy", smallest=SMALLEST),
        sections=compose(evidence, language),
        kind=lambda block: kinds[type(block)],
    )


def compose(evidence: Evidence, language: Language) -> list[Section]:
    """Return all sections, each with the clauses that it answers."""
    about = [make(evidence, language) for make in ABOUT]
    named = [(say(c.name, language.code), c.sections) for c in CLAUSES]
    about = [
        replace(section, clauses=tuple(name for name, answers in named if section.name in answers))
        for section in about
    ]
    return [*about, people.clauses(about, language)]
