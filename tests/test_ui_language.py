"""The page speaks every language that has a catalogue, and nothing of another one."""

import asyncio
import json
import re
from dataclasses import replace
from datetime import datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from scoring import language, synthetic
from scoring.metrics import MEASURES
from scoring.schema import Explanation, MonitorView, Purpose
from scoring.scorer import FAMILIES
from tests.support.browser import upload
from tests.support.stand_in import DESCRIPTION, FEATURES, MODEL, OWNER, REFUSED_NUMBER, StandIn, serving
from tests.support.third import THIRD, other_words, swapped
from tests.torture.page import serving_page
from ui import batch, form, header, server
from ui.app import build
from ui.clients import Clients
from ui.handlers import Handlers
from ui.rendering import TEMPLATES
from ui.sealed import Sealed
from ui.service import Service
from ui.words import COUNTED, TEXTS, YEARS, say

UI = Path(header.__file__).parent
SEEN = ("title", "aria-label", "placeholder", "data-was", "data-missing")  # attributes that people read
NOT_WORDS = {"SK_ID_CURR", "AMT_CREDIT", MODEL, "event", "English", "Français", "Esperanto", "UTC", "scoring"}


class Read(HTMLParser):
    """Every text of a piece of HTML that a person sees or hears."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._of_form = False
        self.feed(html)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        raw = {"name", "for"} & found.keys()  # a control keeps what the files have, and names its column
        self.texts += [found[name] or "" for name in SEEN if name in found and not raw]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def left(html: str) -> set[str]:
    """The words of a piece of HTML that no catalogue said, names of the files and of the model aside."""
    html = re.sub("<td>age</td>", "", html)  # the name of a feature, beside its words
    words = {word for text in Read(html).texts for word in other_words(text)}
    names = set(re.findall(r"[^\W\d_]+", " ".join(NOT_WORDS)))
    return words - names - {word for name in form.fields() for word in name.split("_")}


def translated(third: str) -> dict:
    """The stand-in's description as the service gives it, with the third language."""

    def all_languages(words: dict[str, str]) -> dict[str, str]:
        return words | {third: swapped(words["en"])}

    features = [item | {"label": all_languages(item["label"])} for item in DESCRIPTION["features"]]
    groups = {name: all_languages(words) for name, words in DESCRIPTION["groups"].items()}
    metrics = {name: {"value": 0.5, "low": 0.4, "high": 0.6} for name in MEASURES}
    return DESCRIPTION | {"features": features, "groups": groups, "metrics": metrics}


@pytest.fixture(scope="module")
def stand_in():
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portfolio")
    for name, table in synthetic.generate(10, 3, "test").items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture
