"""The BentoML service: credit decisions over HTTP, many at a time, recorded, and explained on demand.

A request is checked by the middleware around what is here (`scoring.hosting.front`): it comes as one job,
whole and valid, so that requests in one batch cannot harm each other. The settings are environment
variables. Importing this module changes nothing in the process: what a worker needs comes when it starts.
"""

import bentoml
from pydantic import RootModel

from scoring.hosting import models, start
from scoring.hosting.hosted import Hosted
from scoring.schema import Counterfactual, Curve, Decision, Explanation, Placement, ScoreRequest
from scoring.serving.job import ArrowJob, Job, JsonJob
from scoring.serving.media import ARROW
from scoring.serving.private import AsBytes, HandedOn, Reply
from scoring.serving.problem import Rejection
from scoring.serving.settings import NAME

SETTINGS = start.settings()
MODEL = models.chosen(SETTINGS.model)
LAST_S = SETTINGS.limits.last_s


class Applications(HandedOn, ScoreRequest, bentoml.IODescriptor):
    """What POST /score and POST /explain take; the middleware has checked it before BentoML asks for it."""


class Decisions(AsBytes, bentoml.IODescriptor, RootModel[list[Decision]]):
    """Decisions, in the order of the applications."""


class Counterfactuals(AsBytes, bentoml.IODescriptor, RootModel[list[Counterfactual]]):
    """What would turn the decisions, in the order of the applications."""


class Placements(AsBytes, bentoml.IODescriptor, RootModel[list[Placement]]):
    """Where the applications stand among others, in their order."""


class Curves(AsBytes, bentoml.IODescriptor, RootModel[list[Curve]]):
    """What one fact does for each of the applications, in their order."""


class Explanations(AsBytes, bentoml.IODescriptor, RootModel[list[Explanation]]):
    """Explained decisions, in the order of the applications."""


@bentoml.service(
    name=NAME,
    service_class=Hosted,
    workers=SETTINGS.workers,
    threads=2,  # a batch of /score and a batch of /explain at a time: neither waits for the other
    traffic={"timeout": LAST_S},
    tracing={"excluded_urls": [".*"]},  # it costs half a millisecond a request, with nobody listening too
    logging={"access": {"enabled": False}},
)
class CreditScoring:
    """Decides credit applications: scores them, explains them, records every decision."""

    model = bentoml.models.BentoModel(MODEL)

    @bentoml.on_deployment
    def prepare() -> None:
        """Try the start-up once in the parent, before there are workers."""
        start.prepare(SETTINGS, MODEL)

    def __init__(self) -> None:
        from scoring.hosting.worker import Worker  # here: BentoML's own process judges nothing

        self.worker = Worker(SETTINGS, str(self.model.tag))

    def __is_ready__(self) -> bool:
        """Say whether decisions can be given."""
        return self.worker.is_ready()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Close the log."""
        self.worker.close()

    @bentoml.api(
        batchable=SETTINGS.batch > 1,
        max_batch_size=max(SETTINGS.batch, 2),  # requests; bentoml 1.4.39 takes no 1
        max_latency_ms=int(1_000 * LAST_S),  # bentoml 1.4.39: a deadline, not a wait
        input_spec=Applications,
        output_spec=Decisions,
    )
    def score(self, applications: list[Job]) -> list[bytes | Rejection]:
        """Decide applications, in the order asked; each decision is in the log before it leaves."""
        return self.worker.batches.answer(applications)

    @bentoml.api(
        batchable=True,
        max_batch_size=2,  # they are decided one by one; more would only wait for each other
        max_latency_ms=int(1_000 * LAST_S),
        input_spec=Applications,
        output_spec=Explanations,
    )
    def explain(self, applications: list[Job]) -> list[bytes | Rejection]:
        """Decide applications and say why: every feature's contribution, and up to four reasons in words."""
        return self.worker.batches.answer(applications, is_explained=True)

    @bentoml.api(input_spec=Applications, output_spec=Counterfactuals)
    async def counterfactual(self, applications: list[Job]) -> list[bytes | Rejection]:
        """Find the smallest changes within policy that would turn refusals; nothing is decided."""
        (job,) = applications
        return [await self.worker.answer_aside(job, "counterfactual")]

    @bentoml.api(input_spec=Applications, output_spec=Placements)
    async def compare(self, applications: list[Job]) -> list[bytes | Rejection]:
        """Say where applications stand in the model's reference; groups are shown, and nobody."""
        (job,) = applications
        return [await self.worker.answer_aside(job, "compare")]

    @bentoml.api(input_spec=Applications, output_spec=Curves)
    async def curve(self, applications: list[Job]) -> list[bytes | Rejection]:
        """Draw what one fact does for each application, all else equal; nothing is decided."""
        (job,) = applications
        return [await self.worker.answer_aside(job, "curve")]

    @bentoml.api(route="/score/bulk", input_spec=Applications, output_spec=Decisions)
    async def score_bulk(self, applications: list[JsonJob]) -> list[bytes | Rejection]:
        """Decide a large request, a slice at a time and beside the batches: the middleware leads it here."""
        (job,) = applications
        return [await self.worker.answer_large(job)]

    @bentoml.api(route="/score/table", input_spec=Applications, output_spec=Decisions)
    async def score_table(self, applications: list[ArrowJob]) -> list[Reply | Rejection]:
        """Decide a table, a slice at a time beside the batches; Arrow out, or JSON where it is asked for."""
        (job,) = applications
        answer = await self.worker.answer_large(job)
        kind = "application/json" if job.is_json else ARROW
        return [answer if isinstance(answer, Rejection) else (answer, kind)]
