"""The laws that every feature keeps, and hand-worked examples of the formulas."""

from __future__ import annotations

import math
import random
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import features, schema, synthetic, tables
from scoring.decision import PROTECTED
from scoring.features.__main__ import table as feature_table

APPLICANTS = 60


@pytest.fixture(scope="module")
def portfolio(tmp_path_factory) -> tables.Portfolio:
    folder = tmp_path_factory.mktemp("portfolio") / "csv"
    synthetic.write(folder, train=APPLICANTS, test=5, seed=11, format="csv")
    return tables.read(folder, "train", columns=features.READS)


@pytest.fixture(scope="module")
def requests(portfolio) -> list[schema.ApplicationRequest]:
    rows = range(portfolio.applications.height)
    return [schema.ApplicationRequest.model_validate(r) for r in tables.to_requests(portfolio, rows)]


@pytest.fixture(scope="module")
def whole(portfolio) -> pl.DataFrame:
    return features.build(portfolio)


def build(requests) -> pl.DataFrame:
    return features.build(tables.from_requests(requests))


def shuffled(request: schema.ApplicationRequest, seed: int) -> schema.ApplicationRequest:
    history = {name: list(getattr(request.history, name)) for name in schema.HISTORY}
    for records in history.values():
        random.Random(seed).shuffle(records)
    return request.model_copy(update={"history": schema.History.model_construct(**history)})


def test_at_least_150_features_are_declared_each_once_with_words():
    names = [f.name for f in features.FEATURES]
    assert len(names) >= 150
    assert len(set(names)) == len(names)
    for f in features.FEATURES:
        assert f.label.en, f.name
        assert f.group in features.GROUPS, f.name
        assert f.name.islower() or f.name in schema.columns(schema.Application), f.name


def test_build_gives_exactly_the_declared_columns_in_order(whole):
    assert whole.columns == [f.name for f in features.FEATURES]
    assert whole.height == APPLICANTS
    kinds = {"number": pl.Float64, "category": pl.String}
    assert whole.dtypes == [kinds[f.kind] for f in features.FEATURES]


def test_no_number_is_infinite_or_not_a_number(whole):
    numbers = whole.select(pl.selectors.float())
    assert numbers.select(pl.all().is_nan().any() | pl.all().is_infinite().any()).row(0).count(True) == 0


def test_a_file_and_its_requests_give_the_same_features_bit_for_bit(whole, requests):
    assert build(requests).equals(whole)


def test_an_applicant_alone_and_in_a_batch_give_the_same_features_bit_for_bit(whole, requests):
    for row, request in enumerate(requests[:15]):
        assert build([request]).equals(whole[row])


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_batch_in_any_order_gives_each_applicant_its_own_features(whole, requests, data):
    rows = data.draw(st.lists(st.integers(0, APPLICANTS - 1), min_size=1, max_size=8))
    assert build([requests[r] for r in rows]).equals(whole[rows])


def test_a_column_that_is_one_constant_divides_as_any_other(portfolio):
    goods = {"AMT_ANNUITY": 6.0, "AMT_INCOME_TOTAL": 3.0, "EXT_SOURCE_1": 0.3, "EXT_SOURCE_2": 0.7}
    constant = portfolio.applications.with_columns(pl.lit(v).alias(n) for n, v in goods.items())
    series = constant.with_columns(pl.Series(n, [v] * len(portfolio)) for n, v in goods.items())
    built = [features.build(tables.Portfolio(a, portfolio.history)) for a in (constant, series)]
    assert built[0].equals(built[1])
    assert features.build(tables.take(tables.Portfolio(constant, portfolio.history), [7])).equals(built[0][7])


def test_the_same_client_twice_in_a_batch_does_not_mix(whole, requests):
    changed = requests[3].model_copy(update={"AMT_INCOME_TOTAL": 1.0, "history": None})
    both = build([requests[3], changed, requests[3]])
    assert both[0].equals(whole[3])
    assert both[2].equals(whole[3])
    assert both["bureau_count"][1] == 0


@settings(max_examples=20, deadline=None)
@given(row=st.integers(0, APPLICANTS - 1), seed=st.integers(0, 2**32))
def test_the_order_of_history_records_changes_nothing(whole, requests, row, seed):
    assert build([shuffled(requests[row], seed)]).equals(whole[row])


