"""The masthead of the page, the heading of what is open, and messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scoring import language
from scoring.schema import HISTORY, KEY
from ui.house import House
from ui.people import AT_THE_MACHINE, Person
from ui.rendering import TEMPLATES, render
from ui.words import say

LOGO = (TEMPLATES / "logo.svg").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Address:
    """A language of the page: its part of the address, HTML's name for it, and its own."""

    code: str
    tag: str
    name: str


def addresses() -> list[Address]:
    """Return every language of the page."""
    return [
        Address(code, tag(code), name[:1].upper() + name[1:])
        for code in language.languages()
        for name in [language.name_of(code)]
    ]


def tag(lang: str) -> str:
    """Return what HTML calls a language."""
    return lang.replace("_", "-")


def masthead(
    lang: str, house: House, state: str = "", model: str = "", person: Person = AT_THE_MACHINE
) -> str:
    """Return the top of the page: name, state of the service, the model, who is there, every language."""
    return render(
        "masthead",
        lang,
        state=state,
        model=model,
        person=person,
        institution=house.institution,
        languages=addresses(),
    )


def heading(application: dict[str, Any], lang: str) -> str:
    """Return who is open and what the file holds."""
    client, history = application[KEY], application.get("history") or {}
    if not client:
        return render("heading", lang, client=None, title=say("new_is", lang), note=say("new_note", lang))
    held = [say(f"table_{table}", lang, len(history[table])) for table in HISTORY if history.get(table)]
    tables = language.joined(held, lang)
    note = say("history", lang, tables=tables) if held else say("no_history", lang)
    return render("heading", lang, client=client, title=say("client_is", lang, id=client), note=note)


def message(sentence: str, lang: str, details: list[tuple[str, str]] | None = None) -> str:
    """Return an error as a sentence and, for each fault, a link to its fact."""
    return render("message", lang, sentence=sentence, details=details or [])
