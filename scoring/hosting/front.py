"""What stands around BentoML's application in a worker: connections, the gate, the middleware, the pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import bentoml
from starlette.responses import JSONResponse

from scoring.comparison.owner import owner_view
from scoring.features.checks import DECODER
from scoring.hosting import models, start
from scoring.hosting.worker import count_rejected
from scoring.scorer import Scorer
from scoring.serving import pages
from scoring.serving.access import HEALTH, PAGES
from scoring.serving.asgi import App, by_path, with_header
from scoring.serving.documents import Document, Documents
from scoring.serving.forwarded import Forwarded
from scoring.serving.job import Job
from scoring.serving.limits import Route
from scoring.serving.lookups import Lookups
from scoring.serving.middleware import Middleware
from scoring.serving.owner import monitor_view, owner_pages
from scoring.serving.parameters import BESIDE, CHANGE, FACT, VARIED, WITHIN, changes, compared, drawn
from scoring.serving.problem import Rejection
from scoring.serving.rate import Rate
from scoring.serving.settings import Settings

SCHEMA = "/schema.json"  # BentoML's own clients ask for it


def routes(settings: Settings) -> dict[str, Route]:
    """Return the endpoints that take applications."""
    return {
        "/score": Route(settings.rows, is_quick=True, bulk="/score/bulk", arrow="/score/table"),
        "/explain": Route(settings.explain_rows, concurrent=settings.explain_concurrent),
        "/counterfactual": Route(
            settings.aside_rows, concurrent=settings.aside_concurrent, read=changes, parameters=[CHANGE]
        ),
        "/compare": Route(
            settings.aside_rows,
            concurrent=settings.aside_concurrent,
            read=compared,
            parameters=[FACT, BESIDE, WITHIN],
        ),
        "/curve": Route(
            settings.aside_rows, concurrent=settings.aside_concurrent, read=drawn, parameters=[VARIED]
        ),
    }


class Front:
    """What every request comes to: the gate first, and the middleware behind BentoML's own metrics.

    Parameters
    ----------
    settings : Settings
    service : bentoml.Service
        Whose endpoints they are; its ``worker`` is there when the first request comes.
    """

    def __init__(self, settings: Settings, service: bentoml.Service[Any]) -> None:
        self.settings = settings
        self.service = service
        self.routes = routes(settings)
        self.guard = start.guard(settings)
        self.rate = Rate(settings.rate, workers=settings.workers) if settings.rate else None

    def gate(self, app: App) -> App:
        """Return what every request comes to first.

        bentoml 1.4.39 counts every path that is asked for under a label of its own, before it asks any
        middleware: who makes up paths would fill memory and disk. So those that are none are answered before,
        and look-ups too, whose paths are as many as there are decisions.
        """
        views: dict[str, Callable[[], bytes]] = {
            "/owner": _owner_view,
            "/monitor": partial(monitor_view, self.settings.monitoring),
        }
        lookups = Lookups(_records, self.guard.keys.may, self.settings.limits)
        strangers = Middleware(
            owner_pages(views, self.guard.keys.may, lookups),
            {},
            DECODER,
            limits=self.settings.limits,
            admit=self.guard,
            rate=self.rate,
            speaks_for=self.guard.operator,
        )
        app = by_path({*self.routes, *HEALTH, *PAGES, SCHEMA}, strangers, app)
        return Forwarded(app, self.settings.proxies) if self.settings.proxies else app

    def entrance(self, app: App) -> App:
        """Return the middleware, with the pages behind it."""
        made = {"/": self._landing, "/model": self._model, "/docs.json": self._openapi, SCHEMA: self._schema}
        app = with_header("/readyz", b"x-scoring-engine", _engine, app)
        return Middleware(
            Documents(app, made, lambda: str(_worker().decider.model)),
            self.routes,
            DECODER,
            limits=self.settings.limits,
            admit=self.guard,
            rate=self.rate,
            at_once=_at_once,
            speaks_for=self.guard.operator,
            rejected=count_rejected,
        )

    def _landing(self, prefix: str) -> Document:
        page = pages.landing(_worker().decider.model, prefix).encode()
        return Document(page, "text/html; charset=utf-8", pages.LANDING_HEADERS)

    def _model(self, _: str) -> Document:
        decider = _worker().decider
        return _json(pages.model(decider.scorer, decider.model, self.routes, self.settings.changes))

    def _openapi(self, prefix: str) -> Document:
        generated = self.service.openapi_spec.asdict()
        model = _worker().decider.model
        return _json(pages.openapi(generated, model, self.routes, prefix))

    def _schema(self, _: str) -> Document:
        return _json(pages.schema(self.service.whole_schema(), self.routes))


def _json(content: dict[str, Any]) -> Document:
    return Document(bytes(JSONResponse(content).body))


def _worker() -> Any:
    return bentoml.get_current_service().worker


def _engine() -> bytes:
    return bytes(_worker().decider.scorer.engine, "ascii")


def _records() -> Any:
    return _worker().records.result()


def _owner_view() -> bytes:
    decider = _worker().decider
    return _viewed(decider.scorer, decider.model)


@lru_cache(maxsize=1)  # it is the same until another model serves
def _viewed(scorer: Scorer, model: str) -> bytes:
    return owner_view(scorer, model, models.folder(model)).model_dump_json().encode()


async def _at_once(job: Job) -> bytes | Rejection:
    answer: bytes | Rejection = await _worker().answer_at_once(job)
    return answer
