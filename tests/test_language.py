"""A language is a file: what people read is said in every language that has a catalogue, and nowhere else."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from scoring import language
from scoring.explanation import explain
from scoring.features import FEATURES, GROUPS
from scoring.features.__main__ import table as features_document
from scoring.features.wording import LEVELS, in_words, level
from scoring.language import LanguageError, Text, say
from scoring.language.__main__ import app, declare
from scoring.language.catalogues import DECLARED
from scoring.schema import FORM_GROUPS, Application, columns
from scoring.scorer import remarks
from scoring.serving import pages
from tests.support import small
from tests.support.third import other_words, swapped

ROOT = Path(__file__).parent.parent
ROOM = ROOT / "scoring" / "language"
PLURAL = Text("test.plural", "{n} loan", "{n} loans")


def test_a_third_language_is_found_by_its_file_alone(third):
    assert language.languages() == ("en", third, "fr")


def test_every_reason_and_warning_speaks_the_third_language(third):
    scorer, table, _ = small.scorer()
    texts = [reason.text for one in explain(scorer, table[:200]) for reason in one["reasons"]]
    assert len(texts) > 100
    ranges = {f.name: (0.0, 1.0) for f in FEATURES if f.kind == "number"}
    texts += [remarks.words(ranges, name, -7.5, None)["text"] for name in ranges]
    texts += [remarks.words({}, f.name, None, "new")["text"] for f in FEATURES if f.kind == "category"]
    for text in texts:
        assert list(text) == ["en", third, "fr"]
        assert "⟦" in text[third]
        assert not other_words(text[third].replace("new", "")), text
        assert "⟦" not in text["en"] + text["fr"]


def test_every_feature_group_column_level_and_value_speaks_the_third_language(third):
    for text in (
        *(f.label for f in FEATURES),
        *(t for g in GROUPS.values() for t in (g.title, g.claim) if t),
    ):
        assert say(text, third) == swapped(text.en)
    for column in columns(Application).values():
        assert say(column.label, third) == swapped(column.label.en)
        assert not other_words("".join(level(name, third) for name in column.levels if name in LEVELS))
    assert all(say(title, third).startswith("⟦") for title in FORM_GROUPS.values())
    for feature in FEATURES:
        for value in (None, "Working") if feature.kind == "category" else (None, 0.0, 1.0, -3.5, 1234.5):
            assert not other_words(in_words(feature, value, third)), feature.name


def test_the_model_s_description_the_api_s_and_the_table_of_features_have_the_third_language(third):
    scorer, _, _ = small.scorer()
    facts = pages.model(scorer, "tag", {})
    assert all(item["label"][third].startswith("⟦") for item in facts["features"])
    assert all(title[third].startswith("⟦") for title in facts["groups"].values())
    assert Application.model_json_schema()["properties"]["AMT_CREDIT"]["x-titles"][third].startswith("⟦")
    assert features_document().count(swapped("Loans on file at the credit bureau")) == 1


TOGETHER = """
import sys
from scoring.language.__main__ import app

