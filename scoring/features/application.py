"""Features of the application itself: raw columns, and ratios among them."""

from __future__ import annotations

from functools import reduce
from itertools import combinations

from scoring import schema
from scoring.features.base import (
    DAYS_A_YEAR,
    Direction,
    Feature,
    ReasonSide,
    Unit,
    date,
    declaring,
    divided,
    known,
    positive,
    ratio,
    where,
)
from scoring.features.terms import Term
from scoring.features.vocabulary import (
    any_horizontal,
    col,
    max_horizontal,
    mean_horizontal,
    min_horizontal,
    sum_horizontal,
    when,
    whole,
)

income, credit, annuity, goods = map(
    col, ("AMT_INCOME_TOTAL", "AMT_CREDIT", "AMT_ANNUITY", "AMT_GOODS_PRICE")
)
EXT = [col(f"EXT_SOURCE_{i}") for i in (1, 2, 3)]

scores, request, stability, person, circle, new_credit = declaring(
    "application", "external_score", "request", "stability", "person", "circle", "new_credit"
)
COLUMNS = schema.columns(schema.Application)


def raw(
    name: str,
    unit: Unit,
    group: str,
    direction: Direction = 0,
    *,
    term: Term | None = None,
    reason: ReasonSide | None = None,
) -> Feature:
    """Declare a column as it is (or merely cleaned); its label is the schema's."""
    value = col(name) if term is None else term
    return Feature(name, value, unit, group, COLUMNS[name].label, direction, reason=reason)


def years(column: str) -> Term:
    """Give how long ago a day lies, in years."""
    return divided(-date(column), DAYS_A_YEAR)


age = years("DAYS_BIRTH")
employed = years("DAYS_EMPLOYED")  # 365243 stands for "not employed" in the source: null
registered, identity, car_age = years("DAYS_REGISTRATION"), years("DAYS_ID_PUBLISH"), col("OWN_CAR_AGE")
# 0 days is the source's filler for an unknown phone date (12 % of rows stand exactly there).
phone = divided(-where(col("DAYS_LAST_PHONE_CHANGE") != 0, col("DAYS_LAST_PHONE_CHANGE")), DAYS_A_YEAR)

ext_count = sum_horizontal(e.is_not_null() for e in EXT)
ext_mean = mean_horizontal(EXT)
ext_squares = mean_horizontal((e - ext_mean) ** 2 for e in EXT)
ENQUIRIES = [f"AMT_REQ_CREDIT_BUREAU_{p}" for p in ("HOUR", "DAY", "WEEK", "MON", "QRT", "YEAR")]
MISMATCHES = [
    "REG_REGION_NOT_LIVE_REGION",
    "REG_REGION_NOT_WORK_REGION",
    "LIVE_REGION_NOT_WORK_REGION",
    "REG_CITY_NOT_LIVE_CITY",
    "REG_CITY_NOT_WORK_CITY",
    "LIVE_CITY_NOT_WORK_CITY",
]
DOCUMENTS = [f"FLAG_DOCUMENT_{i}" for i in range(2, 22)]
HOUSING = [
    "APARTMENTS_AVG",
    "BASEMENTAREA_AVG",
    "YEARS_BEGINEXPLUATATION_AVG",
    "YEARS_BUILD_AVG",
    "COMMONAREA_AVG",
    "ELEVATORS_AVG",
    "ENTRANCES_AVG",
    "FLOORSMAX_AVG",
    "FLOORSMIN_AVG",
    "LANDAREA_AVG",
    "LIVINGAPARTMENTS_AVG",
    "LIVINGAREA_AVG",
    "NONLIVINGAPARTMENTS_AVG",
    "NONLIVINGAREA_AVG",
    "TOTALAREA_MODE",
]


def weighted(weights: tuple[float, float, float]) -> Term:
    """Give the weighted mean of the external scores that are present: a missing one is not a zero."""
    pairs = list(zip(EXT, weights, strict=True))
    present = sum_horizontal(when(e.is_not_null()).then(w) for e, w in pairs)
    return ratio(sum_horizontal(e * w for e, w in pairs), present)


def product(factors: tuple[Term, ...] | list[Term]) -> Term:
    """Give the product; missing when any factor is."""
    return reduce(lambda a, b: a * b, factors)


