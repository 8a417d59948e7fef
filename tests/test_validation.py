"""The validation pack: self-contained, complete, the same figures in both languages, nobody singled out."""

import html
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from benchmarks.validated import figures
from scoring.decision import PROTECTED
from scoring.evaluation import judge
from scoring.evidence import description, fairness, money, reviews, stability, verification
from scoring.evidence.alternatives import BLOCKS, Alternative, Refit, Variant
from scoring.evidence.card import Card, CardLine
from scoring.evidence.completeness import complete
from scoring.evidence.money import TERMS
from scoring.evidence.paired import Difference, FoldScores
from scoring.evidence.recourse import recourses
from scoring.evidence.sense import Sense
from scoring.metrics import Measured
from tests.support.overheard import overheard
from tests.support.small import portfolio, scorer
from tests.support.third import other_words
from training import runs
from validation import __main__ as program
from validation import curves, people
from validation.clauses import CLAUSES
from validation.evidence import Evidence, Later, WrongPortfolio, _cutoffs, _shown, gather
from validation.language import Language, spoken
from validation.page import ABOUT, compose, write
from validation.printing import find_chromium, print_pdf
from validation.sections import _bounds, _rarely, card_of_points
from validation.size import Size
from validation.words import WORDS

RANDOM = np.random.default_rng(8)
NAMED = {"English", "Français", "abcdef", "application", "lightgbm"}
ENGLISH, FRENCH = LANGUAGES = spoken()


