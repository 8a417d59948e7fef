"""A page as PDF, through whichever Chromium the machine has."""

from __future__ import annotations

import shutil
from pathlib import Path


def find_chromium() -> str | None:
    """Return the path of Chromium; None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def print_pdf(page: Path, chromium: str) -> Path:
    """Print a page beside itself, offline and without script; return the PDF."""
    from playwright.sync_api import sync_playwright

    target = page.with_suffix(".pdf")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        try:
            context = browser.new_context(offline=True, java_script_enabled=False)
            sheet = context.new_page()
            sheet.goto(page.resolve().as_uri())
            sheet.pdf(path=str(target), format="A4", prefer_css_page_size=True, print_background=True)
        finally:
            browser.close()
    return target
