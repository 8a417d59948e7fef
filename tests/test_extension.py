"""A lender's own columns, tables and features, in one folder beside the project."""

import json
import os
import re
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from scoring.client import Client, ServiceError, score_file
from scoring.schema import Application, columns
from scoring.settings import EXTENSION
from tests.support.forks import forks
from tests.support.running import put_in_store, running
from ui.service import Service, sentence

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs" / "extension"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(EXAMPLE, tmp_path / "ours", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def program():
    """Give a function that runs a command of Python with an extension, which is read at the first import."""
    with forks("numpy", "polars", "pydantic", "msgspec", "babel.numbers", "typer") as started:

        def run(*words: str, extension: Path | None = None) -> subprocess.CompletedProcess[str]:
            return started.run(
                *words, env=os.environ | ({EXTENSION.name: str(extension)} if extension else {})
            )

        yield run


# A quarter of the applications: they are built one by one, and a law is broken by most of them.
CHECK = "from scoring import extension; extension.APPLICANTS = 15; extension.app()"


@pytest.fixture
def check(program):
    return lambda folder, *words: program("-c", CHECK, "check", *words, extension=folder)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_documented_example_keeps_the_laws():
    command = [sys.executable, "-m", "scoring.extension", "check", str(EXAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "7 features of 2 columns and 1 tables keep the laws" in done.stdout


def test_a_translator_fills_the_words_of_an_extension_in_its_own_folder(program, folder):
    write = "from scoring import extension; extension.app()"
    assert program("-c", write, "words", "fr", extension=folder).returncode == 0
    assert (folder / "fr.po").read_text() == (EXAMPLE / "fr.po").read_text()  # every word is kept
    assert program("-c", write, "words", "de", extension=folder).returncode == 0
    keys = re.findall('^msgctxt "(.*)"$', (EXAMPLE / "fr.po").read_text(), re.MULTILINE)
    made = (folder / "de.po").read_text()
    assert re.findall('^msgctxt "(.*)"$', made, re.MULTILINE) == keys
    assert made.count('msgstr ""\n') == 1 + len(keys)  # that of the header, and one for each text
    update = "from scoring.language.__main__ import app; app()"
    done = program("-c", update, "update", "fr", "--folder", str(folder.parent), extension=folder)
    assert done.returncode == 2 and "scoring.extension words fr" in " ".join(done.stderr.split())
    assert not (folder.parent / "fr.po").exists()


def test_a_portfolio_that_cannot_be_read_ends_the_check_with_a_sentence(check, tmp_path):
    (tmp_path / "application_train.csv").write_text("SK_ID_CURR,TARGET\n1,0\n")
    done = check(EXAMPLE, "--portfolio", str(tmp_path))
    assert done.returncode == 2 and "has no column" in done.stderr and "Traceback" not in done.stderr


def broken(folder: Path, file: str, old: str, new: str) -> Path:
    if "last(" in new:
        change(folder / file, "count, declaring", "count, declaring, last")
    change(folder / file, old, new)
    return folder


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("fr.po", 'msgstr "Loyer mensuel"', 'msgstr ""', "has no words in fr.po"),
        (
            "features.py",
            'share(col("DAYS_LATE") > 0)',
            'last(col("DAYS_LATE"), "MONTHS_BALANCE")',
            "rent_late_share",
        ),
        ("features.py", 'col("NAME_TENANCY"), "category"', 'col("CODE_GENDER"), "category"', "tells gender"),
        ("fr.po", 'msgid "Monthly rent"', 'msgid "Monthly rent', "fr.po, line 10"),
        ("fr.po", 'msgstr "Sous-location"', 'msgstr ""', "level.Sublet ('Sublet') has no words in fr.po"),
        ("records.py", '"Sublet"', '"None"', "a file reads its level 'None' as missing"),
    ],
)
def test_an_extension_that_breaks_a_law_is_refused_by_name(check, folder, file, old, new, said):
    done = check(broken(folder, file, old, new))
    assert done.returncode and said in done.stderr and "Traceback" not in done.stderr


