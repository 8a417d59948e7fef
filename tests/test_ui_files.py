"""Files on the page come back whole: a wrong row has its error, no cell is a formula, histories are found."""

import zipfile
from html import unescape
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import features, synthetic, tables
from scoring.client import ServiceError
from scoring.features.checks import checker_of
from scoring.language import languages
from scoring.schema import ApplicationRequest
from scoring.spreadsheet import harmless
from tests.support.stand_in import REFUSED_NUMBER, StandIn, serving
from ui import batch, download, filed
from ui.clients import Clients
from ui.handlers import Handlers
from ui.service import Service

NOBODY = Clients(None)
LANGUAGES = languages()


@pytest.fixture(scope="module")
def stand_in():
    with serving() as server:
        yield server


@pytest.fixture
def service(stand_in: StandIn):
    return Service(stand_in.url)


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portfolio")
    for name, table in synthetic.generate(30, 3, "test").items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


CSV = (
    "SK_ID_CURR,AMT_CREDIT,EXT_SOURCE_2,OCCUPATION_TYPE\n"
    "5,450000,0.6,Laborers\n"
    "4,abc,0.6,=cmd|' /C calc'!A0\n"
    f"{REFUSED_NUMBER},450000,0.6,Laborers\n"
    "2,450000,1.6,-Laborers\n"
    ",450000,0.6,+1\n"
    "1,450000,0.1,@Laborers\n"
)


def scored(path: Path, service: Service, lang: str = "en", **options) -> batch.ScoredFile:
    return score(batch.read(path, lang), service, lang, **options)


def score(
    upload: batch.Upload, service: Service, lang: str = "en", clients: Clients = NOBODY
) -> batch.ScoredFile:
    parts = [part for _, part in batch.score(upload, service.score_table, service.model(), clients, lang)]
    return batch.scored(upload, parts)


def test_a_wrong_row_has_its_error_and_harms_no_other(tmp_path: Path, service: Service) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    done = scored(tmp_path / "a.csv", service)
    assert done.table["SK_ID_CURR"].to_list() == ["5", "4", str(REFUSED_NUMBER), "2", None, "1"]
    assert done.table["decision"].to_list() == ["granted", None, None, None, None, "refused"]
    assert done.table["error"].to_list() == [
        None,
        "AMT_CREDIT: must be a number",
        "AMT_CREDIT: the service does not accept this value",
        "EXT_SOURCE_2: must be at most 1",
        "SK_ID_CURR: this field is required",
        None,
    ]
    assert (done.count("granted"), done.count("refused"), done.faulty) == (1, 1, 4)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_amount_that_may_be_read_in_two_ways_is_refused_with_the_remedy(
    tmp_path: Path, service: Service, lang: str
) -> None:
    (tmp_path / "a.csv").write_text(
        'SK_ID_CURR,AMT_CREDIT,EXT_SOURCE_2\n1,"568,800","0,612"\n2,"568800,5",0.6\n3,"568,800.5",0.6\n'
    )
    done = scored(tmp_path / "a.csv", service, lang).table
    assert done["decision"].is_null().to_list() == [True, False, False]
    assert "568800, " in done["error"][0] and "EXT_SOURCE_2" not in done["error"][0]


def test_one_endless_cell_costs_its_own_row_only(tmp_path: Path, service: Service) -> None:
    (tmp_path / "a.csv").write_text("SK_ID_CURR,CNT_CHILDREN\n1,1e999\n2,1e300\n3,1\n")
    errors = ["CNT_CHILDREN: must be a number", "CNT_CHILDREN: must be a whole number (of 32 bits)", None]
    assert scored(tmp_path / "a.csv", service).table["error"].to_list() == errors


