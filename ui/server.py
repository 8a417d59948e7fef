"""The page as a web application: one address per language, nothing asked from outside, nothing kept."""

from __future__ import annotations

import inspect
import logging
from datetime import UTC, datetime
from pathlib import Path
from threading import Semaphore
from typing import Any

import fastapi
import gradio as gr
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import RedirectResponse
from markupsafe import Markup

from scoring.client import ServiceError
from scoring.language import ENGLISH, languages
from ui import letter, login
from ui.address import PageAccess
from ui.app import build
from ui.clients import Clients
from ui.entrance import entrance
from ui.guard import PageGuard
from ui.header import LOGO, tag
from ui.house import NO_HOUSE, House
from ui.rendering import render
from ui.sealed import seal
from ui.service import Service
from ui.uploads import LARGEST
from ui.words import say

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
FONTS = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
SMALL = 2_000  # bytes that are not worth compressing
OFFICERS = 8  # requests of one kind at a time; the service has its own limit
PRINTED_AT_ONCE = 2  # letters: each takes a Chromium
WAITING = 256  # requests that wait for their turn

# Gradio names these controls in English, whatever the language.
CONTROLS = {
    '.upload input[type="file"]': "batch_file",
    ".upload .icon-button": "batch_remove",
}


# What Gradio draws itself, in the colours and sizes of `page.css`, light and dark alike.
LOOK = {
    "body_background_fill": "var(--page)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--soft)",
    "background_fill_primary": "var(--page)",
    "border_color_primary": "var(--line)",
    "color_accent": "var(--accent)",
    "block_background_fill": "none",
    "block_border_width": "0px",
    "block_shadow": "none",
    "block_padding": "0px",
    "block_title_text_color": "var(--soft)",
    "block_title_text_size": ".875rem",
    "block_title_text_weight": "500",
    "block_label_background_fill": "none",
    "block_label_border_width": "0px",
    "block_label_shadow": "none",
    "block_label_text_color": "var(--soft)",
    "block_label_text_size": ".875rem",
    "checkbox_label_background_fill": "none",
    "checkbox_label_text_color": "var(--ink)",
    "checkbox_label_border_width": "0px",
    "checkbox_label_shadow": "none",
    "checkbox_label_padding": "0px",
    "input_background_fill": "var(--field)",
    "input_border_color": "var(--edge)",
    "input_border_width": "1px",
    "input_radius": ".5rem",
    "input_shadow": "none",
    "input_text_size": "1rem",
    "checkbox_background_color": "var(--field)",
    "checkbox_border_color": "var(--edge)",
    "layout_gap": "1rem",
    "button_transition": "none",
    "button_border_width": "1px",
    "button_large_radius": ".5rem",
    "button_small_radius": ".5rem",
    "button_small_padding": ".125rem .75rem",
    "button_large_text_weight": "600",
    "button_small_text_weight": "500",
    "button_primary_background_fill": "var(--accent)",
    "button_primary_background_fill_hover": "var(--accent-hover)",
    "button_primary_border_color": "transparent",
    "button_primary_text_color": "var(--on-accent)",
    "button_primary_shadow": "none",
    "button_secondary_background_fill": "var(--card)",
    "button_secondary_background_fill_hover": "var(--tint)",
    "button_secondary_border_color": "var(--edge)",
    "button_secondary_border_color_hover": "var(--edge)",
    "button_secondary_text_color": "var(--accent)",
    "button_secondary_text_color_hover": "var(--accent)",
    "button_secondary_shadow": "none",
}


def theme() -> gr.themes.Base:
    """Return the theme: plain, with the names of colours that `page.css` gives their values."""
    base = gr.themes.Base(
        primary_hue="cyan", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"]
    )
    dark = {f"{name}_dark": value for name, value in LOOK.items()}
    known = inspect.signature(base.set).parameters
    return base.set(**LOOK, **{name: value for name, value in dark.items() if name in known})


