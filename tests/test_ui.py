"""The page: sentences are right in both languages, what is pressed does what it says."""

import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scoring import synthetic
from scoring.decision import Points
from scoring.features import wording
from scoring.language import languages, percent
from scoring.metrics import MEASURES
from scoring.problems import Fault
from scoring.schema import Explanation, fault_at
from scoring.scorer import FAMILIES
from tests.support.controls import Controls
from tests.support.stand_in import DESCRIPTION, StandIn, serving
from ui import about, charts, form, result, waterfall, words
from ui.__main__ import app, keep_private
from ui.clients import Clients, UnknownClient
from ui.handlers import Handlers, OpenApplication, guarded
from ui.people import AT_THE_MACHINE
from ui.rendering import render
from ui.service import ServedModel, Service
from ui.words import TEXTS, say

NARROW = "\u202f"
NOBODY = Clients(None)
POINTS = Points()
MODEL = ServedModel(DESCRIPTION)
LANGUAGES = languages()
any_language = st.sampled_from(LANGUAGES)


@pytest.fixture(scope="module")
def service_process():
    with serving() as server:
        yield server


@pytest.fixture
def stand_in(service_process: StandIn):
    service_process.asked = 0
    service_process.be_in_trouble(0)
    return service_process


@pytest.fixture
def service(stand_in: StandIn):
    return Service(stand_in.url)


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portfolio")
    for name, table in synthetic.generate(30, 3, "test").items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def handlers(lang: str, service: Service, portfolio: Path | None = None) -> Handlers:
    return Handlers(lang, service, Clients(portfolio))


def test_every_known_level_has_words() -> None:
    for column in form.fields().values():
        for level in column.levels:
            assert level in wording.LEVELS or wording.level(level, "fr") != level, level


def answer(p: float = 0.107, **changed) -> Explanation:
    score = round(float(POINTS.of(p)))
    base = {
        "event_id": "e1",
        "SK_ID_CURR": 1,
        "probability_of_default": p,
        "score": score,
        "threshold": 0.0925,
        "decision": "refused" if p >= 0.0925 else "granted",
        "model": "credit_scoring:stand-in",
        "base_value": -2.4,
        "raw_score": -2.0,
        "contributions": [],
        "base_points": score,
        "groups": [],
        "reasons": [],
    }
    return Explanation.model_validate(base | changed)


def test_the_distance_to_the_threshold_is_a_sentence() -> None:
    en, points = result.distance(answer(), POINTS, 1, "en")
    assert en == "The probability of default is 10.7%, 1.5 percentage points above the threshold of 9.2%."
    assert (
        points
        == "That is 548 points, 5 fewer than the 553 points of the threshold; more points mean less risk."
    )
    fr, _ = result.distance(answer(0.062), POINTS, 1, "fr")
    assert fr == (
        f"La probabilité de défaut est de 6,2{NARROW}%, "
        f"3,0 points de pourcentage sous le seuil de 9,2{NARROW}%."
    )


def test_two_close_probabilities_are_never_told_as_equal() -> None:
    html = result.card(answer(0.09251), MODEL, form.Wording("en"))
    assert "9.251%" in html and "9.250%" in html
    assert set(re.findall(r"9\.2\d*%", html)) == {"9.251%", "9.250%"}, "one value has one wording"


def test_a_change_is_told_against_the_first_score() -> None:
    first, now = answer(0.094), answer(0.081)
    en, fr = result.change(first, now, 1, "en"), result.change(first, now, 1, "fr")
    assert en == (
        "Against the first score, the probability falls from 9.4% to 8.1%. The loan is now granted."
    )
    assert fr == (
        f"Par rapport au premier calcul, la probabilité baisse de 9,4{NARROW}% à 8,1{NARROW}%. "
        "Le prêt est désormais accordé."
    )
    lines = result.edits({"AMT_CREDIT": 5e5}, {"AMT_CREDIT": 4.5e5, "FLAG_OWN_CAR": "Y"}, form.Wording("en"))
    assert lines == ["Amount of the loan: 500,000 → 450,000", "Owns a car: Not known → Yes"]


