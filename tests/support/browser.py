"""What the tests of the page do in a browser."""

from pathlib import Path
from typing import Any


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
