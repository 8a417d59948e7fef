"""Features of the application itself: raw columns, and ratios among them."""

# One feature, one line: the table is easier to read than the wrapped form.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from functools import partial, reduce
from itertools import combinations

from scoring import schema
from scoring.features.base import DAYS_A_YEAR, Direction, Feature, Unit, date, divided, known, ratio, where
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

feature = partial(Feature, table="application")
COLUMNS = schema.columns(schema.Application)


def raw(name: str, unit: Unit, group: str, direction: Direction = 0, term: Term | None = None) -> Feature:
    """Declare a column as it is (or merely cleaned); its words are the schema's."""
    column = COLUMNS[name]
    value = col(name) if term is None else term
    return feature(name, value, unit, group, column.en, column.fr, direction)


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
    """Give the weighted mean of the external scores that are present, never counting a missing one as zero."""
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


EXTERNAL: list[Feature] = [
    raw("EXT_SOURCE_1", "points", "external_score", -1),
    raw("EXT_SOURCE_2", "points", "external_score", -1),
    raw("EXT_SOURCE_3", "points", "external_score", -1),
    feature("ext_mean", ext_mean, "points", "external_score", "Average of the external scores", "Moyenne des notes externes", -1),
    feature("ext_min", min_horizontal(EXT), "points", "external_score", "Lowest external score", "Note externe la plus basse", -1),
    feature("ext_max", max_horizontal(EXT), "points", "external_score", "Highest external score", "Note externe la plus haute", -1),
    feature("ext_std", ext_squares.sqrt(), "points", "external_score", "Spread of the external scores", "Écart entre les notes externes", is_plain=False),
    feature("ext_count", ext_count, "count", "external_score", "Number of external scores known", "Nombre de notes externes connues", is_plain=False),
    feature("ext_product", product(EXT), "points", "external_score", "Product of the three external scores", "Produit des trois notes externes", -1, is_plain=False),
    feature("ext_weighted", weighted((2, 1, 3)), "points", "external_score", "Weighted average of the external scores", "Moyenne pondérée des notes externes", -1, is_plain=False),
    *(
        feature(
            f"ext_{i}_times_{j}",
            EXT[i - 1] * EXT[j - 1],
            "points",
            "external_score",
            f"External score {i} times external score {j}",
            f"Note externe {i} fois note externe {j}",
            -1,
            is_plain=False,
        )
        for i, j in combinations((1, 2, 3), 2)
    ),
    *(
        feature(f"ext_{i}_squared", EXT[i - 1] ** 2, "points", "external_score", f"External score {i}, squared", f"Note externe {i}, au carré", -1, is_plain=False)
        for i in (2, 3)
    ),
    # Polynomial terms with age: kept apart from the others because they fall with it under an age policy.
    *(
        feature(f"ext_{i}_times_age", EXT[i - 1] * age, "points", "external_score", f"External score {i} times age", f"Note externe {i} fois l'âge", is_plain=False)
        for i in (1, 2, 3)
    ),
    feature("credit_to_ext_3", ratio(credit, EXT[2]), "amount", "external_score", "Loan amount over external score 3", "Montant du prêt sur note externe 3", is_plain=False),
    feature("annuity_to_ext_3", ratio(annuity, EXT[2]), "amount", "external_score", "Instalment over external score 3", "Mensualité sur note externe 3", is_plain=False),
]

