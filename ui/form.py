"""The form of an application, generated from the schema: one control per raw column but the number.

It is plain HTML, sent once, so that 120 facts cost one component. `read` takes the texts back: a text
that nobody changed keeps the exact value that was opened, however it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scoring import language
from scoring.features.base import DAYS_A_YEAR
from scoring.features.wording import level as level_in_words
from scoring.problems import Fault
from scoring.schema import FORM_GROUPS, KEY, NO_DATE, Application, Column, columns
from scoring.schema.columns import CATEGORY_MAX_LENGTH, INT32_MAX
from ui.house import NO_HOUSE, House
from ui.rendering import render
from ui.words import YEARS, say

Value = str | int | float | None

MOST_LETTERS = 40  # of a number that is typed
MOST_YEARS = 150  # no fact of a person is older; a longer time is a slip of the keyboard
INVALID = "\0"  # stands for what is no text: no column takes it
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
class InvalidField:
    """A text that is no value of its column, with a sentence for the officer."""

    name: str
    sentence: str


def fields() -> dict[str, Column]:
    """Return the columns that the form asks for: all of the application's but its number."""
    return {name: column for name, column in columns(Application).items() if column.kind != "id"}


def label(column: Column, lang: str) -> str:
    """Return the words for a column, as the form shows it."""
    return language.say(YEARS.get(column.name, column.label), lang)


def unit(column: Column, lang: str) -> str:
    """Return the unit that stands behind the control; empty where the words say it all."""
    if column.name in YEARS:
        return say("unit_years", lang)
    if column.kind == "number" and column.maximum == 1:
        return say("unit_share", lang)
    return ""


