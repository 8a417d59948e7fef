"""Take the pictures of README and docs/: `python deploy/pictures.py --page http://127.0.0.1:7860`.

The page is that of `make run`. A refused client of its portfolio is opened and recorded, so that there is a
letter. With `--pack` and `--report` the first page of a validation pack and of the monitor's report are taken
instead, from their files.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image
from playwright.sync_api import Page, sync_playwright

DOCS = Path(__file__).parent.parent / "docs"
WIDTH, HEIGHT = 1280, 860
COLOURS = 64  # flat surfaces and letters need no more
TRIES = 40  # clients that are opened until one is refused
MOST_KB = 400  # all pictures together


def keep(page: Page, name: str, height: int = HEIGHT) -> None:
    """Write what is seen, from the top, as a picture of few colours."""
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    taken = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
    picture = Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(DOCS / f"{name}.png", optimize=True)


def refused(page: Page, url: str) -> str:
    """Open clients at random until one is refused; return its number."""
    page.goto(f"{url}/en/")
    page.locator(".examples button").first.wait_for()
    for _ in range(TRIES):
        before = page.evaluate("document.querySelector('[data-client]')?.dataset.client ?? ''")
        page.get_by_role("button", name="Any client").click()
        page.wait_for_function(
            "(before) => (document.querySelector('[data-client]')?.dataset.client ?? before) !== before",
            arg=before,
        )
        if page.locator(".verdict .refused-side, .verdict .button").count() and "refuse" in str(
            page.locator(".verdict h2").inner_text()
        ):
            return str(page.locator("[data-client]").get_attribute("data-client"))
    sys.exit("no client of the portfolio is refused; take another portfolio.")


def take(
    page: Annotated[str, typer.Option(help="Address of the page.")] = "http://127.0.0.1:7860",
    client: Annotated[str, typer.Option(help="Client to show; a refused one at random if empty.")] = "",
    pack: Annotated[Path | None, typer.Option(help="HTML of a validation pack.")] = None,
    report: Annotated[Path | None, typer.Option(help="HTML of a report of the monitor.")] = None,
) -> None:
    """Take the pictures of docs/: verdict, comparison, decisions, letter, owner; or pack and report."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser: Any = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        shown.set_default_timeout(120_000)
        for name, file in (("pack", pack), ("monitor", report)):
            if file is not None:
                shown.goto(file.resolve().as_uri())
                keep(shown, name, 1_000)
        if pack or report:
            browser.close()
            return
        number = client or refused(shown, page)
        shown.goto(f"{page}/en/client/{number}")
        shown.locator(".verdict").wait_for()
        keep(shown, "ui", 1_040)
        shown.get_by_role("button", name="Record this decision").click()
        shown.get_by_role("link", name="Open the record").click()
        shown.get_by_text("Decision on record").wait_for()
        letter = shown.get_by_role("link", name="Letter, English").get_attribute("href")
        shown.goto(f"{page}/en/compare/{number}?fact=ext_mean&beside=employed_years&curve=EXT_SOURCE_2")
        shown.locator(".grid").wait_for()
        keep(shown, "compare", 1_330)
        shown.goto(f"{page}/en/decisions")
        shown.locator(".rows").wait_for()
        keep(shown, "decisions")
        shown.goto(f"{page}/en/model")
        shown.locator(".owner").wait_for()
        shown.locator(".owner").evaluate("(card) => card.previousElementSibling.remove()")
        keep(shown, "owner", 700)
        shown.goto(f"{page}/en/{letter.removeprefix('../en/')}")
        shown.get_by_role("heading", level=1).wait_for()
        keep(shown, "letter", 900)
        browser.close()
    size = sum((DOCS / f"{name}.png").stat().st_size for name in ("ui", "compare", "letter"))
    typer.echo(f"README's three pictures take {size // 1_000} KB")
    if size > 1_000 * MOST_KB:
        sys.exit(f"more than {MOST_KB} KB")


if __name__ == "__main__":
    typer.run(take)
