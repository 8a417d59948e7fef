"""What happens when something is pressed: from what was asked to what is shown.

Whatever an officer opens lives in the session's `gr.State` and nowhere else.
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
from scoring.schema import KEY, Explanation
from scoring.schema.columns import INT64_MAX
from scoring.tables import TableError
from ui import about, batch, form, result
from ui.clients import EXAMPLES, Clients, UnknownClient
from ui.figures import Language, number, quoted
from ui.frame import header, heading, summary
from ui.service import Service, details, sentence
from ui.words import say

logger = logging.getLogger(__name__)

MOST_DIGITS = len(str(INT64_MAX))
OPENED = 6  # outputs of an opening: message, heading, form, result, state, number


@dataclass(frozen=True)
class Opened:
    """What one officer has open: the application as it came, and its first explained decision."""

    application: dict[str, Any]
    first: Explanation | None = None


class Desk:
    """The handlers of one page: from what was pressed to what is shown.

    Parameters
    ----------
    lang : {"en", "fr"}
        The language of the page.
    service : Service
        Where decisions come from.
    clients : Clients
        Who can be opened.
    """

    def __init__(self, lang: Language, service: Service, clients: Clients) -> None:
        self.lang, self.service, self.clients = lang, service, clients

    def trouble(self, error: BaseException) -> str:
        """Return the sentence for something that went wrong, as HTML."""
        if isinstance(error, ServiceError):
            return result.trouble(sentence(error, self.service.api, self.lang), details(error, self.lang))
        if isinstance(error, TableError):
            return result.trouble(say("portfolio_fails", self.lang, detail=error))
        if isinstance(error, batch.FileProblem):
            return result.trouble(str(error))
        logger.error("the page failed", exc_info=error)
        return result.trouble(say("page_fails", self.lang))

    def greet(self) -> list[Any]:
        """Return the state of the service, the model's card, and a few clients to open."""
        state, card = "connected", ""
        try:
            card = about.render(self.service.model(), self.lang)
        except ServiceError as error:
            state, card = "not_connected", self.trouble(error)
        numbers = []
        try:
            numbers = self.clients.examples()
        except TableError as error:
            logger.warning("%s", error)
        buttons: list[Any] = [gr.Button(str(n), visible=True) for n in numbers]
        buttons += [gr.Button(visible=False)] * (EXAMPLES - len(numbers))
        return [header(self.lang, state), card, *buttons]

    def open(self, text: str) -> list[Any]:
        """Open the client whose number was typed and score the application as it stands."""
        typed = text if isinstance(text, str) else ""
        digits = "".join(typed.split()).replace(",", "")
        if not digits.isdecimal():
            example = next(iter(self.clients.examples()), 100_001)
            said = say("not_a_number", self.lang, text=quoted(typed), example=example)
            return self._only(result.trouble(said))
        if len(digits) > MOST_DIGITS:
            return self._only(result.trouble(say("number_long", self.lang, most=MOST_DIGITS)))
        try:
            return self._show(self.clients.open(int(digits)))
        except UnknownClient:
            key = "unknown_client" if self.clients.exist else "no_portfolio"
            return self._only(result.trouble(say(key, self.lang, id=int(digits))))

    def open_any(self) -> list[Any]:
        """Open a client at random."""
        numbers = self.clients.numbers()
        if not numbers:
            return self._only(result.trouble(say("no_portfolio", self.lang)))
        return self._show(self.clients.open(random.choice(numbers)))

    def open_new(self) -> list[Any]:
        """Open a new application with typical values."""
        return self._show(dict(form.NEW_APPLICATION))

    def arrive(self, text: str) -> list[Any]:
        """Open the client that came along from the page in the other language, if any."""
        return self.open(text) if text else [gr.skip()] * OPENED

    def _only(self, message: str) -> list[Any]:
        """Say something and leave the rest of the page as it is."""
        return [message, *[gr.skip()] * (OPENED - 1)]

    def _show(self, application: dict[str, Any]) -> list[Any]:
        """Return message, heading, form, result, state and number for an application just opened."""
        message, shown, first = "", result.waiting(self.lang), None
        try:
            first = self.service.explain(application)
            shown = result.render(first, self.lang, self.service.model(first.model))
        except ServiceError as error:
            message = self.trouble(error)
        client = application[KEY]
        drawn = form.render(application, self.lang)
        return [
            message,
            heading(application, self.lang),
            drawn,
            shown,
            Opened(application, first),
            str(client or ""),
        ]

    def score(self, opened: Opened | None, texts: dict[str, str] | None) -> list[Any]:
        """Score the application as the form now has it; returns message, result and state."""
        opened = opened or Opened(dict(form.NEW_APPLICATION))
        edited, faults = form.read(texts or {}, opened.application, self.lang)
        if faults:
            columns = form.fields()
            said = [
                (
                    f.name,
                    say("fault", self.lang, fact=form.label(columns[f.name], self.lang), sentence=f.sentence),
                )
                for f in faults
            ]
            return [result.trouble(say("faults", self.lang), said), gr.skip(), gr.skip()]
        try:
            answer = self.service.explain(edited)
            model = self.service.model(answer.model)
        except ServiceError as error:
            return [self.trouble(error), gr.skip(), gr.skip()]
        changed = result.edits(opened.application, edited, self.lang)
        first = opened.first if changed else None
        shown = result.render(answer, self.lang, model, first=first, changed=changed)
        return ["", shown, opened if opened.first else replace(opened, first=answer if not changed else None)]

    def score_file(
        self, path: str | None, progress: gr.Progress, keep_unknown: bool = False
    ) -> Iterator[list[Any]]:
        """Score an upload; yields the summary and the file to download."""
        if not path:
            yield [result.trouble(say("batch_none", self.lang)), gr.DownloadButton(visible=False)]
            return
        upload = Path(path)
        progress(0.0, desc=say("batch_reading", self.lang))

        def told(done: int, total: int) -> None:
            counts = say(
                "batch_progress", self.lang, done=number(done, self.lang), all=number(total, self.lang)
            )
            progress(done / total, desc=counts)

        try:
            scored = batch.score(
                batch.read(upload, self.lang, keep_unknown), self.service.score, self.lang, told
            )
        except (batch.FileProblem, ServiceError) as error:
            yield [self.trouble(error), gr.DownloadButton(visible=False)]
            return
        # Gradio copies what it is given into its own private folder; ours goes as soon as it has done so.
        with tempfile.TemporaryDirectory() as folder:
            file = scored.write(
                Path(folder) / f"{upload.stem}-{say('batch_suffix', self.lang)}{upload.suffix}"
            )
            yield [summary(scored, self.lang), gr.DownloadButton(value=str(file), visible=True)]


def guarded(desk: Desk, handler: Callable[..., list[Any]], outputs: int) -> Callable[..., list[Any]]:
    """Return a handler whose failure is a sentence in the first output, never a stack or a red box."""

    @functools.wraps(handler)
    def handle(*inputs: Any) -> list[Any]:
        try:
            return handler(*inputs)
        except (
            Exception,
            PanicException,
        ) as error:  # the border: logged once, told in a sentence
            return [desk.trouble(error), *[gr.skip()] * (outputs - 1)]

    return handle
