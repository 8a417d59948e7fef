"""The page in one language: its tabs, and which handler each control calls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from ui import compare, form, place, result
from ui.clients import EXAMPLES, Clients
from ui.download import FORMATS
from ui.handlers import EXAMPLE_NAMES, OPENED, WENT, Handlers, Updates, guarded
from ui.header import masthead
from ui.house import NO_HOUSE, House
from ui.login import PERSON
from ui.people import Person
from ui.rendering import render
from ui.sealed import Sealed
from ui.service import Service
from ui.uploads import KEEP_S
from ui.words import say

WATCH_S = 15  # between two looks whether the service answers
CLEAN_S = 600  # between two looks for files to delete
FILE_TYPES = (".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".ods", ".gz", ".zip")
EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}

plain = functools.partial(gr.HTML, apply_default_css=False)  # Gradio's own styles for texts are not ours
press = functools.partial(gr.Button, elem_classes="press")


def build(lang: str, service: Service, clients: Clients, house: House = NO_HOUSE) -> Sealed:
    """Return the page in one language."""
    handlers = Handlers(lang, service, clients, house)
    page: Sealed
    with Sealed(
        title=house.institution or say("title", lang),
        analytics_enabled=False,
        delete_cache=(CLEAN_S, KEEP_S),
        fill_width=True,
    ) as page:
        page.refusal = say("not_taken", lang)
        opened = gr.State(None, time_to_live=KEEP_S)
        texts = gr.JSON(visible=False)
        top = plain(masthead(lang, house))
        with gr.Tabs(selected=place.CLIENT):
            with gr.Tab(say("tab_client", lang), id=place.CLIENT) as client_tab:
                client = _client_tab(handlers)
            with gr.Tab(say("tab_compare", lang), id=place.COMPARE) as compare_tab:
                comparison = plain(compare.nobody(lang))
            with gr.Tab(say("tab_decisions", lang), id=place.DECISIONS) as list_tab:
                parts = {"comparison": comparison, "record": plain(), "reviewing": plain(), "list": plain()}
            with gr.Tab(say("tab_batch", lang), id=place.FILE) as file_tab:
                _batch_tab(handlers)
            with gr.Tab(say("tab_about", lang), id=place.MODEL) as model_tab:
                card = plain()
        plain(render("footer", lang))
        go, review, decide, find_ways = (
            gr.Button("", elem_id=name, elem_classes="unseen") for name in ("go", "review", "decide", "ways")
        )
        watch = gr.Timer(WATCH_S)
        parts |= client.parts | {
            "opened": opened,
            "masthead": top,
            "model": card,
        }

        def on(
            event: Callable[..., Any],
            handler: Callable[..., Updates],
            inputs: Any,
            changed: Iterable[str],
            js: str | None = None,
            then: str = "",
        ) -> None:
            handle = by_component(guarded(handlers, handler), parts)
            done = event(handle, inputs, [parts[name] for name in changed], js=js, **EVENT)
            if then:
                done.then(None, None, None, js=f"() => window.{then}()")

        number, opening = parts["number"], "(number) => window.opening(number)"
        for press, typed in ((client.open.click, number), (number.submit, number)):
            on(press, handlers.open, [typed, texts], OPENED, opening, "opened")
        for name in EXAMPLE_NAMES:
            on(parts[name].click, handlers.open, [parts[name], texts], OPENED, opening, "opened")
        on(client.random.click, handlers.open_random, None, OPENED, then="opened")
        on(client.new.click, handlers.open_new, texts, OPENED, "() => window.renewing()", "opened")
        on(
            client.score.click,
            handlers.score,
            [opened, texts],
            ("message", "masthead", "result", "ways", "opened"),
            "(opened) => [opened, window.applicationTexts()]",
            "scoredAgain",
        )
        on(
            decide.click,
            handlers.decide,
            [opened, texts],
            ("message", "last", "result", "ways"),
            "(opened) => [opened, window.applicationTexts()]",
            "scoredAgain",
        )
        on(
            find_ways.click,
            handlers.find_ways,
            [opened, texts],
            ("message", "ways"),
            "(opened) => [opened, window.applicationTexts()]",
            "found",
        )
        on(client.undo.click, handlers.undo, opened, ("message", "result", "ways"), then="undone")
        asked = "() => window.asked()"
        on(go.click, handlers.go, texts, WENT, asked, "arrived")
        on(page.load, handlers.go, texts, WENT, asked, "arrived")
        on(review.click, handlers.review, texts, ("reviewing", "record"), "() => window.sent", "arrived")
        on(page.load, handlers.load, None, ("masthead", "model", *EXAMPLE_NAMES))
        on(watch.tick, handlers.state, None, ("masthead",))
        for tab in (client_tab, compare_tab, list_tab, file_tab, model_tab):
            tab.select(None, None, None, js=f"() => window.tabbed('{tab.id}')")
    return page


def by_component(
    handler: Callable[..., Updates], parts: Mapping[str, Any]
) -> Callable[..., dict[Component, Any]]:
    """Return a handler as Gradio takes it: told who asks, it gives what changes by component."""

    def handle(request: gr.Request, *inputs: Any) -> dict[Component, Any]:
        return {parts[name]: value for name, value in handler(who(request), *inputs).items()}

    return handle


def who(request: gr.Request) -> Person:
    """Return who asks: the guard of the page wrote it into the scope of the request."""
    assert request.request is not None
    person = request.request.scope[PERSON]
    assert isinstance(person, Person)
    return person


@dataclass(frozen=True)
class ClientTab:
    """The components of the first tab that do something.

    Attributes
    ----------
    open, random, new, score, undo : gradio.Button
        What is pressed.
    parts : dict of str to gradio component
        What changes, by the names that the handlers use.
    """

    open: gr.Button
    random: gr.Button
    new: gr.Button
    score: gr.Button
    undo: gr.Button
    parts: dict[str, Any]


def _client_tab(handlers: Handlers) -> ClientTab:
    """Lay out the first tab: opening above, the result beside the form."""
    lang = handlers.lang
    with gr.Column(elem_classes="box"):
        with gr.Row(elem_classes="opening"):
            number = gr.Textbox(label=say("client_number", lang), max_lines=1, scale=3, min_width=200)
            open_button = press(say("open", lang), variant="primary", scale=1, min_width=120)
            random_button = press(say("random", lang), scale=1, min_width=160)
            new_button = press(say("new", lang), scale=1, min_width=160)
        with gr.Row(elem_classes="examples", visible=handlers.clients.exist):
            plain(_intro(lang, note="for_example"))
            examples = [press(size="sm", visible=False) for _ in range(EXAMPLES)]
    parts: dict[str, Any] = {"number": number, "message": plain()} | dict(
        zip(EXAMPLE_NAMES, examples, strict=True)
    )
    with gr.Row(elem_classes="columns"):
        with gr.Column(scale=7, min_width=320):
            parts["last"] = plain()
            parts["result"] = plain(result.waiting(lang))
            parts["ways"] = plain()
        with gr.Column(scale=4, min_width=320, elem_classes="box facts-panel"):
            parts["heading"] = plain(_intro(lang, title="facts", note="facts_note"))
            with gr.Row(elem_classes="actions"):
                score = press(
                    say("score", lang), variant="primary", elem_id="score-again", scale=2, min_width=120
                )
                undo = press(say("undo", lang), scale=1, min_width=120)
            parts["form"] = plain(form.html(form.NEW_APPLICATION, handlers.wording))
    return ClientTab(open_button, random_button, new_button, score, undo, parts)


def _batch_tab(handlers: Handlers) -> None:
    """Lay out the second tab, and let its button score the file."""
    lang = handlers.lang
    with gr.Column(elem_classes="box"):
        plain(_intro(lang, title="batch_heading", note="batch_note"))
        with gr.Column(elem_classes="upload"):
            file = gr.File(
                label=say("batch_file", lang), file_types=list(FILE_TYPES), type="filepath", height=170
            )
        preview = gr.Checkbox(label=say("batch_preview_only", lang), value=False, elem_classes="narrow")
        keep = gr.Checkbox(label=say("batch_keep", lang), value=False, elem_classes="narrow")
        with gr.Row(elem_classes="narrow"):
            score = press(say("batch_score", lang), variant="primary", min_width=160)
            cancel = press(say("batch_cancel", lang), visible=False, min_width=160)
            downloads = {
                f"download_{ending[1:]}": gr.DownloadButton(
                    say(f"batch_{ending[1:]}", lang), visible=False, min_width=160, elem_classes="press"
                )
                for ending in FORMATS
            }
    job = gr.State(None, time_to_live=KEEP_S)
    parts = {"summary": plain(), "cancel": cancel, "job": job} | downloads

    def handle(
        request: gr.Request, path: str | None, keep_unknown: bool, is_preview: bool
    ) -> Iterator[dict[Component, Any]]:
        for updates in handlers.of(who(request)).score_file(path, keep_unknown, is_preview):
            yield {parts[name]: value for name, value in updates.items()}

    score.click(handle, [file, keep, preview], list(parts.values()), **EVENT)
    cancel.click(by_component(guarded(handlers, handlers.cancel_file), parts), job, cancel, **EVENT)


def _intro(lang: str, title: str = "", note: str = "") -> str:
    """Return what stands above a part of the page: its title, if it has one, and a sentence."""
    return render("intro", lang, title=title and say(title, lang), note=say(note, lang))
