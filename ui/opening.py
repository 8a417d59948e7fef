"""An application that is opened, varied and decided: whatever an officer opens lives in the session only."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scoring.client import ServiceError
from scoring.language import languages
from scoring.schema import KEY, Explanation, RecordedDecision
from scoring.schema.columns import ID_DIGITS
from ui import form, record, result, ways
from ui.clients import UnknownClient
from ui.handling import Handling, Updates
from ui.header import heading, message
from ui.words import quoted, say

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenApplication:
    """What one officer has open: the application as it came, and its first explained decision."""

    application: dict[str, Any]
    first: Explanation | None = None


class Opening(Handling):
    """What happens to the application that is open."""

    def open(self, text: str, edits: Mapping[str, str] | None = None) -> Updates:
        """Open the client whose number was typed and score the application as it stands."""
        typed = text if isinstance(text, str) else ""
        digits = "".join(typed.split()).replace(",", "")
        if not digits.isdecimal():
            example = next(iter(self.clients.examples()), 100_001)
            return {"message": self._message("not_a_number", text=quoted(typed), example=example)}
        if len(digits) > ID_DIGITS:
            return {"message": self._message("number_long", most=ID_DIGITS)}
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

    def _invalid(self, found: form.InvalidField) -> str:
        fact = form.label(form.fields()[found.name], self.lang)
        return say("fault", self.lang, fact=fact, sentence=found.sentence)

    def _opened(self, application: dict[str, Any], edits: Mapping[str, str] | None = None) -> Updates:
        """Show an application that was just opened and its result; edits stand in its form, not scored."""
        text, shown, first, state = "", result.unanswered(self.lang), None, "connected"
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
