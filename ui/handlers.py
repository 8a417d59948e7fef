"""What happens when something is pressed: from what was asked to what is shown.

Each handler returns what changes on the page, by the name of the part that it changes. Whatever an officer
opens lives in the session's `gr.State` only.
"""

from __future__ import annotations

import functools
import logging
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from polars.exceptions import PanicException

from scoring.client import ServiceError
from scoring.language import number
from scoring.schema import KEY, Explanation
from scoring.schema.columns import INT64_MAX
from scoring.tables import TableError
from ui import about, batch, form, result
from ui.clients import EXAMPLES, Clients, UnknownClient
from ui.header import heading, masthead, message
from ui.service import Service, details, sentence
from ui.words import quoted, say

logger = logging.getLogger(__name__)

Updates = dict[str, Any]
"""Name of a part of the page -> its new value; parts that are not named stay as they are."""

MOST_DIGITS = len(str(INT64_MAX))
OPENED = ("message", "heading", "form", "result", "opened", "number")
"""Parts that change when an application is opened."""
EXAMPLE_NAMES = tuple(f"example_{place}" for place in range(EXAMPLES))


@dataclass(frozen=True)
class OpenApplication:
    """What one officer has open: the application as it came, and its first explained decision."""

    application: dict[str, Any]
    first: Explanation | None = None


