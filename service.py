"""The BentoML service: credit decisions over HTTP, many at a time, recorded, and explained on demand.

The work is done in `scoring`: the door checks requests, the decider scores and records them. Here stand the
endpoints and the start-up; the settings are environment variables, see `scoring.serving.settings`.
"""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # telemetry is off unless asked for

import asyncio
import atexit
import gc
import logging
import shutil
import sys
import tempfile
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bentoml
import yaml
from bentoml._internal.server.http import traffic
from bentoml.exceptions import BentoMLException, NotFound
from prometheus_client import Gauge
from pydantic import RootModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from scoring import language
from scoring.decider import Decider
from scoring.inference_log import InferenceLog, LogError, heads_folder, log_key
from scoring.schema import Decision, Explanation, ScoreRequest
from scoring.scorer import Scorer, ScorerError, read_examples
from scoring.serving import access, pages
from scoring.serving.access import AccessError, Guard, KeyRing
from scoring.serving.asgi import App, among, nowhere
from scoring.serving.connection import install
from scoring.serving.crowd import backlog, take_descriptors
from scoring.serving.documents import Document, Documents
from scoring.serving.door import Door
from scoring.serving.forwarded import Forwarded
from scoring.serving.head import ARROW
from scoring.serving.job import JOB, ArrowJob, BulkJob, Job, JsonJob
from scoring.serving.life import Drain, at_hangup, end_with, stand_back
from scoring.serving.limits import Route
from scoring.serving.problem import Refusal
from scoring.serving.rate import Rate
from scoring.serving.reading import DECODER
from scoring.serving.settings import SettingError, Settings
from scoring.serving.turns import Turns
from scoring.trial import try_out

if TYPE_CHECKING:
    from scoring.bulk import Bulk

NAME = "credit_scoring"
ROOT = Path(__file__).resolve().parent
MANIFEST = ROOT.parent / "bento.yaml"  # there when this file runs from a bento
IS_BENTO = ROOT.name == "src" and MANIFEST.is_file()
HOME = Path.home() / f".{NAME}" if IS_BENTO else ROOT / "var"  # a bento's export would carry a log away
try:
    SETTINGS = Settings.read(os.environ, ROOT, HOME)
    language.load()  # a catalogue with a fault stops the start, not an answer
except (SettingError, language.LanguageError) as error:
    raise BentoMLException(f"The service cannot start: {error}") from None
LIMITS = SETTINGS.limits
SCHEMA = "/schema.json"  # BentoML's own clients ask for it
ROUTES = {
    "/score": Route(SETTINGS.rows, is_quick=True, bulk="/score/bulk", arrow="/score/table"),
    "/explain": Route(SETTINGS.explain_rows, concurrent=SETTINGS.explain_concurrent),
}
# Tell a worker who its parent is, and which file names the model that the parent chose.
PARENT, SERVED = f"_{NAME}_parent", f"_{NAME}_served"
DRAIN = Drain(SETTINGS.drain_s)
if PARENT in os.environ and bentoml.server_context.worker_index:
    end_with(int(os.environ[PARENT]))
# BentoML's own deadlines stand behind the door's; bentoml 1.4.39: max_latency_ms is a deadline, not a wait.
BENTOML_TIMEOUT_S = 2 * LIMITS.arrow_s + LIMITS.body_s
BENTOML_TIMEOUT_MS = int(1_000 * BENTOML_TIMEOUT_S)

# How long a thread keeps Python's lock while others want it. An explanation is long work in Python, and a
# score asks for the lock several times: at Python's own 5 ms its p99 beside explanations is thrice as high.
TURN_S = 1e-4
LARGE = 16  # threads of large requests: more than may be large at once, for small ones with a key beside them

logger = logging.getLogger("bentoml.credit_scoring")  # bentoml shows only what is logged under its own name

# A gauge that is always 1, since several processes cannot share one of prometheus' own info metrics.
ENGINE = Gauge(
    "credit_scoring_engine_info",
    "Who computes scores: native (the fast engine) or lightgbm; numpy for a linear model.",
    ["engine", "family", "model"],
    multiprocess_mode="livemax",
)


