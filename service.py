"""The BentoML service: credit decisions over HTTP, many at a time, recorded, and explained on demand.

The work is done in `scoring`: the door checks requests, the decider scores and records them. Here stand the
endpoints, the start-up and the settings, which are environment variables:

CREDIT_SCORING_MODEL     tag in the BentoML model store; a bento always uses the model that it was built with
CREDIT_SCORING_LOG       folder of the inference log; "off" for a pure demo
CREDIT_SCORING_KEY_FILE  key of the pseudonyms, made at the first start
"""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # telemetry is off unless asked for

import gc
import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
import bentoml
import yaml
from bentoml.exceptions import BentoMLException, NotFound
from pydantic import RootModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route as Page

from scoring import features, pages
from scoring.decider import Decider
from scoring.door import JOB, Door, Job, Limits, Refusal, Route
from scoring.inference_log import InferenceLog, LogError, pseudonym_key
from scoring.schema import ApplicationRequest, Decision, Explanation, ScoreRequest
from scoring.scorer import Scorer, ScorerError, read_examples

NAME = "credit_scoring"
ROOT = Path(__file__).resolve().parent
MANIFEST = ROOT.parent / "bento.yaml"  # there when this file runs from a bento
IS_BENTO = ROOT.name == "src" and MANIFEST.is_file()
HOME = (
    Path.home() / f".{NAME}" if IS_BENTO else ROOT / "var"
)  # never inside a bento: an export would carry it away
ROUTES = {"/score": Route(rows=1_000, bulk="/score/bulk"), "/explain": Route(rows=100)}
LIMITS = Limits()
HISTORY_FEATURES = frozenset(features.HISTORY_FEATURES)
BENTOML_TIMEOUT_S = 2 * LIMITS.answer_s + LIMITS.body_s  # BentoML's own deadlines stand behind the door's
BENTOML_TIMEOUT_MS = int(
    1_000 * BENTOML_TIMEOUT_S
)  # bentoml 1.4.39: max_latency_ms is a deadline, not a wait

logger = logging.getLogger(
    "bentoml.credit_scoring"
)  # bentoml 1.4.39 shows only what is logged under its own name


@dataclass(frozen=True)
class Settings:
    """Where the service writes; ``log`` is None for a pure demo."""

    log: Path | None
    key_file: Path

    @classmethod
    def read(cls) -> "Settings":
        """Read the environment; a relative path counts from this file, wherever the server was started."""
        log = os.environ.get("CREDIT_SCORING_LOG") or str(HOME / "log")
        key_file = os.environ.get("CREDIT_SCORING_KEY_FILE") or str(HOME / "pseudonym.key")
        return cls(None if log == "off" else ROOT / log, ROOT / key_file)

    def open_log(self, worker: str, model: str, categories: Iterable[str]) -> InferenceLog | None:
        """Open the inference log for one worker process."""
        if self.log is None:
            return None
        return InferenceLog(self.log, worker, pseudonym_key(self.key_file), model, list(categories))


def find_model() -> str:
    """Return the exact tag to serve: the one the bento was built with, else the newest that was asked for."""
    if IS_BENTO:
        manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
        models = manifest.get("models") or [
            model for item in manifest["services"] for model in item["models"]
        ]
        return str(models[0]["tag"])
    asked = os.environ.get("CREDIT_SCORING_MODEL") or f"{NAME}:latest"
    try:
        return str(bentoml.models.get(asked).tag)
    except NotFound:
        remedy = "train one with `python train.py --demo 20000` and import it with `python import_model.py`"
        raise BentoMLException(f"There is no model {asked} in the BentoML model store; {remedy}.") from None


def load(folder: Path, tag: str) -> Decider:
    """Load a scorer and prove that it decides here as it did in training.

    Raises
    ------
    ScorerError
        If it reads other features than this code makes, or its golden examples score otherwise.
    """
    scorer = Scorer.load(folder)
    scorer.check_features(features.names(scorer.policy))
    decider = Decider(scorer, tag)
    decider.check(read_examples(folder))
    return decider


def faults(application: ApplicationRequest) -> list[tuple[str, str]]:
    """Give what the type of an application cannot tell: aggregates that no feature has the name of."""
    return [
        (f"history_features.{name[:100]}", "Not a history aggregate; GET /model lists them")
        for name in application.history_features or ()
        if name not in HISTORY_FEATURES
    ]


class Applications(ScoreRequest, bentoml.IODescriptor):
    """What POST /score and POST /explain take; the door has checked it before BentoML asks for it."""

    @classmethod
    async def from_http_request(cls, request: Request, _serde: object) -> "Applications":
        """Hand the request on as one item: the unit of a batch is a request, so that none is ever split."""
        return cls.model_construct(applications=[request.scope[JOB]])


