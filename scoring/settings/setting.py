"""One setting: an environment variable, what it may be, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

Networks: TypeAlias = "tuple[IPv4Network | IPv6Network, ...]"
Value = TypeVar("Value", covariant=True)
Environment = Mapping[str, str]


class SettingError(ValueError):
    """An environment variable cannot be used."""


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One environment variable.

    Attributes
    ----------
    name : str
    kind : callable
        Reads the text of the variable; its name says what is to be given.
    default : Value
        What is read where the variable is absent or empty.
    help : str
        What it does, in Markdown; † in it: for each worker.
    readers : tuple of str
        Who reads it.
    bounds : tuple of float
        Least and greatest number that will do.
    default_words : str
        The default in the documentation, where the value does not say it.
    """

    name: str
    kind: Callable[[Setting[Any], str], Value]
    default: Value
    help: str
    readers: tuple[str, ...] = ("service",)
    bounds: tuple[float, float] = (-inf, inf)
    default_words: str = ""

    def given(self, environment: Environment) -> str:
        """Return the text of the variable, "" without one."""
        return environment.get(self.name, "")

    def read(self, environment: Environment) -> Value:
        """Return what the environment says.

        Raises
        ------
        SettingError
            If it cannot be used; the sentence names the variable and what would do.
        """
        given = self.given(environment)
        return self.kind(self, given) if given else self.default


def text(_: Setting[Any], given: str) -> str:
    """Take the text as it is."""
    return given


def path(_: Setting[Any], given: str) -> Path:
    """Read the path of a file or a folder."""
    return Path(given)


def number(setting: Setting[Any], given: str) -> float:
    """Read a number within the bounds."""
    try:
        value = float(given)
    except ValueError:
        value = float("nan")
    low, high = setting.bounds
    if not low <= value <= high:
        raise SettingError(f"{setting.name}={given} cannot be used; give a number from {low:g} to {high:g}.")
    return value


def whole_number(setting: Setting[Any], given: str) -> int:
    """Read a whole number within the bounds."""
    value = number(setting, given)
    if value != int(value):
        raise SettingError(f"{setting.name}={given} cannot be used; give a whole number.")
    return int(value)


def switch(setting: Setting[Any], given: str) -> bool:
    """Read ``on`` or ``off``."""
    if given not in ("on", "off"):
        raise SettingError(f"{setting.name}={given} cannot be used; give on or off.")
    return given == "on"


def names(_: Setting[Any], given: str) -> tuple[str, ...]:
    """Read names between commas or spaces, in lower case."""
    return tuple(given.lower().replace(",", " ").split())


def networks(setting: Setting[Any], given: str) -> Networks:
    """Read addresses and networks between commas or spaces."""
    from ipaddress import ip_network  # here: hardly anybody names one

    found = []
    for position, part in enumerate(names(setting, given), start=1):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            raise SettingError(
                f"entry {position} of {setting.name} cannot be used: {error}; give addresses or networks, as "
                "10.0.0.7,10.1.0.0/16."
            ) from None
    return tuple(found)


def name(setting: Setting[Any], given: str) -> str:
    """Read a name that can be part of a file's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", given):
        raise SettingError(
            f"{setting.name} cannot be used; give 1 to 63 letters, digits, - and _, a letter or digit first."
        )
    return given


def span(setting: Setting[Any], given: str) -> tuple[int, int]:
    """Read two whole numbers, the lower one first, with a hyphen between."""
    low, _, high = given.partition("-")
    try:
        ends = whole_number(setting, low), whole_number(setting, high)
    except SettingError:
        ends = (0, 0)
    if ends[0] >= ends[1]:
        raise SettingError(f"{setting.name}={given} cannot be used; give two numbers, as 300-850.")
    return ends


def pairs(setting: Setting[Any], given: str) -> tuple[tuple[str, str], ...]:
    """Read names for names: ``this=that; other=another``."""
    found = [part.partition("=") for part in given.split(";") if part.strip()]
    if any(not (name.strip() and sign and words.strip()) for name, sign, words in found):
        raise SettingError(f"{setting.name} cannot be used; give pairs, as THIS=THAT; OTHER=ANOTHER.")
    return tuple((name.strip(), words.strip()) for name, _, words in found)


def database(setting: Setting[Any], given: str) -> str:
    """Read a path, a database's URL, or ``off``; the sentence repeats nothing, as it may hold a password."""
    scheme = given.partition("://")[0].partition("+")[0] if "://" in given else ""
    if scheme not in ("", "sqlite", "postgresql"):
        raise SettingError(
            f"{setting.name} cannot be used; give the path of a file, sqlite:///PATH, "
            "postgresql://USER:PASSWORD@HOST/DATABASE, or off."
        )
    return given
