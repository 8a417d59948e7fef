"""Reading portfolios from files and requests: one shape for all, and errors that name the place."""

import logging
import re
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from scoring import tables
from scoring.schema import HISTORY, Application, ApplicationRequest, columns
from scoring.tables import TableError, partitions

RECORDS = {"application_train": Application, "application_test": Application, **HISTORY}

# Three applicants, the second without history; the keys of the last records belong to nobody here.
ROWS: dict[str, list[dict]] = {
    "application_train": [
        {"SK_ID_CURR": 100, "TARGET": 1, "AMT_CREDIT": 406597.5, "DAYS_EMPLOYED": 365243, "CODE_GENDER": "F"},
        {"SK_ID_CURR": 300, "TARGET": 0, "AMT_CREDIT": 1e6, "DAYS_REGISTRATION": "-3648.0"},
        {"SK_ID_CURR": 200, "TARGET": 0, "NAME_TYPE_SUITE": "Spouse, partner", "EXT_SOURCE_1": 0.1},
    ],
    "application_test": [{"SK_ID_CURR": 900, "CNT_FAM_MEMBERS": "2.0"}],
    "bureau": [
        {"SK_ID_CURR": 200, "SK_ID_BUREAU": 51, "AMT_CREDIT_SUM_DEBT": -4.5, "DAYS_CREDIT": -10},
        {"SK_ID_CURR": 100, "SK_ID_BUREAU": 50, "CREDIT_ACTIVE": "Closed"},
        {"SK_ID_CURR": 200, "SK_ID_BUREAU": 52, "CREDIT_ACTIVE": "Active"},
        {"SK_ID_CURR": 777, "SK_ID_BUREAU": 53},
    ],
    "bureau_balance": [
        {"SK_ID_BUREAU": 52, "MONTHS_BALANCE": 0, "STATUS": "0"},
        {"SK_ID_BUREAU": 52, "MONTHS_BALANCE": -1, "STATUS": "C"},
        {"SK_ID_BUREAU": 50, "MONTHS_BALANCE": -3, "STATUS": "5"},
        {"SK_ID_BUREAU": 53, "MONTHS_BALANCE": -3, "STATUS": "X"},
        {"SK_ID_BUREAU": 99, "MONTHS_BALANCE": -3, "STATUS": "X"},
    ],
    "previous_application": [{"SK_ID_CURR": 100, "SK_ID_PREV": 7, "CNT_PAYMENT": "12.0"}],
    "POS_CASH_balance": [{"SK_ID_CURR": 100, "SK_ID_PREV": 8, "SK_DPD": 3}],
    "credit_card_balance": [{"SK_ID_CURR": 200, "SK_ID_PREV": 9, "AMT_BALANCE": -1.5}],
    "installments_payments": [{"SK_ID_CURR": 900, "SK_ID_PREV": 9, "AMT_PAYMENT": 10}],
}
NAMES = {
    table: [*columns(record), *(["TARGET"] if table == "application_train" else [])]
    for table, record in RECORDS.items()
}


def text(table, rows=None, names=None):
    """Write a table as the Kaggle files have it."""
    frame = pl.DataFrame(
        [{name: None if row.get(name) is None else str(row[name]) for name in NAMES[table]} for row in rows]
        if rows is not None
        else [
            {name: str(row[name]) if name in row else None for name in NAMES[table]} for row in ROWS[table]
        ],
        schema=dict.fromkeys(NAMES[table], pl.String),
    )
    return frame.select(names or NAMES[table]).write_csv()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "kaggle"
    path.mkdir()
    for table in ROWS:
        (path / f"{table}.csv").write_text(text(table))
    return path


def rewrite(folder, table, *rows):
    (folder / f"{table}.csv").write_text(text(table, rows))


def refusal(path, *args, **kwargs):
    with pytest.raises(TableError) as caught:
        tables.read(path, *args, **kwargs)
    return str(caught.value)


def assert_same(left, right):
    assert_frame_equal(left.applications, right.applications)
    assert left.history.keys() == right.history.keys()
    for table, frame in left.history.items():
        assert_frame_equal(frame, right.history[table])


def as_zip(folder, path, inside=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, inside + file.name)
    return path