def test_no_cell_of_the_answer_is_a_formula(tmp_path: Path, service: Service) -> None:
    (tmp_path / "a.csv").write_text(CSV.replace("\n5,", "\n5,").replace("450000,0.6,L", "450000,6e-1,L"))
    out = download.write(scored(tmp_path / "a.csv", service), tmp_path / "out.csv")
    cells = pl.read_csv(out, infer_schema=False)["OCCUPATION_TYPE"].to_list()
    assert cells == ["Laborers", "'=cmd|' /C calc'!A0", "Laborers", "'-Laborers", "+1", "'@Laborers"]


@given(st.text(min_size=1, max_size=12))
def test_only_numbers_may_begin_like_a_formula(text: str) -> None:
    (cell,) = harmless(pl.DataFrame({"cell": [text]}))["cell"]
    assert cell in (text, f"'{text}")
    if cell[0] in "=+-@\t\r\n":
        float(cell.replace(",", "."))


def test_a_spreadsheet_runs_no_name_of_a_column():
    table = pl.DataFrame({"=1+1": [1], "'=1+1": [2], "@SUM(A1)": [3], "AMT_CREDIT": [4]})
    assert harmless(table).to_dicts() == [{"''=1+1": 1, "'=1+1": 2, "'@SUM(A1)": 3, "AMT_CREDIT": 4}]


def test_a_french_spreadsheet_comes_back_as_one(tmp_path: Path, service: Service) -> None:
    text = "SK_ID_CURR;AMT_CREDIT;DAYS_BIRTH;OCCUPATION_TYPE\n1;450000,5;-12000;Employé\n"
    (tmp_path / "a.csv").write_bytes(text.encode("cp1252"))
    out = download.write(scored(tmp_path / "a.csv", service, "fr"), tmp_path / "out.csv")
    head, row = out.read_text(encoding="utf-8-sig").splitlines()
    assert head.startswith("SK_ID_CURR;AMT_CREDIT;DAYS_BIRTH;OCCUPATION_TYPE;probability_of_default")
    assert row.startswith("1;450000,5;-12000;Employé;0,")


def test_parquet_and_csv_are_decided_alike(tmp_path: Path, service: Service) -> None:
    table = synthetic.generate(25, 4, "test")["application_test"]
    table.write_parquet(tmp_path / "a.parquet")
    table.write_csv(tmp_path / "a.csv")
    one = scored(tmp_path / "a.parquet", service)
    two = scored(tmp_path / "a.csv", service)
    assert one.faulty == two.faulty == 0
    assert one.table["probability_of_default"].equals(two.table["probability_of_default"])
    again = pl.read_parquet(download.write(one, tmp_path / "scored.parquet"))
    assert again.columns == [*table.columns, *batch.ANSWERS]
    assert batch.read(tmp_path / "scored.parquet", "en").table.columns == table.columns


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.txt", "x", "neither CSV nor Parquet"),
        ("a.csv", "AMT_CREDIT\n1\n", "no column SK_ID_CURR"),
        ("a.csv", "SK_ID_CURR,SHOE_SIZE\n1,44\n", "does not know: SHOE_SIZE[.]"),
        ("a.csv", "SK_ID_CURR,AMT_CREDITT\n1,44\n", "know: AMT_CREDITT [(]is it AMT_CREDIT[?][)]"),
        ("a.csv", f"SK_ID_CURR,{'X' * 5_000}\n1,44\n", "does not know: X{59}…[.] Remove"),
        ("a.csv", "SK_ID_CURR\n", "holds no application"),
        ("a.csv", "", "is empty"),
        ("a.parquet", "x", "cannot be read: it is damaged"),
    ],
)
def test_a_file_that_is_none_is_a_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(batch.FileProblem, match=sentence):
        batch.read(tmp_path / name, "en")


