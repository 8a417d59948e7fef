"""What the tests of the page do in a browser."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"


def keep(browser: Any, name: str) -> None:
    """Keep what every page of a browser looks like, for who has to say why a test failed."""
    pages = [page for context in browser.contexts for page in context.pages]
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages, 1):
        with suppress(Exception):  # a page that is gone, or hangs: the test has failed already
            file = SCREENSHOTS / f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)[:100]}-{number}.png"
            page.screenshot(path=file, full_page=True, timeout=5_000)


def picture(page: Any, name: str) -> None:
    """Keep what a page looks like, for whoever wants to see it."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with suppress(Exception):  # a machine that is too busy for a picture has not failed
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def upload(page: Any, file: Path) -> None:
    """Give a file to the tab of files, and wait until the page holds it.

    While a file is on its way Gradio shows its name, and takes that away when it has arrived: who waits for
    the text waits for ever on a machine that was busy in between. What stays is the row of the preview,
    where name and ending are two texts and the label is whole.
    """
    chosen = page.locator(".upload input[type=file]")
    chosen.wait_for(state="attached")
    chosen.set_input_files(file)
    page.locator(".upload .file-preview").get_by_label(file.name, exact=True).wait_for()