app(["update", "fr", "--folder", sys.argv[1]], standalone_mode=False)
app(["check"])
"""


def test_every_text_has_words_in_every_language_as_the_command_writes_them_and_all_are_said(tmp_path):
    """Keys without words, words without keys, and places that differ; a catalogue in another order."""
    (tmp_path / "fr.po").write_bytes((ROOM / "fr.po").read_bytes())
    # In a process of its own, as other tests declare texts too; in one, as it takes long to import the house.
    command = [sys.executable, "-c", TOGETHER, str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert re.fullmatch(r"\d,?\d{3} texts, all of them in en, fr\n", answer.stdout.partition("fr.po\n")[2])
    assert (tmp_path / "fr.po").read_bytes() == (ROOM / "fr.po").read_bytes()


def test_a_text_without_words_and_words_without_a_text_are_told(further):
    declare()
    further("fr.po", 'msgctxt "nobody.says"\nmsgid "Something"\nmsgstr "Quelque chose"')
    answer = CliRunner().invoke(app, ["check"])
    assert answer.exit_code == 1
    assert "fr: nothing says nobody.says" in answer.stderr
    assert "fr: no words for test.plural" in answer.stderr


def updated(code: str, folder: Path) -> Catalog:
    answer = CliRunner().invoke(app, ["update", code, "--folder", str(folder)])
    assert answer.exit_code == 0, answer.output
    with (folder / f"{code}.po").open("rb") as lines:
        return read_po(lines)


def test_a_catalogue_to_fill_holds_every_text(tmp_path):
    declare()
    made = updated("pl", tmp_path)
    assert {message.context for message in made if message.id} == set(DECLARED)
    assert made.num_plurals == 3
    assert not any("".join(message.string) for message in made if message.id)
    assert CliRunner().invoke(app, ["update", "klingon", "--folder", str(tmp_path)]).exit_code == 2


def test_a_catalogue_that_is_there_keeps_its_words_and_marks_those_of_another_english(tmp_path):
    kept, changed = GROUPS["delays"].title, GROUPS["request"].title
    entries = [
        f'msgctxt "{kept.key}"\nmsgid "{kept.en}"\nmsgstr "Zahlungsverzug"',
        f'msgctxt "{changed.key}"\nmsgid "The request of now"\nmsgstr "Antrag"',
        'msgctxt "nobody.says"\nmsgid "Something"\nmsgstr "Etwas"',
    ]
    made = updated("de", catalogue(tmp_path, "de.po", *entries))
    found = {message.context: message for message in made}
    assert (found[kept.key].string, found[kept.key].fuzzy) == ("Zahlungsverzug", False)
    assert (found[changed.key].string, found[changed.key].fuzzy) == ("Antrag", True)
    assert "nobody.says" not in found
    language.use(tmp_path)
    try:
        assert say(kept, "de") == "Zahlungsverzug"
        assert say(changed, "de") == changed.en
    finally:
        language.use(None)


def catalogue(folder: Path, name: str, *entries: str, header: str = "") -> Path:
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n' + header
    (folder / name).write_text("\n\n".join([head, *entries]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def further(tmp_path):
    """Take the catalogues of a folder for one test."""
    yield lambda *what, **more: language.use(catalogue(tmp_path, *what, **more))
    language.use(None)


def test_a_lender_may_reword_what_is_there_in_any_language(further):
    title = GROUPS["delays"].title
    further("en.po", f'msgctxt "{title.key}"\nmsgid "{title.en}"\nmsgstr "Late payments"')
    assert say(title, "en") == "Late payments"
    assert say(title, "fr") == "Retards de paiement"
    assert say(GROUPS["request"].title, "en") == "Present request"


def test_a_language_that_lacks_a_text_says_it_in_english(further):
    further("de.po")
    assert say(GROUPS["delays"].title, "de") == "Repayment delays"


def test_a_count_takes_the_form_of_its_language(further):
    further(
        "pl.po",
        'msgctxt "test.plural"\nmsgid "{n} loan"\nmsgid_plural "{n} loans"\n'
        'msgstr[0] "{n} kredyt"\nmsgstr[1] "{n} kredyty"\nmsgstr[2] "{n} kredytów"',
        header='"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && n!=12 ? 1 : 2);\\n"',
    )
    assert [say(PLURAL, "pl", n) for n in (1, 3, 5, 22)] == [
        "1 kredyt",
        "3 kredyty",
        "5 kredytów",
        "22 kredyty",
    ]
    assert [say(PLURAL, "en", n) for n in (0, 1, 2000)] == ["0 loans", "1 loan", "2,000 loans"]


def test_a_label_keeps_its_capital_in_a_sentence_where_the_language_says_so(further):
    label = GROUPS["delays"].title
    entry = f'msgctxt "{label.key}"\nmsgid "{label.en}"\nmsgstr "Zahlungsverzug"'
    kept = 'msgctxt "language.labels"\nmsgid "labels:small"\nmsgstr "labels:as-written"'
    further("de.po", entry, kept)
    assert language.in_sentence(label, "de") == "Zahlungsverzug"
    assert language.in_sentence(label, "en") == "repayment delays"
    assert language.in_sentence(columns(Application)["FLAG_EMAIL"].label, "en") == "e-mail given"


@pytest.mark.parametrize(
    ("name", "entry", "sentence"),
    [
        (
            "de.po",
            'msgctxt "k"\nmsgid "a {fact}"\nmsgstr "ein {ding}"',
            "k: 'ein {ding}' has not the places of 'a {fact}'",
        ),
        ("de.po", 'msgctxt "k"\nmsgid "a {b}"\nmsgstr "ein {b} {"', "has not the places of 'a {b}'"),
        ("de.po", 'msgctxt "k"\nmsgid "a {b}"\nmsgstr "ein {b!z}"', "has not the places of 'a {b}'"),
        ("de.po", 'msgid "a"\nmsgstr[x] "b"', r"de\.po is no gettext catalogue"),
        ("de.po", 'msgid "open', r"de\.po, line \d+: the quotation mark at its end is missing"),
        ("de.po", 'msgctxt "k', r"de\.po, line \d+: the quotation mark at its end is missing"),
        ("de.po", 'msgctxt "k"\nmsgid "a"\nmsgstr "b\\"', "the quotation mark at its end is missing"),
        ("de.po", 'msgctxt "k"\nmsgid "a"\nmsgstr "b"\n' * 2, r"line \d+: k stands twice"),
        (
            "de.po",
            'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(9**9**9);\\n"',
            "Plural-Forms: unexpected",
        ),
        ("de.po", 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=exit(n);\\n"', "Plural-Forms: invalid"),
        ("klingon.po", "", "CLDR knows no language 'klingon'"),
    ],
)
def test_a_catalogue_that_cannot_be_used_stops_the_start_with_a_sentence(further, name, entry, sentence):
    further(name, entry)
    with pytest.raises(LanguageError, match=sentence):
        language.load()


def test_a_service_with_such_a_catalogue_does_not_start(tmp_path):
    catalogue(tmp_path, "de.po", 'msgctxt "k"\nmsgid "a {b}"\nmsgstr "ein"')
    code = "from scoring.hosting import start; start.prepare(start.settings(), 'credit_scoring:none')"
    started = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"CREDIT_SCORING_LANGUAGES": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert "The service cannot start: de.po, k: 'ein' has not the places of 'a {b}'" in started.stderr


def test_a_folder_of_catalogues_that_is_not_there_is_named():
    language.use(Path("/nowhere/at/all"))
    try:
        with pytest.raises(
            LanguageError, match=r"CREDIT_SCORING_LANGUAGES: there is no folder /nowhere/at/all"
        ):
            language.languages()
    finally:
        language.use(None)


def test_two_texts_do_not_share_a_key():
    with pytest.raises(ValueError, match=r"two texts have the key 'test\.plural'"):
        Text("test.plural", "Something else")


def test_no_french_mark_is_torn_from_its_word():
    """Before : and inside « » stands a no-break space, before ; ! ? % and between thousands a narrow one."""
    with (ROOM / "fr.po").open("rb") as lines:
        messages = [message for message in read_po(lines) if message.id]
    for message in messages:
        for text in [message.string] if isinstance(message.string, str) else message.string:
            torn = re.search(r" [:;!?%»]|« |\d \d{3}\b|\u00a0[;!?%]|\u202f[:»]", text)
            assert not torn, f"{message.context}: {text}"


@given(st.floats(0, 1e9), st.integers(0, 4), st.sampled_from(["en", "fr", "de", "hi", "es", "ar", "pl"]))
def test_numbers_are_written_as_cldr_says(value, digits, spoken):
    text = language.number(value, spoken, digits)
    rounded = Decimal(f"{value:.{digits}f}")
    whole = Locale.parse(spoken).decimal_formats[None].pattern.partition(".")[0]
    pattern = whole + ("." + "0" * digits if digits else "")
    assert text == format_decimal(rounded, pattern, spoken)
    below = language.number(-value, spoken, digits)
    minus = Locale.parse(spoken).number_symbols["latn"]["minusSign"]
    assert below == (minus + text if rounded else text)


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1, -(2**63) + 1, 7, 0])
def test_a_whole_number_of_any_size_is_written_to_its_last_digit(value):
    assert language.number(value, "en") == f"{value:,}"
    assert language.number(value, "en", is_signed=True) == (f"{value:+,}" if value else "0")


@pytest.mark.parametrize(
    ("spoken", "years", "ago", "share"),
    [
        ("en", "3.4_years", "1_day ago", "23.4%"),
        ("fr", "3,4_ans", "il y a 1_jour", "23,4~%"),
        ("de", "3,4_Jahre", "vor 1_Tag", "23,4~%"),
        ("pl", "3,4_roku", "1_dzień temu", "23,4%"),
    ],
)
def test_lengths_dates_and_shares_are_written_by_the_language_alone(spoken, years, ago, share):
    expected = [text.replace("_", "\u00a0").replace("~", "\u202f") for text in (years, ago, share)]
    written = [
        language.duration(3.42, "years", spoken, 1),
        language.ago(1, "days", spoken),
        language.percent(0.234, spoken, 1),
    ]
    assert written == expected


def test_no_module_but_the_catalogues_names_a_language():
    """French is welded in nowhere."""
    accents = re.compile(r"[éèêàçùôîœ]|\"fr\"|'fr'")
    # Files of applications come in every language: the reader knows the marks and words that they use.
    allowed = {"labels.py"}
    welded = [
        str(file.relative_to(ROOT))
        for folder in ("scoring", "ui", "validation", "training", "monitoring")
        for file in (ROOT / folder).rglob("*.py")
        if file.name not in allowed and accents.search(file.read_text(encoding="utf-8"))
    ]
    assert not welded
