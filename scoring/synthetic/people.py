"""Who applies: gender, age, family, home, work, contact flags.

Shares and quantiles are aggregates of 42,000 public training rows; levels in the source's own words.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.schema import NO_DATE
from scoring.synthetic import chance
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.employers import (
    OCCUPATION_BY_CELL,
    OCCUPATION_LIFT,
    OCCUPATIONS,
    ORGANISATION_BY_CELL,
    ORGANISATIONS,
    UNSAID_SHARE,
)

EDUCATION = (
    "Lower secondary",
    "Secondary / secondary special",
    "Incomplete higher",
    "Higher education",
    "Academic degree",
)
_EDUCATION_SHARE = (0.0126, 0.7122, 0.0343, 0.2402, 0.0007)
FAMILY = ("Married", "Single / not married", "Civil marriage", "Separated", "Widow")
_FAMILY_BY_GENDER_AND_AGE = (  # women then men; under 25, 35, 45, 55 and over
    (0.362, 0.445, 0.174, 0.018, 0.001),
    (0.646, 0.173, 0.123, 0.052, 0.006),
    (0.655, 0.118, 0.121, 0.083, 0.023),
    (0.626, 0.115, 0.101, 0.092, 0.065),
    (0.524, 0.123, 0.068, 0.080, 0.204),
    (0.295, 0.590, 0.107, 0.008, 0.000),
    (0.642, 0.245, 0.081, 0.032, 0.001),
    (0.754, 0.103, 0.088, 0.052, 0.003),
    (0.773, 0.075, 0.089, 0.056, 0.007),
    (0.782, 0.063, 0.066, 0.039, 0.050),
)
_CHILDREN_BY_AGE_AND_COUPLE = (  # 0, 1, 2, 3, 4 and more; alone then couple, by the five ages
    (0.940, 0.054, 0.005, 0.000, 0.0001),
    (0.659, 0.311, 0.026, 0.004, 0.0001),
    (0.737, 0.214, 0.044, 0.005, 0.0005),
    (0.428, 0.354, 0.192, 0.023, 0.0026),
    (0.609, 0.299, 0.084, 0.007, 0.0005),
    (0.471, 0.319, 0.177, 0.028, 0.0040),
    (0.883, 0.106, 0.009, 0.002, 0.0001),
    (0.832, 0.135, 0.028, 0.003, 0.0009),
    (0.983, 0.014, 0.001, 0.001, 0.0003),
    (0.976, 0.019, 0.004, 0.001, 0.0005),
)
HOUSING = (
    "House / apartment",
    "With parents",
    "Municipal apartment",
    "Rented apartment",
    "Office apartment",
    "Co-op apartment",
)
_HOUSING_BY_AGE = (
    (0.7060, 0.2057, 0.0224, 0.0448, 0.0095, 0.0115),
    (0.8186, 0.1090, 0.0279, 0.0291, 0.0105, 0.0049),
    (0.8969, 0.0383, 0.0371, 0.0148, 0.0084, 0.0045),
    (0.9237, 0.0113, 0.0459, 0.0096, 0.0077, 0.0017),
    (0.9423, 0.0042, 0.0413, 0.0043, 0.0056, 0.0023),
)
_AGE = (7769, 8251, 9428, 10290, 12450, 15790, 19650, 22100, 23170, 24380, 24980)
_EMPLOYED = (57, 111, 208, 339, 765, 1650, 3153, 5318, 7294, 11190, 14280)
_REGISTERED = (3, 45, 311, 672.5, 2004, 4512, 7493, 9924, 11430, 13850, 16730)
_IDENTITY = (5, 58, 368, 719, 1710, 3245, 4294, 4722, 4941, 5466, 6060)
_PHONE = (0, 0, 0, 0, 279, 762, 1566, 2155, 2517, 3152, 3568)
_INCOME = (32090, 45000, 67500, 81000, 112500, 144000, 202500, 270000, 337500, 450000, 900000)
_CAR_AGE = (0, 0, 1, 2, 5, 9, 14, 20, 24, 34, 45)
_NO_EMPLOYER_AGES = (22.5, 27.5, 32.5, 37.5, 42.5, 47.5, 52.5, 57.5, 62.5, 67.5)
_NO_EMPLOYER_SHARE = (  # women, men, at those ages
    (0.004, 0.002, 0.004, 0.005, 0.016, 0.023, 0.138, 0.696, 0.835, 0.922),
    (0.003, 0.006, 0.005, 0.012, 0.025, 0.044, 0.083, 0.267, 0.777, 0.873),
)
INCOME_TYPES = (
    "Working", "Commercial associate", "State servant", "Pensioner", "Unemployed", "Student", "Businessman",
    "Maternity leave",
)  # fmt: skip
_INCOME_TYPE_BY_EDUCATION_AND_GENDER = (  # not higher, higher education; women, men
    (0.6565, 0.2605, 0.0828),
    (0.6978, 0.2565, 0.0455),
    (0.5218, 0.3305, 0.1476),
    (0.5103, 0.3887, 0.1005),
)
_LUMPS = np.array([67.5, 90, 112.5, 135, 157.5, 180, 202.5, 225, 270, 315, 360, 450, 540, 675, 900]) * 1000
"""Incomes that people round to; 135,000 alone has 11.6 % of the rows."""

_ADDRESS_FLAGS = (
    "REG_REGION_NOT_LIVE_REGION", "REG_REGION_NOT_WORK_REGION", "LIVE_REGION_NOT_WORK_REGION",
    "REG_CITY_NOT_LIVE_CITY", "REG_CITY_NOT_WORK_CITY", "LIVE_CITY_NOT_WORK_CITY",
)  # fmt: skip
_ADDRESSES = (  # share among those at work, pattern of the six flags
    (0.6921, (0, 0, 0, 0, 0, 0)), (0.1706, (0, 0, 0, 0, 1, 1)), (0.0589, (0, 0, 0, 1, 1, 0)),
    (0.0272, (0, 1, 1, 0, 1, 1)), (0.0171, (0, 1, 1, 0, 0, 0)), (0.0099, (1, 1, 0, 1, 1, 0)),
    (0.0094, (0, 0, 0, 1, 1, 1)), (0.0048, (0, 0, 0, 1, 0, 1)), (0.0022, (1, 1, 0, 0, 0, 0)),
    (0.0015, (0, 1, 1, 1, 1, 1)), (0.0027, (1, 1, 1, 1, 1, 1)), (0.0010, (1, 0, 1, 1, 0, 1)),
    (0.0026, (0, 1, 1, 1, 0, 0)),
)  # fmt: skip


@dataclass(frozen=True)
class People:
    """The applicants: columns by Kaggle name, and who has no employer, which the request depends on."""

    no_employer: Flags
    columns: dict[str, Any]


def draw_people(rng: np.random.Generator, z: dict[str, Floats], email_share: float) -> People:
    """Draw the personal columns of the applications that have these latents."""
    n = len(z["age"])
    male = z["male"] > chance.cut(0.6585)
    age = chance.quantile(z["age"], _AGE).round().astype(np.int64)
    years = age / 365.25
    band = np.digitize(years, (25, 35, 45, 55))
    education = np.digitize(z["education"], [chance.cut(s) for s in np.cumsum(_EDUCATION_SHARE)[:-1]])
    higher = education >= 3
    family = chance.pick_by(rng, _FAMILY_BY_GENDER_AND_AGE, band + 5 * male)
    couple = (family == 0) | (family == 2)
    children = chance.pick_by(rng, _CHILDREN_BY_AGE_AND_COUPLE, 2 * band + couple)
    children = np.where(children == 4, 4 + chance.pick(rng, (0.85, 0.12, 0.02, 0.01), n), children)
    car = z["car"] > chance.cut(0.6601)
    work = _draw_work(rng, male, years, higher)
    no_employer = np.asarray(work["no_employer"], dtype=bool)
    # measured among people at work, who are younger than all: hence the shift
    employed = chance.quantile(0.08 + 1.02 * z["employed"], _EMPLOYED, log=True)
    employed = np.minimum(employed, (years - 15.5) * 365).round()
    employed = np.where(no_employer, -NO_DATE, np.maximum(employed, 1)).astype(np.int64)
    phone = np.minimum(chance.quantile(z["phone"], _PHONE).round(), age - 6000).astype(np.int64)
    registered = np.minimum(chance.quantile(z["registered"], _REGISTERED).round(), age - 20)
    identity = np.minimum(chance.quantile(z["identity"], _IDENTITY).round(), age - 5000)
    columns: dict[str, Any] = {
        "CODE_GENDER": chance.named(("F", "M"), male.astype(np.int64)),
        "FLAG_OWN_CAR": chance.named(("N", "Y"), car.astype(np.int64)),
        "FLAG_OWN_REALTY": chance.named(
            ("N", "Y"),
            chance.flags(rng, np.interp(years, (25, 50, 65), (0.62, 0.74, 0.77)), n).astype(np.int64),
        ),
        "CNT_CHILDREN": children,
        "AMT_INCOME_TOTAL": _income(rng, z["income"]),
        "NAME_INCOME_TYPE": chance.named(INCOME_TYPES, work["income_type"]),
        "NAME_EDUCATION_TYPE": chance.named(EDUCATION, education),
        "NAME_FAMILY_STATUS": chance.named(FAMILY, family),
        "NAME_HOUSING_TYPE": chance.named(HOUSING, chance.pick_by(rng, _HOUSING_BY_AGE, band)),
        "DAYS_BIRTH": -age,
        "DAYS_EMPLOYED": -employed,
        "DAYS_REGISTRATION": chance.number(-registered),
        "DAYS_ID_PUBLISH": -identity.astype(np.int64),
        "OWN_CAR_AGE": chance.number(_car_age(rng, z["car_age"]), ~car),
        "FLAG_MOBIL": np.ones(n, dtype=np.int64),
        "FLAG_EMP_PHONE": (~no_employer).astype(np.int64),
        "FLAG_WORK_PHONE": chance.flags(rng, np.where(no_employer, 0.0, 0.2444), n).astype(np.int64),
        "FLAG_CONT_MOBILE": chance.flags(rng, 0.9985, n).astype(np.int64),
        "FLAG_PHONE": chance.flags(rng, 0.279, n).astype(np.int64),
        "FLAG_EMAIL": chance.flags(rng, email_share, n).astype(np.int64),
        "OCCUPATION_TYPE": chance.named(OCCUPATIONS, work["occupation"]),
        "CNT_FAM_MEMBERS": chance.number(1 + children + couple),
        "ORGANIZATION_TYPE": chance.named((*ORGANISATIONS, "XNA"), work["organisation"]),
        "DAYS_LAST_PHONE_CHANGE": chance.number(-phone),
        **_addresses(rng, z["work_elsewhere"], no_employer),
    }
    return People(no_employer, columns)


def _draw_work(rng: np.random.Generator, male: Flags, years: Floats, higher: Flags) -> dict[str, Ints]:
    """Draw income type, organisation and occupation (the latter two are linked by known lifts)."""
    n = len(male)
    share = np.where(
        male,
        np.interp(years, _NO_EMPLOYER_AGES, _NO_EMPLOYER_SHARE[1]),
        np.interp(years, _NO_EMPLOYER_AGES, _NO_EMPLOYER_SHARE[0]),
    )
    no_employer = chance.flags(rng, share, n)
    income_type = chance.pick_by(rng, _INCOME_TYPE_BY_EDUCATION_AND_GENDER, 2 * higher + male)
    rare = chance.flags(rng, 0.00015, n)
    income_type = np.where(rare, 5 + chance.pick(rng, (1, 1, 1), n), income_type)
    cell = 2 * np.minimum(income_type, 2) + male
    organisation = chance.pick_by(rng, ORGANISATION_BY_CELL, cell)
    occupation = np.zeros(n, dtype=np.int64)
    for number in np.unique(organisation):
        here = np.flatnonzero(organisation == number)
        weights = OCCUPATION_BY_CELL * OCCUPATION_LIFT[number]
        occupation[here] = chance.pick_by(rng, weights, (2 * higher + male)[here])
    unsaid = chance.flags(rng, UNSAID_SHARE[organisation], n)
    return {
        "no_employer": no_employer.astype(np.int64),
        "income_type": np.where(no_employer, np.where(chance.flags(rng, 0.0004, n), 4, 3), income_type),
        "organisation": np.where(no_employer, len(ORGANISATIONS), organisation),
        "occupation": np.where(no_employer | unsaid, -1, occupation),
    }


def _income(rng: np.random.Generator, z: Floats) -> Floats:
    """Draw a log-normal-like income and round it as people do."""
    raw = chance.quantile(z, _INCOME, log=True)
    near = _LUMPS[np.abs(np.log(raw)[:, None] - np.log(_LUMPS)).argmin(axis=1)]
    lumped = chance.flags(rng, 0.70, len(raw)) & (np.abs(near / raw - 1) < 0.12)
    exact = np.where(chance.flags(rng, 0.92, len(raw)), np.round(raw / 4500) * 4500, np.round(raw / 45) * 45)
    return np.where(lumped, near, np.maximum(exact, 25650))


def _car_age(rng: np.random.Generator, z: Floats) -> Floats:
    """Draw car ages; 64 and 65 years look like a code and have 3.1 % of the cars."""
    age = chance.quantile(z, _CAR_AGE).round()
    coded = chance.flags(rng, 0.031, len(z))
    return np.where(coded, np.where(chance.flags(rng, 0.73, len(z)), 64, 65), age)


def _addresses(rng: np.random.Generator, z: Floats, no_employer: Flags) -> dict[str, Ints]:
    """Draw the six address flags as one pattern; those without an employer have no WORK address."""
    shares = np.array([share for share, _ in _ADDRESSES])
    order = np.array([0, 4, 8, 1, 3, 2, 5, 6, 7, 9, 10, 11, 12])
    cuts = [chance.cut(s) for s in np.cumsum(shares[order] / shares.sum())[:-1]]
    patterns = np.array([pattern for _, pattern in _ADDRESSES])
    chosen = patterns[order[np.digitize(z, cuts)]]
    at_home = np.zeros_like(chosen)
    at_home[:, 3] = chance.flags(rng, 0.026, len(z))
    at_home[:, 0] = chance.flags(rng, 0.006, len(z))
    chosen = np.where(no_employer[:, None], at_home, chosen)
    return {name: chosen[:, i].astype(np.int64) for i, name in enumerate(_ADDRESS_FLAGS)}
