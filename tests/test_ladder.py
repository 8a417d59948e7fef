"""Hand-worked examples of the windows, last records, trends, rates and ratios of the feature ladder."""

import math

import pytest

from scoring import features, schema, tables


def line(history: dict | None = None, **columns) -> dict:
    request = schema.ApplicationRequest.model_validate({"SK_ID_CURR": 7, **columns, "history": history})
    return features.build(tables.from_requests([request])).row(0, named=True)


def hold(found: dict, **expected) -> None:
    wrong = {
        name: (found[name], value)
        for name, value in expected.items()
        if not (
            found[name] == value
            or (None not in (found[name], value) and math.isclose(found[name], value, rel_tol=1e-9))
        )
    }
    assert not wrong


def test_at_least_400_candidates_cover_every_table():
    assert len(features.FEATURES) >= 400
    for table in (*schema.HISTORY, "application", "cross"):
        assert sum(f.table == table for f in features.FEATURES) >= 10, table


def loan(number: int, opened: int, credit: float, debt: float, state: str = "Active", **more) -> dict:
    kind = more.pop("kind", "Consumer credit")
    return {
        "SK_ID_BUREAU": number, "DAYS_CREDIT": opened, "AMT_CREDIT_SUM": credit, "AMT_CREDIT_SUM_DEBT": debt,
        "CREDIT_ACTIVE": state, "CREDIT_TYPE": kind, **more,
    }  # fmt: skip


def test_loans_elsewhere():
    loans = [
        loan(1, -2_000, 1_000.0, 0.0, "Closed", DAYS_CREDIT_ENDDATE=-1_500, DAYS_ENDDATE_FACT=-1_400),
        loan(2, -800, 2_000.0, 500.0, AMT_CREDIT_MAX_OVERDUE=70.0, AMT_ANNUITY=90.0),
        loan(3, -100, 4_000.0, 3_000.0, kind="Credit card", DAYS_CREDIT_ENDDATE=3_652),
        loan(4, -100, 1_000.0, 1_000.0, DAYS_CREDIT_ENDDATE=10, AMT_CREDIT_MAX_OVERDUE=0.0),
        loan(5, -3_000, 1_000.0, 0.0, "Sold", AMT_ANNUITY=60.0),
    ]
    hold(
        line({"bureau": loans}, AMT_INCOME_TOTAL=10_000.0, AMT_ANNUITY=975.0, AMT_CREDIT=8_000.0),
        bureau_gap_days_mean=725,  # from day -3,000 to day -100 in four gaps
        bureau_opened_90d_count=0,
        bureau_opened_1095d_count=3,
        bureau_opened_365d_share=0.4,
        bureau_closed_count=1,
        bureau_written_off_count=1,
        bureau_closed_credit_max=1_000,
        bureau_active_credit_max=4_000,
        bureau_active_debt_share_mean=2 / 3,
        bureau_active_annuity_sum=90,
        bureau_repaid_sum=2_500,
        bureau_max_overdue_share=0.5,
        bureau_730d_max_overdue_max=0,
        bureau_overran_share=1,
        bureau_end_future_share=2 / 3,
        bureau_card_active_count=1,
        bureau_card_debt_to_credit=0.75,
        bureau_consumer_debt_to_credit=0.3,  # 1,500 of 5,000
        bureau_consumer_opened_days_max=-100,
        bureau_latest_3_debt_share_mean=2 / 3,  # 1, .75 and .25; of one day the higher number is later
        bureau_latest_3_credit_mean=7_000 / 3,
        bureau_last_credit=1_000,
        bureau_last_type="Consumer credit",
        # 3,000 over 120 months, and 1,000 at once; the loan without an end date is not counted.
        bureau_due_monthly_sum=round(3_000 * 365.25 / 12 / 3_652, 3) + 1_000,
        bureau_due_to_income=0.1025003,
        request_to_bureau_largest=2,
    )


def test_months_of_loans_elsewhere():
    months = [
        {"SK_ID_BUREAU": 1, "MONTHS_BALANCE": m, "STATUS": s} for m, s in ((-1, "0"), (-20, "2"), (-30, "1"))
    ]
    months += [{"SK_ID_BUREAU": 2, "MONTHS_BALANCE": m, "STATUS": s} for m, s in ((-2, "C"), (-3, "0"))]
    hold(
        line({"bureau": [loan(1, -900, 1.0, 0.0), loan(2, -90, 1.0, 0.0)], "bureau_balance": months}),
        balance_late_two_years_share_mean=0.25,
        balance_late_two_years_share_max=0.5,
        balance_late_loans_share=0.5,
        balance_paying_recent_share=0.75,
    )


