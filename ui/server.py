"""The page as a web application: one address per language, nothing asked from outside, nothing kept."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import fastapi
import gradio as gr
from fastapi.responses import RedirectResponse

from ui.address import Place
from ui.app import build
from ui.clients import Clients
from ui.figures import LANGUAGES, Language
from ui.frame import LOGO
from ui.guard import Guard
from ui.sealed import seal
from ui.service import Service
from ui.uploads import LARGEST
from ui.words import say

HERE = Path(__file__).parent
FONTS = ["ui-sans-serif", "system-ui", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif"]
OFFICERS = 8  # requests of one kind at a time; the service has its own limit
WAITING = 256  # requests that wait for their turn
ICON = '<link rel="icon" type="image/svg+xml" href="../favicon.ico">'  # browsers look for it at the root

# Gradio names these controls in English, whatever the language.
CONTROLS = {
    '.upload input[type="file"]': "batch_file",
    ".upload .icon-button": "batch_remove",
}


def theme() -> gr.themes.Base:
    """Return the quiet ground that `look.css` stands on."""
    return gr.themes.Base(
        primary_hue="cyan", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"]
    )


def page(
    service: Service,
    clients: Clients,
    lang: Language | None = None,
    hosts: Collection[str] = (),
    origins: Collection[str] = (),
    place: Place = Place(),  # noqa: B008  # it cannot be changed
) -> fastapi.FastAPI:
    """Return the application: `/en/` and `/fr/`, and `/` that leads to one of them.

    Parameters
    ----------
    lang : {"en", "fr"}, optional
        Where `/` leads. None follows the browser.
    hosts, origins : collection of str
        Whom `Guard` admits.
    place : Place
        Under which path the page lies, and who may say so.

    Raises
    ------
    SealError
        If Gradio is not as `ui.sealed` knows it.
    """
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    def front(request: fastapi.Request) -> RedirectResponse:
        code = lang or preferred(request.headers.get("accept-language", ""))
        return RedirectResponse(f"{request.scope['root_path']}/{code}/")

    @app.get("/favicon.ico")
    def icon() -> fastapi.Response:
        return fastapi.Response(LOGO, media_type="image/svg+xml")

    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("look.css", "page.js"))
    for code in LANGUAGES:
        blocks = build(code, service, clients)
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
            head=f"{ICON}<style>{style}</style><script>{{const PAGE = {texts(code)};\n{script}}}</script>",
        )
        seal(blocks)
    app.add_middleware(Guard, hosts=hosts, origins=origins, place=place)
    return app


def texts(lang: Language) -> str:
    """Return what the page's script says in Gradio's place, as JSON."""
    labels = {selector: say(key, lang) for selector, key in CONTROLS.items()}
    return json.dumps({"language": lang, "texts": {"drop": say("batch_drop", lang), "labels": labels}})


def preferred(accepted: str) -> Language:
    """Return the language of an Accept-Language header, as far as the page has it."""
    for item in accepted.split(","):
        code = item.split(";")[0].strip()[:2].lower()
        if code in LANGUAGES:
            return code
    return "en"
