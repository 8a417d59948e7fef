"""The synthetic portfolio looks like the published Home Credit tables and keeps their rules."""

from pathlib import Path

import lightgbm
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from scoring.schema import HISTORY
from scoring.synthetic import generate, outcome, write
from scoring.synthetic.__main__ import app

APPLICANTS = 20_000
NEVER = 365_243


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return generate(APPLICANTS, seed=2)


@pytest.fixture(scope="module")
def later() -> dict[str, pl.DataFrame]:
    return generate(3_000, seed=3, population="test", first_id=500_000)


@pytest.fixture(scope="module")
def application(tables) -> pl.DataFrame:
    return tables["application_train"]


def auc(value: np.ndarray, target: np.ndarray) -> float:
    """P(value of a defaulter > value of another), ties half, missing left out."""
    known = np.isfinite(value)
    rank = pl.Series(value[known]).rank().to_numpy()
    late = target[known] == 1
    n1, n0 = late.sum(), (~late).sum()
    return (rank[late].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)


# Published figures: 49,274 training applications, and complete histories of 10,000 applicants.
# (table, column, statistic, published, tolerance)
MARGINALS = [
    ("application_train", "TARGET", "mean", 0.0807, 0.007),
    ("application_train", "CNT_CHILDREN", "mean", 0.418, 0.03),
    ("application_train", "AMT_INCOME_TOTAL", "median", 144_000, 9_000),
    ("application_train", "AMT_CREDIT", "median", 509_400, 60_000),
    ("application_train", "AMT_CREDIT", "mean", 595_000, 40_000),
    ("application_train", "AMT_ANNUITY", "median", 24_854, 2_000),
    ("application_train", "AMT_GOODS_PRICE", "median", 450_000, 20_000),
    ("application_train", "DAYS_BIRTH", "mean", -16_047, 200),
    ("application_train", "DAYS_ID_PUBLISH", "mean", -2_989, 60),
    ("application_train", "DAYS_LAST_PHONE_CHANGE", "mean", -962, 40),
    ("application_train", "EXT_SOURCE_1", "mean", 0.501, 0.01),
    ("application_train", "EXT_SOURCE_2", "mean", 0.514, 0.01),
    ("application_train", "EXT_SOURCE_3", "mean", 0.508, 0.01),
    ("application_train", "CNT_FAM_MEMBERS", "mean", 2.155, 0.04),
    ("application_train", "OBS_30_CNT_SOCIAL_CIRCLE", "mean", 1.419, 0.1),
    ("application_train", "REG_CITY_NOT_WORK_CITY", "mean", 0.231, 0.02),
    ("application_train", "FLAG_DOCUMENT_3", "mean", 0.709, 0.015),
    ("application_train", "AMT_REQ_CREDIT_BUREAU_YEAR", "mean", 1.916, 0.06),
    ("application_train", "FLOORSMAX_AVG", "mean", 0.2276, 0.01),
    ("application_train", "TOTALAREA_MODE", "median", 0.0688, 0.006),
    ("application_train", "EXT_SOURCE_1", "missing", 0.564, 0.012),
    ("application_train", "EXT_SOURCE_3", "missing", 0.198, 0.012),
    ("application_train", "OWN_CAR_AGE", "missing", 0.660, 0.012),
    ("application_train", "OCCUPATION_TYPE", "missing", 0.314, 0.015),
    ("application_train", "AMT_REQ_CREDIT_BUREAU_DAY", "missing", 0.1345, 0.01),
    ("application_train", "COMMONAREA_MEDI", "missing", 0.699, 0.012),
    ("application_train", "APARTMENTS_AVG", "missing", 0.509, 0.012),
    ("application_train", "EMERGENCYSTATE_MODE", "missing", 0.476, 0.012),
    ("bureau", "DAYS_CREDIT", "mean", -1133, 40),
    ("bureau", "AMT_CREDIT_SUM", "median", 123_000, 9_000),
    ("bureau", "AMT_CREDIT_SUM_DEBT", "mean", 140_565, 35_000),
    ("bureau", "AMT_CREDIT_SUM_DEBT", "missing", 0.145, 0.01),
    ("bureau", "AMT_CREDIT_MAX_OVERDUE", "missing", 0.674, 0.01),
    ("bureau", "DAYS_CREDIT_ENDDATE", "missing", 0.063, 0.01),
    ("bureau", "AMT_ANNUITY", "missing", 0.77, 0.02),
    ("previous_application", "AMT_CREDIT", "median", 79_490, 8_000),
    ("previous_application", "AMT_ANNUITY", "missing", 0.2425, 0.03),
    ("previous_application", "AMT_DOWN_PAYMENT", "missing", 0.554, 0.04),
    ("previous_application", "DAYS_FIRST_DUE", "missing", 0.42, 0.03),
    ("previous_application", "DAYS_DECISION", "mean", -873, 40),
    ("POS_CASH_balance", "CNT_INSTALMENT", "mean", 17.45, 2.0),
    ("POS_CASH_balance", "MONTHS_BALANCE", "mean", -35.3, 4.0),
    ("credit_card_balance", "AMT_BALANCE", "mean", 56_710, 12_000),
    ("credit_card_balance", "MONTHS_BALANCE", "mean", -33.7, 4.0),
    ("installments_payments", "AMT_INSTALMENT", "median", 8_934, 1_500),
]