class Handlers:
    """The handlers of one page.

    Parameters
    ----------
    lang : str
        The language of the page.
    service : Service
        Where decisions come from.
    clients : Clients
        Who can be opened.
    """

    def __init__(self, lang: str, service: Service, clients: Clients) -> None:
        self.lang, self.service, self.clients = lang, service, clients

    def failure(self, error: BaseException) -> str:
        """Return the sentence for something that went wrong, as HTML."""
        if isinstance(error, ServiceError):
            text = sentence(error, self.service.api, self.lang)
            return message(text, self.lang, details(error, self.lang))
        if isinstance(error, TableError):
            return self._message("portfolio_fails", detail=error.say(self.lang))
        if isinstance(error, batch.FileProblem):
            return message(str(error), self.lang)
        logger.error("the page failed", exc_info=error)
        return self._message("page_fails")

    def load(self) -> Updates:
        """Show the state of the service, the model's card, and a few clients to open."""
        state, card = "connected", ""
        try:
            card = about.card(self.service.model(), self.lang)
        except ServiceError as error:
            state, card = "not_connected", self.failure(error)
        numbers = []
        try:
            numbers = self.clients.examples()
        except TableError as error:
            logger.warning("%s", error)
        buttons: list[Any] = [gr.Button(str(n), visible=True) for n in numbers]
        buttons += [gr.Button(visible=False)] * (EXAMPLES - len(numbers))
        shown = {"masthead": masthead(self.lang, state), "model": card}
        return shown | dict(zip(EXAMPLE_NAMES, buttons, strict=True))

    def open(self, text: str) -> Updates:
        """Open the client whose number was typed and score the application as it stands."""
        typed = text if isinstance(text, str) else ""
        digits = "".join(typed.split()).replace(",", "")
        if not digits.isdecimal():
            example = next(iter(self.clients.examples()), 100_001)
            return {"message": self._message("not_a_number", text=quoted(typed), example=example)}
        if len(digits) > MOST_DIGITS:
            return {"message": self._message("number_long", most=MOST_DIGITS)}
        try:
            return self._opened(self.clients.open(int(digits)))
        except UnknownClient:
            name = "unknown_client" if self.clients.exist else "no_portfolio"
            return {"message": self._message(name, id=int(digits))}

    def open_random(self) -> Updates:
        """Open a client at random."""
        numbers = self.clients.numbers()
        if not numbers:
            return {"message": self._message("no_portfolio")}
        return self._opened(self.clients.open(random.choice(numbers)))

    def open_new(self) -> Updates:
        """Open a new application with typical values."""
        return self._opened(dict(form.NEW_APPLICATION))

    def open_linked(self, text: str) -> Updates:
        """Open the client that came along from the page in another language, if any."""
        return self.open(text) if text else {"message": gr.skip()}

    def score(self, opened: OpenApplication | None, texts: dict[str, str] | None) -> Updates:
        """Score the application as the form now has it."""
        opened = opened or OpenApplication(dict(form.NEW_APPLICATION))
        edited, invalid = form.read(texts or {}, opened.application, self.lang)
        if invalid:
            links = [(one.name, self._invalid(one)) for one in invalid]
            return {"message": message(say("faults", self.lang), self.lang, links)}
        try:
            edits = result.edits(opened.application, edited, self.lang)
            answer = self.service.explain(edited, "what-if" if edits else "preview")
            model = self.service.model(answer.model)
        except ServiceError as error:
            return {"message": self.failure(error)}
        compared = result.EditComparison(opened.first, edits) if opened.first and edits else None
        if opened.first is None and not edits:
            opened = replace(opened, first=answer)
        return {
            "message": "",
            "result": result.card(answer, model, self.lang, compared),
            "opened": opened,
        }

    def score_file(
        self, path: str | None, keep_unknown: bool, on_progress: Callable[[float, str], object]
    ) -> Iterator[Updates]:
        """Score an upload: give the summary and the file to download.

        Parameters
        ----------
        path : str, optional
            Where the upload lies.
        keep_unknown : bool
            Carry columns that no application has through to the answer.
        on_progress : callable
            Called with the share that is done, and a sentence.
        """
        try:
            yield from self._score_file(path, keep_unknown, on_progress)
        except (Exception, PanicException) as error:  # the border, as in `guarded`
            yield {"summary": self.failure(error), "download": gr.DownloadButton(visible=False)}

    def _score_file(
        self, path: str | None, keep_unknown: bool, on_progress: Callable[[float, str], object]
    ) -> Iterator[Updates]:
        if not path:
            yield {"summary": self._message("batch_none"), "download": gr.DownloadButton(visible=False)}
            return
        upload = Path(path)
        on_progress(0.0, say("batch_reading", self.lang))

        def on_rows(done: int, total: int) -> None:
            counts: dict[str, Any] = {"done": number(done, self.lang), "all": number(total, self.lang)}
            on_progress(done / total, say("batch_progress", self.lang, **counts))

        found = batch.read(upload, self.lang, keep_unknown)
        scored = batch.score(found, self.service.score, self.lang, on_rows)
        # Gradio copies what it is given into its own private folder; ours goes as soon as it has done so.
        with tempfile.TemporaryDirectory() as folder:
            name = f"{upload.stem}-{say('batch_suffix', self.lang)}{upload.suffix}"
            file = scored.write(Path(folder) / name)
            download = gr.DownloadButton(value=str(file), visible=True)
            yield {"summary": batch.summary(scored, self.lang), "download": download}

    def _message(self, name: str, /, **values: Any) -> str:
        return message(say(name, self.lang, **values), self.lang)

    def _invalid(self, found: form.InvalidField) -> str:
        fact = form.label(form.fields()[found.name], self.lang)
        return say("fault", self.lang, fact=fact, sentence=found.sentence)

    def _opened(self, application: dict[str, Any]) -> Updates:
        """Show an application that was just opened, and its decision."""
        text, shown, first = "", result.waiting(self.lang), None
        try:
            first = self.service.explain(application, "preview")
            shown = result.card(first, self.service.model(first.model), self.lang)
        except ServiceError as error:
            text = self.failure(error)
        return {
            "message": text,
            "heading": heading(application, self.lang),
            "form": form.html(application, self.lang),
            "result": shown,
            "opened": OpenApplication(application, first),
            "number": str(application[KEY] or ""),
        }


def guarded(handlers: Handlers, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """Return a handler whose failure is a sentence on the page, never a stack or a red box."""

    @functools.wraps(handler)
    def handle(*inputs: Any) -> Updates:
        try:
            return handler(*inputs)
        except (Exception, PanicException) as error:  # the border: logged once, said in a sentence
            return {"message": handlers.failure(error)}

    return handle
