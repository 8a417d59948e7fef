"""The command line: a whole portfolio in, Parquet files with a manifest out, without HTTP.

    python -m scoring.portfolio score var/demo --model credit_scoring:latest --out var/scored

Exit codes: 0 all done, 1 it could not be done, 2 wrong use, 3 some applications are invalid.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scoring import settings
from scoring.inference_log import InferenceLog, LogError, anchors_folder, log_key
from scoring.options import HOME, KEY_FILE, LOG, AnchorsFolder, KeyFile, LogFolder, ModelStore, flat
from scoring.portfolio.cluster import Cluster
from scoring.portfolio.finished import Finished
from scoring.portfolio.job import RunError, unusable
from scoring.portfolio.pool import processors
from scoring.portfolio.running import NamedScorer, RunSummary, run, split
from scoring.portfolio.work import RESULT, Command
from scoring.replay import ReplayError, tell
from scoring.scorer import Scorer, ScorerError, described_sha256
from scoring.store import StoreError, stored
from scoring.tables import Population, TableError
from scoring.tables.buckets import LayoutError
from scoring.trial import load

app = typer.Typer(
    no_args_is_help=True,
    epilog="Example: python -m scoring.portfolio score var/demo --model credit_scoring:latest --out scored",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Score, explain or aggregate a whole portfolio without HTTP, on this machine or on Spark.",
)
app.callback()(settings.warn_of_unknown)
err = Console(stderr=True, soft_wrap=True)

ModelTag = Annotated[str, typer.Option("--model", help="Tag in the model store, as credit_scoring:latest.")]
Slow = Annotated[
    bool, typer.Option("--allow-slow", help="Let LightGBM itself answer where the kernels are not built.")
]
FinishedRun = Annotated[Path, typer.Argument(help="Folder of a finished run.", exists=True, file_okay=False)]

EXPECTED = (TableError, LayoutError, ScorerError, StoreError, RunError, LogError, ReplayError)


@dataclass(frozen=True)
class Layout:
    """Which applications of a portfolio, where what is made of them goes, and in how many parts."""

    portfolio: Annotated[
        str,
        typer.Argument(
            help="Kaggle folder, Kaggle zip, Parquet folder, or a portfolio in buckets (see split); with "
            "Spark also a URI, or CATALOG.SCHEMA."
        ),
    ]
    out: Annotated[Path, typer.Option(help="Folder to make.", file_okay=False)]
    population: Annotated[Population, typer.Option(help="Which applications.")] = "test"
    processes: Annotated[
        int | None,
        typer.Option(help="At a time; by default one for each processor.", min=1, show_default=False),
    ] = None
    buckets: Annotated[
        int | None, typer.Option("--buckets", help="By default one for each 10,000 applicants.", min=1)
    ] = None

    @property
    def workers(self) -> int:
        """Processes at a time."""
        return self.processes or processors()


@dataclass(frozen=True)
class PortfolioAsked(Layout):
    """What the commands that work through a portfolio are asked."""

    run_name: Annotated[
        str | None,
        typer.Option("--run", help="What the ids of the events are made from, with model and applicant."),
    ] = None
    share: Annotated[
        str, typer.Option(help="Which share of the buckets, as 2/8: for many machines with the same folders.")
    ] = "1/1"
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget what an unfinished or earlier run has done.")
    ] = False


@app.command("split")
@flat
def split_command(asked: Layout) -> None:
    """Put the records of a portfolio into buckets of applicants, to be scored again and again.

    Example: python -m scoring.portfolio split var/demo --out var/buckets
    """
    with _said(), _bar() as progress:
        found = split(
            Path(asked.portfolio), asked.out, asked.population, asked.workers, asked.buckets, progress
        )
    records = sum(table["records"] for table in found.tables.values() if table)
    typer.echo(f"{records} records in {len(found)} buckets -> {asked.out}")


@app.command()
@flat
def score(
    model: ModelTag,
    asked: PortfolioAsked,
    cluster: Cluster,
    model_store: ModelStore = HOME,
    allow_slow: Slow = False,
) -> None:
    """Decide every application of a portfolio, and write OUT/decisions, OUT/inputs and OUT/manifest.json.

    Invalid applications go to OUT/rejected with their faults. After an interruption the same command goes on
    from where it stopped.

    Example: python -m scoring.portfolio score var/demo --model credit_scoring:latest --out var/scored
    """
    _run("score", asked, cluster, (model, model_store), allow_slow)


@app.command()
@flat
def explain(
    model: ModelTag,
    asked: PortfolioAsked,
    cluster: Cluster,
    model_store: ModelStore = HOME,
    allow_slow: Slow = False,
) -> None:
    """Decide and explain every application: OUT/explanations has all contributions and the reasons.

    Example: python -m scoring.portfolio explain var/demo --model credit_scoring:latest --out var/explained
    """
    _run("explain", asked, cluster, (model, model_store), allow_slow)


@app.command()
@flat
def features(asked: PortfolioAsked, cluster: Cluster) -> None:
    """Sum up the histories: OUT/features has the columns that a batch client sends.

    Example: python -m scoring.portfolio features var/demo --population train --out var/features
    """
    _run("features", asked, cluster)


@app.command()
def replay(
    out: FinishedRun,
    event_id: Annotated[str, typer.Argument(help="Id of the decision.")],
    model_store: ModelStore = HOME,
) -> None:
    """Make a decision of a finished run again with its own model, and say whether it is the same bit for bit.

    Exit codes: 0 the same, 1 different, or no such decision or model.

    Example: python -m scoring.portfolio replay var/scored 3f0c2a...
    """
    console = Console(soft_wrap=True, highlight=False)
    with _said():
        found = Finished(out)
        assert found.model is not None
        model = _model(found.model, model_store)
        if model.sha256 != found.manifest["job"]["scorer_sha256"]:
            raise RunError(f"{model.tag} in {model_store} is not the scorer that decided; import that again.")
        done = found.replay(event_id, Scorer.load(model.folder))
    console.print(f"{done.event_id}, {done.model} of {model_store}", markup=False)
    tell(done, console)
    if done.differences:
        raise typer.Exit(1)


@app.command()
def record(
    out: FinishedRun,
    log: LogFolder = LOG,
    anchors: AnchorsFolder = None,
    key_file: KeyFile = KEY_FILE,
    operator: Annotated[str, typer.Option(help="Who records them: stands in the record.")] = "",
    purpose: Annotated[
        Literal["decision", "preview", "what-if", "test"], typer.Option(help="What they were asked for.")
    ] = "decision",
) -> None:
    """Enter the decisions of a finished run in the log, so that they are found, reviewed and replayed there.

    Until then they are figures in files, and nobody was decided. The index follows by itself.

    Example: python -m scoring.portfolio record var/scored --log var/log
    """
    with _said(), _bar() as progress:
        found = Finished(out)
        assert found.model is not None
        heads = anchors or anchors_folder(log)
        words = found.categories()
        writer = InferenceLog(
            log,
            f"portfolio-{os.getpid()}",
            log_key(key_file, log, heads),
            found.model,
            categories=words,
            anchors=heads,
            is_packed=True,
        )
        try:
            count = found.record(
                writer, partial(datetime.now, UTC), operator or None, purpose, partial(progress, "recording")
            )
        finally:
            writer.close()
    typer.echo(f"{count} decisions of {found.model} recorded -> {log}")


def _run(
    command: Command,
    asked: PortfolioAsked,
    cluster: Cluster,
    model_of: tuple[str, Path] | None = None,
    is_slow_allowed: bool = False,
) -> None:
    """Do one thing with a portfolio, and say how it went."""
    began = time.perf_counter()
    with _said(), _bar() as progress:
        if cluster.is_spark:
            _check_spark(asked)
            cluster.check()
        model = _model(*model_of) if model_of else None
        said = f"model {model.tag} of {model_of[1]}, " if model and model_of else ""
        with_what = f"Spark at {cluster.master}" if cluster.is_spark else f"{asked.workers} processes"
        err.print(f"{said}{with_what}", highlight=False, markup=False)
        common = {
            "population": asked.population,
            "buckets": asked.buckets,
            "is_slow_allowed": is_slow_allowed,
            "is_fresh": asked.fresh,
            "progress": progress,
        }
        if cluster.is_spark:
            summary = _on_spark(asked, cluster, command, model, common)
        else:
            summary = _here(asked, command, model, common)
    _tell(summary, asked.out, command, time.perf_counter() - began)


def _here(
    asked: PortfolioAsked, command: Command, model: NamedScorer | None, common: dict[str, Any]
) -> RunSummary:
    return run(
        Path(asked.portfolio),
        asked.out,
        command,
        model,
        partial(datetime.now, UTC),
        run_name=asked.run_name,
        processes=asked.workers,
        share=_share(asked.share),
        **common,
    )


def _check_spark(asked: PortfolioAsked) -> None:
    """Refuse what Spark cannot be asked, before anything is loaded."""
    if asked.run_name is None:
        raise RunError("Spark does not hash what it reads, so the run needs a name: give it with --run.")
    if asked.share != "1/1":
        raise RunError("Spark shares the buckets out by itself; leave --share away.")


def _on_spark(
    asked: PortfolioAsked,
    cluster: Cluster,
    command: Command,
    model: NamedScorer | None,
    common: dict[str, Any],
) -> RunSummary:
    from scoring.portfolio import spark

    with cluster.lake(asked.portfolio) as lake:
        now, name = partial(datetime.now, UTC), asked.run_name or ""
        return spark.run(lake, asked.out, command, model, now, run_name=name, **common)


def _tell(summary: RunSummary, out: Path, command: Command, seconds: float) -> None:
    resumed = f", {summary.resumed} of {summary.buckets} buckets by an earlier run" if summary.resumed else ""
    manifest = summary.manifest
    if manifest is None:
        typer.echo(f"this share is done in {seconds:.1f} s{resumed}; others are not yet -> {out}")
        return
    for name, table in manifest["tables"].items():
        if table is None:
            err.print(f"there is no {name}: scored as if nobody had any", style="yellow", highlight=False)
        elif table["orphans"]:
            words = f"{name}: {table['orphans']} of {table['read']} records are of no application"
            err.print(words, highlight=False)
    rows = manifest["rows"][RESULT[command]]
    typer.echo(f"{rows} applications in {seconds:.1f} s{resumed} -> {out}")
    if manifest["rejected"]:
        err.print(f"{manifest['rejected']} more are invalid: {out / 'rejected'} says why", highlight=False)
        raise typer.Exit(3)


def _model(tag: str, store: Path) -> NamedScorer:
    exact, folder = stored(tag, store.expanduser())
    load(folder)  # in a process of its own first: it may be anything
    return NamedScorer(exact, folder.resolve(), described_sha256(folder))


def _share(given: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", given)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise typer.BadParameter(f"{given!r} is no share; give one as 2/8.", param_hint="--share")
    return int(found[1]) - 1, int(found[2])


@contextmanager
def _said() -> Iterator[None]:
    """Say in one sentence why it could not be done."""
    try:
        yield
    except EXPECTED as error:
        err.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    except OSError as error:
        err.print(f"error: {unusable(error, Path())}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("interrupted; the same command goes on from here", highlight=False)
        raise typer.Exit(130) from None


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a progress bar that shows itself on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


if __name__ == "__main__":
    app()