@pytest.mark.parametrize(("table", "column", "statistic", "published", "tolerance"), MARGINALS)
def test_marginals_are_the_published_ones(tables, table, column, statistic, published, tolerance):
    values = tables[table][column]
    measured = values.is_null().mean() if statistic == "missing" else getattr(values, statistic)()
    assert measured == pytest.approx(published, abs=tolerance)


# (table, column, level, published share, tolerance)
SHARES = [
    ("application_train", "NAME_CONTRACT_TYPE", "Revolving loans", 0.096, 0.01),
    ("application_train", "CODE_GENDER", "F", 0.6585, 0.012),
    ("application_train", "NAME_INCOME_TYPE", "Pensioner", 0.181, 0.012),
    ("application_train", "NAME_INCOME_TYPE", "Working", 0.519, 0.015),
    ("application_train", "NAME_EDUCATION_TYPE", "Higher education", 0.240, 0.012),
    ("application_train", "NAME_FAMILY_STATUS", "Married", 0.639, 0.015),
    ("application_train", "NAME_HOUSING_TYPE", "With parents", 0.048, 0.008),
    ("application_train", "OCCUPATION_TYPE", "Laborers", 0.178, 0.02),
    ("application_train", "ORGANIZATION_TYPE", "Business Entity Type 3", 0.220, 0.012),
    ("application_train", "REGION_RATING_CLIENT", 3, 0.157, 0.01),
    ("bureau", "CREDIT_ACTIVE", "Active", 0.364, 0.02),
    ("bureau", "CREDIT_TYPE", "Credit card", 0.234, 0.01),
    ("bureau_balance", "STATUS", "C", 0.4745, 0.04),
    ("bureau_balance", "STATUS", "X", 0.2343, 0.04),
    ("bureau_balance", "STATUS", "1", 0.0083, 0.003),
    ("previous_application", "NAME_CONTRACT_STATUS", "Approved", 0.6045, 0.03),
    ("previous_application", "NAME_CONTRACT_STATUS", "Refused", 0.172, 0.025),
    ("previous_application", "NAME_CONTRACT_TYPE", "Consumer loans", 0.418, 0.035),
    ("POS_CASH_balance", "NAME_CONTRACT_STATUS", "Completed", 0.075, 0.02),
    ("credit_card_balance", "NAME_CONTRACT_STATUS", "Active", 0.959, 0.03),
]