def as_parquet(folder, path, parts=1):
    path.mkdir()
    for table in ROWS:
        kinds = {name: tables.DTYPES[c.kind] for name, c in columns(RECORDS[table]).items()}
        frame = pl.read_csv(folder / f"{table}.csv", infer_schema=False)
        frame = frame.with_columns(
            pl.col(name).cast(pl.Float64).cast(dtype) if dtype.is_integer() else pl.col(name).cast(dtype)
            for name, dtype in (kinds | ({"TARGET": pl.Int64()} if "TARGET" in frame.columns else {})).items()
        )
        if parts == 1:
            frame.write_parquet(path / f"{table}.parquet")
        else:
            (path / table).mkdir()
            for part in range(parts):
                frame[part::parts].write_parquet(path / table / f"part-{part}.parquet")
    return path


# What comes out.


def test_a_portfolio_is_keyed_by_position(folder):
    portfolio = tables.read(folder)
    assert len(portfolio) == 3
    assert portfolio.applications["row"].to_list() == [0, 1, 2]
    assert portfolio.applications["SK_ID_CURR"].to_list() == [100, 300, 200]
    assert portfolio.applications["TARGET"].to_list() == [1, 0, 0]
    assert {table: frame["row"].to_list() for table, frame in portfolio.history.items()} == {
        "bureau": [2, 0, 2],
        "bureau_balance": [2, 2, 0],
        "previous_application": [0],
        "POS_CASH_balance": [0],
        "credit_card_balance": [2],
        "installments_payments": [],
    }


def test_every_column_comes_typed_and_uncleaned(folder):
    portfolio = tables.read(folder)
    for table, record in {"application": Application, **HISTORY}.items():
        frame = portfolio.history.get(table, portfolio.applications)
        assert frame.schema["row"] == pl.UInt32
        for name, column in columns(record).items():
            if table == "application" or name != "SK_ID_CURR":
                assert frame.schema[name] == tables.DTYPES[column.kind], name
    first = portfolio.applications.row(0, named=True)
    assert (first["AMT_CREDIT"], first["DAYS_EMPLOYED"], first["CODE_GENDER"]) == (406597.5, 365243, "F")
    assert first["EXT_SOURCE_1"] is None and first["OCCUPATION_TYPE"] is None
    assert portfolio.applications["DAYS_REGISTRATION"].to_list() == [None, -3648, None]
    assert portfolio.applications["NAME_TYPE_SUITE"][2] == "Spouse, partner"


def test_the_test_population_has_its_own_history_and_no_target(folder):
    portfolio = tables.read(folder, "test")
    assert portfolio.applications["SK_ID_CURR"].to_list() == [900]
    assert "TARGET" not in portfolio.applications.columns
    assert [table for table, frame in portfolio.history.items() if frame.height] == ["installments_payments"]


@pytest.mark.parametrize("inside", ["", "home-credit-default-risk/"])
def test_the_zip_reads_as_the_folder(folder, tmp_path, inside):
    path = as_zip(folder, tmp_path / "kaggle.zip", inside)
    assert_same(tables.read(path), tables.read(folder))