def asked(number: int, day: int, status: str, **more) -> dict:
    return {"SK_ID_PREV": number, "DAYS_DECISION": day, "NAME_CONTRACT_STATUS": status, **more}


def test_earlier_requests():
    running = {"DAYS_LAST_DUE": 365243, "DAYS_LAST_DUE_1ST_VERSION": 487, "DAYS_FIRST_DUE": -30}
    requests = [
        asked(1, -900, "Approved", NAME_CONTRACT_TYPE="Revolving loans", DAYS_FIRST_DRAWING=365243),
        asked(2, -600, "Refused", NAME_CONTRACT_TYPE="Cash loans", CODE_REJECT_REASON="HC"),
        asked(
            3, -400, "Approved", NAME_CONTRACT_TYPE="Consumer loans", AMT_CREDIT=1_200.0,
            AMT_APPLICATION=1_000.0, AMT_ANNUITY=115.0, CNT_PAYMENT=12, AMT_DOWN_PAYMENT=80.0,
            RATE_DOWN_PAYMENT=0.1, **running,
        ),
        asked(4, -60, "Refused", NAME_CONTRACT_TYPE="Cash loans", NAME_CASH_LOAN_PURPOSE="Repairs"),
        asked(5, -10, "Canceled", NAME_CONTRACT_TYPE="Cash loans", NAME_CASH_LOAN_PURPOSE="XNA"),
    ]  # fmt: skip
    hold(
        line({"previous_application": requests}, AMT_ANNUITY=230.0, AMT_CREDIT=600.0),
        # Interest in all: 12 x 115 - 1,200 = 15 % of the loan; 6 x .15 / (3 x 13 + .15 x 11).
        previous_rate_mean=round(0.9 / 40.65, 6),
        previous_last_rate=None,
        previous_credit_less_asked_mean=200,
        previous_approved_term_mean=12,
        previous_down_payment_max=80,
        previous_planned_end_days_max=487,
        previous_first_due_days_max=-30,
        previous_due_left_sum=1_840,  # 115 a month for 16 months
        previous_card_unused_share=1,
        previous_cash_refused_share=2 / 3,
        previous_policy_refused_count=1,
        previous_purpose_share=0.5,
        previous_gap_days_mean=222.5,
        previous_latest_3_refused_share=1 / 3,
        previous_latest_3_approved_share=1 / 3,
        previous_latest_5_credit_mean=1_200,
        previous_latest_3_down_payment_rate_mean=0.1,
        previous_365d_approved_share=0,
        previous_90d_count=2,
        previous_last_annuity=None,
        annuity_to_previous_last=None,
        debt_with_request_to_income=None,
    )


@pytest.mark.parametrize("term", [6, 12, 24])
@pytest.mark.parametrize("rate", [0.005, 0.015, 0.03])
def test_the_monthly_rate_solves_the_annuity_equation(term, rate):
    annuity = 10_000 * rate / (1 - (1 + rate) ** -term)
    loans = [asked(1, -400, "Approved", AMT_CREDIT=10_000.0, AMT_ANNUITY=annuity, CNT_PAYMENT=term)]
    found = line({"previous_application": loans})["previous_rate_max"]
    assert found == pytest.approx(rate, rel=0.015)


def test_months_of_earlier_loans():
    months = [
        {"SK_ID_PREV": 1, "MONTHS_BALANCE": m, "SK_DPD": d, "NAME_CONTRACT_STATUS": s, "CNT_INSTALMENT": 12}
        for m, d, s in ((-1, 6, "Active"), (-2, 0, "Active"), (-30, 0, "Active"), (-31, 0, "Active"))
    ]
    months += [{"SK_ID_PREV": 2, "MONTHS_BALANCE": -40, "SK_DPD": 0, "NAME_CONTRACT_STATUS": "Completed"}]
    hold(
        line({"POS_CASH_balance": months}),
        pos_dpd_12m_mean=3,
        pos_dpd_12m_max=6,
        pos_late_trend=0.5 - 0.2,
        pos_latest_10_late_share=0.2,
        pos_loans_now=1,
        pos_12m_count=2,
        pos_completed_share=0.5,
        pos_last_term=12,
    )


