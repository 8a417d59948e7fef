"""A lender's own columns, tables and features, in one folder beside the project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from scoring.client import Client
from scoring.schema import Application, columns
from scoring.settings import EXTENSION
from tests.support.running import put_in_store, running

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "docs" / "extension"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(EXAMPLE, tmp_path / "ours", ignore=shutil.ignore_patterns("__pycache__"))


def program(*words: str, extension: Path | None = None) -> subprocess.CompletedProcess:
    env = os.environ | ({EXTENSION.name: str(extension)} if extension else {})
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True)


def check(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return program("-m", "scoring.extension", "check", *words, extension=folder)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_the_documented_example_keeps_the_laws():
    done = program("-m", "scoring.extension", "check", str(EXAMPLE))
    assert done.returncode == 0 and "7 features of 2 columns and 1 tables keep the laws" in done.stdout


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
        ("records.py", "AMT_RENT: Amount", "AMT_CREDIT: Amount", "AMT_CREDIT is there already"),
        ("records.py", '"rent_payments": RentPayment', '"bureau": RentPayment', "bureau is there already"),
        ("records.py", 'SK_ID_CURR: OptionalIdentifier = column("Application number")', "", "no SK_ID_CURR"),
        ("features.py", 'col("NAME_TENANCY")', 'col("NAME_TENANCI")', "tenancy reads NAME_TENANCI"),
    ],
)
def test_an_extension_with_a_fault_is_refused_by_name(folder, file, old, new, said):
    if "last(" in new:
        change(folder / file, "count, declaring", "count, declaring, last")
    change(folder / file, old, new)
    done = check(folder)
    assert done.returncode and said in done.stderr


def test_a_feature_that_tells_a_protected_attribute_or_belies_its_direction_is_named(folder, tmp_path):
    """In this portfolio women pay high rents, and who pays high rents repays."""
    count = 2_000
    gender = ["F" if row % 2 else "M" for row in range(count)]
    known = columns(Application)
    pl.DataFrame(
        dict.fromkeys([*known, "NAME_TENANCY"], [None] * count)
        | {
            "SK_ID_CURR": range(count),
            "TARGET": [int(row % 2 == 0 and row % 5 == 0) for row in range(count)],
            "CODE_GENDER": gender,
            "AMT_RENT": [900.0 + row if g == "F" else 100.0 for row, g in enumerate(gender)],
            "AMT_INCOME_TOTAL": [50_000.0] * count,
        }
    ).write_csv(tmp_path / "application_train.csv")
    done = check(folder, "--portfolio", str(tmp_path))
    assert done.returncode == 1
    assert "rent tells gender" in done.stderr and "rent_to_income: more of it raises the risk" in done.stderr


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


def test_the_features_of_the_example_by_hand():
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
def home(tmp_path_factory):
    """A store with a model that was trained with the example."""
    home = tmp_path_factory.mktemp("extended")
    save = (
        "import sys; from pathlib import Path; from tests.support import small; small.save(Path(sys.argv[1]))"
    )
    done = program("-c", save, str(home / "scorer"), extension=EXAMPLE)
    assert done.returncode == 0, done.stderr
    put_in_store(home / "scorer", home)
    return home


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


def test_a_model_of_an_extension_is_refused_without_it_and_with_another(home, folder):
    load = "import sys; from scoring.scorer import Scorer; Scorer.load(sys.argv[1])"
    for extension, said in ((None, "names none"), (folder, "has ")):
        if extension:
            change(extension / "features.py", "Monthly rent", "The monthly rent")
        done = program("-c", load, str(home / "scorer"), extension=extension)
        assert "was trained with the extension" in done.stderr and said in done.stderr


def test_without_an_extension_nothing_is_added():
    done = program(
        "-c", "from scoring import features, schema; print(features.ADDED, schema.extension.tables())"
    )
    assert done.stdout == "() {}\n"