def test_a_waterfall_goes_from_the_average_application_to_this_one_by_groups() -> None:
    parts = [("EXT_SOURCE_2", "external_score", 1.0, -29), ("AMT_CREDIT", "request", -0.5, 15)]
    parts += [("age", "person", 0.0, 0)]
    contributions = [{"feature": name, "value": 1.0, "contribution": c} for name, _, c, _ in parts]
    groups = [{"group": group, "contribution": c, "points": points} for _, group, c, points in parts]
    found = answer(score=542, contributions=contributions, base_points=556, groups=groups)
    drawn = waterfall.of(found, MODEL, form.Wording("en"))
    assert (drawn.base, drawn.score) == ("556", "542")
    assert [(s.title, s.kind, s.points) for s in drawn.steps] == [
        ("Outside score", "lowers", "−29"),
        ("Present request", "raises", "+15"),
        ("Person", "keeps", "0"),
    ]
    one, two, _ = drawn.steps
    assert (one.left, one.width) == (0, 100), "the first bar begins where the average application stands"
    assert (two.left, round(two.width, 1)) == (0, 51.7), "the next one where the first has ended"
    assert round(drawn.score_at, 1) == 51.7
    assert one.facts == [("External score 2", "1", "−28.9")]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_gauge_says_in_text_what_it_draws(lang: str) -> None:
    svg = render("gauge", lang, gauge=charts.gauge(answer(), 1, lang), part="client")
    p, t = percent(0.107, lang, 1), percent(0.0925, lang, 1)
    assert 'role="img" aria-labelledby="client-gauge client-gauge-text"' in svg
    title, text = re.findall(r"<(?:title|desc)[^>]*>(.*?)<", svg)
    assert p in title
    assert t in title
    assert say("refused_side", lang) in text
    assert f"{say('threshold', lang)} {t}" in svg
    assert 'class="limit"' in svg


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_higher_probability_never_stands_further_left(a, b) -> None:
    low, high = sorted((charts.position(a), charts.position(b)))
    assert 0 <= low <= high <= 1
    assert (charts.position(a) <= charts.position(b)) or a > b


def test_the_result_shows_decision_reasons_and_a_table_beside_the_chart(service: Service) -> None:
    explained = service.explain({"SK_ID_CURR": 7, "EXT_SOURCE_2": 0.2, "AMT_CREDIT": 600_000.0}, "preview")
    html = unescape(result.card(explained, service.model(), form.Wording("fr")))
    assert "Recommandation\u00a0: refuser" in html
    assert "La note reçue d'un organisme externe est basse." in html
    assert html.count('role="img"') == 1
    assert '<th scope="row">Score externe 2</th><td>0,20</td>' in html
    assert "event-7" in html


def test_an_officer_opens_a_client_edits_and_scores_again(service: Service, portfolio: Path) -> None:
    page = handlers("en", service, portfolio)
    number = page.clients.examples()[1]
    first = page.open(f" {number:,} ")
    opened = first["opened"]
    assert (first["message"], first["number"]) == ("", str(number))
    assert f"Client {number}" in first["heading"]
    assert opened.application["SK_ID_CURR"] == number
    texts = Controls(form.html(opened.application, form.Wording("en"))).texts
    assert page.score(opened, texts)["result"] == first["result"]
    changed = page.score(opened, texts | {"AMT_CREDIT": "4,000,000"})["result"]
    assert "Against the first score, the probability rises" in changed
    assert "→ 4,000,000" in changed


def test_two_officers_do_not_see_each_others_client(service: Service, portfolio: Path) -> None:
    page = handlers("en", service, portfolio)
    one, two = page.clients.examples()[:2]
    first, second = page.open(str(one))["opened"], page.open(str(two))["opened"]
    assert (first.application["SK_ID_CURR"], second.application["SK_ID_CURR"]) == (one, two)
    assert not [value for value in vars(page).values() if isinstance(value, OpenApplication)]


