"""Run every benchmark and write its figures into BENCHMARKS.md: ``make bench``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from benchmarks import layout
from benchmarks.results import FILE

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "BENCHMARKS.md"
PARTS: dict[str, tuple[list[str], list[str]]] = {  # what each is told, and what for a short run
    "engine": (["--keep"], ["--rounds", "1", "--trees", "100"]),
    "features": (
        ["--portfolio", "var/demo", "--made-by", "make demo"],
        ["--portfolio", "var/demo", "--rounds", "1"],
    ),
    "log": (["--made-by", "make demo"], ["--records", "300"]),
    "shipping": (["--made-by", "make demo"], ["--records", "500", "--rows", "10000", "--days", "1"]),
    "bulk": ([], ["--rows", "1000", "--rounds", "1"]),
    "bodies": ([], ["--rounds", "1", "--mib", "4"]),
    "servers": ([], ["--quick"]),
    "curves": ([], ["--draw"]),
    "lookups": (["--keep"], ["--rows", "100000", "--looks", "50"]),
}
app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)


def written(text: str, records: list[dict[str, Any]]) -> str:
    """Return a document with the figures of each part between its markers."""
    for part in PARTS:
        start, end = f"<!-- figures: {part} -->", f"<!-- end: {part} -->"
        if start in text and end in text:
            own = [one for one in records if f"benchmarks.{part}" in one["command"]]
            before, _, rest = text.partition(start)
            laid = layout.servers(own) if part == "servers" else layout.plain(own)
            text = f"{before}{start}\n{laid}\n{end}{rest.partition(end)[2]}"
    return text


@app.command(epilog="Example: [bold]make bench ARGS='--only servers'[/bold]")
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"Parts: {', '.join(PARTS)}; all by default.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short runs; no figure is kept.")] = False,
    tables: Annotated[bool, typer.Option("--tables", help="Measure nothing, only write the tables.")] = False,
) -> None:
    """Measure, keep the figures in benchmarks/results.json and write the tables of BENCHMARKS.md.

    A part that fails does not stop the others; the exit code is then 1.
    """
    console, failed = Console(stderr=True), []
    before = FILE.read_bytes() if FILE.exists() else b"[]\n"
    for part in only or list(PARTS):
        if part not in PARTS:
            raise typer.BadParameter(f"{part} is none of {', '.join(PARTS)}")
        if not tables:
            console.rule(part)
            command = [sys.executable, "-m", f"benchmarks.{part}", *PARTS[part][quick]]
            if subprocess.run(command, cwd=ROOT).returncode:
                failed.append(part)
    if quick:
        FILE.write_bytes(before)
    else:
        records = json.loads(FILE.read_text(encoding="utf-8"))
        DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8"), records), encoding="utf-8")
    if failed:
        console.print(f"[red]failed, or a target was missed: {', '.join(failed)}[/red]")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
