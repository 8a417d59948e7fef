"""Each state of the page, in every language: for everyone, on a phone, in large letters, on paper."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import axe, browser, seen
from tests.support.browser import upload
from tests.support.desk import LANGUAGES, Tabs
from tests.support.stand_in import EVENT
from ui import entrance
from ui.house import NO_HOUSE
from ui.words import say

pytestmark = [
    pytest.mark.browser,
    pytest.mark.served,
    pytest.mark.heavy,
]
NARROW, WIDE = {"width": 320, "height": 700}, {"width": 1280, "height": 900}


def _edit(page: Any, text: str, name: str = "AMT_CREDIT") -> None:
    page.locator(f"#fact-{name}").fill(text)


def _score(page: Any) -> None:
    page.locator("#fact-AMT_CREDIT").press("Enter")


def start(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return tabs.at(lang, "", ".card.empty, .verdict")


def opened(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return tabs.at(lang)


def edited(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.at(lang)
    _edit(page, "2000000")
    page.locator(".verdict.stale").wait_for()
    return page


def scored(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.at(lang)
    _edit(page, "2000000")
    _score(page)
    page.locator(".change").wait_for()
    return page


def refused(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.at(lang)
    _edit(page, "9000000")
    _score(page)
    page.locator('form[data-act="#ways"] button').click()
    page.locator(".ways .policy").wait_for()
    return page


def faulty(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.at(lang)
    _edit(page, "much")
    _edit(page, "-1", "AMT_INCOME_TOTAL")
    _score(page)
    page.locator("#fact-AMT_INCOME_TOTAL[aria-invalid]").wait_for()
    return page


def _in_trouble(tabs: Tabs, lang: str, status: int, kind: str) -> Any:
    page = tabs.at(lang)
    tabs.served.stand_in.be_in_trouble(status, kind=kind)
    _edit(page, "2000000")
    _score(page)
    page.locator(".trouble").wait_for()
    tabs.served.stand_in.be_in_trouble(0)
    return page


def down(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return _in_trouble(tabs, lang, 500, "failed")


def too_many(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return _in_trouble(tabs, lang, 429, "too-many-requests")


def file(tabs: Tabs, lang: str, folder: Path) -> Any:
    (folder / "mine.csv").write_text("SK_ID_CURR,AMT_CREDIT\n100001,450000\n100002,9000000\n1,abc\n")
    page = tabs.at(lang, "file", ".upload")
    if page.locator(".upload .file-preview").count():
        page.locator(".upload .icon-button").first.click()
    upload(page, folder / "mine.csv")
    page.evaluate("for (const one of document.querySelectorAll('.tiles, .trouble')) one.remove()")
    page.get_by_role("button", name=say("batch_score", lang), exact=True).click()
    page.locator(".tiles").wait_for()
    page.get_by_role("button", name=say("batch_csv", lang)).wait_for()
    return page


def compared(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return tabs.at(lang, "compare/100002?fact=AMT_CREDIT&beside=score&curve=AMT_CREDIT", ".grid")


def listed(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return tabs.at(lang, "decisions", ".worklist")


def recorded(tabs: Tabs, lang: str, _folder: Path) -> Any:
    tabs.at(lang, "decisions", ".worklist")  # from where it is opened, and which stays below it
    return tabs.at(lang, f"decision/{EVENT}", ".record")


def reviewed(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.at(lang, f"decision/{EVENT}", ".record")
    page.locator('[name=verdict][value="otherwise"]').check()
    page.locator("textarea[name=reason]").fill("Pay slips of three months.")
    page.locator('form[data-act="#review"] button').click()
    page.locator('form[data-act="#review"]').wait_for(state="detached")
    return page


def model(tabs: Tabs, lang: str, _folder: Path) -> Any:
    return tabs.at(lang, "model", ".owner")


def signing_in(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.blank()
    page.set_content(entrance._page(lang, NO_HOUSE, name="ada", wrong=say("wrong_password", lang)))
    return page


def letter(tabs: Tabs, lang: str, _folder: Path) -> Any:
    page = tabs.blank()
    page.goto(f"{tabs.served.url}/{lang}/letter/{EVENT}.html")
    return page


STATES: dict[str, Callable[[Tabs, str, Path], Any]] = {
    state.__name__: state
    for state in (
        *(start, opened, edited, scored, refused, faulty, down, too_many),
        *(file, compared, listed, recorded, reviewed, model, signing_in, letter),
    )
}
ALONE = ("signing_in", "letter")  # pages without Gradio
LOOKED_AT = (
    *("start", "opened", "edited", "scored", "refused", "faulty"),
    *("down", "file", "compared", "listed", "recorded", "model"),
)
LOOKS = Path(__file__).with_name("looks.json")
VIEWS = {"wide": (WIDE, "light"), "phone": ({"width": 360, "height": 800}, "dark")}
IS_DARK = "is => document.body.classList.contains('dark') === is"


@pytest.fixture
def fresh(tabs: Tabs) -> None:
    """Begin in a new tab: what tests before did in the one there is part of how it looks."""
    tabs.close()


@pytest.fixture
def shown(tabs: Tabs, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    state, lang = request.param
    page = STATES[state](tabs, lang, tmp_path)
    yield page
    page.emulate_media(
        color_scheme="light", forced_colors="none", reduced_motion="no-preference", media="screen"
    )
    page.set_viewport_size(WIDE)
    page.evaluate("document.documentElement.style.fontSize = ''")


every = pytest.mark.parametrize(
    "shown", [(state, lang) for state in STATES for lang in LANGUAGES], indirect=True, ids="-".join
)


@every
def test_a_state_is_for_everyone(shown, request: pytest.FixtureRequest) -> None:
    page, state = shown, request.node.callspec.params["shown"][0]
    page.emulate_media(reduced_motion="reduce")  # what slides from one colour to another has neither
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        if state not in ALONE:
            page.wait_for_function(IS_DARK, arg=scheme == "dark")
        assert axe.faults(page) == [], scheme
    assert seen.moving(page) == []
    page.emulate_media(forced_colors="active")
    assert axe.faults(page, ["color-contrast"]) == [] and seen.unmarked(page) == []
    page.emulate_media(forced_colors="none")
    page.set_viewport_size(NARROW)
    assert seen.cut(page) == [], "on a phone"
    page.set_viewport_size(WIDE)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert seen.cut(page) == [], "in letters of twice the size"
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.emulate_media(media="print")
    for part in (".opening", "[role=tab]", "#application", ".buttons"):
        assert not page.locator(f"{part}:visible").count(), part
    if state in ("opened", "recorded", "letter"):
        pages = page.pdf(format="A4").count(b"/Type /Page\n")
        assert pages == 1, f"{pages} sheets"


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("shown", [(state, "en") for state in LOOKED_AT], indirect=True, ids="-".join)
def test_a_state_looks_as_it_was_kept(shown, request: pytest.FixtureRequest) -> None:
    """What is kept is no picture, which other letters would make another one, but what a picture is made of.

    To keep a new look: look at the pictures in var/screenshots, delete tests/looks.json, run this test again,
    and read what has changed in the file.
    """
    page, (state, lang) = shown, request.node.callspec.params["shown"]
    found = {}
    for name, (size, scheme) in VIEWS.items():
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_function(IS_DARK, arg=scheme == "dark")
        page.evaluate("document.activeElement.blur()")
        browser.picture(page, f"{state}-{lang}-{name}")
        found[name] = seen.look(page)
    kept = seen.read(LOOKS.read_text(encoding="utf-8")) if LOOKS.exists() else {}
    if state not in kept:
        kept = dict(sorted((kept | {state: found}).items()))
        LOOKS.write_text(seen.written(kept), encoding="utf-8")
        pytest.fail(f"nothing was kept of {state}: it is now; look at the picture before you commit")
    for name in VIEWS:
        assert seen.differences(kept[state][name], found[name]) == [], name


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("shown", [("opened", "en")], indirect=True, ids="-".join)
@pytest.mark.parametrize(
    ("style", "said"),
    [
        (".gradio-container .verdict { border-top-color: red !important }", ".verdict was"),
        (".gradio-container .facts-panel { order: -1 }", ".facts-panel was at"),
        (".gradio-container .gauge { display: none !important }", ".gauge is gone"),
        (".gradio-container .reasons { padding-bottom: 400px !important }", "pixels high"),
        (".gradio-container .opening { translate: 0 3000px }", "above"),
    ],
)
def test_a_look_that_has_changed_is_found(shown, style: str, said: str) -> None:
    before = seen.look(shown)
    assert seen.differences(before, seen.look(shown)) == []
    added = shown.add_style_tag(content=style)
    found = seen.differences(before, seen.look(shown))
    added.evaluate("tag => tag.remove()")
    assert any(said in line for line in found), found


def test_the_measure_finds_what_is_cut_off_and_what_shows_no_focus(tabs: Tabs) -> None:
    page = tabs.blank()
    page.set_viewport_size(NARROW)
    page.set_content(
        "<style>:focus { outline: 3px solid }</style>"
        "<div style='overflow: hidden; width: 50px'><p style='width: 200px'>hidden by its frame</p></div>"
        "<p style='width: 400px'>longer than the window, so that some of it has to be looked for</p>"
        "<div style='overflow: auto; width: 50px'><p style='width: 200px'>for the mouse alone</p></div>"
        "<div style='overflow: auto; width: 50px' tabindex='0'><p style='width: 200px'>reached</p></div>"
        "<button style='outline: none'>dark</button><button>lit</button>"
        "<button style='width: 50px; white-space: nowrap; padding: 0'>wide for its button</button>"
    )
    assert [found.split('"')[1][:6] for found in seen.cut(page)] == ["hidden", "longer", "for th", "wide f"]
    assert ["dark" in found for found in seen.unmarked(page)] == [True]
