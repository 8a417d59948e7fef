"""What happens when something is pressed or an address followed: from what was asked to what is shown.

Each handler returns what changes on the page, by the name of the part that it changes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import gradio as gr

from scoring.client import ServiceError
from scoring.tables import TableError
from ui import about, compare, form, monitored, owner, place, record, result, worklist
from ui.clients import EXAMPLES, UnknownClient
from ui.filing import Filing
from ui.handling import Updates, guarded
from ui.header import masthead
from ui.opening import OpenApplication, Opening

__all__ = ["EXAMPLE_NAMES", "OPENED", "WENT", "Handlers", "OpenApplication", "Updates", "guarded"]

logger = logging.getLogger(__name__)

OPENED = ("message", "masthead", "heading", "form", "last", "result", "ways", "opened", "number")
"""Parts that change when an application is opened."""
WENT = (*OPENED, "comparison", "list", "record")
"""Parts that change when an address is followed."""
EXAMPLE_NAMES = tuple(f"example_{place}" for place in range(EXAMPLES))


class Handlers(Opening, Filing):
    """The handlers of one page."""

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
            return owner.card(self.service.owner(), self.lang) + self._monitored()
        except ServiceError as error:
            if error.kind != "refused":
                raise
            return self._message("owner_closed")
        except ValueError:  # a service of another version says something else
            logger.warning("the service's owner view is not of this version")
            return self._message("service_fails")

    def _monitored(self) -> str:
        """Return what the monitor says; a service that cannot hand it on leaves the rest as it is."""
        try:
            return monitored.card(self.service.monitor(), self.lang)
        except (ServiceError, ValueError):
            logger.warning("the service does not hand on what the monitor says")
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
