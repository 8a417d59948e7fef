"""What the page says of the institution whose desk it is: settings, so that no name stands in the code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scoring import settings
from scoring.settings.setting import Environment


@dataclass(frozen=True)
class House:
    """Whose desk the page is.

    Attributes
    ----------
    institution : str
        Its name, on the page and on letters; "" for none.
    contact : str
        Where a client writes to; "" for none.
    currency : str
        Behind each amount; "" where amounts stand alone.
    scale : tuple of int, optional
        Lowest and highest score, where they are spoken of.
    branches : mapping of str to str
        Levels of the files to the names that officers know.
    """

    institution: str = ""
    contact: str = ""
    currency: str = ""
    scale: tuple[int, int] | None = None
    branches: Mapping[str, str] = field(default_factory=dict)


NO_HOUSE = House()


def of(environment: Environment) -> House:
    """Return what the environment says; raises `settings.SettingError`."""
    return House(
        settings.INSTITUTION.read(environment),
        settings.CONTACT.read(environment),
        settings.CURRENCY.read(environment),
        settings.SCORE_RANGE.read(environment),
        dict(settings.BRANCHES.read(environment)),
    )
