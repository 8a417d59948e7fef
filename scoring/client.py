"""A typed client of the service, and the command line that scores a portfolio through it.

    python -m scoring.client score var/demo --population test --out decisions.csv

Exit codes: 0 all decided, 1 the service cannot decide, 2 wrong use, 3 some applications are invalid.
"""

from __future__ import annotations

import csv
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal, TypeVar

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scoring import tables
from scoring.schema import Decision, Explanation, Problem

URL = "http://127.0.0.1:3000"
CHUNK = 250  # applications a request: a few megabytes with their histories
LONGEST_WAIT_S = 30.0  # for a busy service, whatever it asks for

Kind = Literal["down", "busy", "refused", "failed"]
Answer = TypeVar("Answer", Decision, Explanation)

SENTENCES: dict[Kind, tuple[str, str]] = {
    "down": (
        "The service does not answer at {url}: start it, or give its address.",
        "Le service ne répond pas à l'adresse {url} : démarrez-le, ou donnez son adresse.",
    ),
    "busy": (
        "The service cannot decide just now: {detail} Try again in a moment.",
        "Le service ne peut pas décider pour l'instant : {detail} Réessayez dans un instant.",
    ),
    "refused": ("The service refused the request: {detail}", "Le service a refusé la demande : {detail}"),
    "failed": ("The service failed: {detail}", "Le service a échoué : {detail}"),
}


class ServiceError(RuntimeError):
    """The service gave no decision.

    Attributes
    ----------
    kind : {"down", "busy", "refused", "failed"}
        No connection; try again later; the request is wrong; the service is wrong.
    en, fr : str
        A sentence that can be shown to a person.
    problem : Problem or None
        What the service itself said.
    retry_after_s : float or None
        When it wants to be asked again.
    """

    def __init__(
        self, kind: Kind, url: str, problem: Problem | None = None, retry_after_s: float | None = None
    ) -> None:
        detail = _detail(problem) if problem else ""
        self.kind = kind
        self.en, self.fr = (sentence.format(url=url, detail=detail) for sentence in SENTENCES[kind])
        self.problem = problem
        self.retry_after_s = retry_after_s
        super().__init__(self.en)


@dataclass(frozen=True)
class Refused:
    """An application of a batch that the service did not accept: what is wrong, field by field."""

    detail: str


