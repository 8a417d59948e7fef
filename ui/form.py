"""The form of an application, generated from the schema: one control per raw column but the number.

It is plain HTML, sent once, so that 120 facts cost one component. `read` takes the texts back: a text
that nobody changed keeps the exact value that was opened, however it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from scoring import language
from scoring.features.base import DAYS_A_YEAR
from scoring.features.wording import level as level_in_words
from scoring.schema import FORM_GROUPS, KEY, NO_DATE, Application, Column, columns
from scoring.schema.columns import CATEGORY_MAX_LENGTH, INT32_MAX
from ui.figures import Language, number, parse
from ui.words import YEARS_FIELDS, counted, say, spaced

Value = str | int | float | None

MOST_YEARS = 150  # no fact of a person is older; a longer time is a slip of the keyboard
UNSEEN = "\0"  # stands for what is no text: no column takes it
OTHER = "\u0001other"  # the choice that opens a free text; no level of a file begins so
OPEN_GROUPS = ("request", "person", "work")  # what an officer changes most; the rest is one press away

# A new application starts from the medians of the public sample, so that a first score needs no typing.
NEW_APPLICATION: dict[str, Value] = {
    KEY: 0,
    "NAME_CONTRACT_TYPE": "Cash loans",
    "AMT_CREDIT": 513_000.0,
    "AMT_ANNUITY": 25_000.0,
    "AMT_GOODS_PRICE": 450_000.0,
    "AMT_INCOME_TOTAL": 144_000.0,
    "DAYS_BIRTH": -15_706,  # 43 years
    "DAYS_EMPLOYED": -1_644,
    "NAME_INCOME_TYPE": "Working",
    "NAME_EDUCATION_TYPE": "Secondary / secondary special",
    "NAME_HOUSING_TYPE": "House / apartment",
    "FLAG_OWN_CAR": "N",
    "FLAG_OWN_REALTY": "Y",
    "CNT_CHILDREN": 0,
    "REGION_RATING_CLIENT": 2,
    "REGION_RATING_CLIENT_W_CITY": 2,
    "EXT_SOURCE_2": 0.56,
    "EXT_SOURCE_3": 0.53,
}


@dataclass(frozen=True)
class Fault:
    """A text that is no value of its column, with a sentence for the officer."""

    name: str
    sentence: str


def fields() -> dict[str, Column]:
    """Return the columns that the form asks for: all of the application's but its number."""
    return {name: column for name, column in columns(Application).items() if column.kind != "id"}


def label(column: Column, lang: Language) -> str:
    """Return the words for a column, as the form shows it."""
    if column.name not in YEARS_FIELDS:
        return language.say(column.label, lang)
    english, french = YEARS_FIELDS[column.name]
    return spaced(french) if lang == "fr" else english


def unit(column: Column, lang: Language) -> str:
    """Return the unit that stands behind the control; empty where the words say it all."""
    if column.name in YEARS_FIELDS:
        return say("unit_years", lang)
    if column.kind == "number" and column.maximum == 1:
        return say("unit_share", lang)
    return say("unit_amount", lang) if column.kind == "number" and column.name.startswith("AMT_") else ""


