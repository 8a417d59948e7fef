"""A served page and one tab of it a language: a test goes to an address by the page's own script.

That costs a tenth of opening the page anew, so that many small scenarios are cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.stand_in import StandIn, serving
from tests.torture import page as attack

LANGUAGES = ("en", "fr")
PATIENCE_MS = 60_000  # of a busy machine; who waits in vain only waits longer
# Takes back what was typed, follows an address, and waits until the page says that it has arrived.
ARRIVE = """place => new Promise((done) => {
  window.undone();
  sessionStorage.clear();
  const before = window.arrived;
  window.arrived = () => {
    if (!before()) return; // at an address that was asked for before
    window.arrived = before;
    done();
  };
  window.go(place);
})"""


@dataclass
class ServedDesk:
    """The page as ``python -m ui`` serves it, and the service behind it."""

    page: attack.Page
    stand_in: StandIn

    @property
    def url(self) -> str:
        """Its address."""
        return self.page.url

    def make_well(self) -> None:
        """Let the service answer as it does."""
        self.stand_in.be_in_trouble(0)
        self.stand_in.delay_s, self.stand_in.newer, self.stand_in.reviewed = 0.0, "", None
        self.stand_in.officer = "ada"


@contextmanager
def served(folder: Path) -> Iterator[ServedDesk]:
    """Serve a page without a login, and see at the end that it failed nowhere."""
    portfolio = str(attack.write_portfolio(folder / "clients"))
    with (
        serving() as stand_in,
        attack.serving_page(folder / "page", stand_in.url, "--portfolio", portfolio) as page,
    ):
        yield ServedDesk(page, stand_in)
    assert "Traceback" not in page.said()


class Hands:
    """Counts what an officer does."""

    def __init__(self) -> None:
        self.actions = 0

    def click(self, found: Any) -> None:
        """Press something."""
        self.actions += 1
        found.click()

    def write(self, found: Any, text: str) -> None:
        """Write into a field."""
        self.actions += 1
        found.fill(text)

    def enter(self, found: Any) -> None:
        """Press Enter in a field."""
        self.actions += 1
        found.press("Enter")


@dataclass
class Tabs:
    """One tab a language; ``strange`` is what nothing in them may do: dialogs, errors, foreign requests."""

    served: ServedDesk
    context: Any
    opened: dict[str, Any] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)

    def at(self, lang: str, place: str = "client/100002", shown: str = ".verdict") -> Any:
        """Return the tab of a language at an address, with a service that is well and no edits."""
        self.served.make_well()
        page = self.opened.get(lang) or self._open(lang)
        page.evaluate(ARRIVE, place)
        page.locator(shown).first.wait_for()
        return page

    def close(self) -> None:
        """Close the tabs, so that the next one knows nothing of what was done in them."""
        for page in self.opened.values():
            page.close()
        self.opened.clear()

    def blank(self) -> Any:
        """Return one more tab, for what is no part of the page itself."""
        if "" not in self.opened:
            self.opened[""] = self.context.new_page()
            self.opened[""].set_default_timeout(PATIENCE_MS)
        return self.opened[""]

    def _open(self, lang: str) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.strange.append(str(error)))
        page.on("request", self._request)
        page.goto(f"{self.served.url}/{lang}/")
        page.locator(".examples").get_by_role("button").first.wait_for()
        self.opened[lang] = page
        return page

    def _dialog(self, dialog: Any) -> None:
        self.strange.append(dialog.message)
        dialog.accept()

    def _request(self, asked: Any) -> None:
        if not asked.url.startswith((self.served.url, "data:", "blob:")):
            self.strange.append(asked.url)


@contextmanager
def tabs(chromium: Any, served: ServedDesk) -> Iterator[Tabs]:
    """Open tabs, and see at the end that nothing strange happened in them."""
    context = chromium.new_context(locale="de-DE", viewport={"width": 1280, "height": 900})
    try:
        found = Tabs(served, context)
        yield found
        assert not found.strange
    finally:
        context.close()