def test_aggregates_computed_ahead_give_the_same_features_as_the_raw_history(whole, requests):
    ahead = [
        r.model_copy(
            update={
                "history": None,
                "history_features": dict(zip(features.HISTORY_FEATURES, line, strict=True)),
            }
        )
        for r, line in zip(requests, whole.select(features.HISTORY_FEATURES).iter_rows(), strict=True)
    ]
    mixed = [ahead[i] if i % 2 else requests[i] for i in range(APPLICANTS)]
    assert build(ahead).equals(whole)
    assert build(mixed).equals(whole)


def test_no_history_at_all_equals_an_empty_history(requests):
    none = requests[0].model_copy(update={"history": None})
    empty = requests[0].model_copy(update={"history": schema.History()})
    assert build([none]).equals(build([empty]))
    assert build([none])["previous_count"][0] == 0
    assert build([none])["bureau_debt_sum"][0] is None


def test_a_request_with_nothing_but_its_id_has_features():
    line = build([schema.ApplicationRequest.model_validate({"SK_ID_CURR": 1})])
    assert line["AMT_CREDIT"][0] is None
    assert line["ext_mean"][0] is None


def test_a_table_without_a_column_that_no_feature_reads_gives_the_same(portfolio, whole):
    lean = {
        table.name: portfolio.history[table.name].select("row", *table.reads) for table in features.TABLES
    }
    assert features.build(tables.Portfolio(portfolio.applications, lean)).equals(whole)


def test_a_protected_attribute_takes_every_feature_that_reads_it():
    allowed = features.names(PROTECTED)
    for name in allowed:
        f = features.FEATURE_BY_NAME[name]
        assert not (f.reads & {c for cs in PROTECTED.values() for c in cs}), name
    assert "CODE_GENDER" not in features.names(["gender"])
    assert "employed_to_age" not in features.names(["age"])
    assert "employed_to_age" in features.names(["gender"])
    with pytest.raises(ValueError, match="no attribute to protect is named"):
        features.names(["shoe_size"])


def test_age_household_and_gender_are_never_a_reason():
    assert not features.GROUPS["person"].gives_reasons
    for f in features.FEATURES:
        if f.name in ("CODE_GENDER", "NAME_FAMILY_STATUS", "age_years", "CNT_FAM_MEMBERS", "CNT_CHILDREN"):
            assert f.group == "person"


def request(history: dict | None = None, **columns) -> schema.ApplicationRequest:
    return schema.ApplicationRequest.model_validate({"SK_ID_CURR": 7, **columns, "history": history})


def values(line: pl.DataFrame, **expected):
    for name, value in expected.items():
        got = line[name][0]
        assert (got is None) if value is None else math.isclose(got, value, rel_tol=1e-9), (name, got, value)


def test_application_ratios_by_hand():
    line = build(
        [
            request(
                AMT_INCOME_TOTAL=100_000.0,
                AMT_CREDIT=300_000.0,
                AMT_ANNUITY=15_000.0,
                AMT_GOODS_PRICE=250_000.0,
                EXT_SOURCE_1=0.2,
                EXT_SOURCE_3=0.8,
                DAYS_BIRTH=-14_610,
                DAYS_EMPLOYED=365_243,
                DAYS_LAST_PHONE_CHANGE=0,
                CNT_FAM_MEMBERS=4,
                ORGANIZATION_TYPE="XNA",
                AMT_REQ_CREDIT_BUREAU_MON=2,
                AMT_REQ_CREDIT_BUREAU_YEAR=6,
            )
        ]
    )
    values(
        line,
        annuity_to_income=0.15,
        credit_to_income=3.0,
        credit_to_annuity=20.0,
        credit_to_goods=1.2,
        down_payment=-0.2,
        ext_mean=0.5,
        ext_min=0.2,
        ext_std=0.3,
        ext_count=2,
        ext_product=None,
        ext_weighted=(2 * 0.2 + 3 * 0.8) / 5,
        ext_1_times_3=0.16,
        age_years=40.0,
        is_not_employed=1,
        employed_years=None,
        phone_years=None,
        income_per_person=25_000.0,
        enquiries=8,
        enquiries_recent_share=0.25,
    )
    assert line["ORGANIZATION_TYPE"][0] is None
    assert line["loan_terms"][0] == "100"  # an instalment of 100 per 2,000 lent