def show(column: Column, value: Value, lang: Language) -> str:
    """Return a value as the control shows it; categories and flags keep their raw form."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if column.kind == "flag":
        return str(int(value))
    if column.name in YEARS_FIELDS:
        if column.name == "DAYS_EMPLOYED" and value == NO_DATE:
            return say("not_employed", lang)
        return number(-value / DAYS_A_YEAR, lang, 2, trim=True)
    return number(value, lang, 0 if column.kind == "integer" else 6, trim=True)


def understand(column: Column, text: str, lang: Language) -> Value:
    """Return the value of a typed text; empty is missing.

    Raises
    ------
    ValueError
        With a sentence for the officer, if the text is no value of the column.
    """
    if not text:
        return None
    if column.kind == "category":
        if len(text) > CATEGORY_MAX_LENGTH:
            raise ValueError(say("fault_long", lang, bound=number(CATEGORY_MAX_LENGTH, lang)))
        if not text.isprintable():
            raise ValueError(say("fault_unseen", lang))
        return text
    if column.name == "DAYS_EMPLOYED" and text.casefold() == say("not_employed", lang).casefold():
        return NO_DATE
    try:
        value = parse(text, lang)
    except ValueError:
        raise ValueError(say("fault_number", lang, example=number(1234.5, lang, 1))) from None
    low, high = column.minimum, column.maximum
    whole = column.kind in ("integer", "flag")
    if column.name in YEARS_FIELDS:
        low, high = 0 if column.maximum == 0 else -MOST_YEARS, MOST_YEARS
    elif whole:
        if value != int(value):
            raise ValueError(say("fault_whole", lang))
        low, high = -INT32_MAX if low is None else low, INT32_MAX if high is None else high
    if low is not None and value < low:
        raise ValueError(say("fault_low", lang, bound=number(low, lang, 2, trim=True)))
    if high is not None and value > high:
        raise ValueError(say("fault_high", lang, bound=number(high, lang, 2, trim=True)))
    if column.name in YEARS_FIELDS:
        return round(-value * DAYS_A_YEAR)
    return int(value) if whole else value


def read(
    texts: Mapping[str, str], opened: Mapping[str, Any], lang: Language
) -> tuple[dict[str, Any], list[Fault]]:
    """Return the edited application, and the texts that are no values.

    Parameters
    ----------
    texts : mapping of str to str
        What the controls hold, by column.
    opened : mapping
        The application that the form showed, its history included; it is not changed.
    """
    edited, faults = dict(opened), []
    for name, column in fields().items():
        given = texts.get(name, "")
        text = given.strip() if isinstance(given, str) else UNSEEN
        if text == show(column, opened.get(name), lang):
            continue
        try:
            value = understand(column, text, lang)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
            continue
        edited.pop(name, None)
        if value is not None:
            edited[name] = value
    return edited, faults


def in_words(column: Column, value: Value, lang: Language) -> str:
    """Return a value as a sentence quotes it."""
    if value is None:
        return say("missing", lang)
    if column.kind == "flag":
        return say("yes" if value else "no", lang)
    text = show(column, value, lang)
    if column.kind == "category":
        return level_in_words(text, lang)
    behind = say("unit_years", lang) if column.name in YEARS_FIELDS and text[:1].isdigit() else ""
    return f"{text} {behind}".strip()


def render(opened: Mapping[str, Any], lang: Language) -> str:
    """Return the form as HTML, in groups that open and close."""
    groups: dict[str, list[Column]] = {key: [] for key in FORM_GROUPS}
    for column in fields().values():
        groups[column.group].append(column)
    parts = [_group(key, members, opened, lang) for key, members in groups.items() if members]
    search = escape(say("find_fact", lang))
    return (
        f'<div id="application" role="form" aria-label="{escape(say("facts", lang))}"'
        f' data-was="{escape(say("was", lang))}" data-missing="{escape(say("missing", lang))}">'
        f'<input type="search" id="find-fact" class="find" placeholder="{search}" aria-label="{search}">'
        f"{''.join(parts)}</div>"
    )


def _group(key: str, members: list[Column], opened: Mapping[str, Any], lang: Language) -> str:
    title = language.say(FORM_GROUPS[key], lang)
    known = sum(opened.get(column.name) is not None for column in members)
    count = counted("known_of", lang, known, known=known, all=len(members))
    state = " open" if key in OPEN_GROUPS else ""
    controls = "".join(_control(column, opened.get(column.name), lang) for column in members)
    return (
        f'<details{state}><summary>{escape(title)}<span class="count">{escape(count)}</span></summary>'
        f'<div class="fields">{controls}</div></details>'
    )


def _control(column: Column, value: Value, lang: Language) -> str:
    """Return a labelled control; `data-was` holds what was opened, to mark what changed."""
    name, shown = column.name, show(column, value, lang)
    identity = f'id="fact-{name}" name="{name}" data-was="{escape(shown)}"'
    if column.kind in ("category", "flag"):
        control = _choice(column, shown, identity, lang)
    else:
        control = f'<input {identity} value="{escape(shown)}" inputmode="decimal" autocomplete="off">'
        behind = unit(column, lang)
        # The source names no currency, so the sign is the one that stands for any.
        mark = "¤" if behind == say("unit_amount", lang) else behind
        control += (
            f'<span class="unit" title="{escape(behind)}" aria-hidden="true">{escape(mark)}</span>'
            if mark
            else ""
        )
    spoken = f'<span class="spoken"> ({escape(unit(column, lang))})</span>' if unit(column, lang) else ""
    return (
        f'<div class="field"><label for="fact-{name}" title="{name}">{escape(label(column, lang))}{spoken}'
        f'</label><div class="control">{control}</div><small class="was"></small></div>'
    )


def _choice(column: Column, shown: str, identity: str, lang: Language) -> str:
    """Return a list of the known levels; a category may be another text too."""
    if column.kind == "flag":
        choices = {"1": say("yes", lang), "0": say("no", lang)}
    else:
        known = column.levels if not shown or shown in column.levels else (*column.levels, shown)
        choices = {level: level_in_words(level, lang) for level in known}
    choices = {"": say("missing", lang)} | choices
    if column.kind == "category":
        choices[OTHER] = say("other_value", lang)
    options = "".join(
        f'<option value="{escape(key)}"{" selected" if key == shown else ""}>{escape(text)}</option>'
        for key, text in choices.items()
    )
    free = escape(say("free_value", lang, fact=label(column, lang)))
    other = f'<input class="free" hidden autocomplete="off" maxlength="100" aria-label="{free}">'
    return f"<select {identity}>{options}</select>{other if column.kind == 'category' else ''}"