def test_reading_a_zip_leaves_no_file_behind(folder, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    tables.read(as_zip(folder, tmp_path / "kaggle.zip"))
    (folder / "bureau.csv").write_text("SK_ID_CURR\n1\n")
    refusal(as_zip(folder, tmp_path / "broken.zip"))
    assert list(scratch.iterdir()) == []


def test_parquet_reads_as_csv(folder, tmp_path):
    assert_same(tables.read(as_parquet(folder, tmp_path / "parquet")), tables.read(folder))


def test_parquet_parts_hold_the_same_applications(folder, tmp_path):
    parts = tables.read(as_parquet(folder, tmp_path / "parts", parts=2))
    whole = tables.read(folder)
    assert set(parts.applications["SK_ID_CURR"]) == set(whole.applications["SK_ID_CURR"])
    assert {t: f.height for t, f in parts.history.items()} == {t: f.height for t, f in whole.history.items()}


def test_nan_in_parquet_is_missing(folder, tmp_path):
    path = as_parquet(folder, tmp_path / "parquet")
    file = path / "application_train.parquet"
    pl.read_parquet(file).with_columns(
        AMT_CREDIT=pl.lit(float("nan")), CNT_CHILDREN=pl.Series([float("nan"), 1.0, None])
    ).write_parquet(file)
    applications = tables.read(path).applications
    assert applications["AMT_CREDIT"].null_count() == 3
    assert applications["CNT_CHILDREN"].to_list() == [None, 1, None]


def test_only_the_columns_asked_for_are_read(folder):
    asked = {"application": ["AMT_CREDIT"], "bureau_balance": ["STATUS"], "POS_CASH_balance": ["SK_DPD"]}
    (folder / "credit_card_balance.csv").write_text("nonsense")
    portfolio = tables.read(folder, columns=asked)
    assert portfolio.applications.columns == ["row", "SK_ID_CURR", "TARGET", "AMT_CREDIT"]
    assert {table: frame.columns for table, frame in portfolio.history.items()} == {
        "bureau_balance": ["row", "SK_ID_BUREAU", "STATUS"],
        "POS_CASH_balance": ["row", "SK_DPD"],
    }


def test_a_column_that_is_not_asked_for_may_be_missing(folder):
    names = ["SK_ID_CURR", "TARGET", "AMT_CREDIT"]
    (folder / "application_train.csv").write_text(text("application_train", names=names))
    assert tables.read(folder, columns={"application": ["AMT_CREDIT"]}).history == {}


def test_unknown_columns_of_a_file_are_ignored(folder):
    lines = (folder / "bureau.csv").read_text().splitlines()
    (folder / "bureau.csv").write_text(lines[0] + ",OWN\n" + "".join(f"{line},x\n" for line in lines[1:]))
    assert "OWN" not in tables.read(folder).history["bureau"].columns


def test_asking_for_a_column_that_does_not_exist_is_an_error(folder):
    with pytest.raises(ValueError, match=r"schema of bureau has no column 'DEBT'"):
        tables.read(folder, columns={"bureau": ["DEBT"]})


def test_missing_history_is_said_in_one_line(folder, caplog):
    (folder / "POS_CASH_balance.csv").unlink()
    (folder / "bureau.csv").unlink()
    with caplog.at_level(logging.WARNING):
        portfolio = tables.read(folder)
    assert tables.absent(portfolio) == ["bureau", "bureau_balance", "POS_CASH_balance"]
    assert len(caplog.records) == 1
    assert "has no bureau, bureau_balance, POS_CASH_balance" in caplog.text


def test_a_history_table_without_records_is_fine(folder):
    rewrite(folder, "bureau")
    portfolio = tables.read(folder)
    assert portfolio.history["bureau"].is_empty() and portfolio.history["bureau_balance"].is_empty()


# What is refused, and how.


def test_a_path_that_is_no_portfolio_is_refused(tmp_path):
    assert "does not exist; give the Kaggle folder" in refusal(tmp_path / "nowhere")
    assert "has no application_train.csv" in refusal(tmp_path)
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    assert "neither a folder nor a readable zip" in refusal(file)


def test_a_missing_application_table_is_refused(folder):
    (folder / "application_test.csv").unlink()
    assert "has no application_test.csv" in refusal(folder, "test")


def test_a_missing_column_is_named_with_its_nearest_neighbour(folder):
    file = folder / "bureau.csv"
    file.write_text(file.read_text().replace("DAYS_CREDIT,", "DAYS_CREDITS,", 1))
    assert refusal(folder).startswith(
        "bureau.csv has no column 'DAYS_CREDIT' (it has 'DAYS_CREDITS'); expected"
    )


def test_labels_are_needed_for_training(folder):
    names = [name for name in NAMES["application_train"] if name != "TARGET"]
    (folder / "application_train.csv").write_text(text("application_train", names=names))
    assert "application_train.csv has no column 'TARGET'" in refusal(folder)


def test_an_empty_file_is_refused(folder):
    (folder / "bureau_balance.csv").write_text("")
    assert refusal(folder) == "bureau_balance.csv is empty; copy or download it again."


def test_a_portfolio_without_applications_is_refused(folder):
    rewrite(folder, "application_train")
    assert "application_train.csv has no application;" in refusal(folder)


@pytest.mark.parametrize("cut", [2, 20, 60])
def test_a_file_cut_off_in_a_line_is_refused(folder, cut):
    file = folder / "previous_application.csv"
    rows = [{"SK_ID_CURR": 100, **dict.fromkeys(NAMES["previous_application"][2:], 1)}] * 30
    rewrite(folder, "previous_application", *rows)
    file.write_bytes(file.read_bytes().rstrip(b"\n")[:-cut])
    width = len(NAMES["previous_application"])
    assert re.match(rf"previous_application.csv, line 31 has \d+ of {width} fields;", refusal(folder))


def test_a_line_with_too_many_fields_is_refused(folder):
    with (folder / "bureau_balance.csv").open("a") as file:
        file.write("52,0,C,9,9\n52,0,C\n")
    assert "bureau_balance.csv, line 7 has 5 of 3 fields" in refusal(folder)


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / "bureau.csv").write_bytes(b"\xff\xfe\x00\x01" * 50)
    assert refusal(folder).startswith("bureau.csv ")