def test_a_client_is_decided_in_a_file_as_where_the_client_is_opened(tmp_path: Path, portfolio: Path) -> None:
    """What the service is asked is the same, feature by feature: so is what it answers."""
    clients = Clients(portfolio)
    numbers = clients.numbers()
    table = synthetic.generate(30, 3, "test")["application_test"]
    table.write_csv(tmp_path / "a.csv")
    rows, kinds = batch.with_history(batch.read(tmp_path / "a.csv", "en").read, clients)
    assert kinds.to_list() == ["portfolio"] * 30
    asked = checker_of(tuple(rows.schema.items())).portfolio(rows)
    opened = [ApplicationRequest.model_validate(clients.open(number)) for number in numbers]
    assert features.build(asked).equals(features.build(tables.from_requests(opened)), null_equal=True)
    assert features.build(asked)[features.HISTORY_FEATURES[0]].null_count() < 30, "there is a history at all"


def test_a_column_says_which_history_was_used_and_the_summary_what_none_may_change(
    tmp_path: Path, service: Service, portfolio: Path
) -> None:
    clients = Clients(portfolio)
    one, two = clients.examples()[:2]
    name = features.HISTORY_FEATURES[0]
    (tmp_path / "a.csv").write_text(f"SK_ID_CURR,AMT_CREDIT,{name}\n{one},1,\n{two},1,3\n7,1,\n")
    upload = batch.read(tmp_path / "a.csv", "fr")
    done = score(upload, service, "fr", clients)
    assert done.table["history"].to_list() == ["portfolio", "file", "none"]
    assert done.table["history_in_words"].to_list() == ["du portefeuille", "du fichier", "aucun"]
    rows, _ = batch.with_history(upload.read, clients)
    assert rows[name].to_list()[1:] == [3.0, None], "what the file brings is not changed"
    assert "Une ligne n'a pas d'historique" in unescape(filed.summary(done, "fr"))
    assert "history" not in batch.read(download.write(done, tmp_path / "b.csv"), "fr").table.columns


def test_decision_words_stand_beside_the_codes_in_the_language_of_the_page(
    tmp_path: Path, service: Service
) -> None:
    (tmp_path / "a.csv").write_text("SK_ID_CURR,EXT_SOURCE_2\n1,0.9\n2,0.1\n")
    for lang, said in (("en", ["granted", "refused"]), ("fr", ["accordé", "refusé"])):
        table = scored(tmp_path / "a.csv", service, lang).table
        assert table["decision"].to_list() == ["granted", "refused"]
        assert table["decision_in_words"].to_list() == said


def test_an_excel_file_holds_the_same_values_and_no_formula(tmp_path: Path, service: Service) -> None:
    (tmp_path / "a.csv").write_text(CSV.replace("=cmd", "<&>\x0b=cmd"))
    done = scored(tmp_path / "a.csv", service)
    out = download.write(done, tmp_path / "out.xlsx", "D<é>")
    back = pl.read_excel(out, infer_schema_length=None)
    assert back.columns == done.table.columns
    assert back["OCCUPATION_TYPE"].to_list()[1] == "<&>=cmd|' /C calc'!A0"
    assert back["probability_of_default"].to_list() == done.table["probability_of_default"].to_list()
    assert "<f>" not in zipfile.ZipFile(out).read("xl/worksheets/sheet1.xml").decode()


def test_a_file_can_be_cancelled_and_says_how_far_it_came(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS_A_REQUEST", 2)
    (tmp_path / "a.csv").write_text("SK_ID_CURR\n" + "\n".join(map(str, range(1, 10))))
    page = Handlers("en", service, NOBODY)
    updates = page.score_file(str(tmp_path / "a.csv"), False)
    job = next(updates)["job"]
    assert "2 of 9" in next(updates)["summary"]
    page.cancel_file(job)
    said = [update["summary"] for update in updates if "summary" in update]
    assert len(said) == 1 and "Cancelled after 4 of 9 applications" in said[0]
    assert not job.is_cancelled or page.cancel_file(None)


def test_a_service_that_stops_during_a_file_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("SK_ID_CURR\n1\n")
    with pytest.raises(ServiceError):
        scored(tmp_path / "a.csv", Service("http://127.0.0.1:9"))