def test_months_of_cards():
    def month(number: int, balance: float, limit: float, **more) -> dict:
        return {
            "SK_ID_PREV": 1, "MONTHS_BALANCE": -number, "AMT_BALANCE": balance,
            "AMT_CREDIT_LIMIT_ACTUAL": limit, "SK_DPD": 0, **more,
        }  # fmt: skip

    months = [
        month(1, 900.0, 1_000.0, AMT_INST_MIN_REGULARITY=50.0, AMT_PAYMENT_CURRENT=20.0),
        month(2, 1_100.0, 1_000.0, AMT_INST_MIN_REGULARITY=50.0, AMT_PAYMENT_CURRENT=80.0),
        month(8, 500.0, 1_000.0, AMT_DRAWINGS_ATM_CURRENT=300.0, AMT_DRAWINGS_CURRENT=400.0),
        month(30, 0.0, 500.0, AMT_DRAWINGS_ATM_CURRENT=0.0, AMT_DRAWINGS_CURRENT=100.0),
    ]
    hold(
        line({"credit_card_balance": months}, AMT_INCOME_TOTAL=1_000.0),
        card_use_trend=1.0 - 0.625,
        card_over_limit_share=0.25,
        card_year_use_max=1.1,
        card_last_balance=900,
        card_last_use=0.9,
        card_latest_3_use_mean=2.5 / 3,
        card_minimum_mean=50,
        card_cash_months_share=0.5,
        card_cash_year_sum=300,
        card_short_paid_share=0.5,
        card_paid_to_balance=0.05,
        card_drawn_12m_mean=400,
        card_drawn_to_income=0.25,
    )


def test_instalments():
    def payment(number: int, due_on: int, late: int, due: float, paid: float) -> dict:
        return {
            "SK_ID_PREV": 1, "NUM_INSTALMENT_VERSION": 1, "NUM_INSTALMENT_NUMBER": number,
            "DAYS_INSTALMENT": due_on, "DAYS_ENTRY_PAYMENT": due_on + late, "AMT_INSTALMENT": due,
            "AMT_PAYMENT": paid,
        }  # fmt: skip

    paid = [
        payment(1, -1_200, 0, 400.0, 100.0),
        payment(2, -300, 0, 100.0, 100.0),
        payment(3, -170, 20, 200.0, 200.0),
        payment(4, -50, 0, 100.0, 100.0),
        payment(5, -20, 10, 200.0, 100.0),
    ]
    hold(
        line({"installments_payments": paid}, AMT_ANNUITY=100.0),
        installment_latest_3_late_share=2 / 3,
        installment_latest_3_late_days_mean=10,
        installment_latest_3_paid_to_due=0.8,
        installment_60d_late_share=0.5,
        installment_180d_late_days_mean=10,
        installment_late_trend=2 / 3 - 0.4,
        installment_late_due_share=0.4,
        installment_late_days_by_money=6,  # 20 x 200 + 10 x 200 over 1,000
        installment_due_min=100,
        installment_1000d_short_mean=25,  # the old debt is not counted
        installment_365d_due_max=200,
        annuity_to_installment_largest=0.25,
        annuity_to_installment_year=0.5,
    )


def test_the_application_alone_and_beside_its_history():
    found = line(
        {"bureau": [loan(1, -3_653, 1_000.0, 250.0)]},
        AMT_CREDIT=240_000.0,
        AMT_ANNUITY=10_000.0,
        AMT_GOODS_PRICE=200_000.0,
        AMT_INCOME_TOTAL=80_000.0,
        EXT_SOURCE_2=0.6,
        EXT_SOURCE_3=0.2,
        DAYS_BIRTH=-14_610,
        DAYS_EMPLOYED=-1_461,
        DAYS_ID_PUBLISH=-2_922,
    )
    hold(
        found,
        goods_to_annuity=20,
        surplus_to_income=0.5,
        identity_to_employed=2,
        identity_to_registration=None,
        age_at_end=42,
        ext_mean_less_debt=0.15,
        bureau_opened_mean_to_age=3_653 / 14_610,
        loans_a_year=365.25 / 3_653,
    )
    assert isinstance(found["bureau_last_type"], str)
    assert features.FEATURE_BY_NAME["age_at_end"].group == "person"
