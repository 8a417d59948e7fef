"""Texts by key, and the files that hold them in other languages."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from scoring.language import numbers
from scoring.regular import read_regular
from scoring.settings import EXTENSION, LANGUAGES, ROOT

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ENGLISH = "en"
HERE = Path(__file__).resolve().parent
CUT = re.compile(r'\s*((msgctxt|msgid|msgid_plural|msgstr(\[\d+\])?)\s+)?"([^"\\]|\\.)*\\?')
PLACE = re.compile(r"\{[^{}]*\}|[{}]")  # one that is not closed is none of the English ones

DECLARED: dict[str, Text] = {}
"""Every text of the modules imported so far, by its key."""


class LanguageError(ValueError):
    """A catalogue cannot be used; the sentence says where and what to do."""


@dataclass(frozen=True, slots=True)
class Text:
    """Something to say: its key, and how English says it.

    Attributes
    ----------
    key : str
        What it stands for, as ``group.delays.claim``; the catalogues call it ``msgctxt``.
    en : str
        The English text; ``{places}`` are filled when it is said.
    plural : str, optional
        English for more than one ``{n}``.
    """

    key: str
    en: str
    plural: str | None = None

    def __post_init__(self) -> None:
        """Enter it among the declared ones."""
        known = DECLARED.setdefault(self.key, self)
        if known != self:
            raise ValueError(f"two texts have the key {self.key!r}: {known.en!r} and {self.en!r}.")


IN_SENTENCE = Text("language.labels", "labels:small")


def texts(prefix: str, english: Mapping[str, str]) -> dict[str, Text]:
    """Declare the texts of a list of names: the key of each is ``prefix.name``."""
    return {name: Text(f"{prefix}.{name}", words) for name, words in english.items()}


def say(text: Text, language: str, count: float | None = None, digits: int = 0, /, **values: object) -> str:
    """Return a text in a language, its places filled.

    Parameters
    ----------
    text : Text
        One without words in the language is said in English.
    language : str
        One of `languages`.
    count : float, optional
        Fills ``{n}``, and chooses the form of a text that has a plural.
    digits : int
        Decimals of the count.
    values
        Fill the other places, each already written for people.
    """
    catalogue = _catalogue(language)
    if count is None:
        pattern = catalogue.pgettext(text.key, text.en)
        return pattern.format(**values) if values else pattern
    if text.plural is None:
        pattern = catalogue.pgettext(text.key, text.en)
    else:
        whole = numbers.whole_of_kind(count, digits, language) if digits else int(count)
        pattern = catalogue.npgettext(text.key, text.en, text.plural, whole)
    return pattern.format(n=numbers.number(count, language, digits), **values)


def by_language(make: Callable[[str], str]) -> dict[str, str]:
    """Return what ``make`` says in every language, by language."""
    return {language: make(language) for language in languages()}


@cache
def in_sentence(text: Text, language: str) -> str:
    """Return what a label says as it stands inside a sentence."""
    return small(say(text, language), language)


def small(label: str, language: str) -> str:
    """Return a label as it stands inside a sentence: with a small letter, but for an abbreviation.

    A language that writes its nouns with capitals has ``labels:as-written`` for ``labels:small``.
    """
    if label[1:2].isupper() or say(IN_SENTENCE, language) == "labels:as-written":
        return label
    return label[:1].lower() + label[1:]


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have a catalogue, English first, the others in alphabetical order."""
    found = {file.stem for folder in _folders() for file in folder.glob("*.po")} - {ENGLISH}
    for language in found:
        if not numbers.is_known(language):
            raise LanguageError(
                f"{language}.po: CLDR knows no language {language!r}; name the file like fr.po or pt_BR.po."
            )
    return (ENGLISH, *sorted(found))


def load() -> None:
    """Read every catalogue now, and how its language writes lengths of time: nobody waits for it later.

    Raises
    ------
    LanguageError
        If one cannot be used.
    """
    for language in languages():
        _catalogue(language)
        for unit in numbers.DURATIONS:
            numbers.ago(2, unit, language)
            numbers.duration(2, unit, language)