@pytest.mark.parametrize(("table", "column", "level", "published", "tolerance"), SHARES)
def test_level_shares_are_the_published_ones(tables, table, column, level, published, tolerance):
    assert (tables[table][column] == level).fill_null(False).mean() == pytest.approx(published, abs=tolerance)


# (input of the target, published AUC); the error of a generated AUC is .007, of a published aggregate .015
APPLICATION_AUC = {
    "ext1": 1 - 0.669, "ext2": 1 - 0.656, "ext3": 1 - 0.684, "age": 1 - 0.589, "employed": 1 - 0.581,
    "phone": 1 - 0.561, "identity": 1 - 0.555, "registered": 1 - 0.556, "income": 0.471, "credit": 0.474,
    "annuity": 0.497, "rating": 0.553, "population": 0.464, "hour": 0.474, "circle": 0.522,
    "enquiries": 0.523, "car_age": 0.557, "male": 0.551, "city_not_work": 0.542,
    "document_3": 0.534, "goods_to_credit": 0.431,
}  # fmt: skip
HISTORY_AUC = {
    "card_use": 0.665, "card_drawings": 0.654, "card_balance": 0.628, "file_age": 1 - 0.646,
    "debt_ratio": 0.627, "active_share": 0.619, "news_age": 1 - 0.619, "last_loan": 1 - 0.609,
    "first_loan": 1 - 0.609, "debt": 0.569, "approved_share": 0.411, "refused_share": 0.576,
    "down_rate": 0.425, "last_request": 1 - 0.566,
    "first_request": 1 - 0.558, "walk_in_share": 0.565, "high_yield_share": 0.547, "active_count": 0.538,
    "loans": 0.462, "balance_months": 0.442, "late_months": 0.534, "requests": 0.511,
}  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tables, application) -> pl.DataFrame:
    return outcome.inputs({"application": application} | {name: tables[name] for name in HISTORY})


@pytest.mark.parametrize(("name", "published"), APPLICATION_AUC.items())
def test_application_columns_separate_defaulters_as_published(inputs, application, name, published):
    measured = auc(inputs[name].to_numpy(), application["TARGET"].to_numpy())
    assert measured == pytest.approx(published, abs=0.025)


@pytest.mark.parametrize(("name", "published"), HISTORY_AUC.items())
def test_history_aggregates_separate_defaulters_as_published(inputs, application, name, published):
    measured = auc(inputs[name].to_numpy(), application["TARGET"].to_numpy())
    assert measured == pytest.approx(published, abs=0.035)


def test_history_adds_to_what_the_application_says(inputs, application):
    """A small model gains at least two points of AUC from the aggregates."""
    own = list(outcome.APPLICATION_INPUTS)
    target = application["TARGET"].to_numpy()
    half = APPLICANTS // 2

    def score(columns: list[str]) -> float:
        x = inputs.select(columns).to_numpy()
        settings = {
            "objective": "binary", "num_leaves": 15, "learning_rate": 0.06, "feature_fraction": 0.3,
            "lambda_l2": 80, "verbose": -1, "num_threads": 1, "seed": 1, "deterministic": True,
        }  # fmt: skip
        model = lightgbm.train(settings, lightgbm.Dataset(x[:half], target[:half]), 120)
        return auc(model.predict(x[half:]), target[half:])

    application_only = score(own)
    assert 0.71 < application_only < 0.77
    assert score([*own, *HISTORY_AUC, "late_payments"]) > application_only + 0.02


