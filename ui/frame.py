"""The pieces around the result: the head of the page, the head of a file, the summary of a batch."""

from __future__ import annotations

from html import escape
from typing import Any

from scoring.schema import HISTORY, KEY
from ui.batch import Scored
from ui.figures import Language, number, percent
from ui.words import counted, say

PREVIEW_ROWS = 20


def header(lang: Language, state: str) -> str:
    """Return the head of the page: name, state of the service, the two languages."""
    here: dict[str, str] = {lang: ' aria-current="page"'}
    links = "".join(
        f'<a href="../{code}/" lang="{code}" hreflang="{code}" data-language{here.get(code, "")}>{name}</a>'
        for code, name in (("en", "English"), ("fr", "Français"))
    )
    down = " down" if state == "not_connected" else ""
    told = f'<p class="state{down}" role="status">{escape(say(state, lang))}</p>' if state else ""
    return (
        f'<header class="masthead">{LOGO}<div class="name"><h1>{escape(say("title", lang))}</h1>'
        f"<p>{escape(say('tagline', lang))}</p></div>{told}"
        f'<nav aria-label="{escape(say("language", lang))}">{links}</nav></header>'
    )


LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40" aria-hidden="true">'
    '<rect width="40" height="40" rx="10" fill="#0f5a73"/>'
    '<path d="M8 27a12 12 0 0 1 24 0" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round"/>'
    '<path d="M20 27l6.5-8" stroke="#fff" stroke-width="3" stroke-linecap="round"/>'
    '<circle cx="20" cy="27" r="3" fill="#fff"/></svg>'
)


def heading(application: dict[str, Any], lang: Language) -> str:
    """Return who is open and what the file holds."""
    client, history = application[KEY], application.get("history") or {}
    title = say("client_is", lang, id=client) if client else say("new_is", lang)
    held = [
        say(f"table_{table}", lang, n=number(len(history[table]), lang))
        for table in HISTORY
        if history.get(table)
    ]
    note = say("history", lang, tables=", ".join(held)) if held else say("no_history", lang)
    note = note if client else say("new_note", lang)
    carried = f' data-client="{client}"' if client else ""
    return f"<h2{carried}>{escape(title)}</h2><p>{escape(note)}</p>"


def summary(scored: Scored, lang: Language) -> str:
    """Return how many rows were decided how, and the first of them as a table."""
    counts = {
        "all": len(scored.table),
        "granted": scored.count("granted"),
        "refused": scored.count("refused"),
        "faulty": scored.faulty,
    }
    told = {key: number(value, lang) for key, value in counts.items()}
    words = {key: counted(f"tile_{key}", lang, value) for key, value in counts.items()}
    tiles = "".join(
        f"<div><strong>{told[key]}</strong><span>{escape(words[key])}</span></div>" for key in told
    )
    keys = ("batch_row", "batch_id", "batch_decision", "batch_probability", "points_head", "batch_error")
    head = "".join(f'<th scope="col">{escape(say(key, lang))}</th>' for key in keys)
    body = ""
    for row, values in enumerate(scored.table.head(PREVIEW_ROWS).iter_rows(named=True), start=1):
        p = values["probability_of_default"]
        cells = [
            str(values[KEY] or ""),
            say(f"{values['decision']}_side", lang) if values["decision"] else "",
            "" if p is None else percent(p, lang),
            "" if p is None else number(values["score"], lang),
            values["error"] or "",
        ]
        body += f'<tr><th scope="row">{row}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
    first = min(PREVIEW_ROWS, len(scored.table))
    shown = counted("batch_preview", lang, first, n=first)
    return (
        f'<section class="card" role="status"><h2>{escape(say("batch_done", lang, **told))}</h2>'
        f'<div class="tiles" aria-hidden="true">{tiles}</div><h3>{escape(shown)}</h3>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(shown)}">'
        f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>'
    )