def open_log(worker: str, model: str, categories: Sequence[str]) -> InferenceLog | None:
    """Open the inference log for one worker process."""
    if SETTINGS.log is None:
        return None
    heads = SETTINGS.log_heads or heads_folder(SETTINGS.log)
    return InferenceLog(
        SETTINGS.log,
        worker,
        log_key(SETTINGS.key_file, SETTINGS.log, heads),
        model,
        categories,
        heads,
        keep_days=SETTINGS.log_days,
        announce=logger.info,
    )


def guard() -> Guard:
    """Return the guard that the settings ask for."""
    try:
        keys = KeyRing(SETTINGS.api_keys, SETTINGS.api_key_file)
    except AccessError as error:
        raise BentoMLException(f"The service cannot start: {error}") from None
    return Guard(keys, SETTINGS.hosts, SETTINGS.origins, SETTINGS.are_pages_private)


def find_model() -> str:
    """Return the exact tag to serve: the one that the parent chose, or `newest`."""
    if SERVED in os.environ:
        return Path(os.environ[SERVED]).read_text(encoding="ascii")
    return newest()


def newest() -> str:
    """Return the exact tag of the bento's own model, else of the newest that was asked for."""
    if IS_BENTO:
        manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
        models = manifest.get("models") or [
            model for item in manifest["services"] for model in item["models"]
        ]
        return str(models[0]["tag"])
    asked = SETTINGS.model or f"{NAME}:latest"
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
    decider, examples = Decider(Scorer.load(folder), tag), read_examples(folder)
    decider.check(examples)
    decider.warm(examples)
    return decider


def renew() -> bool:
    """Choose anew, for the parent: what cannot serve never reaches a worker. Say whether it changed.

    The new model is tried in a process of its own, so that nothing in it can end this one.
    """
    served = Path(os.environ[SERVED])
    try:
        tag = newest()
        if tag == served.read_text(encoding="ascii"):
            logger.info("reload: %s is the newest model; nothing changes", tag)
            return False
        try_out(Path(bentoml.models.get(tag).path), tag)
    except Exception as error:  # whatever is wrong with the new one, the old one is right
        why = error if isinstance(error, ScorerError | BentoMLException) else type(error).__name__
        logger.error("reload refused: %s The model from before goes on.", why)
        return False
    choose(served, tag)
    logger.info("reload: the workers take up %s", tag)
    return True


def choose(served: Path, tag: str) -> None:
    """Write down, in one step, which model the workers serve, those too that start later."""
    draft = served.with_suffix(".draft")
    draft.write_text(tag, encoding="ascii")
    draft.replace(served)


class Applications(ScoreRequest, bentoml.IODescriptor):
    """What POST /score and POST /explain take; the door has checked it before BentoML asks for it."""

    @classmethod
    async def from_http_request(cls, request: Request, _serde: object) -> "Applications":
        """Hand the request on as one item: the unit of a batch is a request, so that none is ever split."""
        return cls.model_construct(applications=[request.scope[JOB]])


Reply = tuple[bytes, str]  # an answer and its media type, where it may be another than JSON


class _Answer:
    """Turns what an endpoint gives for one request, its body or a refusal, into the response."""

    @classmethod
    async def to_http_response(cls, answers: Sequence[bytes | Reply | Refusal], _serde: object) -> Response:
        (answer,) = answers
        if isinstance(answer, Refusal):
            return Response(answer.body(), answer.status, answer.headers())
        body, kind = answer if isinstance(answer, tuple) else (answer, "application/json")
        return Response(body, media_type=kind)


class Decisions(_Answer, bentoml.IODescriptor, RootModel[list[Decision]]):
    """Decisions, in the order of the applications."""


class Explanations(_Answer, bentoml.IODescriptor, RootModel[list[Explanation]]):
    """Explained decisions, in the order of the applications."""


