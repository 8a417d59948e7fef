"""The page in one language: three tabs, and which handler each control calls."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from ui import form, result
from ui.clients import EXAMPLES, Clients
from ui.desk import OPENED, Desk, guarded
from ui.figures import Language
from ui.frame import header
from ui.sealed import Sealed
from ui.service import Service
from ui.uploads import KEEP_S
from ui.words import say

TIDY_S = 600
FILE_TYPES = (".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".ods", ".gz", ".zip")

plain = functools.partial(gr.HTML, apply_default_css=False)  # Gradio's own styles for texts are not ours


def build(lang: Language, service: Service, clients: Clients) -> Sealed:
    """Return the page in one language."""
    desk = Desk(lang, service, clients)
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "minimal"}
    with Sealed(
        title=say("title", lang), analytics_enabled=False, delete_cache=(TIDY_S, KEEP_S), fill_width=True
    ) as page:
        page.refusal = say("not_taken", lang)
        opened = gr.State(None, time_to_live=KEEP_S)
        texts = gr.JSON(visible=False)
        head = plain(header(lang, ""))
        with gr.Tabs():
            with gr.Tab(say("tab_client", lang)):
                client = _client_tab(desk)
            with gr.Tab(say("tab_batch", lang)):
                upload = _batch_tab(desk)
            with gr.Tab(say("tab_about", lang)):
                card = plain()
        plain(f'<footer class="foot">{escape(say("footer", lang))}</footer>')

        whole = [client.message, client.heading, client.form, client.result, opened, client.number]
        open_typed: dict[str, Any] = {
            "fn": guarded(desk, desk.open, OPENED),
            "inputs": client.number,
            "outputs": whole,
            **quiet,
        }
        client.open.click(**open_typed)
        client.number.submit(**open_typed)
        client.any.click(guarded(desk, desk.open_any, OPENED), None, whole, **quiet)
        client.new.click(guarded(desk, desk.open_new, OPENED), None, whole, **quiet)
        for example in client.examples:
            example.click(guarded(desk, desk.open, OPENED), example, whole, **quiet)
        client.score.click(
            guarded(desk, desk.score, 3),
            [opened, texts],
            [client.message, client.result, opened],
            js="(opened) => [opened, window.applicationTexts()]",
            **quiet,
        ).then(None, None, None, js="() => window.showResult()")
        client.undo.click(None, None, None, js="() => window.undoChanges()")
        given = [upload.file, upload.keep]
        upload.score.click(upload.handler, given, [upload.summary, upload.download], **quiet)
        page.load(guarded(desk, desk.greet, 2 + EXAMPLES), None, [head, card, *client.examples], **quiet)
        page.load(
            guarded(desk, desk.arrive, OPENED),
            client.number,
            whole,
            js="() => [window.arrivingClient()]",
            **quiet,
        )
    return page


@dataclass(frozen=True)
class ClientTab:
    """The components of the first tab that do something."""

    number: gr.Textbox
    open: gr.Button
    any: gr.Button
    new: gr.Button
    examples: list[gr.Button]
    message: gr.HTML
    heading: gr.HTML
    form: gr.HTML
    result: gr.HTML
    score: gr.Button
    undo: gr.Button


@dataclass(frozen=True)
class BatchTab:
    """The components of the second tab that do something."""

    file: gr.File
    keep: gr.Checkbox
    score: gr.Button
    summary: gr.HTML
    download: gr.DownloadButton
    handler: Callable[..., Iterator[list[Any]]]


def _client_tab(desk: Desk) -> ClientTab:
    """Lay out the first tab: opening above, the result beside the form."""
    lang = desk.lang
    with gr.Column(elem_classes="box"):
        with gr.Row(elem_classes="opener"):
            typed = gr.Textbox(label=say("client_number", lang), max_lines=1, scale=3, min_width=200)
            open_button = gr.Button(say("open", lang), variant="primary", scale=1, min_width=120)
            any_button = gr.Button(say("random", lang), scale=1, min_width=160)
            new_button = gr.Button(say("new", lang), scale=1, min_width=160)
        with gr.Row(elem_classes="examples", visible=desk.clients.exist):
            plain(f"<p>{escape(say('for_example', lang))}</p>")
            examples = [gr.Button(size="sm", visible=False) for _ in range(EXAMPLES)]
    message = plain()
    with gr.Row(elem_classes="sheet"):
        with gr.Column(scale=7, min_width=320):
            shown = plain(result.waiting(lang))
        with gr.Column(scale=4, min_width=320, elem_classes="box facts-panel"):
            title = plain(f"<h2>{escape(say('facts', lang))}</h2><p>{escape(say('facts_note', lang))}</p>")
            with gr.Row(elem_classes="actions"):
                score = gr.Button(
                    say("score", lang), variant="primary", elem_id="score-again", scale=2, min_width=120
                )
                undo = gr.Button(say("undo", lang), scale=1, min_width=120)
            controls = plain(form.render(form.NEW_APPLICATION, lang))
    return ClientTab(
        typed, open_button, any_button, new_button, examples, message, title, controls, shown, score, undo
    )


def _batch_tab(desk: Desk) -> BatchTab:
    """Lay out the second tab."""
    lang = desk.lang

    def handler(
        path: str | None,
        keep_unknown: bool,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[list[Any]]:
        try:
            yield from desk.score_file(path, progress, keep_unknown)
        except Exception as error:  # the border of the page, as in `guarded`
            yield [desk.trouble(error), gr.skip()]

    with gr.Column(elem_classes="box"):
        plain(f"<h2>{escape(say('batch_heading', lang))}</h2><p>{escape(say('batch_note', lang))}</p>")
        with gr.Column(elem_classes="upload"):
            file = gr.File(
                label=say("batch_file", lang), file_types=list(FILE_TYPES), type="filepath", height=170
            )
        keep = gr.Checkbox(label=say("batch_keep", lang), value=False, elem_classes="narrow")
        with gr.Row(elem_classes="narrow"):
            score = gr.Button(say("batch_score", lang), variant="primary", min_width=160)
            download = gr.DownloadButton(say("batch_download", lang), visible=False, min_width=160)
    return BatchTab(file, keep, score, plain(), download, handler)
