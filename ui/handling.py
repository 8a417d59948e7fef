"""What all handlers have in common: who asks, in which language, what is said when something goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import Any, Self

from polars.exceptions import PanicException

from scoring.client import ServiceError
from scoring.tables import TableError
from ui import about, batch, form
from ui.clients import Clients
from ui.header import masthead, message
from ui.house import NO_HOUSE, House
from ui.people import AT_THE_MACHINE, Person
from ui.service import Service, details, sentence
from ui.words import say

logger = logging.getLogger(__name__)

Updates = dict[str, Any]
"""Name of a part of the page -> its new value; parts that are not named stay as they are."""


class Handling:
    """Handlers of one page.

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

    def of(self, person: Person) -> Self:
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

    def _masthead(self, state: str) -> str:
        """Return the top of the page with the model that answered last."""
        model = self.service.known
        named = about.short(model, self.lang) if model else ""
        return masthead(self.lang, self.house, state, named, self.person)

    def _unknown(self, client: int) -> str:
        return self._message("unknown_client" if self.clients.exist else "no_portfolio", id=client)

    def _message(self, name: str, /, **values: Any) -> str:
        return message(say(name, self.lang, **values), self.lang)


def guarded(handlers: Handling, handler: Callable[..., Updates]) -> Callable[..., Updates]:
    """Return a handler that is told who calls it; its failure is a sentence on the page, never a stack."""

    def handle(person: Person, *inputs: Any) -> Updates:
        try:
            called: Updates = getattr(handlers.of(person), handler.__name__)(*inputs)
            return called
        except (Exception, PanicException) as error:  # the border: logged once, said in a sentence
            return {"message": handlers.failure(error)}

    return handle
