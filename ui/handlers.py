"""What happens when something is pressed: from what was asked to what is shown.

Each handler returns what changes on the page, by the name of the part that it changes. Whatever an officer
opens lives in the session's `gr.State` only.
"""

from __future__ import annotations

import functools
import logging
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import polars as pl
from polars.exceptions import PanicException

from scoring.client import ServiceError
from scoring.language import languages, number
from scoring.schema import KEY, Explanation, RecordedDecision
from scoring.schema.columns import INT64_MAX
from scoring.tables import TableError
from ui import about, batch, compare, download, filed, form, owner, place, record, result, ways, worklist
from ui.clients import EXAMPLES, Clients, UnknownClient
from ui.header import heading, masthead, message
from ui.house import NO_HOUSE, House
from ui.people import AT_THE_MACHINE, Person
from ui.rendering import render
from ui.service import Service, details, sentence
from ui.words import quoted, say

logger = logging.getLogger(__name__)

Updates = dict[str, Any]
"""Name of a part of the page -> its new value; parts that are not named stay as they are."""

MOST_DIGITS = len(str(INT64_MAX))
OPENED = ("message", "masthead", "heading", "form", "last", "result", "ways", "opened", "number")
"""Parts that change when an application is opened."""
WENT = (*OPENED, "comparison", "list", "record")
"""Parts that change when an address is followed."""
EXAMPLE_NAMES = tuple(f"example_{place}" for place in range(EXAMPLES))


@dataclass(frozen=True)
class OpenApplication:
    """What one officer has open: the application as it came, and its first explained decision."""

    application: dict[str, Any]
    first: Explanation | None = None