def test_a_client_that_is_not_there_is_a_sentence(service: Service, portfolio: Path) -> None:
    assert "There is no client 7" in handlers("en", service, portfolio).open("7")["message"]
    said = handlers("fr", service, portfolio).open("Dupont")["message"]
    assert "n'est pas un numéro de client" in unescape(said)
    assert "No portfolio is at hand" in handlers("en", service).open("7")["message"]
    with pytest.raises(UnknownClient):
        Clients(None).open(7)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "typed",
    [
        "9" * 5_000,
        "\u0663" * 5_000,
        "x" * 5_000,
        "\x1b[31m\u202e7\u2066\0\u2028",
        "<script>",
        " " * 10**5,
        7,
        None,
        ["7"],
    ],
)
def test_what_is_no_client_number_is_a_sentence_that_repeats_little(
    service: Service, portfolio: Path, lang: str, typed: object
) -> None:
    said = unescape(re.sub("<[^>]*>", "", handlers(lang, service, portfolio).open(typed)["message"])).strip()
    assert re.sub(r"[\u00a0\u202f]", "", said).isprintable()
    assert len(said) < 200
    assert "<script" not in handlers(lang, service, portfolio).open(typed)["message"]


@given(st.text(max_size=400))
def test_a_quoted_text_is_short_and_seen(text: str) -> None:
    seen = words.quoted(text)
    assert seen.isprintable() and len(seen) <= words.QUOTED


def test_a_form_of_other_things_than_texts_is_told_field_by_field(service: Service) -> None:
    file = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
    texts = {"AMT_CREDIT": file, "OCCUPATION_TYPE": [file], "CNT_CHILDREN": 3}
    updates = handlers("en", service).score(None, texts)
    assert updates["message"].count("#fact-") == 3
    assert "hostname" not in updates["message"]
    assert list(updates) == ["message"], "the rest stays as it is"


def test_a_new_application_is_scored_without_typing(service: Service) -> None:
    updates = handlers("fr", service).open_new()
    assert (updates["message"], updates["number"]) == ("", "")
    assert "Nouvelle demande" in updates["heading"]
    assert "513\u202f000" in updates["form"]
    assert 'class="gauge"' in updates["result"]
    assert updates["opened"].first is not None


@pytest.mark.parametrize(
    ("status", "en", "fr"),
    [
        (503, "too much to do just now", "trop sollicité"),
        (500, "failed on this request", "a échoué sur cette demande"),
    ],
)
def test_a_service_in_trouble_is_a_sentence(stand_in: StandIn, status: int, en: str, fr: str) -> None:
    stand_in.be_in_trouble(status)
    for lang, sentence in (("en", en), ("fr", fr)):
        message = handlers(lang, Service(stand_in.url)).open_new()["message"]
        assert sentence in message
        assert "Traceback" not in message


@pytest.mark.parametrize(
    ("status", "kind", "retry_after", "en", "fr"),
    [
        (503, "unrecorded", "5", "cannot record decisions", "ne peut pas enregistrer de décision"),
        (429, "too-many-requests", "10", "too much to do just now", "trop sollicité"),
    ],
)
def test_a_service_that_wants_to_be_asked_later_is_told_at_once_and_left_alone(
    stand_in: StandIn, status: int, kind: str, retry_after: str, en: str, fr: str
) -> None:
    stand_in.be_in_trouble(status, retry_after=retry_after, kind=kind)
    for lang, sentence in (("en", en), ("fr", fr)):
        assert sentence in handlers(lang, Service(stand_in.url)).open_new()["message"]
    assert (stand_in.turned_away, stand_in.asked) == (2, 0)


def test_what_the_service_refuses_is_told_in_the_language_of_the_page(stand_in: StandIn) -> None:
    found = {
        "DAYS_BIRTH": Fault("below_minimum", {"minimum": -2147483647}),
        "CNT_CHILDREN": Fault("above_maximum", {"maximum": 2147483647}),
        "OCCUPATION_TYPE": Fault("too_long", {"maximum": 100}),
        "AMT_CREDIT": Fault("not_a_number"),
        "FLAG_MOBIL": Fault("not_whole"),
        "EXT_SOURCE_1": Fault("not_accepted"),
    }
    faults = [fault_at(0, field, fault).model_dump() for field, fault in found.items()]
    stand_in.be_in_trouble(422, "The request has 6 faults.", faults=faults)
    said = unescape(handlers("fr", Service(stand_in.url)).open_new()["message"]).replace("\u00a0", " ")
    for sentence in (
        f"Âge : doit valoir au moins -2{NARROW}147",
        f"doit valoir au plus 2{NARROW}147",
        "doit avoir au plus 100 caractères",
        "Montant du prêt : doit être un nombre",
        "doit être un nombre entier (de 32 bits)",
        "le service n'accepte pas cette valeur",
    ):
        assert sentence in said
    assert "must" not in said


