"""``python -m tests.torture``: run the rows, remember what they found, write the two documents."""

from __future__ import annotations

import signal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.torture import report
from tests.torture.rows import ROWS
from tests.torture.run import Figure, Result, Row, execute

console = Console(highlight=False, soft_wrap=True)


def main(
    rows: Annotated[
        list[str] | None, typer.Argument(help="Names of rows; all of them if none is named.")
    ] = None,
    scale: Annotated[float, typer.Option(min=0.001, max=1, help="Share of the stated counts.")] = 1.0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run again what has been run already.")] = False,
    is_list: Annotated[
        bool, typer.Option("--list", help="Name the rows, and what is known of them.")
    ] = False,
    write: Annotated[bool, typer.Option(help="Write RELIABILITY.md and reliability.json.")] = True,
) -> None:
    """Attack served processes and check that every promise is kept. Sends to loopback only.

    Rows that are finished at this scale or a larger one are not run again; named ones are.

    Exit codes: 0 every promise kept, 1 one was not, 2 wrong use.

    Example: python -m tests.torture workers overload --scale 0.1
    """
    unknown = [name for name in rows or () if name not in ROWS]
    if unknown:
        console.print(f"There is no row {unknown[0]!r}; --list names them.", style="red")
        raise typer.Exit(2)
    if is_list:
        _show()
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the row is ended with its servers
    chosen = [ROWS[name] for name in rows] if rows else list(ROWS.values())
    for row in chosen:
        known = Result.load(row.name)
        is_done = known is not None and not known.error and known.scale >= scale
        if known is not None and is_done and not rows and not fresh:
            console.print(f"[dim]{row.number:2} {row.name}: done, {known.started}[/]")
            continue
        try:
            _run(row, scale)
        except KeyboardInterrupt:
            console.print(f"Stopped in {row.name}; what is finished is kept, and not run again.")
            raise typer.Exit(130) from None
    results = report.earlier(ROWS.values())
    results |= {name: found for name in ROWS if (found := Result.load(name)) is not None}
    if write:
        report.write(ROWS.values(), results)
    broken = [row.name for row in chosen if row.name not in results or not results[row.name].is_kept]
    if broken:
        console.print(f"[bold red]Not kept:[/] {', '.join(broken)}")
        raise typer.Exit(1)
    console.print("Every promise kept.")


def _run(row: Row, scale: float) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"{row.number:2} {row.name}", total=None, what="")

        def hear(message: tuple[Any, ...]) -> None:
            if message[0] == "progress":
                _, done, total, what = message
                bar.update(task, completed=done, total=total, what=f"{done:,.0f} of {total:,.0f} {what}")

        result = execute(row, scale, hear)
    mark = "[green]kept[/]" if result.is_kept else "[bold red]not kept[/]"
    console.print(f"{row.number:2} {row.name}: {mark}, {result.seconds:.0f} s")
    for figure in result.figures:
        console.print(f"     {_line(figure)}")
    if result.error:
        console.print(f"     {result.error}", style="red", markup=False)


def _line(figure: Figure) -> str:
    mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}[figure.met]
    target = f" ({figure.target} {figure.unit})" if figure.target else ""
    stock = f"; stock {figure.stock}" if figure.stock else ""
    return f"{mark} {figure.name}: {report.number(figure.value)} {figure.unit}{target}{stock}"


def _show() -> None:
    for row in ROWS.values():
        known = Result.load(row.name)
        state = "not run" if known is None else ("kept" if known.is_kept else "not kept")
        scale = "" if known is None or known.scale == 1 else f" at {known.scale:g} of the counts"
        console.print(f"{row.number:2} {row.name:10} {row.promise} [dim]({state}{scale})[/]")


if __name__ == "__main__":
    typer.run(main)