FAULTS = [
    ("records.py", "AMT_RENT: Amount", "AMT_CREDIT: Amount", "AMT_CREDIT is there already"),
    ("records.py", '"rent_payments": RentPayment', '"bureau": RentPayment', "bureau is there already"),
    ("records.py", 'SK_ID_CURR: OptionalIdentifier = column("Application number")', "", "no SK_ID_CURR"),
    ("features.py", 'col("NAME_TENANCY")', 'col("NAME_TENANCI")', "tenancy reads NAME_TENANCI"),
    ("records.py", "AMT_RENT: Amount", "TARGET: Amount", "TARGET is there already"),
    ("records.py", "AMT_RENT: Amount", "history: Amount", "history is there already"),
    (
        "records.py",
        'AMT_RENT: Amount = column("Monthly rent", group="home")',
        "AMT_RENT: float = 0",
        "kind of",
    ),
    ("records.py", 'rent", group="home")', 'rent", group="flat")', "choose among request, person"),
    ("records.py", "DAYS_LATE: Count", "STATUS: Count", "give yours another name"),
    ("records.py", "TABLES =", 'RentPayment.__name__ = "Bureau"\nTABLES =', "another record class"),
    ("records.py", '"rent_payments": RentPayment', '"../rent": RentPayment', "the name of a table"),
    ("records.py", '"rent_payments": RentPayment', '"rent_payments": dict', "is no class of columns"),
    ("records.py", "TABLES = {", "TABLES = {{", "records.py cannot be used: SyntaxError"),
    ("records.py", "TABLES =", "raise SystemExit(0)\nTABLES =", "records.py cannot be used: SystemExit"),
    ("records.py", "TABLES =", "print(1)\nTABLES =", "records.py, line 23: uses print"),
    ("features.py", "from scoring.features.base", "import time\nfrom scoring.features.base", "imports time"),
    ("features.py", 'col("AMT_RENT"), "amount"', 'col("AMT_RENT").max(), "amount"', "knows no other one"),
    ("features.py", 'length(), "count"', 'col("DAYS_LATE"), "count"', "sum the records up"),
    ("features.py", 'col("AMT_INCOME_TOTAL")', 'col("income_per_person")', "reads income_per_person"),
    ("features.py", ', label="Kind of tenancy"', "", "tenancy has no words"),
    ("features.py", '"rent_to_income"', '"annuity_to_income"', "annuity_to_income is there already"),
    ("features.py", 'declaring("application", "home")', 'declaring("application", "flat")', "choose among"),
    ("features.py", '"category", label', '"amount", label', "a number is needed here"),
    (
        "features.py",
        'HistoryTable(\n        "rent_payments"',
        'HistoryTable(\n        "rents"',
        "rents is no table",
    ),
]


def test_an_extension_with_a_fault_is_refused_by_what_is_wrong_and_where(program, tmp_path):
    for number, fault in enumerate(FAULTS):
        folder = broken(shutil.copytree(EXAMPLE, tmp_path / str(number)), *fault[:3])
        done = program("-c", "import scoring.features", extension=folder)
        assert done.returncode and fault[3] in done.stderr and "Traceback" not in done.stderr, fault