@bentoml.service(
    name=NAME,
    workers=SETTINGS.workers,
    threads=2,  # a batch of /score and a batch of /explain at a time: neither waits for the other
    traffic={"timeout": BENTOML_TIMEOUT_S},
    tracing={"excluded_urls": [".*"]},  # it costs half a millisecond a request, with nobody listening too
    logging={"access": {"enabled": False}},
)
class CreditScoring:
    """Decides credit applications: scores them, explains them, records every decision."""

    model = bentoml.models.BentoModel(find_model())

    def __init__(self) -> None:
        sys.setswitchinterval(TURN_S)
        worker = f"w{bentoml.server_context.worker_index or 0}-{uuid.uuid4().hex[:8]}"
        tag = str(self.model.tag)
        decider = load(Path(self.model.path), tag)
        self.log = open_log(worker, tag, list(decider.scorer.categories))
        self.large = ThreadPoolExecutor(LARGE, "large", stand_back)  # behind all others, and in turns
        self.turns = Turns()  # of this process, whatever model it serves
        self.serve(decider)
        stand_back("polars-")  # who has one application decided does not need them
        DRAIN.attend()
        at_hangup(self.take_up)

    def serve(self, decider: Decider) -> None:
        """Decide with this model from now on; what is being decided is finished by the one before."""
        scorer, tag = decider.scorer, decider.model
        log = self.log.under(tag, scorer.categories) if self.log is not None else None
        # What is loaded stays: the collector need not walk it at every turn (it made pauses of 100-300 ms).
        gc.collect()
        gc.freeze()
        self.decider = Decider(scorer, tag, log)
        self.tables = self.large.submit(self._tables, scorer, tag, log)
        ENGINE.labels(scorer.engine, scorer.family, tag).set(1)
        logger.info(
            "serving %s: %s, engine %s%s, %d features, threshold %.4f, log %s, %s",
            tag,
            scorer.family,
            scorer.engine,
            f" ({reason})" if (reason := scorer.without_native) else "",
            len(scorer.feature_names),
            scorer.threshold,
            SETTINGS.log or "off: NO DECISION IS RECORDED",
            f"{len(GUARD.keys)} API keys" if GUARD.keys else "no API key: answering on this machine only",
        )

    def _tables(self, scorer: Scorer, tag: str, log: InferenceLog | None) -> "Bulk":
        """Return what decides tables."""
        from scoring.bulk import Bulk  # here: a worker answers its first application 0.2 s sooner without it

        return Bulk(scorer, tag, log, LIMITS.arrow_rows, turns=self.turns)

    async def _answer_large(self, job: BulkJob) -> bytes | Refusal:
        """Answer a large request, beside others of its kind: they work in turns, a slice each."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.large, lambda: self.tables.result().answer(job))

    def take_up(self) -> None:
        """Load the model that the parent chose beside the one that serves, and let it serve."""
        before = self.decider
        tag = find_model()
        if tag == before.model:
            return
        try:
            decider = load(Path(bentoml.models.get(tag).path), tag)
        except Exception as error:
            why = error if isinstance(error, ScorerError | BentoMLException) else type(error).__name__
            logger.error("reload refused: %s %s goes on.", why, before.model)
        else:
            self.serve(decider)
            ENGINE.labels(before.scorer.engine, before.scorer.family, before.model).set(0)

    @bentoml.on_deployment
    def check() -> None:
        """Try the start-up once in the parent: it stops at a fault, a worker would be restarted for ever."""
        from bentoml._internal.utils import circus  # here: a worker, which needs neither, is up 0.1 s sooner

        import scoring.bulk  # noqa: F401 - if it cannot be had, that is found now
        from scoring.serving.supervisor import prompt

        if "BENTOML_API_WORKERS" in os.environ or any(word.startswith("--api-workers") for word in sys.argv):
            raise BentoMLException(
                "The service cannot start: BentoML 1.4.39 takes --api-workers (BENTOML_API_WORKERS) and "
                "starts one worker all the same; set CREDIT_SCORING_WORKERS instead."
            )
        try:
            try_out(Path(bentoml.models.get(MODEL).path), MODEL)
            log = open_log("start-up", MODEL, ())
            if log is not None:
                log.check()
        except (ScorerError, LogError) as error:
            raise BentoMLException(f"The service cannot start: {error}") from None
        limit = take_descriptors()
        folder = Path(tempfile.mkdtemp(prefix=f"{NAME}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        choose(folder / "model", MODEL)
        os.environ |= {PARENT: str(os.getpid()), SERVED: str(folder / "model")}
        # bentoml 1.4.39 has no setting for any of this; `serve` looks the class up when it has run this hook
        circus.Arbiter = prompt(circus.Arbiter, renew, BentoMLException, backlog(limit))  # type: ignore[misc]

    @bentoml.on_shutdown
    def close(self) -> None:
        """Close the log."""
        if self.log is not None:
            self.log.close()

    def __is_ready__(self) -> bool:
        """Say whether decisions can be given: the scorer is loaded and checked, the log can be written.

        Not so while the process is about to end: whoever looks goes elsewhere.
        """
        return not DRAIN.is_on() and (self.log is None or self.log.is_healthy())

    @bentoml.api(
        batchable=SETTINGS.batch > 1,
        max_batch_size=max(SETTINGS.batch, 2),  # requests; bentoml 1.4.39 takes no 1
        max_latency_ms=BENTOML_TIMEOUT_MS,
        input_spec=Applications,
        output_spec=Decisions,
    )
    def score(self, applications: list[Job]) -> list[bytes | Refusal]:
        """Decide applications, in the order asked; each decision is in the log before it leaves."""
        return self.decider.answer(applications)

    @bentoml.api(
        batchable=True,
        max_batch_size=2,  # they are decided one by one; more would only wait for each other
        max_latency_ms=BENTOML_TIMEOUT_MS,
        input_spec=Applications,
        output_spec=Explanations,
    )
    def explain(self, applications: list[Job]) -> list[bytes | Refusal]:
        """Decide applications and say why: every feature's contribution, and up to four reasons in words."""
        return self.decider.answer(applications, is_explained=True)

    @bentoml.api(route="/score/bulk", input_spec=Applications, output_spec=Decisions)
    async def score_bulk(self, applications: list[JsonJob]) -> list[bytes | Refusal]:
        """Decide a large request, a slice at a time and beside the batches: the door leads it here."""
        (job,) = applications
        return [await self._answer_large(job)]

    @bentoml.api(route="/score/table", input_spec=Applications, output_spec=Decisions)
    async def score_table(self, applications: list[ArrowJob]) -> list[Reply | Refusal]:
        """Decide a table, a slice at a time beside the batches; Arrow out, or JSON where it is asked for."""
        (job,) = applications
        answer = await self._answer_large(job)
        kind = "application/json" if job.is_json else ARROW
        return [answer if isinstance(answer, Refusal) else (answer, kind)]


