"""Run the notebooks, and write them as pages that need nothing else and as .ipynb: ``make notebooks``."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from jinja2 import Template
from markupsafe import Markup

from scoring.scorer import ScorerError
from scoring.tables import TableError
from training.mlflow_store import TrackingError
from training.names import STORE, STORE_VARIABLE

HERE = Path(__file__).parent
PAGE = Template((HERE / "page.html").read_text(encoding="utf-8"), autoescape=True)
NOTEBOOKS = ("explore", "champion")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: python -m notebooks --portfolio var/demo")
def main(
    portfolio: Annotated[Path, typer.Option(help="Tables to look at.")] = Path("var/demo"),
    tracking_uri: Annotated[str, typer.Option(help="MLflow store.", envvar=STORE_VARIABLE)] = STORE,
    out: Annotated[Path, typer.Option(help="Folder for the pages.")] = Path("var/notebooks"),
) -> None:
    """Run the notebooks on a portfolio and its champion; write each as HTML and as .ipynb."""
    try:
        _write(portfolio, tracking_uri, out)
    except (ScorerError, TableError, TrackingError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None


def _write(portfolio: Path, tracking_uri: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    given = {"explore": {"path": str(portfolio)}, "champion": {"path": str(portfolio), "store": tracking_uri}}
    for name in NOTEBOOKS:
        notebook = importlib.import_module(f"notebooks.{name}")
        outputs, _ = notebook.app.run(defs=given[name])
        parts = [Markup(part.text) for part in outputs if hasattr(part, "text")]
        title = notebook.__doc__.split(":")[0]
        (out / f"{name}.html").write_text(PAGE.render(title=title, parts=parts), encoding="utf-8")
        command = [sys.executable, "-m", "marimo", "-q", "export", "ipynb", "--sort", "top-down", "-f"]
        subprocess.run(
            [*command, str(HERE / f"{name}.py"), "-o", str(out / f"{name}.ipynb")],
            env=os.environ | {"PYTHONPATH": str(HERE.parent)},
            check=True,
        )
        typer.echo(f"{out / name}.html  {out / name}.ipynb")


if __name__ == "__main__":
    app()