@pytest.fixture(scope="module")
def evidence():
    """Everything measured for once on the small scorer, but for refits, which are made up."""
    learned, table, requests = scorer()
    contributions, _ = learned.contributions(table)
    weights = np.abs(contributions).mean(axis=0).tolist()
    learned = replace(learned, importance=dict(zip(table.columns, weights, strict=True)))
    p = learned.probability(table)
    y = (RANDOM.random(len(p)) < p).astype(np.int8)
    thresholds = np.full(len(p), 0.35)
    raw = np.log(p) - np.log1p(-p) + 0.3 * (np.arange(len(p)) % 2)  # other folds, other calibrations
    metrics = judge(y, raw, p, thresholds, replicates=20)
    genders = np.array([request["CODE_GENDER"] for request in requests])
    ages = fairness.labels(pl.DataFrame({"DAYS_BIRTH": [r["DAYS_BIRTH"] for r in requests]}))["age"]
    judged = FoldScores("made up", y, p[None, :])

    def refit(name: str) -> Refit:
        return Refit(
            Variant(name, ("EXT_SOURCE_2",)), judged, Difference(-0.01, -0.02, 0.01), Difference(3, -1, 5)
        )

    ratio, gain = {"gender": Measured(0.9, 0.8, 1.0)}, {"gender": Measured(0.01, -0.02, 0.03)}
    exposure = np.array([request["AMT_CREDIT"] for request in requests])
    names = _shown(learned)[:4]
    run = runs.Run(
        "0123456789abcdef",
        {},
        {"candidate": "lightgbm", "calibration": "platt"},
        {},
    )
    line = {"candidate": "lightgbm", "treatment": "none", "can_be_champion": True, "calibration_error": 0.004}
    for name in ("auc", "business_score", "cost_per_1000"):
        line |= {name: 0.7, f"{name}_low": 0.6, f"{name}_high": 0.8}
    return Evidence(
        run=run,
        scorer=learned,
        size=Size(600, 2),
        terms=TERMS,
        portfolio="small <script>",
        notices=[{"en": "Only 82 defaults.", "fr": "Seulement 82 défauts."}],
        y=y,
        raw=raw,
        probability=p,
        thresholds=thresholds,
        metrics=metrics,
        candidates=pl.DataFrame([line, line]),
        card=Card("fedcba98", 520, False, (
            CardLine("EXT_SOURCE_2", None, 0.4, (), False, 0.125, -12.5),
            CardLine("EXT_SOURCE_2", 0.4, 0.6, (), False, 0.08, 1.5),
            CardLine("EXT_SOURCE_2", 0.6, None, (), False, 0.04, 9.5),
            CardLine("EXT_SOURCE_2", None, None, (), True, None, -3.0),
            CardLine("NAME_INCOME_TYPE", None, None, ("Working", "Pensioner"), False, 0.08, 0.5),
        )),
        missing={"application": 0.25, "cross": 0.5},
        gaps={"application": (0.5, 0.2, 0.1, 0.1, 0.1), "cross": (0.0, 0.0, 1.0, 0.0, 0.0)},
        columns=description.describe(table, y, names),
        correlations=description.correlations(table, names, 3),
        ladder=[refit("application"), refit("bureau")],
        exclusions=[refit("nothing"), refit("gender + family_status")],
        alternatives=[
            Alternative(refit(n), ratio, gain, True) for n in ("in_force", "without:age", "proxies:gender:10")
        ],
        chosen=None,
        audits=[a for a in (fairness.audit("gender", genders, y, p, thresholds, replicates=20),
                fairness.audit("age", ages, y, p, thresholds, smallest=80, replicates=20)) if a is not None],
        hidden=["family_status"],
        later=Later(500, stability.Resemblance(p, 0.93, (("EXT_SOURCE_2", 0.4),)),
                    stability.slices(y, p, thresholds, p, 2)),
        spread=stability.Spread((0.77, 0.78), (500.0, 510.0), 0.7, 0.97, 0.01),
        outside=verification.outside(learned, table),
        agreement=verification.Agreement(20, *[Measured(0.8, 0.7, 0.9)] * 3),
        verified=verification.substitute(learned, table),
        reviewed=reviews.review(learned, table, y, p, thresholds),
        complete=complete(replace(learned, threshold=0.2), table),
        senses=[Sense("amount", 600, 0.1, 0.02, 0.01)],
        recourses=recourses(replace(learned, threshold=0.2), portfolio(requests), 12),
        stable=verification.Stable(30, 3, *[Measured(0.8, 0.7, 0.9)] * 4),
        cutoffs=_cutoffs(y, p, exposure, thresholds, 0.35, TERMS),
        strategy=money.strategy(y, p, exposure, points=20, smallest=fairness.SMALLEST),
        scenarios=money.scenarios(y, p, exposure),
        trees=40,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pages(evidence):
    return {language.code: write(evidence, language) for language in LANGUAGES}


class Reader(HTMLParser):
    """Collects tags, ids, links and the text outside figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text: list[str] = []
        self.depth = 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.depth += tag in ("svg", "style", "nav", "head")
        if tag == "a":
            self.links.append(found["href"])
        self.loaded += [v for k, v in attrs if k in ("src", "data", "xlink:href", "href") and tag != "a"]

    def handle_endtag(self, tag):
        self.depth -= tag in ("svg", "style", "nav", "head")

    def handle_data(self, data):
        if not self.depth:
            self.text.append(data)


@pytest.mark.parametrize("code", ["en", "fr"])
def test_the_page_loads_nothing_and_runs_nothing(pages, code):
    read = Reader(pages[code])
    assert "script" not in read.tags and "link" not in read.tags and "iframe" not in read.tags
    assert all(place.startswith("#") for place in read.loaded), read.loaded
    assert not re.findall(r"url\((?!#)|@import", pages[code])
    assert "small &lt;script&gt;" in pages[code]


@pytest.mark.parametrize("code", ["en", "fr"])
def test_every_section_is_there_and_every_link_leads_somewhere(pages, code):
    read = Reader(pages[code])
    assert len(read.ids) == len(set(read.ids))
    inside = [link[1:] for link in read.links if link.startswith("#")]
    assert len(inside) == len(ABOUT) + 1 and set(inside) <= set(read.ids)
    assert [link for link in read.links if not link.startswith("#")] == [
        f"validation.{'fr' if code == 'en' else 'en'}.html"
    ]
    assert read.tags.count("svg") == read.tags.count("figure") > 10


def test_both_languages_carry_the_same_figures(pages):
    def figures(page: str, language: Language) -> list[str]:
        text = " ".join(Reader(page).text)
        if language.code == "fr":
            text = re.sub(r"(?<=\d)[\u00a0\u202f](?=\d{3})", "", text).replace(",", ".")
        else:
            text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
        return sorted(number.rstrip(".") for number in re.findall(r"\d[\d.]*", text))

    english, french = (figures(pages[language.code], language) for language in LANGUAGES)
    # words hold a few numbers of their own, such as articles of law: they are the same too
    assert len(english) > 200
    assert english == french


def test_nobody_can_be_singled_out(pages, evidence):
    for page in pages.values():
        assert "SK_ID" not in page
    for audit in evidence.audits:
        assert all(group.applications % 10 == 0 for group in audit.groups)
    smallest = fairness.SMALLEST / len(evidence.y)
    assert all(part.share >= smallest for column in evidence.columns for part in column.bins)


def test_one_run_has_one_auc_and_one_cost_out_of_fold(evidence, pages):
    e = evidence
    in_force = e.cutoffs["in_force"]
    assert in_force.cost_per_1000 == pytest.approx(e.metrics["cost_per_1000"].value)
    assert in_force.share_granted == pytest.approx(e.metrics["share_granted"].value)
    assert in_force.default_rate == pytest.approx(e.metrics["default_rate_granted"].value)
    assert f"KS = {e.metrics['ks'].value:.4f}" in pages["en"]


def test_notices_speak_the_language_of_the_page(pages):
    assert "Only 82 defaults." in pages["en"] and "Only" not in " ".join(Reader(pages["fr"]).text)
    assert "Note de l'entraînement\u00a0: Seulement 82 défauts." in html.unescape(pages["fr"])


def test_the_pack_speaks_a_third_language_and_no_english_is_left(evidence, third):
    notices = [{"en": "Only", "fr": "Seulement", third: "⟦YLNO⟧"}]
    page = write(replace(evidence, notices=notices), Language(third))
    assert f'<html lang="{third}">' in page
    names = re.findall(r'lang="(\w+)">(\w+)</a>', page)
    assert names == [("en", "English"), ("fr", "Français")]
    drawn = " ".join(re.findall(r"<title[^>]*>(.*?)</title>", page))
    left = other_words(html.unescape(" ".join(Reader(page).text) + drawn))
    # Names of runs, libraries, candidates and columns are the same in every language.
    assert left <= NAMED, left - NAMED


def test_few_applications_give_few_points_and_wider_parts_than_deciles(evidence, monkeypatch):
    drawn = []
    for step in ("draw_lines", "draw_bars"):
        drawing = overheard(getattr(curves, step), lambda first, *_, **__: drawn.append(first))
        monkeypatch.setattr(curves, step, drawing)
    curves.discrimination(ENGLISH, evidence.y, evidence.raw, evidence.probability, 0.35)
    most = len(evidence.y) // fairness.SMALLEST
    for made in drawn:
        if isinstance(made[0], str):
            assert made == [f"{i + 1} of {most}" for i in range(most)]
        else:
            assert all(len(np.atleast_1d(line.x)) <= most + 1 for line in made)


def test_the_scorecard_is_shown_bin_by_bin(evidence):
    rows = card_of_points(evidence, ENGLISH).blocks[0].rows
    assert [row[1] for row in rows] == [
        "< 0.40",
        "0.40 to 0.60",
        "≥ 0.60",
        "missing",
        "Employee, Pensioner",
    ]
    assert [row[2] for row in rows] == ["12.5%", "8.0%", "4.0%", "–", "8.0%"]
    assert [row[3] for row in rows][:2] == ["−12.5", "+1.5"]
    absent = card_of_points(replace(evidence, card=None), FRENCH)
    assert "train.py --compare families" in absent.blocks[0].lines[0]


def test_a_bin_of_many_levels_names_the_first():
    line = CardLine("loan_terms", None, None, tuple(map(str, range(50, 65))), False, 0.1, 1.0)
    assert _bounds(line, ENGLISH).endswith("60, 61 and 3 more")
    assert _bounds(line, FRENCH).endswith("60, 61 et 3 autres")


def test_a_share_of_few_applications_is_not_told():
    assert _rarely(0.001, 3_000, ENGLISH) == "< 3.3%"
    assert (_rarely(0.0, 3_000, ENGLISH), _rarely(0.04, 3_000, ENGLISH)) == ("0.0%", "4.0%")


def test_the_trap_words_of_the_field_are_the_right_ones(pages):
    french, english = (html.unescape(pages[code]).lower() for code in ("fr", "en"))
    for word in ("coupure", "dixième", "par cinquième", "raisons", "ordonnée de calibration"):
        assert word not in french, word
    assert "cut-off" not in english and "tenth" not in english
    assert "ordonnée à l'origine de la calibration" in french and "seuil" in french


@pytest.mark.parametrize("words", [["--margin", "1.2"], ["--lgd", "0"], ["--margin", "nan"]])
def test_terms_without_sense_are_refused_at_the_door(words, tmp_path):
    asked = ["--portfolio", str(tmp_path), "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}", *words]
    answer = CliRunner().invoke(program.app, asked)
    assert answer.exit_code == 2
    assert "outside (0, 1]; give a share of the loan" in answer.output
    assert not (tmp_path / "mlflow.db").exists()


def test_every_clause_is_answered_by_sections_that_exist(evidence):
    sections = compose(evidence, ENGLISH)
    names = {section.name for section in sections}
    assert all(set(clause.sections) <= names and clause.sections for clause in CLAUSES)
    assert all(section.clauses for section in sections[:-1]), "a section that answers nothing"
    asked = " ".join(clause.name.en for clause in CLAUSES)
    for text in ("annex III", "art. 9", "art. 15", "EBA/GL/2020/06", "GDPR, art. 22", "SR 26-2"):
        assert text in asked


def test_every_block_and_group_that_needs_words_has_them():
    assert all(f"step:{name}" in WORDS for name in BLOCKS)
    assert all(f"group:{name}" in WORDS for name in fairness.BANDS["household"])
    assert all(f"attribute:{name}" in WORDS for name in PROTECTED)


@pytest.mark.parametrize("language", LANGUAGES, ids=["en", "fr"])
def test_the_reader_sees_whom_a_group_is_compared_with_and_what_was_compared(evidence, pages, language):
    text = "".join(Reader(pages[language.code]).text)
    for audit in evidence.audits:
        for name in (audit.lowest.name, audit.reference, audit.furthest.name):
            assert language.named("group", name) in text
        assert language.interval(audit.widest_anywhere[1], 3, is_signed=True) in text
    assert language.say("as_fitted") in text
    others = len(evidence.alternatives) - 1  # the model in force is none of those that were tried
    assert (f"{others} other models" if language.code == "en" else f"{others} autres modèles") in text
    assert language.say("reason:stable:later") in text
    lines = people.reasons(replace(evidence, later=None), language).blocks[0].lines
    assert language.say("reason:stable:rest") in " ".join(lines)


def test_a_kept_figure_has_the_same_name_whoever_fares_worst(evidence):
    found = list(figures(evidence))
    names = [name for name, _, _ in found]
    assert len(names) == len(set(names))
    worst = evidence.audits[0]
    assert ("lowest approval ratio by gender, in force", worst.worst) in [row[:2] for row in found]
    assert {name: unit for name, _, unit in found}["less discriminating models found"] == "of 2"
    groups = {group.name for audit in evidence.audits for group in audit.groups} - {"F", "M"}
    assert not [name for name in names if any(group in name for group in groups)]


@pytest.mark.parametrize(
    ("value", "digits", "english", "french"),
    [(1234.5, 1, "1,234.5", "1\u202f234,5"), (-0.25, 2, "−0.25", "−0,25"), (-0.0001, 2, "0.00", "0,00")],
)
def test_numbers_are_written_as_each_reader_does(value, digits, english, french):
    assert (ENGLISH.number(value, digits), FRENCH.number(value, digits)) == (english, french)


def test_french_has_its_spaces_and_intervals_their_signs():
    assert FRENCH.share(0.081) == "8,1\u202f%" and ENGLISH.share(0.081) == "8.1%"
    assert ENGLISH.interval(Measured(0.5, 0.4, 0.6)) == "0.500 (0.400–0.600)"
    assert ENGLISH.interval(Measured(0.5, -0.4, 0.6), is_signed=True) == "+0.500 (−0.400 to +0.600)"


def test_ages_stand_in_their_order(evidence):
    names = [group.name for group in evidence.audits[1].groups]
    assert names[0] == "< 30"


def test_another_portfolio_than_the_runs_is_refused(evidence, tmp_path):
    (tmp_path / "application_train.csv").write_text("TARGET\n")
    run = runs.Run("r", {}, {"portfolio": "other.zip"}, {"data_sha256": "0" * 64})
    with pytest.raises(WrongPortfolio, match=r"Give the portfolio of its training \(other.zip\)"):
        gather(
            run,
            evidence.scorer,
            said=pl.DataFrame(),
            candidates=pl.DataFrame(),
            readable=None,
            path=tmp_path,
            size=Size(),
            terms=TERMS,
            on_progress=str,
        )


def test_a_run_that_is_not_there_is_one_sentence(tmp_path):
    asked = ["--portfolio", str(tmp_path), "--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    answer = CliRunner().invoke(program.app, asked)
    assert answer.exit_code == 2
    assert "No pack: the registry has no credit_scoring@champion" in answer.output


@pytest.mark.browser
def test_the_page_prints_as_pdf(pages, tmp_path):
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium: `make browser` installs Debian's (as root)")
    page = tmp_path / "validation.en.html"
    page.write_text(pages["en"], encoding="utf-8")
    printed = print_pdf(page, chromium).read_bytes()
    assert printed.startswith(b"%PDF") and len(printed) > 50_000
    assert shutil.which("chromium") is None or printed.count(b"/Page") > 4