@dataclass
class FileJob:
    """A file that is being scored; whoever holds it may ask for its end."""

    is_cancelled: bool = False


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
    house : House
        Whose desk it is.
    """

    def __init__(
        self,
        lang: str,
        service: Service,
        clients: Clients,
        house: House = NO_HOUSE,
    ) -> None:
        self.lang, self.service, self.clients, self.house = lang, service, clients, house
        self.person = AT_THE_MACHINE

    def of(self, person: Person) -> Handlers:
        """Return the handlers as one person calls them: what is asked is asked in the person's name."""
        if person == AT_THE_MACHINE:
            return self
        other = copy(self)
        other.person, other.service = person, self.service.asked_by(person)
        return other

    @property
    def wording(self) -> form.Wording:
        """How the form is written; what the model reads is known after its first answer."""
        model = self.service.known
        return form.Wording(self.lang, self.house, model.reads if model else None, self.person.may("decide"))

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
        shown = self.state()
        try:
            shown["model"] = about.card(self.service.model(), self.lang, self._strategy())
        except ServiceError as error:
            shown["model"] = self.failure(error)
        numbers = []
        try:
            numbers = self.clients.examples()
        except TableError as error:
            logger.warning("%s", error)
        buttons: list[Any] = [gr.Button(str(n), visible=True) for n in numbers]
        buttons += [gr.Button(visible=False)] * (EXAMPLES - len(numbers))
        return shown | dict(zip(EXAMPLE_NAMES, buttons, strict=True))

    def _strategy(self) -> str:
        """Return what other thresholds would do, or that the page may not ask; nothing to officers."""
        if not self.person.may("oversee"):
            return ""
        try:
            return owner.card(self.service.owner(), self.lang)
        except ServiceError as error:
            if error.kind != "refused":
                raise
            return self._message("owner_closed")
        except ValueError:  # a service of another version says something else
            logger.warning("the service's owner view is not of this version")
            return self._message("service_fails")

    def state(self) -> Updates:
        """Show whether the service answers now, and which model decides."""
        try:
            self.service.model()
        except ServiceError:
            return {"masthead": masthead(self.lang, self.house, "not_connected", person=self.person)}
        return {"masthead": self._masthead("connected")}

    def go(self, asked: dict[str, str] | None) -> Updates:
        """Show what an address says: ``at`` is the address, all else edits of the application there."""
        edits = dict(asked or {})
        found = place.read(edits.pop("at", ""))
        if found.kind in (place.CLIENT, place.NEW):
            empty = {
                "heading": "",
                "last": "",
                "result": result.waiting(self.lang),
                "opened": None,
                "form": "",
            }
            opened = self.open_new(edits) if found.kind == place.NEW else self.open(found.key, edits)
            return ({} if "form" in opened else empty) | opened
        if found.kind == place.COMPARE:
            return self.compare(found.key, found.query, edits)
        if found.kind == place.DECISION:
            return self.show_decision(found.key)
        if found.kind == place.DECISIONS:
            return self.list_decisions(found.query)
        return {"message": gr.skip()}  # Gradio takes no answer without a part

    def compare(self, key: str, query: Mapping[str, str], edits: Mapping[str, str]) -> Updates:
        """Show where a client stands among others, with the edits that the browser keeps."""
        if not key:
            return {"comparison": compare.nobody(self.lang)}
        try:
            stored = dict(form.NEW_APPLICATION) if key == place.NEW else self.clients.open(int(key))
        except UnknownClient:
            return {"comparison": self._unknown(int(key))}
        edited, _ = form.with_edits(stored, self._typed(stored, edits), self.lang)
        changed = result.edits(stored, edited, self.wording)
        try:
            shown = compare.page(self.service, edited, query, self.wording, changed)
        except ServiceError as error:
            shown = self.failure(error)
        return {"comparison": shown}

    def list_decisions(self, query: Mapping[str, str]) -> Updates:
        """List the recorded decisions that a filter lets through."""
        if not self.person.may("look_up"):
            return {"list": self._message("not_yours"), "record": ""}
        try:
            shown = worklist.page(self.service, query, self.lang)
        except ServiceError as error:
            shown = worklist.form(query, self.lang) + self.failure(error)
        return {"list": shown, "record": ""}

    def show_decision(self, event: str) -> Updates:
        """Show one recorded decision, explained again."""
        if not self.person.may("look_up"):
            return {"record": self._message("not_yours")}
        try:
            found = self.service.decision(event)
            shown = record.card(found, self.service.model(), self.wording, self.person)
        except ServiceError as error:
            shown = self.failure(error)
        return {"record": shown}

    def review(self, sent: dict[str, str] | None) -> Updates:
        """Confirm a decision or decide otherwise, with a reason."""
        texts = sent or {}
        event, verdict, reason = (texts.get(name, "") for name in ("event", "verdict", "reason"))
        if verdict not in ("confirmed", "otherwise") or not reason.strip():
            return {"reviewing": self._message("review_incomplete")}
        try:
            if self.person.role and not record.may_review(self.service.decision(event), self.person):
                return {"reviewing": self._message("review_not_yours")}
            self.service.review(event, verdict, reason)  # type: ignore[arg-type]
        except ServiceError as error:
            return {"reviewing": self.failure(error)}
        return {"reviewing": ""} | self.show_decision(event)

    def open(self, text: str, edits: Mapping[str, str] | None = None) -> Updates:
        """Open the client whose number was typed and score the application as it stands."""
        typed = text if isinstance(text, str) else ""
        digits = "".join(typed.split()).replace(",", "")
        if not digits.isdecimal():
            example = next(iter(self.clients.examples()), 100_001)
            return {"message": self._message("not_a_number", text=quoted(typed), example=example)}
        if len(digits) > MOST_DIGITS:
            return {"message": self._message("number_long", most=MOST_DIGITS)}
        try:
            return self._opened(self.clients.open(int(digits)), edits)
        except UnknownClient:
            return {"message": self._unknown(int(digits))}

    def open_random(self) -> Updates:
        """Open a client at random."""
        numbers = self.clients.numbers()
        if not numbers:
            return {"message": self._message("no_portfolio")}
        return self._opened(self.clients.open(random.choice(numbers)))

    def open_new(self, edits: Mapping[str, str] | None = None) -> Updates:
        """Open a new application with typical values."""
        return self._opened(dict(form.NEW_APPLICATION), edits)

    def undo(self, opened: OpenApplication | None) -> Updates:
        """Show the result of the application as it was opened."""
        if opened is None or opened.first is None:
            return {"message": "", "ways": "", "result": result.waiting(self.lang)}
        model = self.service.model(opened.first.model)
        return {"message": "", "ways": "", "result": result.card(opened.first, model, self.wording)}

    def score(self, opened: OpenApplication | None, texts: dict[str, str] | None) -> Updates:
        """Score the application as the form now has it."""
        opened = opened or OpenApplication(dict(form.NEW_APPLICATION))
        edited, faults = self._read(opened, texts)
        if faults:
            return faults
        try:
            edits = result.edits(opened.application, edited, self.wording)
            answer = self.service.explain(edited, "what-if" if edits else "preview")
            model = self.service.model(answer.model)
        except ServiceError as error:
            return {"message": self.failure(error)}
        compared = result.EditComparison(opened.first, edits) if opened.first and edits else None
        updates = {"message": "", "ways": "", "result": result.card(answer, model, self.wording, compared)}
        if opened.first is None and not edits:
            opened = replace(opened, first=answer)
        elif opened.first is not None and opened.first.model != answer.model:
            updates["masthead"] = self._masthead("connected")
        return {**updates, "opened": opened}

    def decide(self, opened: OpenApplication | None, texts: dict[str, str] | None) -> Updates:
        """Record a decision on the application as the form has it."""
        if not self.person.may("decide"):
            return {"message": self._message("not_yours")}
        edited, faults = self._read(opened, texts)
        if faults:
            return faults
        answer = self.service.explain(edited, "decision")
        said, model = say("recorded_now", self.lang), self.service.model(answer.model)
        shown = result.card(answer, model, self.wording, recorded=said, link=True)
        return {"message": "", "ways": "", "last": "", "result": shown}

    def find_ways(self, opened: OpenApplication | None, texts: dict[str, str] | None) -> Updates:
        """Show what would turn the refusal of the application as the form has it."""
        edited, faults = self._read(opened, texts)
        if faults:
            return faults
        found = self.service.ways(edited)
        return {"message": "", "ways": ways.card(found, self.service.model(found.model), self.lang)}

    def _read(
        self, opened: OpenApplication | None, texts: dict[str, str] | None
    ) -> tuple[dict[str, Any], Updates]:
        """Return the application as the form has it, and what is to be said of texts that are no values."""
        application = opened.application if opened else dict(form.NEW_APPLICATION)
        edited, invalid = form.read(texts or {}, application, self.lang)
        links = [(one.name, self._invalid(one)) for one in invalid]
        return edited, {"message": message(say("faults", self.lang), self.lang, links)} if invalid else {}

    def score_file(self, path: str | None, keep_unknown: bool, is_preview: bool = False) -> Iterator[Updates]:
        """Score an upload: give its progress, then the summary and the files to download.

        Parameters
        ----------
        path : str, optional
            Where the upload lies.
        keep_unknown : bool
            Carry columns that no application has through to the answer.
        is_preview : bool
            Decide nothing: the answers are previews.
        """
        job = FileJob()
        yield {
            "job": job,
            "cancel": gr.Button(visible=True),
            "summary": render("progress", self.lang, text=say("batch_reading", self.lang), done=0, total=1),
        } | self._downloads({})
        try:
            yield from self._score_file(path, keep_unknown, is_preview, job)
        except (Exception, PanicException) as error:  # the border, as in `guarded`
            yield {"summary": self.failure(error), "cancel": gr.Button(visible=False)}

    def _score_file(
        self, path: str | None, keep_unknown: bool, is_preview: bool, job: FileJob
    ) -> Iterator[Updates]:
        over = {"cancel": gr.Button(visible=False)}
        if not path:
            yield {"summary": self._message("batch_none")} | over
            return
        upload, service = Path(path), self.service
        is_preview = is_preview or not self.person.may("decide")
        ask = functools.partial(service.score_table, purpose="preview") if is_preview else service.score_table
        found = batch.read(upload, self.lang, keep_unknown)
        parts: list[pl.DataFrame] = []
        model = service.model()
        for done, part in batch.score(found, ask, model, self.clients, self.lang):
            if job.is_cancelled:
                counts = {
                    "done": number(done, self.lang),
                    "all": number(len(found.table), self.lang),
                }
                yield {"summary": self._message("batch_cancelled", **counts)} | over
                return
            parts.append(part)
            yield {"summary": filed.progress(done, len(found.table), self.lang)}
        scored = batch.scored(found, parts)
        # Gradio copies what it is given into its own private folder; ours goes as soon as it has done so.
        with tempfile.TemporaryDirectory() as folder:
            name = Path(folder) / f"{upload.stem}-{say('batch_suffix', self.lang)}"
            files = {
                ending: download.write(
                    scored, name.with_name(name.name + ending), say("batch_sheet", self.lang)
                )
                for ending in download.FORMATS
            }
            yield {"summary": filed.summary(scored, self.lang, is_preview)} | self._downloads(files) | over

    def _downloads(self, files: Mapping[str, Path]) -> Updates:
        """Offer files to take away; without any, hide what offers them."""
        return {
            f"download_{ending[1:]}": gr.DownloadButton(
                value=str(files[ending]) if files else None, visible=bool(files)
            )
            for ending in download.FORMATS
        }

    def cancel_file(self, job: FileJob | None) -> Updates:
        """Stop scoring a file before its next part."""
        if job is not None:
            job.is_cancelled = True
        return {"cancel": gr.Button(visible=False)}

    def _unknown(self, client: int) -> str:
        return self._message("unknown_client" if self.clients.exist else "no_portfolio", id=client)

    def _message(self, name: str, /, **values: Any) -> str:
        return message(say(name, self.lang, **values), self.lang)

    def _invalid(self, found: form.InvalidField) -> str:
        fact = form.label(form.fields()[found.name], self.lang)
        return say("fault", self.lang, fact=fact, sentence=found.sentence)

    def _opened(self, application: dict[str, Any], edits: Mapping[str, str] | None = None) -> Updates:
        """Show an application that was just opened and its result; edits stand in its form, not scored."""
        text, shown, first, state = "", result.waiting(self.lang), None, "connected"
        client = application[KEY]
        on_record = self.service.last_decision(client) if client and self.person.may("look_up") else None
        try:
            first = self.service.explain(application, "preview")
            shown = result.card(first, self.service.model(first.model), self.wording)
        except ServiceError as error:
            text, state = self.failure(error), "not_connected" if error.kind == "down" else state
        return {
            "message": text,
            "masthead": self._masthead(state),
            "heading": heading(application, self.lang),
            "form": form.html(application, self.wording, self._typed(application, edits or {})),
            "last": self._on_record(on_record, first) if on_record else "",
            "result": shown,
            "ways": "",
            "opened": OpenApplication(application, first),
            "number": str(application[KEY] or ""),
        }

    def _masthead(self, state: str) -> str:
        """Return the top of the page with the model that answered last."""
        model = self.service.known
        named = about.short(model, self.lang) if model else ""
        return masthead(self.lang, self.house, state, named, self.person)

    def _on_record(self, found: Callable[[], RecordedDecision | None], answer: Explanation | None) -> str:
        """Show what was decided last on a client, or that nobody can say."""
        model = self.service.known
        try:
            return record.last(found(), answer, model.points if model else None, self.lang)
        except ServiceError as error:
            logger.warning("no look-up: %s", type(error).__name__)
            return record.not_looked_up(self.lang)

    def _typed(self, application: dict[str, Any], edits: Mapping[str, str]) -> dict[str, str]:
        """Return edits as this language writes them; ``lang`` among them says in which they were typed."""
        typed, columns = edits.get("lang", self.lang), form.fields()
        texts = {
            name: text
            for name, text in edits.items()
            if name in columns and form.is_writable(columns[name], text, application.get(name))
        }
        if typed == self.lang or typed not in languages():
            return texts
        edited, invalid = form.with_edits(application, texts, typed)
        kept = {one.name: texts[one.name] for one in invalid}
        return {name: form.show(columns[name], edited.get(name), self.lang) for name in texts} | kept


def guarded(handlers: Handlers, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """Return a handler that is told who calls it; its failure is a sentence on the page, never a stack."""

    def handle(person: Person, *inputs: Any) -> Updates:
        try:
            called: Updates = getattr(handlers.of(person), handler.__name__)(*inputs)
            return called
        except (Exception, PanicException) as error:  # the border: logged once, said in a sentence
            return {"message": handlers.failure(error)}

    return handle