class Client:
    """Speaks to one service.

    Parameters
    ----------
    url : str
        Where it is served.
    timeout_s : float
        Longest wait for an answer; above the service's own limit of 60 s, so that it speaks first.
    attempts : int
        How often a busy service (429, 503) is asked before that is an error.
    sleep : callable
        Waits for seconds.

    Raises
    ------
    ServiceError
        By every method, if the service gives no answer or refuses.
    """

    def __init__(
        self,
        url: str = URL,
        timeout_s: float = 90.0,
        attempts: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self.attempts = attempts
        self._sleep = sleep
        # trust_env=False: a loopback service is not reached through a proxy.
        self._http = httpx.Client(base_url=self.url, timeout=timeout_s, trust_env=False)

    def __enter__(self) -> Client:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def score(self, applications: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Have applications decided, in order; each is a dictionary of raw columns, maybe with history."""
        return self._post("/score", applications, Decision)

    def explain(self, applications: Sequence[Mapping[str, Any]]) -> list[Explanation]:
        """Have applications decided and explained, in order."""
        return self._post("/explain", applications, Explanation)

    def model(self) -> dict[str, Any]:
        """Describe the model that decides."""
        found: dict[str, Any] = self._request("GET", "/model").json()
        return found

    def ready(self) -> bool:
        """Say whether the service can decide; False too when it cannot be reached."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.HTTPError:
            return False

    def score_many(
        self,
        applications: Iterable[Mapping[str, Any]],
        chunk: int = CHUNK,
        parallel: int = 2,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Decision | Refused]:
        """Have any number of applications decided, and give the answers in order as they come.

        Parameters
        ----------
        applications : iterable of mapping
            Read only as far ahead as is being sent.
        chunk, parallel : int
            Applications in a request; requests at a time.
        progress : callable
            Told the number of applications of each chunk that is done.

        Yields
        ------
        Decision or Refused
            An application that the service does not accept is refused alone, and its neighbours are decided.
        """
        return self._many(self.score, applications, chunk, parallel, progress)

    def explain_many(
        self,
        applications: Iterable[Mapping[str, Any]],
        chunk: int = 20,
        parallel: int = 2,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Explanation | Refused]:
        """Have any number of applications explained; like `score_many`."""
        return self._many(self.explain, applications, chunk, parallel, progress)

    def _many(
        self,
        ask: Callable[[Sequence[Mapping[str, Any]]], list[Answer]],
        applications: Iterable[Mapping[str, Any]],
        chunk: int,
        parallel: int,
        progress: Callable[[int], None] | None,
    ) -> Iterator[Answer | Refused]:
        rest = iter(applications)
        sent: deque[Future[list[Answer | Refused]]] = deque()
        with ThreadPoolExecutor(parallel) as pool:
            try:
                while True:
                    while len(sent) < parallel and (rows := list(islice(rest, chunk))):
                        sent.append(pool.submit(_each, ask, rows))
                    if not sent:
                        return
                    answers = sent.popleft().result()
                    if progress is not None:
                        progress(len(answers))
                    yield from answers
            finally:
                for future in sent:
                    future.cancel()

    def _post(
        self, path: str, applications: Sequence[Mapping[str, Any]], answer: type[Answer]
    ) -> list[Answer]:
        response = self._request("POST", path, {"applications": list(applications)})
        return [answer.model_validate(row) for row in response.json()]

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        for left in reversed(range(self.attempts)):
            try:
                response = self._http.request(method, path, json=body)
            except httpx.HTTPError as error:
                raise ServiceError("down", self.url) from error
            if response.is_success:
                return response
            refusal = _error(self.url, response)
            if refusal.retry_after_s is None or refusal.kind != "busy" or not left:
                raise refusal
            self._sleep(min(refusal.retry_after_s, LONGEST_WAIT_S))
        raise AssertionError("attempts is less than 1")


def _each(
    ask: Callable[[Sequence[Mapping[str, Any]]], list[Answer]], rows: Sequence[Mapping[str, Any]]
) -> list[Answer | Refused]:
    """Ask for all rows; when some are refused, ask again for the others."""
    answers: list[Answer | Refused | None] = [None] * len(rows)
    places = list(range(len(rows)))
    while places:
        try:
            found = ask([rows[place] for place in places])
        except ServiceError as error:
            faults: dict[int, list[str]] = {}
            for fault in error.problem.errors if error.problem else ():
                if fault.row is not None and fault.row < len(places):
                    faults.setdefault(fault.row, []).append(f"{fault.field}: {fault.detail}")
            if not faults:
                raise
            for row, details in faults.items():
                answers[places[row]] = Refused("; ".join(details))
            places = [place for row, place in enumerate(places) if row not in faults]
        else:
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
            places = []
    return [answer for answer in answers if answer is not None]


def _error(url: str, response: httpx.Response) -> ServiceError:
    """Read an answer that is no decision."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValueError:  # not from our service: a proxy, or another program on that port
        problem = Problem(
            type="about:blank",
            title=response.reason_phrase,
            status=max(response.status_code, 400),
            detail=f"it answered {response.status_code} {response.reason_phrase}.",
            errors=[],
        )
    kind: Kind = "failed"
    if response.status_code in (429, 503, 504):
        kind = "busy"
    elif response.status_code < 500:
        kind = "refused"
    after = response.headers.get("retry-after", "")
    return ServiceError(kind, url, problem, float(after) if after.isdecimal() else None)


def _detail(problem: Problem) -> str:
    """Say what the problem is, with its first fault."""
    if not problem.errors:
        return problem.detail
    first = problem.errors[0]
    row = "" if first.row is None else f"application {first.row + 1}, "
    return f"{problem.detail} {row}{first.field}: {first.detail}."


app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
err = Console(stderr=True)

PortfolioPath = Annotated[
    Path, typer.Argument(help="Kaggle folder, Kaggle zip or Parquet folder.", exists=True)
]
Url = Annotated[str, typer.Option(help="Where the service is.")]
Out = Annotated[Path, typer.Option(help="CSV file to write.", dir_okay=False)]
Population = Annotated[Literal["train", "test"], typer.Option(help="Which applications.")]
Limit = Annotated[int | None, typer.Option(help="Only the first N applications.", min=1)]
Chunk = Annotated[int | None, typer.Option(help="Applications in a request.", min=1)]
Parallel = Annotated[int, typer.Option(help="Requests at a time.", min=1, max=32)]


@app.command()
def score(
    portfolio: PortfolioPath,
    url: Url = URL,
    out: Out = Path("decisions.csv"),
    population: Population = "test",
    limit: Limit = None,
    chunk: Chunk = None,
    parallel: Parallel = 2,
) -> None:
    """Have a portfolio's applications decided, with their raw histories, and write the decisions.

    Example: python -m scoring.client score var/demo --population test --out decisions.csv
    """
    with Client(url) as client:
        _run(client.score_many, portfolio, population, limit, chunk or CHUNK, parallel, out, _decision)


@app.command()
def explain(
    portfolio: PortfolioPath,
    url: Url = URL,
    out: Out = Path("explanations.csv"),
    population: Population = "test",
    limit: Limit = 100,
    chunk: Chunk = None,
    parallel: Parallel = 2,
) -> None:
    """Have a portfolio's applications decided and explained, and write the reasons.

    Example: python -m scoring.client explain var/demo --limit 100 --out explanations.csv
    """
    with Client(url) as client:
        _run(client.explain_many, portfolio, population, limit, chunk or 20, parallel, out, _explanation)


def _run(
    ask: Callable[..., Iterator[Decision | Refused]],
    path: Path,
    population: Literal["train", "test"],
    limit: int | None,
    chunk: int,
    parallel: int,
    out: Path,
    line: Callable[[Any], dict[str, Any]],
) -> None:
    """Send a portfolio, write the answers, and say how it went."""
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        portfolio = tables.read(path, population=population)
        rows = min(limit or portfolio.applications.height, portfolio.applications.height)
        ids = portfolio.applications["SK_ID_CURR"].head(rows).to_list()
        refused = 0
        start = time.perf_counter()
        with _bar() as bar, draft.open("w", newline="", encoding="utf-8") as file:
            task = bar.add_task(f"{path.name}", total=rows)
            writer = csv.DictWriter(file, ["SK_ID_CURR", *line(None), "error"], restval="")
            writer.writeheader()
            answers = ask(_requests(portfolio, rows, chunk), chunk, parallel, lambda n: bar.advance(task, n))
            for client_id, answer in zip(ids, answers, strict=True):
                refused += isinstance(answer, Refused)
                found = {"error": answer.detail} if isinstance(answer, Refused) else line(answer)
                writer.writerow({"SK_ID_CURR": client_id, **found})
        seconds = time.perf_counter() - start
        draft.replace(out)
    except (tables.TableError, ServiceError, OSError) as error:
        err.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    finally:
        draft.unlink(missing_ok=True)
    typer.echo(f"{rows} applications in {seconds:.1f} s ({rows / seconds:,.0f} rows/s) -> {out}")
    if refused:
        err.print(f"{refused} of them were refused as invalid; the column error says why", highlight=False)
        raise typer.Exit(3)


def _requests(portfolio: tables.Portfolio, rows: int, chunk: int) -> Iterator[dict[str, Any]]:
    """Give the requests of a portfolio's first rows, made a chunk at a time."""
    for start in range(0, rows, chunk):
        yield from tables.to_requests(portfolio, range(start, min(start + chunk, rows)))


def _decision(answer: Decision | None) -> dict[str, Any]:
    """Give the columns of a decision; without one, their names."""
    names = ("event_id", "probability_of_default", "score", "threshold", "decision", "model")
    if answer is None:
        return dict.fromkeys([*names, "warnings"])
    return {name: getattr(answer, name) for name in names} | {"warnings": len(answer.warnings)}


def _explanation(answer: Explanation | None) -> dict[str, Any]:
    """Give the columns of an explanation: the decision's, and its reasons in both languages."""
    reasons = {f"reason_{i + 1}_{language}": "" for i in range(4) for language in ("en", "fr")}
    if answer is not None:
        for i, reason in enumerate(answer.reasons):
            reasons |= {f"reason_{i + 1}_en": reason.en, f"reason_{i + 1}_fr": reason.fr}
    return _decision(answer) | reasons


def _bar() -> Progress:
    """Return a progress bar that shows itself on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, disable=not err.is_terminal)


if __name__ == "__main__":
    app()