# (first, second column, published Spearman correlation)
DEPENDENCES = [
    ("DAYS_BIRTH", "EXT_SOURCE_1", -0.61),
    ("AMT_INCOME_TOTAL", "AMT_CREDIT", 0.41),
    ("AMT_CREDIT", "AMT_ANNUITY", 0.83),
    ("AMT_CREDIT", "AMT_GOODS_PRICE", 0.98),
    ("AMT_CREDIT", "EXT_SOURCE_1", 0.17),
    ("DAYS_BIRTH", "DAYS_REGISTRATION", 0.31),
    ("DAYS_BIRTH", "EXT_SOURCE_3", -0.21),
    ("DAYS_BIRTH", "CNT_CHILDREN", 0.37),
    ("REGION_RATING_CLIENT", "EXT_SOURCE_2", -0.32),
    ("REGION_RATING_CLIENT", "REGION_POPULATION_RELATIVE", -0.42),
    ("AMT_INCOME_TOTAL", "OWN_CAR_AGE", -0.22),
    ("DAYS_LAST_PHONE_CHANGE", "EXT_SOURCE_2", -0.21),
    ("EXT_SOURCE_1", "EXT_SOURCE_2", 0.20),
    ("EXT_SOURCE_1", "EXT_SOURCE_3", 0.18),
    ("APARTMENTS_AVG", "LIVINGAREA_AVG", 0.91),
    ("APARTMENTS_AVG", "FLOORSMAX_AVG", 0.75),
    ("OBS_30_CNT_SOCIAL_CIRCLE", "DEF_30_CNT_SOCIAL_CIRCLE", 0.38),
]


@pytest.mark.parametrize(("first", "second", "published"), DEPENDENCES)
def test_columns_depend_on_one_another_as_published(application, first, second, published):
    pair = application.select(first, second).drop_nulls()
    measured = pair.select(pl.corr(first, second, method="spearman")).item()
    assert measured == pytest.approx(published, abs=0.12)


@pytest.mark.parametrize(
    ("name", "published"),
    [("file_age", 0.40), ("debt_ratio", -0.41), ("active_share", -0.37), ("card_use", -0.21)],
)
def test_the_bureau_score_reflects_the_bureau_file(inputs, name, published):
    pair = inputs.select("ext3", name).drop_nulls()
    assert pair.select(pl.corr("ext3", name, method="spearman")).item() == pytest.approx(published, abs=0.12)


RULES = {
    "no employer is one fact in four columns": (
        (pl.col("DAYS_EMPLOYED") == NEVER)
        == ((pl.col("ORGANIZATION_TYPE") == "XNA") & (pl.col("FLAG_EMP_PHONE") == 0))
    )
    & ((pl.col("DAYS_EMPLOYED") == NEVER) == pl.col("NAME_INCOME_TYPE").is_in(["Pensioner", "Unemployed"])),
    "without employer no occupation": (pl.col("DAYS_EMPLOYED") != NEVER)
    | pl.col("OCCUPATION_TYPE").is_null(),
    "a car's age is known where there is a car": (pl.col("FLAG_OWN_CAR") == "N")
    == pl.col("OWN_CAR_AGE").is_null(),
    "a family is the applicant, children and partner": pl.col("CNT_FAM_MEMBERS")
    == 1 + pl.col("CNT_CHILDREN") + pl.col("NAME_FAMILY_STATUS").is_in(["Married", "Civil marriage"]),
    "a revolving loan pays a twentieth": (pl.col("NAME_CONTRACT_TYPE") == "Cash loans")
    | pl.col("AMT_ANNUITY").is_null()
    | ((pl.col("AMT_ANNUITY") - pl.col("AMT_CREDIT") / 20).abs() < 0.01),
    "credit is at least the goods price": pl.col("AMT_GOODS_PRICE").is_null()
    | (pl.col("AMT_CREDIT") >= pl.col("AMT_GOODS_PRICE")),
    "enquiries are missing together": pl.sum_horizontal(pl.col("^AMT_REQ_.*$").is_null()).is_in([0, 6]),
    "no enquiries, no bureau score": pl.col("AMT_REQ_CREDIT_BUREAU_DAY").is_not_null()
    | pl.col("EXT_SOURCE_3").is_null(),
    "social circle counts are missing together": pl.sum_horizontal(
        pl.col("^.*SOCIAL_CIRCLE$").is_null()
    ).is_in([0, 4]),
    "social circle counts are ordered": pl.col("OBS_30_CNT_SOCIAL_CIRCLE").is_null()
    | (
        (pl.col("DEF_60_CNT_SOCIAL_CIRCLE") <= pl.col("DEF_30_CNT_SOCIAL_CIRCLE"))
        & (pl.col("DEF_30_CNT_SOCIAL_CIRCLE") <= pl.col("OBS_30_CNT_SOCIAL_CIRCLE"))
    ),
    "versions of a housing quantity are missing together": pl.col("LANDAREA_AVG").is_null()
    == pl.col("LANDAREA_MODE").is_null(),
    "no building, no quantity": pl.col("EMERGENCYSTATE_MODE").is_not_null()
    | pl.all_horizontal(pl.col("^.*_(AVG|MEDI)$").is_null()),
    "adults up to seventy": pl.col("DAYS_BIRTH").is_between(-25_600, -7_300),
    "nobody worked as a child": (pl.col("DAYS_EMPLOYED") == NEVER)
    | (pl.col("DAYS_EMPLOYED") - pl.col("DAYS_BIRTH") > 15 * 365),
}