def show(column: Column, value: Value, lang: str) -> str:
    """Return a value as the control shows it; categories and flags keep their raw form."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if column.kind == "flag":
        return str(int(value))
    if column.name in YEARS:
        if column.name == "DAYS_EMPLOYED" and value == NO_DATE:
            return say("not_employed", lang)
        return language.number(-value / DAYS_A_YEAR, lang, 2, is_trimmed=True)
    return language.number(value, lang, 0 if column.kind == "integer" else 6, is_trimmed=True)


def parse(column: Column, text: str, lang: str) -> Value:
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
            raise ValueError(Fault("too_long", {"maximum": CATEGORY_MAX_LENGTH}).say(lang))
        if not text.isprintable():
            raise ValueError(say("fault_unseen", lang))
        return text
    if column.name == "DAYS_EMPLOYED" and text.casefold() == say("not_employed", lang).casefold():
        return NO_DATE
    try:
        value = language.parse(text, lang)
    except ValueError:
        example = language.number(1234.5, lang, 1)
        raise ValueError(say("fault_number", lang, example=example)) from None
    low, high = column.minimum, column.maximum
    whole = column.kind in ("integer", "flag")
    if column.name in YEARS:
        low, high = 0 if column.maximum == 0 else -MOST_YEARS, MOST_YEARS
    elif whole:
        if value != int(value):
            raise ValueError(say("fault_whole", lang))
        low, high = -INT32_MAX if low is None else low, INT32_MAX if high is None else high
    if low is not None and value < low:
        raise ValueError(Fault("below_minimum", {"minimum": low}).say(lang))
    if high is not None and value > high:
        raise ValueError(Fault("above_maximum", {"maximum": high}).say(lang))
    if column.name in YEARS:
        return round(-value * DAYS_A_YEAR)
    return int(value) if whole else value


def read(
    texts: Mapping[str, str], opened: Mapping[str, Any], lang: str
) -> tuple[dict[str, Any], list[InvalidField]]:
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
        text = given.strip() if isinstance(given, str) else INVALID
        if text == show(column, opened.get(name), lang):
            continue
        try:
            value = parse(column, text, lang)
        except ValueError as error:
            faults.append(InvalidField(name, str(error)))
            continue
        edited.pop(name, None)
        if value is not None:
            edited[name] = value
    return edited, faults


@dataclass(frozen=True)
class Control:
    """A control of the form, as the template draws it.

    Attributes
    ----------
    name, label : str
        The column, and its words.
    shown : str
        What it held when it was opened, to mark what changed.
    value : str
        What it holds.
    unit, sign : str
        What is said of the value, and what stands behind it.
    choices : dict of str to str
        Values and their words; empty for what is typed.
    note : str
        What is to be known of the fact; empty where nothing is.
    """

    name: str
    label: str
    shown: str
    value: str
    unit: str = ""
    sign: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class FieldGroup:
    """Controls that open and close together."""

    title: str
    count: str
    is_open: bool
    controls: Sequence[Control]


@dataclass(frozen=True)
class Wording:
    """How one page writes what it shows: its language, its house, what the model reads, who looks.

    ``read`` are the raw columns that the model in service reads; None where nobody knows. ``may_decide``:
    whether who looks may record decisions.
    """

    lang: str
    house: House = NO_HOUSE
    read: frozenset[str] | None = None
    may_decide: bool = True


def in_words(column: Column, value: Value, wording: Wording) -> str:
    """Return a value as a sentence quotes it."""
    lang = wording.lang
    if value is None:
        return say("missing", lang)
    if column.kind == "flag":
        return say("yes" if value else "no", lang)
    text = show(column, value, lang)
    if column.kind == "category":
        return in_house(text, wording)
    if column.name in YEARS and not isinstance(value, str) and value != NO_DATE:
        return language.duration(-value / DAYS_A_YEAR, "years", lang, 2, is_trimmed=True)
    if column.name.startswith("AMT_") and wording.house.currency:
        return f"{text}\u00a0{wording.house.currency}"
    return text


def is_writable(column: Column, text: str, opened: Value) -> bool:
    """Say whether a control can hold a text: one of its choices, or what is typed, which is short."""
    if column.kind == "flag":
        return text in ("", "0", "1")
    if column.kind == "category":
        return text in ("", opened, *column.levels)
    return len(text) <= MOST_LETTERS and text.isprintable()


def with_edits(
    opened: Mapping[str, Any], edits: Mapping[str, str], lang: str
) -> tuple[dict[str, Any], list[InvalidField]]:
    """Return an application with texts that were typed into some of its controls."""
    texts = {name: show(column, opened.get(name), lang) for name, column in fields().items()}
    return read({**texts, **edits}, opened, lang)


def html(opened: Mapping[str, Any], wording: Wording, texts: Mapping[str, str] | None = None) -> str:
    """Return the form as HTML, in groups that open and close.

    Parameters
    ----------
    opened : mapping
        The application as it was opened.
    wording : Wording
        How it is written.
    texts : mapping of str to str, optional
        What controls hold instead, by column.
    """
    members: dict[str, list[Column]] = {key: [] for key in FORM_GROUPS}
    for column in fields().values():
        members[column.group].append(column)
    groups = [
        _group(key, columns, opened, wording, texts or {}) for key, columns in members.items() if columns
    ]
    return render("form", wording.lang, groups=groups)


def _group(
    key: str, members: list[Column], opened: Mapping[str, Any], wording: Wording, texts: Mapping[str, str]
) -> FieldGroup:
    lang = wording.lang
    known = sum(opened.get(column.name) is not None for column in members)
    return FieldGroup(
        title=language.say(FORM_GROUPS[key], lang),
        count=say("known_of", lang, known, all=language.number(len(members), lang)),
        is_open=key in OPEN_GROUPS or any(column.name in texts for column in members),
        controls=[
            _control(column, opened.get(column.name), wording, texts.get(column.name)) for column in members
        ],
    )


def _control(column: Column, value: Value, wording: Wording, text: str | None) -> Control:
    lang = wording.lang
    shown, words = show(column, value, lang), label(column, lang)
    is_read = wording.read is None or column.name in wording.read
    note = "" if is_read else say("not_read", lang)
    held = shown if text is None else text
    if column.kind in ("category", "flag"):
        choices = _choices(column, (shown, held), wording)
        return Control(column.name, words, shown, held, choices=choices, note=note)
    behind = unit(column, lang)
    is_amount = column.name.startswith("AMT_")
    sign = wording.house.currency if is_amount else behind
    return Control(column.name, words, shown, held, sign if is_amount else behind, sign, note=note)


def _choices(column: Column, present: tuple[str, ...], wording: Wording) -> dict[str, str]:
    """Return the known levels, and those that the application has."""
    lang = wording.lang
    if column.kind == "flag":
        return {"": say("missing", lang), "1": say("yes", lang), "0": say("no", lang)}
    known = dict.fromkeys((*column.levels, *filter(None, present)))
    return {"": say("missing", lang)} | {level: in_house(level, wording) for level in known}


def in_house(level: str, wording: Wording) -> str:
    """Return the words for a level, by the name that the house has for it if it has one."""
    return wording.house.branches.get(level) or level_in_words(level, wording.lang)