def test_a_damaged_parquet_file_is_refused(folder, tmp_path):
    path = as_parquet(folder, tmp_path / "parquet")
    file = path / "bureau.parquet"
    file.write_bytes(file.read_bytes()[:-50])
    assert refusal(path).startswith("bureau.parquet cannot be read")


def test_a_folder_of_parts_without_parts_is_refused(folder):
    (folder / "bureau.csv").unlink()
    (folder / "bureau").mkdir()
    assert "has no part *.parquet" in refusal(folder)


def test_a_table_in_two_forms_is_refused(folder):
    (folder / "bureau").mkdir()
    assert "holds bureau in more than one form" in refusal(folder)


def test_a_table_twice_in_a_zip_is_refused(folder, tmp_path):
    path = as_zip(folder, tmp_path / "kaggle.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("old/bureau.csv", "x")
    assert "holds bureau.csv, old/bureau.csv; keep one" in refusal(path)


def test_a_truncated_zip_is_refused(folder, tmp_path):
    path = as_zip(folder, tmp_path / "kaggle.zip")
    path.write_bytes(path.read_bytes()[:-100])
    assert "downloaded to its end" in refusal(path)


def test_a_zip_with_a_damaged_member_is_refused(folder, tmp_path):
    path = as_zip(folder, tmp_path / "kaggle.zip")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("application_train.csv").header_offset + 30 + len("application_train.csv")
    content = bytearray(path.read_bytes())
    content[start + 60 : start + 90] = bytes(30)
    path.write_bytes(content)
    assert "kaggle.zip: application_train.csv is damaged" in refusal(path)


@pytest.mark.parametrize(
    ("table", "name", "value", "expected"),
    [
        ("bureau", "AMT_CREDIT_SUM", "12,500", "its comma may separate thousands or decimals"),
        ("bureau", "AMT_CREDIT_SUM", "inf", "must be a"),
        ("bureau", "DAYS_CREDIT", "-10.5", "must be a whole number"),
        ("bureau", "DAYS_CREDIT", "3000000000", "must be a whole number"),
        ("bureau", "SK_ID_CURR", "abc", "must be an identifier"),
        ("bureau", "SK_ID_BUREAU", "5.5", "must be an identifier"),
        ("bureau", "SK_ID_BUREAU", "1.23457E+11", "a spreadsheet has rounded"),
        ("bureau_balance", "MONTHS_BALANCE", "many", "must be a number"),
        ("application_train", "TARGET", "yes", "must be a number"),
        ("application_train", "FLAG_MOBIL", "Y", "must be a number"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_line_and_not_repeated(
    folder, table, name, value, expected
):
    good = {"SK_ID_CURR": 100, "SK_ID_BUREAU": 50, "TARGET": 0}
    rewrite(folder, table, good, good | {"SK_ID_CURR": 200, "SK_ID_BUREAU": 51, name: value})
    message = refusal(folder)
    assert message.startswith(f"{table}.csv, column '{name}', line 3: {expected}")
    assert message.endswith("leave it empty if it is missing.") and value not in message


def test_a_wrong_type_in_parquet_is_named_with_its_row(folder, tmp_path):
    path = as_parquet(folder, tmp_path / "parquet")
    file = path / "bureau.parquet"
    wrong = pl.Series(["1", "2", "many", None])
    pl.read_parquet(file).with_columns(AMT_CREDIT_SUM=wrong).write_parquet(file)
    assert refusal(path).startswith("bureau.parquet, column 'AMT_CREDIT_SUM', row 3: must be a")


@pytest.mark.parametrize(("target", "message"), [(2, "line 3: neither 0"), (None, "line 3: no value")])
def test_a_label_that_is_neither_0_nor_1_is_refused(folder, target, message):
    rewrite(folder, "application_train", {"SK_ID_CURR": 1, "TARGET": 0}, {"SK_ID_CURR": 2, "TARGET": target})
    assert f"application_train.csv, column 'TARGET', {message}" in refusal(folder)


def test_an_application_without_its_number_is_refused(folder):
    rewrite(folder, "application_train", {"SK_ID_CURR": 1, "TARGET": 0}, {"TARGET": 0})
    assert "column 'SK_ID_CURR', line 3: no value" in refusal(folder)


def test_an_application_number_that_stands_twice_is_refused_with_its_count(folder):
    rewrite(folder, "application_train", *[{"SK_ID_CURR": n, "TARGET": 0} for n in (1, 5, 5, 2, 5)])
    said = "column 'SK_ID_CURR', line 3: its number stands 3 times, next in line 4 (1 such numbers)"
    assert said in refusal(folder)


def test_a_bureau_credit_that_stands_twice_is_refused(folder):
    rewrite(folder, "bureau", *[{"SK_ID_CURR": 100, "SK_ID_BUREAU": 50}] * 2)
    assert "bureau.csv, column 'SK_ID_BUREAU': 2 lines share their value" in refusal(folder)


# Some applicants at a time.


def in_partitions(path, rows, size, scratch=None, population="train", asked=None):
    found = tables.Partitions(path, population, asked)
    return list(found.portfolios(np.array(rows, dtype=np.int64), size, scratch))


@pytest.mark.parametrize("held", [0, 10**9], ids=["on the disk", "in memory"])
@pytest.mark.parametrize("kind", ["folder", "zip", "parts"])
@pytest.mark.parametrize(("rows", "size"), [([0, 1, 2], 2), ([0, 1, 2], 1), ([0, 2], 3), ([1], 1), ([], 1)])
def test_partitions_hold_what_the_whole_portfolio_holds(
    folder, tmp_path, monkeypatch, held, kind, rows, size
):
    monkeypatch.setattr(partitions, "HELD_BYTES", held)
    monkeypatch.setattr(partitions, "BATCH", 2)
    path = {
        "folder": lambda: folder,
        "zip": lambda: as_zip(folder, tmp_path / "kaggle.zip"),
        "parts": lambda: as_parquet(folder, tmp_path / "parts", parts=2),
    }[kind]()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    whole = tables.read(path)
    found = in_partitions(path, rows, size, scratch)
    assert [len(part) for part in found] == [len(rows[i : i + size]) for i in range(0, len(rows), size)]
    for i, part in enumerate(found):
        assert_same(part, tables.take(whole, rows[i * size : (i + 1) * size]))
    assert list(scratch.iterdir()) == []


def test_partitions_read_only_what_is_asked_for(folder):
    asked = {"application": ["AMT_CREDIT"], "bureau": ["DAYS_CREDIT"]}
    (part,) = in_partitions(folder, [0, 2], 5, asked=asked)
    assert_same(part, tables.take(tables.read(folder, columns=asked), [0, 2]))


def test_partitions_that_are_left_leave_nothing_on_the_disk(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(partitions, "HELD_BYTES", 0)
    (scratch := tmp_path / "scratch").mkdir()
    parts = tables.Partitions(folder).portfolios(np.arange(3), 1, scratch)
    next(parts)
    assert [path.name[:8] for path in scratch.iterdir()] == ["records-"]
    parts.close()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("table", ["application_train", "bureau", "bureau_balance"])
@pytest.mark.parametrize("value", ["many", "1.5", "inf"])
def test_partitions_refuse_what_read_refuses_in_the_same_words(folder, table, value):
    name = {"bureau": "DAYS_CREDIT", "bureau_balance": "MONTHS_BALANCE"}.get(table, "DAYS_BIRTH")
    rewrite(folder, table, *[*ROWS[table][:1], ROWS[table][1] | {name: value}])
    with pytest.raises(TableError) as caught:
        in_partitions(folder, [0, 1], 1)
    assert str(caught.value) == refusal(folder) and name in str(caught.value)


# Requests.


def validated(requests):
    return [ApplicationRequest.model_validate(request) for request in requests]


def test_a_file_and_the_requests_made_from_it_give_equal_tables(folder):
    portfolio = tables.read(folder)
    requests = tables.to_requests(portfolio, range(3))
    again = tables.from_requests(validated(requests))
    assert_frame_equal(again.applications, portfolio.applications.drop("TARGET"))
    assert again.history.keys() == portfolio.history.keys() - {"installments_payments"}
    for table, frame in again.history.items():
        assert_frame_equal(frame, portfolio.history[table].sort("row", maintain_order=True))


def test_a_request_leaves_out_what_is_missing_and_keeps_integers(folder):
    first, second, _ = tables.to_requests(tables.read(folder), range(3))
    assert second == {"SK_ID_CURR": 300, "AMT_CREDIT": 1e6, "DAYS_REGISTRATION": -3648}
    assert type(second["DAYS_REGISTRATION"]) is int
    assert first["history"] == {
        "bureau": [{"SK_ID_BUREAU": 50, "CREDIT_ACTIVE": "Closed"}],
        "bureau_balance": [{"SK_ID_BUREAU": 50, "MONTHS_BALANCE": -3, "STATUS": "5"}],
        "previous_application": [{"SK_ID_PREV": 7, "CNT_PAYMENT": 12}],
        "POS_CASH_balance": [{"SK_ID_PREV": 8, "SK_DPD": 3}],
    }


def test_two_requests_of_one_client_do_not_mix():
    request = {"SK_ID_CURR": 1, "history": {"bureau": [{"SK_ID_BUREAU": 5, "SK_ID_CURR": 1}]}}
    bureau = tables.from_requests(validated([request, {"SK_ID_CURR": 2}, request])).history["bureau"]
    assert bureau["row"].to_list() == [0, 2]
    assert "SK_ID_CURR" not in bureau.columns


def test_requests_give_only_the_columns_asked_for():
    request = {"SK_ID_CURR": 1, "history": {"bureau": [{"DAYS_CREDIT": -3}], "POS_CASH_balance": [{}]}}
    asked = {"application": ["AMT_CREDIT"], "bureau": ["DAYS_CREDIT"]}
    portfolio = tables.from_requests(validated([request]), asked)
    assert portfolio.applications.columns == ["row", "SK_ID_CURR", "AMT_CREDIT"]
    assert {table: frame.columns for table, frame in portfolio.history.items()} == {
        "bureau": ["row", "SK_ID_BUREAU", "DAYS_CREDIT"]
    }


def test_aggregates_computed_ahead_are_kept_by_row():
    portfolio = tables.from_requests(
        validated(
            [
                {"SK_ID_CURR": 1, "history_features": {"bureau_count": 3}},
                {"SK_ID_CURR": 2},
                {"SK_ID_CURR": 1, "history_features": {"last": "Cash", "debt": None, "bureau_count": 2.5}},
            ]
        )
    )
    assert portfolio.history == {}
    assert portfolio.history_features.to_dict(as_series=False) == {
        "row": [0, 2],
        "bureau_count": [3.0, 2.5],
        "last": [None, "Cash"],
        "debt": [None, None],
    }
    assert portfolio.history_features.schema["debt"] == pl.Float64
    assert tables.to_requests(portfolio, [2, 1])[0]["history_features"] == {
        "last": "Cash",
        "bureau_count": 2.5,
    }


def test_no_requests_give_no_rows():
    portfolio = tables.from_requests([])
    assert len(portfolio) == 0 and portfolio.applications.schema["AMT_CREDIT"] == pl.Float64


# Taking applications out.

SMALL = tables.from_requests(
    validated(
        {"SK_ID_CURR": n, "history": {"bureau": [{"SK_ID_BUREAU": 10 * n + k} for k in range(n)]}}
        for n in range(4)
    )
)


@given(st.lists(st.integers(0, 3), max_size=8))
def test_taking_applications_takes_their_records_under_new_rows(rows):
    taken = tables.take(SMALL, rows)
    assert taken.applications["row"].to_list() == list(range(len(rows)))
    assert taken.applications["SK_ID_CURR"].to_list() == rows
    for position, n in enumerate(rows):
        records = taken.history["bureau"].filter(row=position)
        assert records["SK_ID_BUREAU"].to_list() == [10 * n + k for k in range(n)]
    assert taken.history["bureau"].height == sum(rows)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_requests_taken_together_are_those_taken_alone(rows):
    assert tables.to_requests(SMALL, rows) == [tables.to_requests(SMALL, [row])[0] for row in rows]


def test_taking_everything_changes_nothing(folder):
    portfolio = tables.read(folder)
    assert_same(tables.take(portfolio, range(3)), portfolio)


@pytest.mark.parametrize("row", [-1, 4])
def test_a_position_that_does_not_exist_is_refused(row):
    with pytest.raises(ValueError, match=f"no application at position {row}; there are 4"):
        tables.take(SMALL, [0, row])