@pytest.mark.parametrize("rule", RULES)
def test_every_application_keeps_the_rule(application, later, rule):
    for frame in (application, later["application_test"]):
        assert frame.select(RULES[rule].all()).item()


def test_each_region_has_one_rating(application):
    assert (
        application.group_by("REGION_POPULATION_RELATIVE")
        .agg(pl.col("REGION_RATING_CLIENT").n_unique())["REGION_RATING_CLIENT"]
        .to_list()
        == [1] * application["REGION_POPULATION_RELATIVE"].n_unique()
    )


def test_histories_keep_their_rules(tables):
    bureau, balance = tables["bureau"], tables["bureau_balance"]
    assert bureau.select(
        ((pl.col("CREDIT_ACTIVE") == "Active") == pl.col("DAYS_ENDDATE_FACT").is_null()).all()
    ).item()
    assert bureau["DAYS_CREDIT"].is_between(-2922, 0).all()
    months = balance.group_by("SK_ID_BUREAU").agg(
        pl.len(), span=pl.col("MONTHS_BALANCE").max() - pl.col("MONTHS_BALANCE").min()
    )
    assert (months["len"] == months["span"] + 1).all()
    chain = balance.sort("SK_ID_BUREAU", "MONTHS_BALANCE").with_columns(
        next=pl.col("STATUS").shift(-1).over("SK_ID_BUREAU")
    )
    assert chain.filter(STATUS="C").select((pl.col("next").is_null() | (pl.col("next") == "C")).all()).item()

    previous = tables["previous_application"]
    refused = pl.col("CODE_REJECT_REASON") != "XAP"
    assert previous.filter(refused)["NAME_CONTRACT_STATUS"].is_in(["Refused", "Unused offer"]).all()
    dated = previous.filter(pl.col("DAYS_FIRST_DUE").is_not_null())
    assert (dated["NAME_CONTRACT_STATUS"] == "Approved").all()
    loans = dated.filter((pl.col("CNT_PAYMENT") > 0) & (pl.col("DAYS_FIRST_DUE") < NEVER))
    planned = loans["DAYS_FIRST_DUE"] + 30 * (loans["CNT_PAYMENT"] - 1)
    assert (loans["DAYS_LAST_DUE_1ST_VERSION"] == planned).all()

    cards = tables["credit_card_balance"]
    drawn = pl.sum_horizontal(pl.col("^AMT_DRAWINGS_(ATM|POS|OTHER)_CURRENT$"))
    assert cards.select(((drawn - pl.col("AMT_DRAWINGS_CURRENT")).abs() < 0.1).all()).item()
    assert tables["POS_CASH_balance"]["MONTHS_BALANCE"].is_between(-96, -1).all()
    payments = tables["installments_payments"]
    card_ids = cards.select("SK_ID_PREV").unique()
    of_cards = payments.filter(pl.col("NUM_INSTALMENT_VERSION") == 0)
    assert of_cards.join(card_ids, on="SK_ID_PREV", how="anti").is_empty()