MODEL = str(CreditScoring.inner.model.tag)
GUARD = guard()


def _tag() -> str:
    return str(bentoml.get_current_service().decider.model)


async def _at_once(job: Job) -> bytes | Refusal:
    """Decide a lone request without the batch."""
    answer: bytes | Refusal = await bentoml.get_current_service().decider.answer_at_once(job)
    return answer


def _landing(prefix: str) -> Document:
    page = pages.landing(_tag(), prefix).encode()
    return Document(page, "text/html; charset=utf-8", pages.LANDING_HEADERS)


def _model(_: str) -> Document:
    decider = bentoml.get_current_service().decider
    return Document(JSONResponse(pages.model(decider.scorer, decider.model, ROUTES)).body)


def _openapi(prefix: str) -> Document:
    generated = CreditScoring.openapi_spec.asdict()
    return Document(JSONResponse(pages.openapi(generated, _tag(), ROUTES, prefix)).body)


def _schema(_: str) -> Document:
    return Document(JSONResponse(pages.schema(CreditScoring.schema(), ROUTES)).body)


PAGES = {"/": _landing, "/model": _model, "/docs.json": _openapi, SCHEMA: _schema}


def entrance(app: App, **options: Any) -> App:
    """Return the door, with the pages behind it."""
    return Door(Documents(app, PAGES, _tag), **options)


RATE = Rate(SETTINGS.rate, workers=SETTINGS.workers) if SETTINGS.rate else None
# bentoml 1.4.39 never cancels the timer of an answered request: each would keep 0.7 KB for four minutes.
# The door has deadlines of its own.
traffic.TimeoutMiddleware = lambda app, timeout: app  # type: ignore[assignment, misc]  # noqa: ARG005
# bentoml 1.4.39 counts every path that is asked for under a label of its own, before it asks any middleware:
# who makes up paths would fill memory and disk. So those that are none are answered before it.
STRANGERS = Door(nowhere, {}, DECODER, LIMITS, GUARD, RATE)


def gate(app: App) -> App:
    """Return what every request comes to first."""
    app = among({*ROUTES, *access.HEALTH, *access.PAGES, SCHEMA}, STRANGERS, app)
    return Forwarded(app, SETTINGS.proxies) if SETTINGS.proxies else app


install(LIMITS, DRAIN.is_on, gate)
CreditScoring.add_asgi_middleware(
    entrance, routes=ROUTES, decoder=DECODER, limits=LIMITS, admit=GUARD, rate=RATE, at_once=_at_once
)