def summed(columns: list[str]) -> Term:
    """Give the sum over columns of those present, missing when none is."""
    any_known = any_horizontal(col(c).is_not_null() for c in columns)
    return when(any_known).then(sum_horizontal(col(c) for c in columns))


RECENT = ENQUIRIES[:4]  # within a month
late_circle, seen_circle = col("DEF_30_CNT_SOCIAL_CIRCLE"), col("OBS_30_CNT_SOCIAL_CIRCLE")


EXTERNAL: list[Feature] = [
    raw("EXT_SOURCE_1", "points", "external_score", -1),
    raw("EXT_SOURCE_2", "points", "external_score", -1),
    raw("EXT_SOURCE_3", "points", "external_score", -1),
    scores("ext_mean", ext_mean, "points", -1),
    scores("ext_min", min_horizontal(EXT), "points", -1),
    scores("ext_max", max_horizontal(EXT), "points", -1),
    scores("ext_std", ext_squares.sqrt(), "points", is_plain=False),
    scores("ext_count", ext_count, "count", is_plain=False),
    scores("ext_product", product(EXT), "points", -1, is_plain=False),
    scores("ext_weighted", weighted((2, 1, 3)), "points", -1, is_plain=False),
    *(
        scores(f"ext_{i}_times_{j}", EXT[i - 1] * EXT[j - 1], "points", -1, is_plain=False)
        for i, j in combinations((1, 2, 3), 2)
    ),
    *(scores(f"ext_{i}_squared", EXT[i - 1] ** 2, "points", -1, is_plain=False) for i in (2, 3)),
    # Polynomial terms with age: kept apart from the others because they fall with it under an age policy.
    *(scores(f"ext_{i}_times_age", EXT[i - 1] * age, "points", is_plain=False) for i in (1, 2, 3)),
    scores("credit_to_ext_3", ratio(credit, EXT[2]), "amount", 1, is_plain=False, reason="never"),
    scores("annuity_to_ext_3", ratio(annuity, EXT[2]), "amount", 1, is_plain=False, reason="never"),
]

REQUEST: list[Feature] = [
    raw("NAME_CONTRACT_TYPE", "category", "request"),
    raw("AMT_CREDIT", "amount", "request", 1),
    raw("AMT_ANNUITY", "amount", "request", 1),
    raw("AMT_GOODS_PRICE", "amount", "request", 1, reason="never"),
    raw("AMT_INCOME_TOTAL", "amount", "request", -1),
    request("annuity_to_income", ratio(annuity, income), "share", 1),
    request("credit_to_income", ratio(credit, income), "ratio", 1),
    request("credit_to_annuity", ratio(credit, annuity), "ratio"),
    # A lender sells few products, and the instalment per 2,000 lent tells them apart: duration and rate in
    # one. Risk jumps from one to the next instead of following a line, so that each is a level of its own.
    request("loan_terms", whole(ratio(annuity, credit), 2_000).code(), "category", is_plain=False),
    request("annuity_to_credit", ratio(annuity, credit), "share"),
    request("credit_to_goods", ratio(credit, goods), "ratio", 1),
    request("down_payment", ratio(goods - credit, goods), "share", -1),
    request("goods_to_income", ratio(goods, income), "ratio", 1),
    request("goods_to_annuity", ratio(goods, annuity), "ratio"),
    request("surplus_to_income", ratio(positive(credit - goods), income), "ratio", 1),
    request("income_less_annuity", income - annuity, "amount", -1),
]