def test_bureau_aggregates_by_hand():
    loans = [
        {
            "SK_ID_BUREAU": 1,
            "CREDIT_ACTIVE": "Active",
            "CREDIT_TYPE": "Credit card",
            "DAYS_CREDIT": -100,
            "AMT_CREDIT_SUM": 1000.0,
            "AMT_CREDIT_SUM_DEBT": 900.0,
            "DAYS_CREDIT_ENDDATE": 500.0,
        },
        {
            "SK_ID_BUREAU": 2,
            "CREDIT_ACTIVE": "Closed",
            "CREDIT_TYPE": "Consumer credit",
            "DAYS_CREDIT": -900,
            "AMT_CREDIT_SUM": 3000.0,
            "AMT_CREDIT_SUM_DEBT": -50.0,
            "DAYS_CREDIT_ENDDATE": -41_000.0,
        },
        {
            "SK_ID_BUREAU": 3,
            "CREDIT_ACTIVE": "Closed",
            "CREDIT_TYPE": "Consumer credit",
            "DAYS_CREDIT": -200,
            "AMT_CREDIT_SUM": 600_000_000.0,
            "AMT_CREDIT_SUM_DEBT": 0.0,
        },
    ]
    months = [
        {"SK_ID_BUREAU": 1, "MONTHS_BALANCE": m, "STATUS": s}
        for m, s in ((0, "1"), (-1, "0"), (-2, "X"), (-13, "C"))
    ]
    line = build([request({"bureau": loans, "bureau_balance": months})])
    values(
        line,
        bureau_count=3,
        bureau_active_count=1,
        bureau_active_share=1 / 3,
        bureau_credit_mean=2000.0,  # the loan of 600 million is not believed
        bureau_debt_sum=900.0,  # a negative debt is missing
        bureau_debt_to_credit=0.9,
        bureau_opened_days_max=-100,
        bureau_opened_180d_count=1,
        bureau_opened_365d_count=2,
        bureau_end_days_max=500,
        bureau_end_days_mean=500,  # a date a century ago is missing
        bureau_card_share=1 / 3,
        balance_late_share_mean=0.333333,  # one month of the three that are known
        balance_unknown_share=0.25,
        balance_closed_share=0.25,
        balance_last_late_month=0,
    )


def test_previous_application_aggregates_by_hand():
    earlier = [
        {
            "SK_ID_PREV": 1,
            "NAME_CONTRACT_STATUS": "Approved",
            "NAME_CONTRACT_TYPE": "Cash loans",
            "AMT_APPLICATION": 900.0,
            "AMT_CREDIT": 1000.0,
            "AMT_ANNUITY": 110.0,
            "CNT_PAYMENT": 10.0,
            "DAYS_DECISION": -400,
            "DAYS_LAST_DUE": 365243.0,
            "PRODUCT_COMBINATION": "Cash",
        },
        {
            "SK_ID_PREV": 2,
            "NAME_CONTRACT_STATUS": "Refused",
            "NAME_CONTRACT_TYPE": "Cash loans",
            "AMT_APPLICATION": 500.0,
            "AMT_CREDIT": 0.0,
            "DAYS_DECISION": -30,
            "CODE_REJECT_REASON": "SCO",
            "PRODUCT_COMBINATION": "Cash X-Sell: high",
        },
    ]
    line = build([request({"previous_application": earlier}, AMT_CREDIT=2000.0, AMT_ANNUITY=55.0)])
    values(
        line,
        previous_count=2,
        previous_refused_share=0.5,
        previous_credit_mean=1000.0,  # a credit of 0 means "none"
        previous_asked_to_granted_mean=0.9,
        previous_interest_mean=0.01,  # (110 * 10 / 1000 - 1) / 10
        previous_running_count=1,
        previous_running_annuity_sum=110.0,
        previous_refused_180d_count=1,
        previous_score_refused_count=1,
        previous_credit_to_credit_mean=0.5,
        previous_annuity_to_annuity_max=2.0,
    )
    assert line["previous_last_product"][0] == "Cash X-Sell: high"
    assert line["previous_last_status"][0] == "Refused"