def test_the_source_s_odd_values_are_there(tables):
    previous, bureau = tables["previous_application"], tables["bureau"]
    assert (previous["DAYS_LAST_DUE"] == NEVER).any()
    assert (previous["NAME_CASH_LOAN_PURPOSE"] == "XAP").any()
    assert (previous["NAME_YIELD_GROUP"] == "XNA").any()
    assert (bureau["AMT_CREDIT_SUM_DEBT"] < 0).any()
    assert (bureau["DAYS_CREDIT_ENDDATE"] > 30_000).any()
    assert (tables["credit_card_balance"]["AMT_BALANCE"] < 0).any()


def test_every_record_belongs_to_an_applicant(tables, later):
    for portfolio, name in ((tables, "application_train"), (later, "application_test")):
        clients = portfolio[name].select("SK_ID_CURR")
        assert clients["SK_ID_CURR"].is_unique().all()
        for table in HISTORY:
            if table != "bureau_balance":
                assert portfolio[table].join(clients, on="SK_ID_CURR", how="anti").is_empty()
        assert portfolio["bureau"]["SK_ID_BUREAU"].is_unique().all()
        assert portfolio["previous_application"]["SK_ID_PREV"].is_unique().all()


@pytest.mark.parametrize(
    ("child", "parent", "key", "published"),
    [
        ("POS_CASH_balance", "previous_application", "SK_ID_PREV", 0.045),
        ("credit_card_balance", "previous_application", "SK_ID_PREV", 0.123),
        ("bureau_balance", "bureau", "SK_ID_BUREAU", 0.05),
    ],
)
def test_as_many_orphans_as_in_the_source(tables, child, parent, key, published):
    ids = tables[child].select(key).unique()
    orphans = ids.join(tables[parent], on=key, how="anti").height / ids.height
    assert orphans == pytest.approx(published, abs=0.015)


# (table, published rows in the full files, for 356,255 applicants)
@pytest.mark.parametrize(
    ("table", "published"),
    [
        ("bureau", 1_716_428),
        ("previous_application", 1_670_214),
        ("POS_CASH_balance", 10_001_358),
        ("credit_card_balance", 3_840_312),
        ("installments_payments", 13_605_401),
    ],
)
def test_as_many_history_rows_per_applicant_as_in_the_source(tables, table, published):
    assert tables[table].height / APPLICANTS == pytest.approx(published / 356_255, rel=0.15)


def test_the_later_population_has_moved(tables, later):
    before, after = tables["application_train"], later["application_test"]
    assert "TARGET" not in after.columns
    assert after.columns == [c for c in before.columns if c != "TARGET"]
    assert (after["NAME_CONTRACT_TYPE"] == "Revolving loans").mean() == pytest.approx(0.009, abs=0.006)
    assert after["EXT_SOURCE_1"].is_null().mean() == pytest.approx(0.421, abs=0.03)
    assert (after["AMT_REQ_CREDIT_BUREAU_MON"].drop_nulls() > 0).mean() < 0.02
    assert (after["AMT_REQ_CREDIT_BUREAU_QRT"].drop_nulls() > 0).mean() > 0.4
    assert after["AMT_CREDIT"].median() < 0.95 * before["AMT_CREDIT"].median()
    cards = later["credit_card_balance"]["SK_ID_CURR"].n_unique() / after.height
    assert cards == pytest.approx(0.348, abs=0.03)
    covered = later["bureau_balance"]["SK_ID_BUREAU"].n_unique() / later["bureau"].height
    assert covered > 0.98