WORK: list[Feature] = [
    raw("NAME_INCOME_TYPE", "category", "stability"),
    raw("NAME_EDUCATION_TYPE", "category", "stability"),
    raw("OCCUPATION_TYPE", "category", "stability"),
    raw("ORGANIZATION_TYPE", "category", "stability", term=known("ORGANIZATION_TYPE")),
    raw("FLAG_EMP_PHONE", "flag", "stability"),
    raw("FLAG_WORK_PHONE", "flag", "stability"),
    raw("FLAG_PHONE", "flag", "stability"),
    raw("FLAG_EMAIL", "flag", "stability"),
    stability("is_not_employed", col("DAYS_EMPLOYED") > 0, "flag", reason="above"),
    stability("employed_years", employed, "years", -1),
    stability("registration_years", registered, "years", -1),
    stability("identity_years", identity, "years", -1),
    stability("phone_years", phone, "years", -1),
    stability("employed_to_age", ratio(employed, age), "share", -1),
    stability("registration_to_age", ratio(registered, age), "share"),
    stability("identity_to_age", ratio(identity, age), "share"),
    stability("phone_to_age", ratio(phone, age), "share"),
    stability("phone_to_employed", ratio(phone, employed), "ratio", is_plain=False),
    stability("car_to_employed", ratio(car_age, employed), "ratio", is_plain=False),
    stability("registration_to_employed", ratio(registered, employed), "ratio", is_plain=False),
    stability("identity_to_employed", ratio(identity, employed), "ratio", is_plain=False),
    stability("identity_to_registration", ratio(identity, registered), "ratio", is_plain=False),
    stability("credit_to_employed", ratio(credit, employed), "amount", 1, is_plain=False, reason="never"),
    stability("income_to_employed", ratio(income, employed), "amount", -1, is_plain=False, reason="never"),
    *(raw(name, "flag", "stability", reason="above") for name in MISMATCHES),
    stability("address_mismatches", summed(MISMATCHES), "count", 1),
]

PERSON: list[Feature] = [
    raw("CODE_GENDER", "category", "person", term=known("CODE_GENDER")),
    raw("NAME_FAMILY_STATUS", "category", "person", term=known("NAME_FAMILY_STATUS", "Unknown")),
    raw("CNT_FAM_MEMBERS", "count", "person"),
    raw("CNT_CHILDREN", "count", "person"),
    raw("NAME_TYPE_SUITE", "category", "person"),
    person("age_years", age, "years"),
    person("car_to_age", ratio(car_age, age), "ratio"),
    person("income_to_age", ratio(income, age), "amount", -1),
    person("age_at_end", age + divided(ratio(credit, annuity), 12), "years"),
    person("credit_to_age", ratio(credit, age), "amount", 1),
    person("income_per_person", ratio(income, col("CNT_FAM_MEMBERS")), "amount", -1),
]

HOME: list[Feature] = [
    raw("FLAG_OWN_CAR", "category", "home"),
    raw("FLAG_OWN_REALTY", "category", "home"),
    raw("NAME_HOUSING_TYPE", "category", "home"),
    raw("OWN_CAR_AGE", "years", "home"),
    raw("REGION_POPULATION_RELATIVE", "ratio", "home"),
    raw("REGION_RATING_CLIENT", "points", "home", 1),
    raw("REGION_RATING_CLIENT_W_CITY", "points", "home", 1),
    raw("HOUR_APPR_PROCESS_START", "count", "home"),
    raw("WEEKDAY_APPR_PROCESS_START", "category", "home"),
    raw("FONDKAPREMONT_MODE", "category", "home"),
    raw("HOUSETYPE_MODE", "category", "home"),
    raw("WALLSMATERIAL_MODE", "category", "home"),
    raw("EMERGENCYSTATE_MODE", "category", "home"),
    *(raw(name, "ratio", "home") for name in HOUSING),
]

CIRCLE: list[Feature] = [
    raw("OBS_30_CNT_SOCIAL_CIRCLE", "count", "circle"),
    raw("DEF_30_CNT_SOCIAL_CIRCLE", "count", "circle", 1),
    raw("DEF_60_CNT_SOCIAL_CIRCLE", "count", "circle", 1),
    circle("circle_default_share", ratio(late_circle, seen_circle), "share", 1),
]

PAPERS: list[Feature] = [
    *(raw(name, "count", "new_credit", reason="above") for name in ENQUIRIES),
    new_credit("enquiries", summed(ENQUIRIES), "count", reason="above"),
    new_credit("enquiries_recent_share", ratio(summed(RECENT), summed(ENQUIRIES)), "share", reason="above"),
    *(raw(f"FLAG_DOCUMENT_{i}", "flag", "request") for i in (3, 5, 6, 8, 13, 14, 16, 18)),
    request("documents", summed(DOCUMENTS), "count"),
]

FEATURES: tuple[Feature, ...] = (*EXTERNAL, *REQUEST, *WORK, *PERSON, *HOME, *CIRCLE, *PAPERS)