def use(folder: Path | None) -> None:
    """Take the catalogues of a folder too; its texts win over those of this room. None takes them away."""
    os.environ[LANGUAGES.name] = str(folder or "")
    for cached in (_catalogue, languages, in_sentence):
        cached.cache_clear()


def _folders() -> list[Path]:
    """Return where catalogues lie, the one that wins last; a path counts from the code, as others do."""
    found = [HERE]
    for setting in (EXTENSION, LANGUAGES):
        named = setting.read(os.environ)
        if named is not None:
            found.append(ROOT / named)
        if not found[-1].is_dir():
            raise LanguageError(
                f"{setting.name}: there is no folder {found[-1]}; name one that holds .po files."
            )
    return found


@cache
def _catalogue(language: str) -> NullTranslations:
    """Return the texts of a language; English needs no file, but may have one that words it otherwise."""
    found = NullTranslations()
    for folder in _folders():
        file = folder / f"{language}.po"
        if file.exists():
            catalogue = _read(file)
            catalogue.add_fallback(found)
            found = catalogue
    return found


def parse(file: Path) -> Catalog:
    """Read one file as it is written."""
    # Loaded for the first catalogue only: a command that speaks English does without.
    from babel.messages.pofile import PoFileError, read_po

    try:
        content = read_regular(file)
        _check_lines(file.name, content.decode(errors="replace"))
        return read_po(BytesIO(content), locale=file.stem, abort_invalid=True)
    except LanguageError:
        raise
    except (PoFileError, ValueError, OSError) as error:
        raise LanguageError(f"{file.name} is no gettext catalogue: {error}; msgfmt -c says more.") from None


def _check_lines(label: str, content: str) -> None:
    """Refuse what babel reads without a word: a file that is cut off, and two texts for one key."""
    seen: set[str] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        if CUT.fullmatch(line):
            raise LanguageError(f"{label}, line {number}: the quotation mark at its end is missing.")
        key = re.fullmatch(r'msgctxt\s+"(.*)"\s*', line)
        if key is not None and key[1] in seen:
            raise LanguageError(f"{label}, line {number}: {key[1]} stands twice; keep one of its texts.")
        seen |= {key[1]} if key is not None else set()


def _read(file: Path) -> GNUTranslations:
    """Read one file, and check that its texts have the places of the English ones."""
    from babel.messages.mofile import write_mo

    catalogue = parse(file)
    for message in catalogue:
        english, words = _forms(message.id), _forms(message.string)
        places = set(PLACE.findall(english[-1])) if english else set()
        wrong = [
            text for text in words if message.id and text and (set(PLACE.findall(text)) ^ places) - {"{n}"}
        ]
        if wrong:
            raise LanguageError(
                f"{file.name}, {message.context}: {wrong[0]!r} has not the places of {english[-1]!r}; "
                "keep what stands in braces."
            )
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    try:
        return GNUTranslations(compiled)
    except ValueError as error:
        raise LanguageError(f"{file.name}, Plural-Forms: {error}; take them from CLDR.") from None


def unsaid(language: str) -> tuple[list[str], list[str]]:
    """Return the keys of the declared texts that a language has no words for, and of words without a text.

    Texts of another English than the code's count as both. Only texts of imported modules are declared.
    """
    said: set[tuple[str | None, str]] = set()
    for folder in _folders():
        file = folder / f"{language}.po"
        if file.is_file():
            for message in parse(file):
                if message.id and message.string and not message.fuzzy:
                    said.add((message.context, _forms(message.id)[0]))
    declared = {(text.key, text.en) for text in DECLARED.values()}
    lacking, idle = sorted(declared - said), sorted(said - declared, key=str)
    return [key for key, _ in lacking], [str(key) for key, _ in idle]


def _forms(words: str | Sequence[str] | None) -> Sequence[str]:
    """Return the forms of a text: one, or those of its plural."""
    return (words,) if isinstance(words, str) else words or ()