def test_a_folder_that_is_none_of_an_extension_is_refused_by_what_is_wrong(program, folder, tmp_path):
    """Each in one process: what is read is asked again after each change."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (folder / "data").symlink_to(empty)
    large, pipe = (shutil.copytree(EXAMPLE, tmp_path / name) for name in ("large", "pipe"))
    (large / "levels.py").write_text("# " + "x" * 2**20)
    os.mkfifo(pipe / "more.py")
    for wrong, said in (
        (empty, "has neither records.py nor features.py"),
        (folder, "is a link to a folder"),
        (large, "1.0 MB; a module or a catalogue has at most 1"),
        (pipe, "more.py is no file"),
    ):
        done = program("-c", "import scoring.schema", extension=wrong)
        assert done.returncode and said in done.stderr and "Traceback" not in done.stderr


def test_a_mounted_folder_whose_files_are_links_has_the_same_hash(program, folder, tmp_path):
    """Kubernetes mounts each file as a link into a hidden folder that is named by the hour."""
    mounted = tmp_path / "mounted"
    hidden = mounted / "..2026_11_29"
    shutil.copytree(folder, hidden)
    (mounted / "..data").symlink_to(hidden.name)
    for file in hidden.iterdir():
        (mounted / file.name).symlink_to(f"..data/{file.name}")
    told = "from scoring.schema import extension, HISTORY; print(extension.fingerprint(), [*HISTORY][-1])"
    assert (
        program("-c", told, extension=mounted).stdout == program("-c", told, extension=EXAMPLE).stdout != ""
    )


def test_what_runs_is_what_was_hashed(program, folder):
    """A module that is changed after it was read, and one that was compiled before, change nothing."""
    told = (
        "from scoring.schema import extension; before = extension.fingerprint(); "
        "file = extension.folder() / 'records.py'; "
        "file.write_text(file.read_text().replace('AMT_RENT', 'AMT_FLAT')); "
        "print([*extension.application().model_fields][0], before == extension.fingerprint())"
    )
    assert program("-c", told, extension=folder).stdout == "AMT_RENT True\n"
    assert not (folder / "__pycache__").exists()


def test_features_of_a_built_in_table_and_of_modules_of_ones_own_are_added(check, folder):
    change(folder / "features.py", "FEATURES = (", "from .more import BUREAU\n\nFEATURES = (")
    change(folder / "features.py", "TABLES = (", "TABLES = (\n    BUREAU,")
    (folder / "more.py").write_text(
        "from scoring.features.base import HistoryTable, count, declaring\n"
        "from scoring.features.vocabulary import col\n"
        '(debts,) = declaring("bureau", "other_debts")\n'
        'BUREAU = HistoryTable("bureau", (debts("bureau_mortgage_count", '
        'count(col("CREDIT_TYPE") == "Mortgage"), "count", label="Mortgages elsewhere"),))\n'
    )
    done = check(folder)
    assert "feature.bureau_mortgage_count ('Mortgages elsewhere') has no words in fr.po" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_feature_that_tells_a_protected_attribute_or_belies_its_direction_is_named(check, folder, tmp_path):
    """In this portfolio women pay odd rents, high rents are repaid, and women in social housing are married.

    So no order of the rents tells gender, but the rents do; and neither rent nor tenancy tells marriage.
    """
    count = 2_000
    pl.DataFrame(
        dict.fromkeys(columns(Application), [None] * count)
        | {
            "SK_ID_CURR": range(count),
            "TARGET": [int(row % 20 < 4) for row in range(count)],
            "CODE_GENDER": ["F" if row % 2 else "M" for row in range(count)],
            "AMT_RENT": [100.0 + row % 20 for row in range(count)],
            "AMT_INCOME_TOTAL": [50_000.0] * count,
            "NAME_TENANCY": ["Social" if row // 20 % 2 else "Private" for row in range(count)],
            "NAME_FAMILY_STATUS": ["Married" if (row + row // 20) % 2 else "Widow" for row in range(count)],
        }
    ).write_csv(tmp_path / "application_train.csv")
    done = check(folder, "--portfolio", str(tmp_path))
    assert done.returncode == 1
    for said in (
        "rent tells gender: leave it out",
        "rent and tenancy together tell family_status: leave one of them out",
        "rent_to_income: more of it raises the risk, it says, and this portfolio the opposite",
    ):
        assert said in done.stderr
    assert "tenancy tells" not in done.stderr and "rent tells family" not in done.stderr


REQUEST = {
    "SK_ID_CURR": 1,
    "AMT_RENT": 500.0,
    "AMT_INCOME_TOTAL": 24_000.0,
    "NAME_TENANCY": "Social",
    "history": {
        "rent_payments": [{"MONTHS_BALANCE": -1, "AMT_DUE": 500.0, "AMT_PAID": 250.0, "DAYS_LATE": 40}]
    },
}
COMPUTE = """
import json, sys
from scoring import features, tables
from scoring.features.checks import DECODER
(request,) = DECODER.decode(json.dumps({"applications": [json.loads(sys.argv[1])]}).encode(), 1)
built = features.build(tables.from_requests([request], features.READS))
print(json.dumps(built.select(n for n in built.columns if "rent_" in n or n == "tenancy").to_dicts()[0]))
"""


def test_the_features_of_the_example_by_hand(program):
    done = program("-c", COMPUTE, json.dumps(REQUEST), extension=EXAMPLE)
    found = json.loads(done.stdout)
    expected = {
        "rent_to_income": 0.25,  # 500 x 12 / 24,000
        "tenancy": "Social",
        "rent_months": 1.0,
        "rent_late_share": 1.0,
        "rent_late_count": 1.0,
        "rent_paid_share": 0.5,
    }
    assert {name: found[name] for name in expected} == expected


@pytest.fixture(scope="module")
def home(program, tmp_path_factory):
    """A store with a model that was trained with the example."""
    home = tmp_path_factory.mktemp("extended")
    save = (
        "import sys; from pathlib import Path; from tests.support import small; small.save(Path(sys.argv[1]))"
    )
    done = program("-c", save, str(home / "scorer"), extension=EXAMPLE)
    assert done.returncode == 0, done.stderr
    put_in_store(home / "scorer", home)
    return home


@pytest.mark.heavy
def test_a_model_of_an_extension_is_served_with_it(home):
    with running(home, **{EXTENSION.name: str(EXAMPLE)}) as service:
        (said,) = service.post("/explain", [REQUEST]).json()
        values = {part["feature"]: part["value"] for part in said["contributions"]}
        assert values["rent_late_count"] == 1 and values["tenancy"] == "Social"
        table = pl.DataFrame({"SK_ID_CURR": [1, 2], "AMT_RENT": [500.0, None], "rent_late_count": [1.0, 0.0]})
        assert service_table(service.url, table).height == 2
        assert "rent_payments" in service.http.get("/docs.json").text


def service_table(url: str, table: pl.DataFrame) -> pl.DataFrame:
    with Client(url) as client:
        return client.score_table(table)


class Extended(BaseHTTPRequestHandler):
    """Says of its model no more than that it was trained with an extension."""

    def do_GET(self):
        said = json.dumps({"model": "credit_scoring:m", "lineage": {"extension": "5" * 64}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_):
        """Say nothing."""


def test_a_program_without_the_extension_asks_nothing_of_a_model_that_has_one(tmp_path):
    (tmp_path / "asked.csv").write_text("SK_ID_CURR,AMT_CREDIT\n1,500\n")
    with HTTPServer(("127.0.0.1", 0), Extended) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        said = "was trained with the extension 555555555555, and CREDIT_SCORING_EXTENSION names none"
        with pytest.raises(ServiceError, match=said):
            score_file(tmp_path / "asked.csv", tmp_path / "decided.csv", url)
        with pytest.raises(ServiceError, match=said) as refused:
            Service(url).explain({"SK_ID_CURR": 1}, "preview")
        assert "does not know" in sentence(refused.value, url, "en")
        server.shutdown()


def test_a_model_of_an_extension_is_refused_without_it_and_with_another(program, home, folder):
    load = "import sys; from scoring.scorer import Scorer; Scorer.load(sys.argv[1])"
    for extension, said in ((None, "names none"), (folder, "has ")):
        if extension:
            change(extension / "features.py", "Monthly rent", "The monthly rent")
        done = program("-c", load, str(home / "scorer"), extension=extension)
        assert "was trained with the extension" in done.stderr and said in done.stderr


def test_without_an_extension_nothing_is_added(program):
    done = program(
        "-c", "from scoring import features, schema; print(features.ADDED, schema.extension.tables())"
    )
    assert done.stdout == "() {}\n"