class _Answer:
    """Turns what an endpoint gives for one request, its body or a refusal, into the response."""

    @classmethod
    async def to_http_response(cls, answers: Sequence[bytes | Refusal], _serde: object) -> Response:
        (answer,) = answers
        if isinstance(answer, Refusal):
            return Response(answer.body(), answer.status, answer.headers())
        return Response(answer, media_type="application/json")


class Decisions(_Answer, bentoml.IODescriptor, RootModel[list[Decision]]):
    """Decisions, in the order of the applications."""


class Explanations(_Answer, bentoml.IODescriptor, RootModel[list[Explanation]]):
    """Explained decisions, in the order of the applications."""


@bentoml.service(
    name=NAME,
    workers=1,
    threads=2,  # a batch of /score and a batch of /explain at a time: neither waits for the other
    traffic={"timeout": BENTOML_TIMEOUT_S},
    tracing={
        "excluded_urls": [".*"]
    },  # tracing costs half a millisecond a request, even with nobody listening
    logging={"access": {"enabled": False}},
)
class CreditScoring:
    """Decides credit applications: scores them, explains them, records every decision."""

    model = bentoml.models.BentoModel(find_model())

    def __init__(self) -> None:
        settings = Settings.read()
        tag = str(self.model.tag)
        self.decider = load(Path(self.model.path), tag)
        worker = f"w{bentoml.server_context.worker_index or 0}-{uuid.uuid4().hex[:8]}"
        self.decider.log = settings.open_log(worker, tag, self.decider.scorer.categories)
        self.bulk = anyio.CapacityLimiter(1)
        # What is loaded stays: the collector need not walk it at every turn (it made pauses of 100-300 ms).
        gc.collect()
        gc.freeze()
        logger.info(
            "serving %s: %s, %d features, threshold %.4f, log %s",
            tag,
            self.decider.scorer.family,
            len(self.decider.scorer.feature_names),
            self.decider.scorer.threshold,
            settings.log or "off: NO DECISION IS RECORDED",
        )

    @bentoml.on_deployment
    def check() -> None:
        """Try the start-up once in the parent: it stops at a fault, a worker would be restarted for ever."""
        settings, model = Settings.read(), bentoml.models.get(MODEL)
        try:
            load(Path(model.path), MODEL)
            log = settings.open_log("start-up", MODEL, ())
            if log is not None:
                log.check()
        except (ScorerError, LogError) as error:
            raise BentoMLException(f"The service cannot start: {error}") from None

    @bentoml.on_shutdown
    def close(self) -> None:
        """Close the log."""
        if self.decider.log is not None:
            self.decider.log.close()

    def __is_ready__(self) -> bool:
        """Say whether decisions can be given: the scorer is loaded and checked, the log can be written."""
        return self.decider.log is None or self.decider.log.is_healthy()

    @bentoml.api(
        batchable=True,
        max_batch_size=64,  # requests
        max_latency_ms=BENTOML_TIMEOUT_MS,
        input_spec=Applications,
        output_spec=Decisions,
    )
    def score(self, applications: list[Job]) -> list[bytes | Refusal]:
        """Decide applications, in the order asked; each decision is in the log before it leaves."""
        return self.decider.answer(applications)

    @bentoml.api(
        batchable=True,
        max_batch_size=8,
        max_latency_ms=BENTOML_TIMEOUT_MS,
        input_spec=Applications,
        output_spec=Explanations,
    )
    def explain(self, applications: list[Job]) -> list[bytes | Refusal]:
        """Decide applications and say why: every feature's contribution, and up to four reasons in words."""
        return self.decider.answer(applications, is_explained=True)

    @bentoml.api(route="/score/bulk", input_spec=Applications, output_spec=Decisions)
    async def score_bulk(self, applications: list[Job]) -> list[bytes | Refusal]:
        """Decide a large request, one at a time and beside the batches: the door leads it here."""
        return await anyio.to_thread.run_sync(self.decider.answer, applications, limiter=self.bulk)


MODEL = str(CreditScoring.inner.model.tag)


async def _landing(_: Request) -> Response:
    return HTMLResponse(pages.landing(MODEL), headers=pages.LANDING_HEADERS)


async def _model(_: Request) -> Response:
    decider = bentoml.get_current_service().decider
    return JSONResponse(pages.model(decider.scorer, decider.model, ROUTES))


async def _openapi(_: Request) -> Response:
    return JSONResponse(pages.openapi(CreditScoring.openapi_spec.asdict(), MODEL, ROUTES))


PAGES = Starlette(routes=[Page("/", _landing), Page("/model", _model), Page("/docs.json", _openapi)])
CreditScoring.mount_asgi_app(PAGES, path="/")
CreditScoring.add_asgi_middleware(Door, routes=ROUTES, check=faults, limits=LIMITS)