def handlers(third: str, stand_in: StandIn, portfolio: Path, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    """The page in the third language; the service says its reasons in it."""
    service = Service(stand_in.url)
    described = replace(service.model(), facts=translated(third))
    monkeypatch.setattr(service, "model", lambda _tag=None: described)
    explain = service.explain

    def in_third(application: dict, purpose: Purpose) -> Explanation:
        answer = explain(application, purpose)
        dumped = answer.model_dump()
        for reason in dumped["reasons"]:
            reason["text"][third] = swapped(reason["text"]["en"])
        text = {"en": "It is odd.", third: swapped("It is odd.")}
        warning = {"feature": "AMT_CREDIT", "problem": "outside range", "value": 1.0, "text": text}
        return Explanation.model_validate(dumped | {"warnings": [warning] * 7})

    monkeypatch.setattr(service, "explain", in_third)
    view = service.owner()
    said = view.model_copy(update={"text": view.text | {third: swapped(view.text["en"])}})
    service.owner = lambda: said  # type: ignore[method-assign]
    service.monitor = MonitorView  # type: ignore[method-assign]
    return Handlers(third, service, Clients(portfolio))


def test_a_client_and_a_change_speak_the_third_language(handlers: Handlers) -> None:
    first = handlers.open(str(handlers.clients.examples()[0]))
    opened = first["opened"]
    again = handlers.score(opened, {"AMT_CREDIT": "9000000", "DAYS_BIRTH": "40", "FLAG_OWN_CAR": "1"})
    for html in (first["heading"], first["form"], first["result"], again["result"]):
        assert "⟦" in html
        assert not left(html)
    assert 'class="change"' in again["result"]


def test_a_new_application_the_head_and_the_model_speak_the_third_language(handlers: Handlers) -> None:
    updates = handlers.open_new()
    loaded = handlers.load()
    trained = language.moment(datetime.fromisoformat(DESCRIPTION["lineage"]["created"]), handlers.lang)
    for html in (
        updates["heading"],
        updates["result"],
        loaded["masthead"],
        loaded["model"].replace(trained, ""),
    ):
        assert "⟦" in html
        assert not left(html), html


def test_every_family_of_the_model_speaks_the_third_language(
    handlers: Handlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = handlers.service.model()
    for family in FAMILIES.values():
        described = replace(model, facts=model.facts | {"family": family})
        monkeypatch.setattr(handlers.service, "model", partial(lambda found, _tag=None: found, described))
        assert not left(re.sub("<dd>[^<]*UTC</dd>", "", handlers.load()["model"]))


def test_what_goes_wrong_is_said_in_the_third_language(handlers: Handlers, third: str) -> None:
    said = [handlers.open("x"), handlers.open("9" * 40), handlers.open("7")]
    said += [Handlers(third, handlers.service, Clients(None)).open_random()]
    bad = {"AMT_CREDIT": "-1", "CNT_CHILDREN": "1.5", "EXT_SOURCE_2": "much", "OCCUPATION_TYPE": "x" * 101}
    said += [handlers.score(None, bad | {"DAYS_BIRTH": "1e7", "NAME_HOUSING_TYPE": "\0"})]
    said += [{"message": handlers.failure(KeyError("secret"))}]
    for updates in said:
        assert "⟦" in updates["message"]
        assert not left(updates["message"])
    down = Handlers(third, Service("http://127.0.0.1:9"), Clients(None)).open_new()
    assert not left(down["message"].replace("http://127.0.0.1:9", ""))


def test_a_file_comes_back_in_the_third_language(handlers: Handlers, third: str, tmp_path: Path) -> None:
    rows = {"SK_ID_CURR": [5, REFUSED_NUMBER, 3], "AMT_CREDIT": [4.5e5, 4.5e5, -1.0]}
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    said = [
        updates["summary"]
        for updates in handlers.score_file(str(tmp_path / "a.parquet"), False)
        if "summary" in updates
    ]
    assert len(said) == 3
    for html in said:
        assert not left(html.replace("is not accepted", ""))
    (tmp_path / "b.csv").write_text("SK_ID_CURR,SHOE_SIZE\n1,44\n")
    with pytest.raises(batch.FileProblem) as problem:
        batch.read(tmp_path / "b.csv", third)
    assert other_words(str(problem.value)) <= {"csv", "SHOE", "SIZE"}


def test_every_component_of_the_page_is_named_in_the_third_language(handlers: Handlers, third: str) -> None:
    async def make() -> Sealed:  # inside a loop: elsewhere Gradio makes one that nobody closes
        return build(third, handlers.service, handlers.clients)

    page = asyncio.run(make())
    for block in page.blocks.values():
        for name in ("label", "value", "placeholder"):
            text = getattr(block, name, None)
            if isinstance(text, str) and block.visible:
                assert not left(text) - {"State", "HTML"}, (type(block), name, text)


def test_the_page_is_served_in_every_language_that_has_a_catalogue(third: str) -> None:
    assert [one.code for one in header.addresses()] == ["en", third, "fr"]
    assert [one.name for one in header.addresses()] == ["English", "Esperanto", "Français"]
    assert server.preferred(f"{third}-XX, fr;q=0.5") == third
    ((page,),) = [re.findall("const PAGE = (.*);", server.head(third))]
    assert json.loads(page)["code"] == third
    texts = json.loads(page)["texts"]
    labels = {selector: swapped(TEXTS[name].en) for selector, name in server.CONTROLS.items()}
    assert texts == {"drop": swapped(TEXTS["batch_drop"].en), "labels": labels}


def test_every_text_of_the_page_is_used_and_every_text_that_is_used_is_there() -> None:
    """Names are written out, or begin as one of those that are put together."""
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for file in (*UI.glob("*.py"), *TEMPLATES.glob("*.html"))
        if file.name != "words.py"
    )
    starts = (
        "table about family metric tile stays turns history batch recommend short decision review reviewed "
        "why among letter purpose outcome replay recorded observed role"
    )
    made = tuple(f"{start}_" for start in starts.split())
    protected = {"gender", "family_status", "age", "household"}
    names = {*TEXTS, *COUNTED}
    idle = {n for n in names if not re.search(rf"[\"']{n}[\"']", code) and not n.startswith(made)} - protected
    assert not {n for n in idle if not n.endswith("_side")}
    said = set(re.findall(r"""\b(?:say|_message|refuse)\((?:\d+, )?"([a-z_]+)"[,)]""", code))
    assert said <= names


def test_no_text_of_the_page_stands_in_code_or_templates() -> None:
    for template in TEMPLATES.glob("*.html"):
        text = re.sub(r"\{[{%#].*?[}%#]\}", "", template.read_text(encoding="utf-8"), flags=re.S)
        assert not re.findall(r"[A-Za-z]{3,}", re.sub(r"<[^>]*>", "", text).replace("const PAGE", "")), (
            template
        )
    for file in UI.glob("*.py"):
        assert not re.findall(r"""["']fr["']|[éèàêç]""", file.read_text(encoding="utf-8")), file.name


def test_no_french_mark_is_torn_from_its_word() -> None:
    for text in (*TEXTS.values(), *COUNTED.values(), *YEARS.values()):
        words = language.say(text, "fr")
        assert not re.search(r" [:;!?%»]|« |\d \d{3}", words), text.key


def test_a_count_bends_its_words() -> None:
    assert say("known_of", "fr", 1, all=7) == "1 sur 7 connue"
    assert say("known_of", "fr", 0, all=7) == "0 sur 7 connue"
    assert say("about_count", "en", 0) == "0 facts"
    assert "0.5 percentage points" in say("below", "en", 0.5, digits=1, p="p", t="t")
    assert "1.0 percentage points" in say("below", "en", 1.0, digits=1, p="p", t="t")
    assert "1,5 point de" in say("below", "fr", 1.5, digits=1, p="p", t="t")
    assert "2,0 points de" in say("below", "fr", 2.0, digits=1, p="p", t="t")


@pytest.mark.browser
@pytest.mark.served
def test_the_served_page_shows_a_third_language_and_no_english(
    chromium, third_folder: Path, stand_in: StandIn, portfolio: Path, tmp_path: Path
) -> None:
    options = ("--portfolio", str(portfolio), "--lang", THIRD)
    with serving_page(
        tmp_path / "page", stand_in.url, *options, CREDIT_SCORING_LANGUAGES=str(third_folder)
    ) as served:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(served.url)
        assert page.url == f"{served.url}/{THIRD}/"
        page.locator(".examples").get_by_role("button").first.click()
        page.locator(".verdict").wait_for()
        assert page.evaluate("document.documentElement.lang") == THIRD
        assert page.title() == swapped(TEXTS["title"].en)
        (tmp_path / "mine.csv").write_text("SK_ID_CURR,AMT_CREDIT\n2,450000\n")
        seen = [page.inner_text("body")]
        page.get_by_role("tab").nth(3).click()
        upload(page, tmp_path / "mine.csv")
        page.get_by_role("button", name=swapped(TEXTS["batch_score"].en)).click()
        page.locator(".tiles").wait_for()
        seen.append(page.inner_text("body"))
        context.close()
    # What the stand-in says is in English and French; Gradio's "Loading" stands in the page and is not drawn.
    theirs = {
        "The score received from an outside agency is low.",
        "mine",
        "Loading",
        "csv",
        *(f["label"]["en"] for f in FEATURES),
        *(group["en"] for group in DESCRIPTION["groups"].values()),
        OWNER["text"]["en"],
    }
    for text in seen:
        for known in theirs:
            text = text.replace(known, "")
        assert not left(text), left(text)