def test_a_service_that_is_down_is_a_sentence() -> None:
    page = handlers("fr", Service("http://127.0.0.1:9"))
    updates = page.open_new()
    assert "ne répond pas" in updates["message"]
    assert "Nouvelle demande" in updates["heading"]
    assert "Service injoignable" in page.load()["masthead"]


def test_a_failure_of_the_page_is_a_sentence_without_a_stack(service: Service, caplog) -> None:
    class Broken(Handlers):
        def broken(self) -> dict:
            raise KeyError("secret")

    page = Broken("en", service, Clients(None))
    updates = guarded(page, page.broken)(AT_THE_MACHINE)
    assert "This page could not do that" in updates["message"]
    assert "secret" not in updates["message"]
    assert list(updates) == ["message"]
    assert "the page failed" in caplog.text


def test_the_model_is_described_in_words(service: Service) -> None:
    html = about.card(service.model(), "fr")
    for text in (
        "Régression logistique",
        f"9,1{NARROW}%",
        "sexe",
        "21 nov. 2026, 03:10:00 UTC",
        "Note externe",
        "0,7800",
    ):
        assert text in html


@pytest.mark.parametrize("family", FAMILIES.values())
def test_every_family_that_can_serve_has_words(service: Service, family: str) -> None:
    model = service.model()
    model = replace(model, facts={**model.facts, "family": family})
    assert all(f"<dd>{family}</dd>" not in about.card(model, lang) for lang in LANGUAGES)


@pytest.mark.parametrize("name", [*MEASURES, "calibration_slope", "calibration_intercept"])
def test_every_measure_has_words(service: Service, name: str) -> None:
    model = service.model()
    model = replace(model, facts={**model.facts, "metrics": {name: {"value": 0.5}}})
    assert f"metric_{name}" in TEXTS
    assert name.replace("_", " ") + "<" not in about.card(model, "fr")


def test_many_odd_values_are_folded_behind_those_that_an_officer_can_change() -> None:
    names = [*(f"derived_{i}" for i in range(8)), "AMT_CREDIT"]
    odd = [
        {
            "feature": n,
            "problem": "outside range",
            "value": 1.0,
            "text": {"en": f"{n} is odd.", "fr": f"{n} sort."},
        }
        for n in names
    ]
    html = result.card(answer(warnings=odd), MODEL, form.Wording("fr"))
    shown, folded = html[html.index('class="checks"') :].split("<details>")[:2]
    assert re.findall(r"<li>(\S+) sort", shown) == ["AMT_CREDIT", *names[:4]]
    assert re.findall(r"<li>(\S+) sort", folded) == names[4:8]
    assert "4 autres" in folded
    assert "<details><summary>" not in result.card(answer(warnings=odd[:5]), MODEL, form.Wording("fr"))


def test_uploads_are_private(tmp_path: Path) -> None:
    keep_private(tmp_path / "a" / "uploads")
    assert (tmp_path / "a" / "uploads").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--api", "localhost"], "is no address"),
        (["--portfolio", "nowhere"], "does not exist"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_sentence(options: list[str], sentence: str) -> None:
    outcome = CliRunner().invoke(app, options)
    assert outcome.exit_code == 2
    assert sentence in outcome.output
    assert "Traceback" not in outcome.output


def test_a_taken_port_is_a_sentence(service_process: StandIn) -> None:
    outcome = CliRunner().invoke(app, ["--port", str(service_process.server_port)])
    assert outcome.exit_code == 2
    assert "choose another --port" in outcome.output
