"""The service as BentoML asks for it: its own process loads nothing that only a worker needs."""

from __future__ import annotations

import gc
import os
from typing import Any, TypeVar

import bentoml

from scoring.hosting import models, spare, start
from scoring.serving import private
from scoring.serving.asgi import App
from scoring.serving.life import DRAIN, end_with

T = TypeVar("T")


class Hosted(bentoml.Service[T]):  # type: ignore[misc]  # bentoml offers it without its type
    """A BentoML service behind the project's own front.

    BentoML asks it for the application once in each worker, before it starts uvicorn: that is when what this
    process needs is put in place.
    """

    def schema(self) -> dict[str, Any]:
        """Return BentoML's description of the endpoints, without what they take and give.

        A bento keeps it in its `bento.yaml`, which each process reads at its start: 750 KB take 1.5 s.
        """
        whole = self.whole_schema()
        return whole | {"routes": [route | {"input": {}, "output": {}} for route in whole["routes"]]}

    def whole_schema(self) -> dict[str, Any]:
        """Return BentoML's description of the endpoints, which its clients ask a worker for."""
        whole: dict[str, Any] = super().schema()
        return whole

    def to_asgi(self, is_main: bool = True) -> App:
        """Return the application, with all that stands before it, once its model is proven."""
        if start.PARENT in os.environ:
            gc.disable()  # until it serves: what is loaded stays, and looking at it takes 0.3 s
            if bentoml.server_context.worker_index:
                end_with(int(os.environ[start.PARENT]))
        with start.startable():
            private.demand()
            # Here: they need what was looked for, or belong to a worker alone.
            import scoring.hosting.worker
            import scoring.proof  # noqa: F401
            from scoring.hosting.front import Front
            from scoring.serving.private.connection import connection
            from scoring.serving.private.server import server

            settings = start.settings()
            front = Front(settings, self)
            private.speak_through(connection(settings.limits, DRAIN.is_on))
            private.serve_by(server(spare.PLACE.is_of_the_last))
            self.middlewares[:] = [(front.entrance, {})]
            app = spare.until_needed(front.gate(private.without_timeouts(super().to_asgi(is_main))))
        models.await_proof()
        return app