REQUEST: list[Feature] = [
    raw("NAME_CONTRACT_TYPE", "category", "request"),
    raw("AMT_CREDIT", "amount", "request"),
    raw("AMT_ANNUITY", "amount", "request"),
    raw("AMT_GOODS_PRICE", "amount", "request"),
    raw("AMT_INCOME_TOTAL", "amount", "request"),
    feature("annuity_to_income", ratio(annuity, income), "share", "request", "Instalment as a share of income", "Mensualité en part des revenus", 1),
    feature("credit_to_income", ratio(credit, income), "ratio", "request", "Loan amount over income", "Montant du prêt sur revenus"),
    feature("credit_to_annuity", ratio(credit, annuity), "ratio", "request", "Loan amount over instalment", "Montant du prêt sur mensualité"),
    # A lender sells few products, and the instalment per 2,000 lent tells them apart: duration and rate in one.
    # Risk jumps from one to the next instead of following a line, so that each is a level of its own.
    feature("loan_terms", whole(ratio(annuity, credit), 2_000).code(), "category", "request", "Terms of the loan (instalment per 2,000 lent)", "Conditions du prêt (mensualité pour 2 000 prêtés)", is_plain=False),
    feature("annuity_to_credit", ratio(annuity, credit), "share", "request", "Instalment as a share of the loan", "Mensualité en part du prêt"),
    feature("credit_to_goods", ratio(credit, goods), "ratio", "request", "Loan amount over price of the goods", "Montant du prêt sur prix du bien", 1),
    feature("down_payment", goods - credit, "amount", "request", "Price of the goods less the loan", "Prix du bien moins le prêt", -1),
    feature("goods_to_income", ratio(goods, income), "ratio", "request", "Price of the goods over income", "Prix du bien sur revenus"),
    feature("goods_to_annuity", ratio(goods, annuity), "ratio", "request", "Price of the goods over instalment", "Prix du bien sur mensualité"),
    feature("surplus_to_income", ratio(credit - goods, income), "ratio", "request", "Loan beyond the price of the goods, over income", "Prêt au-delà du prix du bien, sur revenus", 1),
    feature("income_less_annuity", income - annuity, "amount", "request", "Income left after one instalment", "Revenus restants après une mensualité"),
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
    feature("is_not_employed", (col("DAYS_EMPLOYED") > 0), "flag", "stability", "Not in employment", "Sans activité professionnelle"),
    feature("employed_years", employed, "years", "stability", "Years in the present job", "Ancienneté dans l'emploi actuel", -1),
    feature("registration_years", registered, "years", "stability", "Years since the last change of registration", "Ancienneté de l'enregistrement", -1),
    feature("identity_years", identity, "years", "stability", "Years since the identity document was issued", "Ancienneté de la pièce d'identité", -1),
    feature("phone_years", phone, "years", "stability", "Years since the last change of phone", "Ancienneté du téléphone", -1),
    feature("employed_to_age", ratio(employed, age), "share", "stability", "Years in the job as a share of age", "Ancienneté d'emploi en part de l'âge", -1),
    feature("registration_to_age", ratio(registered, age), "share", "stability", "Years of registration as a share of age", "Ancienneté d'enregistrement en part de l'âge"),
    feature("identity_to_age", ratio(identity, age), "share", "stability", "Years of the identity document as a share of age", "Ancienneté de la pièce d'identité en part de l'âge"),
    feature("phone_to_age", ratio(phone, age), "share", "stability", "Years with the phone as a share of age", "Ancienneté du téléphone en part de l'âge"),
    feature("phone_to_employed", ratio(phone, employed), "ratio", "stability", "Years with the phone over years in the job", "Ancienneté du téléphone sur ancienneté d'emploi", is_plain=False),
    feature("car_to_employed", ratio(car_age, employed), "ratio", "stability", "Age of the car over years in the job", "Âge de la voiture sur ancienneté d'emploi", is_plain=False),
    feature("registration_to_employed", ratio(registered, employed), "ratio", "stability", "Years of registration over years in the job", "Ancienneté d'enregistrement sur ancienneté d'emploi", is_plain=False),
    feature("identity_to_employed", ratio(identity, employed), "ratio", "stability", "Years of the identity document over years in the job", "Ancienneté de la pièce d'identité sur ancienneté d'emploi", is_plain=False),
    feature("identity_to_registration", ratio(identity, registered), "ratio", "stability", "Years of the identity document over years of registration", "Ancienneté de la pièce d'identité sur celle de l'enregistrement", is_plain=False),
    feature("credit_to_employed", ratio(credit, employed), "amount", "stability", "Loan amount per year in the job", "Montant du prêt par année d'ancienneté", is_plain=False),
    feature("income_to_employed", ratio(income, employed), "amount", "stability", "Income per year in the job", "Revenus par année d'ancienneté", is_plain=False),
    *(raw(name, "flag", "stability") for name in MISMATCHES),
    feature("address_mismatches", summed(MISMATCHES), "count", "stability", "Address mismatches", "Adresses discordantes", 1),
]

PERSON: list[Feature] = [
    raw("CODE_GENDER", "category", "person", term=known("CODE_GENDER")),
    raw("NAME_FAMILY_STATUS", "category", "person", term=known("NAME_FAMILY_STATUS", "Unknown")),
    raw("CNT_FAM_MEMBERS", "count", "person"),
    raw("CNT_CHILDREN", "count", "person"),
    raw("NAME_TYPE_SUITE", "category", "person"),
    feature("age_years", age, "years", "person", "Age in years", "Âge en années"),
    feature("car_to_age", ratio(car_age, age), "ratio", "person", "Age of the car over age", "Âge de la voiture sur âge"),
    feature("income_to_age", ratio(income, age), "amount", "person", "Income per year of age", "Revenus par année d'âge"),
    feature("age_at_end", age + divided(ratio(credit, annuity), 12), "years", "person", "Age when the loan would end", "Âge à la fin du prêt"),
    feature("credit_to_age", ratio(credit, age), "amount", "person", "Loan amount per year of age", "Montant du prêt par année d'âge"),
    feature("income_per_person", ratio(income, col("CNT_FAM_MEMBERS")), "amount", "person", "Income per person of the household", "Revenus par personne du foyer"),
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
    feature("circle_default_share", ratio(col("DEF_30_CNT_SOCIAL_CIRCLE"), col("OBS_30_CNT_SOCIAL_CIRCLE")), "share", "circle", "Share of the social circle in default", "Part de l'entourage en défaut", 1),
]

PAPERS: list[Feature] = [
    *(raw(name, "count", "new_credit") for name in ENQUIRIES),
    feature("enquiries", summed(ENQUIRIES), "count", "new_credit", "Credit enquiries within a year", "Demandes de renseignements sur un an"),
    feature("enquiries_recent_share", ratio(summed(ENQUIRIES[:4]), summed(ENQUIRIES)), "share", "new_credit", "Share of the enquiries made within a month", "Part des demandes datant de moins d'un mois"),
    *(raw(f"FLAG_DOCUMENT_{i}", "flag", "request") for i in (3, 5, 6, 8, 13, 14, 16, 18)),
    feature("documents", summed(DOCUMENTS), "count", "request", "Documents supplied", "Documents fournis"),
]

FEATURES: tuple[Feature, ...] = (*EXTERNAL, *REQUEST, *WORK, *PERSON, *HOME, *CIRCLE, *PAPERS)