def test_the_same_seed_gives_the_same_tables():
    first, second, other = generate(300, seed=5), generate(300, seed=5), generate(300, seed=6)
    for name, frame in first.items():
        assert_frame_equal(frame, second[name])
    assert not first["application_train"].equals(other["application_train"])


@pytest.mark.parametrize("arguments", [(0, 1), (10, 1, "later"), (10, 1, "train", 5)])
def test_an_impossible_portfolio_is_refused_by_name(arguments):
    with pytest.raises(ValueError, match=r"applicants is 0|population is 'later'|first_id is 5"):
        generate(*arguments)


def test_a_block_does_not_depend_on_how_many_follow(tmp_path):
    write(tmp_path / "short", train=200, test=0, seed=7, block=100)
    write(tmp_path / "long", train=350, test=120, seed=7, block=100)
    for table in ("application_train", *HISTORY):
        for part in ("part-00000.parquet", "part-00001.parquet"):
            assert_frame_equal(
                pl.read_parquet(tmp_path / "short" / table / part),
                pl.read_parquet(tmp_path / "long" / table / part),
            )
    train = pl.read_parquet(tmp_path / "long" / "application_train" / "*.parquet")
    test = pl.read_parquet(tmp_path / "long" / "application_test" / "*.parquet")
    assert (train.height, test.height) == (350, 120)
    assert pl.concat([train["SK_ID_CURR"], test["SK_ID_CURR"]]).is_unique().all()


def test_csv_files_hold_the_same_tables(tmp_path):
    write(tmp_path / "csv", train=150, test=50, seed=7, format="csv", block=80)
    write(tmp_path / "parquet", train=150, test=50, seed=7, block=80)
    for table in ("application_train", "application_test", *HISTORY):
        parts = pl.read_parquet(tmp_path / "parquet" / table / "*.parquet")
        read = pl.read_csv(tmp_path / "csv" / f"{table}.csv", schema=parts.schema)
        assert_frame_equal(read, parts)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "demo", train=100, test=0, seed=1, block=50, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_not_overwritten(tmp_path):
    (tmp_path / "precious.csv").touch()
    with pytest.raises(FileExistsError, match="choose another folder"):
        write(tmp_path, train=10, test=0, seed=1)


@pytest.mark.parametrize("population", ["train", "test"])
def test_one_applicant_is_a_portfolio_with_the_columns_of_any_other(population):
    """Of one applicant, and so of the last one of many, whole tables may be empty."""
    expected = {table: frame.schema for table, frame in generate(200, 1, population).items()}
    for seed in range(8):
        found = generate(1, seed, population)
        assert {table: frame.schema for table, frame in found.items()} == expected
        assert found[f"application_{population}"].height == 1


def test_the_command_line_writes_and_refuses(tmp_path):
    arguments = ["--applicants", "60", "--test", "20", "--out", str(tmp_path / "demo")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (Path(tmp_path) / "demo" / "bureau" / "part-00001.parquet").is_file()
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 2
    assert "Traceback" not in again.output


def test_a_shuffled_portfolio_has_the_same_records_in_another_order(tmp_path) -> None:
    for name, is_shuffled in (("plain", False), ("mixed", True), ("again", True)):
        write(tmp_path / name, 40, 20, seed=4, block=20, is_shuffled=is_shuffled)
    for table in ("application_train", "application_test", *HISTORY):
        plain, mixed, again = (
            pl.concat([pl.read_parquet(file) for file in sorted((tmp_path / name / table).glob("*.parquet"))])
            for name in ("plain", "mixed", "again")
        )
        assert mixed.equals(again)
        assert not mixed.equals(plain)
        assert_frame_equal(mixed, plain, check_row_order=False, check_exact=True)
    assert {file.name for file in (tmp_path / "mixed").iterdir()} == {
        file.name for file in (tmp_path / "plain").iterdir()
    }
