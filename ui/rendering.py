"""HTML from the templates of this room, in one language; every value in it is escaped."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scoring import language
from ui.words import say

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, lang: str, **values: Any) -> str:
    """Return a template of the page, filled in a language.

    Parameters
    ----------
    template : str
        Name of a file in ``templates``, without its ending.
    lang : str
        The templates call ``say``, ``number`` and ``percent`` in it.
    values
        What else the template names.
    """
    return _templates(lang).get_template(f"{template}.html").render(values)


@cache
def _templates(lang: str) -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def say_here(name: str, /, count: float | None = None, **values: Any) -> str:
        return say(name, lang, count, **values)

    templates.globals.update(
        lang=lang,
        say=say_here,
        number=partial(language.number, language=lang),
        percent=partial(language.percent, language=lang),
    )
    return templates