def test_instalments_paid_in_parts_are_one_instalment():
    def payment(number, due_on, paid_on, paid):
        return {
            "SK_ID_PREV": 1,
            "NUM_INSTALMENT_VERSION": 1.0,
            "NUM_INSTALMENT_NUMBER": number,
            "DAYS_INSTALMENT": due_on,
            "DAYS_ENTRY_PAYMENT": paid_on,
            "AMT_INSTALMENT": 100.0,
            "AMT_PAYMENT": paid,
        }

    paid = [
        payment(1, -100.0, -103.0, 60.0),
        payment(1, -100.0, -90.0, 40.0),  # the second part came ten days late
        payment(2, -70.0, -72.0, 100.0),
        payment(3, -40.0, -40.0, 80.0),  # short by a fifth
        payment(4, -10.0, None, None),  # never paid
    ]
    line = build([request({"installments_payments": paid})])
    values(
        line,
        installment_count=4,
        installment_late_share=1 / 3,
        installment_late_days_max=10,
        installment_late_days_mean=10 / 3,
        installment_underpaid_sum=120.0,
        installment_underpaid_share=0.5,
        installment_never_paid_count=1,
        installment_parts_share=0.25,
        installment_paid_to_due=0.7,
        installment_90d_late_share=0.0,
    )


def test_card_and_pos_aggregates_by_hand():
    card = [
        {
            "SK_ID_PREV": 1,
            "MONTHS_BALANCE": -1,
            "AMT_BALANCE": 500.0,
            "AMT_CREDIT_LIMIT_ACTUAL": 1000,
            "SK_DPD": 0,
            "AMT_DRAWINGS_CURRENT": 200.0,
            "AMT_DRAWINGS_ATM_CURRENT": 50.0,
            "CNT_DRAWINGS_CURRENT": 2,
        },
        {
            "SK_ID_PREV": 1,
            "MONTHS_BALANCE": -8,
            "AMT_BALANCE": 900.0,
            "AMT_CREDIT_LIMIT_ACTUAL": 1000,
            "SK_DPD": 5,
            "AMT_DRAWINGS_CURRENT": -3.0,
            "CNT_DRAWINGS_CURRENT": 0,
        },
    ]
    pos = [
        {
            "SK_ID_PREV": 2,
            "MONTHS_BALANCE": -1,
            "CNT_INSTALMENT": 10.0,
            "CNT_INSTALMENT_FUTURE": 4.0,
            "SK_DPD": 0,
            "NAME_CONTRACT_STATUS": "Active",
        },
        {
            "SK_ID_PREV": 2,
            "MONTHS_BALANCE": -2,
            "CNT_INSTALMENT": 10.0,
            "CNT_INSTALMENT_FUTURE": 5.0,
            "SK_DPD": 12,
            "NAME_CONTRACT_STATUS": "Active",
        },
    ]
    line = build([request({"credit_card_balance": card, "POS_CASH_balance": pos})])
    values(
        line,
        card_use_mean=0.7,
        card_use_max=0.9,
        card_use_6m_mean=0.5,
        card_balance_to_limit=0.7,
        card_cash_share=0.25,  # a negative drawing is missing
        card_late_share=0.5,
        pos_late_share=0.5,
        pos_dpd_max=12,
        pos_remaining_sum=4,
        pos_last_late_month=-2,
    )


def test_a_number_beyond_belief_does_not_fail_its_batch(requests):
    wild = request({"bureau": [{"SK_ID_BUREAU": 1, "AMT_CREDIT_SUM_LIMIT": 1e300, "DAYS_CREDIT": -1}]})
    line = build([wild, requests[0]])
    assert line["bureau_limit_sum"][0] is None
    assert line[1].equals(build([requests[0]]))


def test_a_ratio_beyond_all_numbers_is_missing():
    line = build([request(AMT_CREDIT=1.7e308, AMT_INCOME_TOTAL=5e-324, AMT_ANNUITY=0.0)])
    assert line["credit_to_income"][0] is None
    assert line["credit_to_annuity"][0] is None


def test_the_documented_table_is_the_declared_one():
    assert Path("docs/FEATURES.md").read_text() == feature_table()


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("OWN_CAR_AGE", {"OWN_CAR_AGE"}),
        ("car_to_employed", {"OWN_CAR_AGE", "DAYS_EMPLOYED"}),
        ("bureau_count", {"bureau"}),
        ("bureau_credit_to_income", {"AMT_INCOME_TOTAL", "bureau.AMT_CREDIT_SUM"}),
    ],
)
def test_the_raw_columns_behind_a_feature_are_known(name, columns):
    assert features.sources(name) == columns


def test_every_feature_comes_from_raw_columns():
    raw = {*schema.columns(schema.Application), *features.READS}
    for name in features.FEATURE_BY_NAME:
        assert {column.split(".")[0] for column in features.sources(name)} <= raw, name