def page(
    service: Service,
    clients: Clients,
    lang: str | None = None,
    house: House = NO_HOUSE,
    access: PageAccess = PageAccess(),  # noqa: B008
    doors: login.Login | None = None,
) -> fastapi.FastAPI:
    """Return the application: `/en/` and so on for every language, and `/` that leads to one of them.

    Parameters
    ----------
    lang : str, optional
        Where `/` leads. None follows the browser.
    house : House
        Whose desk it is.
    access : PageAccess
        How the page is reached, and by whom.
    doors : Login, optional
        Who is there; None asks nobody.

    Raises
    ------
    SealError
        If Gradio is not as `ui.sealed` knows it.
    """
    printing = Semaphore(PRINTED_AT_ONCE)
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    def front(request: fastapi.Request) -> RedirectResponse:
        code = lang or preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"{request.scope['root_path']}/{code}/")

    @app.get("/favicon.ico")
    def icon() -> fastapi.Response:
        return fastapi.Response(LOGO, media_type="image/svg+xml")

    @app.get("/{lang}/letter/{event}.{kind}")
    def write_letter(request: fastapi.Request, lang: str, event: str, kind: str) -> fastapi.Response:
        program, asking = letter.chromium(), service.asked_by(request.scope[login.PERSON])
        try:
            found = asking.decision(event)
            text = letter.html(found, asking.model(), house, datetime.now(UTC), lang)
            if kind == "html":
                body = text.encode()
            else:
                with printing:
                    body = letter.pdf(text, program) if program else b""
        except (ServiceError, letter.PrintError) as error:
            logger.warning("no letter: %s", type(error).__name__)
            refused = isinstance(error, ServiceError) and error.kind == "refused"
            return fastapi.Response(status_code=404 if refused else 503)
        if not body or found.purpose != "decision":  # who looked has decided nothing
            return fastapi.Response(status_code=404)
        shown = "inline" if kind == "html" else "attachment"
        headers = {"content-disposition": f'{shown}; filename="{letter.name(found, lang, kind)}"'}
        media = "text/html; charset=utf-8" if kind == "html" else "application/pdf"
        return fastapi.Response(body, media_type=media, headers=headers)

    if isinstance(doors, login.PasswordLogin):
        app.include_router(entrance(doors, house))
    quiet: set[tuple[str, int]] = set()
    for code in languages():
        blocks = build(code, service, clients, house)
        blocks.queue(default_concurrency_limit=OFFICERS, max_size=WAITING, api_open=False)
        gr.mount_gradio_app(
            app,
            blocks,
            path=f"/{code}",
            footer_links=[],
            run_history=False,  # otherwise Gradio keeps every call, with its values, in the browser's storage
            show_error=False,
            max_file_size=LARGEST,
            ssr_mode=False,
            enable_monitoring=False,
            mcp_server=False,
            theme=theme(),
            head=head(code),
        )
        seal(blocks)
        quiet |= {(code, number) for number, fn in blocks.fns.items() if is_of_clock(fn)}
    app.add_middleware(PageGuard, access=access, doors=doors, quiet=quiet)
    app.add_middleware(GZipMiddleware, minimum_size=SMALL)  # what the guard rewrites leaves it as plain text
    return app


def is_of_clock(fn: Any) -> bool:
    """Say whether an event happens by itself: who only leaves the page open does not use it."""
    return all(name == "tick" for _, name in fn.targets)


def head(lang: str) -> str:
    """Return what stands in the head of the page: its icon, its look, its script."""
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    # What the script says in Gradio's place.
    labels = {selector: say(name, lang) for selector, name in CONTROLS.items()}
    texts = {"drop": say("batch_drop", lang), "labels": labels}
    page = {"language": tag(lang), "code": lang, "texts": texts}
    return render("head", lang, style=Markup(style), script=Markup(script), page=page)


def preferred(accepted: str) -> str:
    """Return the language of an Accept-Language header, as far as the page has it."""
    for item in accepted.split(","):
        code = item.split(";")[0].strip().replace("-", "_").lower()
        for wanted in (code, code.partition("_")[0]):
            if found := next((name for name in languages() if name.lower() == wanted), None):
                return found
    return ENGLISH
