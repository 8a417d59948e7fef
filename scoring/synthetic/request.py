"""What is asked for, where and how: loan, region, documents, enquiries, external scores, social circle.

Shares and quantiles are aggregates of 42,000 public training rows, and of the 48,744 test rows for the
later population.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.people import People

WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
SUITE = ("Unaccompanied", "Family", "Spouse, partner", "Children", "Other_B", "Other_A", "Group of people")
_SUITE_SHARE = (0.8117, 0.1320, 0.0364, 0.0104, 0.0058, 0.0026, 0.0011)
ENQUIRIES = ("HOUR", "DAY", "WEEK", "MON", "QRT", "YEAR")
_ENQUIRIES_YEAR = (
    0.2612,
    0.2387,
    0.1911,
    0.1267,
    0.0814,
    0.0466,
    0.0267,
    0.0151,
    0.0077,
    0.0030,
    0.0015,
    0.0003,
)


@dataclass(frozen=True)
class Population:
    """What differs between the training population and the later one that is scored.

    Attributes
    ----------
    goods, rate : tuple of float
        Quantiles of goods price (before people round it) and of annuity / credit of cash loans, at
        `chance.LEVELS`.
    enquiries : tuple of tuple
        Shares of 0, 1, 2 ... enquiries for `ENQUIRIES` but the last, which hardly moves.
    balance_coverage, bureau_annuity_missing : float
        Share of clients whose bureau loans have monthly balances; whose bureau annuities are missing.
    """

    revolving: float
    goods: tuple[float, ...]
    rate: tuple[float, ...]
    ext1_missing: float
    ext3_missing_in_file: float
    no_bureau: float
    no_previous: float
    card: float
    email: float
    suite_missing: float
    circle_missing: float
    home_known: float
    balance_coverage: float
    bureau_annuity_missing: float
    enquiries: tuple[tuple[float, ...], ...]
    rare_documents: float


POPULATIONS = {
    "train": Population(
        revolving=0.0963,
        goods=(45e3, 67.5e3, 135e3, 180e3, 255e3, 478e3, 712e3, 1125e3, 1326e3, 1800e3, 2250e3),
        rate=(0.02637, 0.02646, 0.02893, 0.02936, 0.03592, 0.0484, 0.06683, 0.09792, 0.1055, 0.1187, 0.1204),
        ext1_missing=0.5643,
        ext3_missing_in_file=0.0725,
        no_bureau=0.1345,
        no_previous=0.043,
        card=0.278,
        email=0.0557,
        suite_missing=0.0043,
        circle_missing=0.0034,
        home_known=0.524,
        balance_coverage=0.36,
        bureau_annuity_missing=0.77,
        enquiries=(
            (0.9938, 0.0062),
            (0.9946, 0.0047, 0.0004, 0.0003),
            (0.9669, 0.0317, 0.0008, 0.0004),
            (0.8305, 0.1280, 0.0205, 0.0076, 0.0049, 0.0028, 0.0020, 0.0015, 0.0010, 0.0008, 0.0004),
            (0.8067, 0.1311, 0.0530, 0.0068, 0.0022, 0.0002),
        ),
        rare_documents=1.0,
    ),
    "test": Population(
        revolving=0.0093,
        goods=(45e3, 54e3, 103.5e3, 135e3, 225e3, 388e3, 612e3, 900e3, 1125e3, 1800e3, 1800e3),
        rate=(0.03104, 0.0311, 0.03243, 0.03784, 0.04849, 0.06155, 0.07945, 0.1053, 0.1093, 0.1195, 0.1244),
        ext1_missing=0.4212,
        ext3_missing_in_file=0.0613,
        no_bureau=0.1241,
        no_previous=0.019,
        card=0.348,
        email=0.1626,
        suite_missing=0.0187,
        circle_missing=0.0006,
        home_known=0.5444,
        balance_coverage=0.999,
        bureau_annuity_missing=0.39,
        enquiries=(
            (0.9979, 0.0021),
            (0.9984, 0.0015, 0.0001),
            (0.9973, 0.0026, 0.0001),
            (0.9917, 0.0077, 0.0005, 0.0001),
            (0.5518, 0.3647, 0.0702, 0.0116, 0.0014, 0.0003),
        ),
        rare_documents=0.1,
    ),
}

_REVOLVING_CREDIT = (135e3, 135e3, 135e3, 180e3, 180e3, 270e3, 337.5e3, 540e3, 675e3, 1350e3, 1350e3)
_FACTORS = (  # credit / goods of cash loans, the products of the lender; sorted
    (1.0, 0.286), (1.04, 0.012), (1.053, 0.020), (1.066, 0.027), (1.079, 0.030), (1.0985, 0.034),
    (1.106, 0.033), (1.1188, 0.071), (1.132, 0.053), (1.1451, 0.037), (1.1584, 0.092), (1.198, 0.096),
    (1.2108, 0.050), (1.2376, 0.033), (1.264, 0.043), (1.3168, 0.044), (1.3961, 0.020), (1.42, 0.010),
    (1.5284, 0.009),
)  # fmt: skip
_GOODS_LUMPS = (
    np.array([90, 135, 180, 225, 270, 315, 360, 450, 495, 540, 585, 675, 900, 1125, 1350, 1800]) * 1000
)
_GOODS_LUMP_PULL = np.array(
    [0.5, 0.6, 0.35, 0.8, 0.4, 0.5, 0.45, 0.85, 0.3, 0.3, 0.3, 0.9, 0.9, 0.85, 0.85, 0.8]
)

# Regions by rating 1, 2, 3: scaled population share, and relative number of applicants.
_REGIONS = (
    ((0.003541, 0.011657, 0.032561, 0.04622, 0.072508), (67, 387, 800, 1645, 1034)),
    (
        (
            0.00029, 0.001276, 0.001417, 0.002506, 0.003813, 0.003818, 0.004849, 0.00496, 0.005084, 0.005144,
            0.005313, 0.006008, 0.006207, 0.006233, 0.006629, 0.006671, 0.00702, 0.007114, 0.00712, 0.007274,
            0.00733, 0.008019, 0.00823, 0.008474, 0.008575, 0.008625, 0.008866, 0.009175, 0.009334, 0.009549,
            0.00963, 0.009657, 0.010006, 0.010032, 0.010147, 0.010276, 0.010643, 0.010966, 0.011703, 0.014464,
            0.01452, 0.015221, 0.016612, 0.018634, 0.018801, 0.01885, 0.019101, 0.019689, 0.022625, 0.0228,
            0.02461, 0.025164, 0.026392, 0.028663, 0.030755, 0.031329, 0.035792,
        ),
        (
            1, 66, 53, 129, 213, 169, 136, 395, 168, 103, 152, 226, 222, 115, 326, 192, 449, 211, 344, 196,
            360, 230, 231, 200, 214, 263, 175, 338, 265, 209, 296, 317, 436, 403, 368, 312, 312, 360, 376,
            405, 591, 868, 530, 849, 740, 931, 1067, 809, 833, 482, 753, 1434, 1414, 1345, 1431, 1352, 1996,
        ),
    ),
    (
        (
            0.000533, 0.000938, 0.001333, 0.002042, 0.002134, 0.003069, 0.003122, 0.005002, 0.006296,
            0.006305, 0.006852, 0.007305, 0.008068, 0.0105, 0.010556, 0.018029, 0.018209, 0.020246, 0.020713,
        ),
        (1, 6, 28, 199, 127, 229, 156, 139, 132, 198, 275, 222, 204, 330, 275, 759, 717, 873, 992),
    ),
)  # fmt: skip
_HOUR = (2, 4, 7, 8, 10, 12, 14, 16, 17, 19, 21)

_EXT1 = (0.02922, 0.08256, 0.1599, 0.2155, 0.3328, 0.5061, 0.6728, 0.7854, 0.8322, 0.8905, 0.9268)
_EXT2 = (0.001753, 0.03002, 0.1363, 0.222, 0.3924, 0.566, 0.6637, 0.7219, 0.7475, 0.7828, 0.8027)
_EXT3 = (0.000527, 0.06093, 0.151, 0.2226, 0.3673, 0.5335, 0.6675, 0.749, 0.7851, 0.8328, 0.8659)
_EXT3_STEPS = 800
"""EXT_SOURCE_3 is a discrete score: 744 distinct values in 39,500 rows."""

_CIRCLE = (0.537, 0.159, 0.095, 0.065, 0.047, 0.031, 0.023, 0.013, 0.010, 0.007, 0.005, 0.003, 0.002, 0.003)
_CIRCLE_DEFAULT = (0.0, 0.225, 0.148, 0.122, 0.093, 0.079, 0.069, 0.060, 0.050)
"""Chance that one observed person of the circle has defaulted, by the number observed."""

# Documents: the one document of an application by kind of client (share of 3, 8, 6, 5, none, a rare one).
_DOCUMENT_SHARES = (
    (0.0331, 0.0066, 0.0011, 0.0240, 0.9232, 0.0120),  # revolving
    (0.5010, 0.0090, 0.4760, 0.0102, 0.0013, 0.0025),  # without employer
    (0.7850, 0.1200, 0.0070, 0.0110, 0.0229, 0.0541),  # commercial associate
    (0.8550, 0.0860, 0.0095, 0.0150, 0.0080, 0.0265),  # others
)
_RARE_DOCUMENTS = {
    16: 92,
    18: 73,
    9: 41,
    11: 38,
    13: 30,
    14: 26,
    15: 12,
    20: 5,
    19: 5,
    17: 2,
    21: 2,
    4: 1,
    2: 0.5,
    7: 1.5,
}
_SECOND_DOCUMENT = 0.023


@dataclass(frozen=True)
class RequestColumns:
    """The requests: columns by Kaggle name, and whom the credit bureau knows."""

    has_file: Flags
    columns: dict[str, Any]


def draw_request(
    rng: np.random.Generator, z: dict[str, Floats], people: People, population: Population
) -> RequestColumns:
    """Draw the columns of the request, its place and its scores."""
    n = len(people.no_employer)
    revolving = z["revolving"] > chance.cut(1 - population.revolving)
    goods, credit, annuity = _loan(rng, z, revolving, population)
    has_file = ~(chance.flags(rng, population.no_bureau, n))
    ext1 = np.round(chance.quantile(z["ext1"], _EXT1), 10)
    ext2 = np.round(chance.quantile(z["ext2"], _EXT2), 10)
    steps = (np.floor(chance.rank(z["ext3"]) * _EXT3_STEPS) + 0.5) / _EXT3_STEPS
    ext3 = np.round(chance.quantile(chance.latent_of(steps), _EXT3), 10)
    ext3_missing = ~has_file | (
        chance.mix(rng, z["ext3_known"], 0.8) < chance.cut(population.ext3_missing_in_file)
    )
    no_goods = chance.flags(rng, 0.0009, n)
    suite_missing = chance.flags(rng, population.suite_missing, n)
    columns: dict[str, Any] = {
        "NAME_CONTRACT_TYPE": chance.named(("Cash loans", "Revolving loans"), revolving.astype(np.int64)),
        "AMT_CREDIT": credit,
        "AMT_ANNUITY": chance.number(annuity, chance.flags(rng, 0.00004, n)),
        "AMT_GOODS_PRICE": chance.number(goods, no_goods & revolving),
        "NAME_TYPE_SUITE": chance.named(SUITE, chance.pick(rng, _SUITE_SHARE, n), suite_missing),
        "WEEKDAY_APPR_PROCESS_START": chance.named(
            WEEKDAYS, chance.pick(rng, (0.1656, 0.1727, 0.1693, 0.1649, 0.1641, 0.1093, 0.0540), n)
        ),
        "HOUR_APPR_PROCESS_START": chance.quantile(z["hour"], _HOUR).round().astype(np.int64),
        "EXT_SOURCE_1": chance.number(ext1, chance.flags(rng, population.ext1_missing, n)),
        "EXT_SOURCE_2": chance.number(ext2, chance.flags(rng, 0.0022, n)),
        "EXT_SOURCE_3": chance.number(ext3, ext3_missing),
        **_region(rng, z),
        **_social_circle(rng, z["circle"], population.circle_missing),
        **_documents(rng, people, revolving, population.rare_documents),
        **_enquiries(rng, z["enquiries"], has_file, population),
    }
    return RequestColumns(has_file, columns)


def _loan(
    rng: np.random.Generator, z: dict[str, Floats], revolving: Flags, population: Population
) -> tuple[Floats, Floats, Floats]:
    """Draw goods price (lumpy), credit = goods x a product factor, annuity = credit x a monthly rate."""
    n = len(revolving)
    raw = chance.quantile(z["goods"], population.goods, log=True)
    nearest = np.abs(np.log(raw)[:, None] - np.log(_GOODS_LUMPS)).argmin(axis=1)
    pulled = (np.abs(_GOODS_LUMPS[nearest] / raw - 1) < 0.10) & (
        rng.random(n) < 0.85 * _GOODS_LUMP_PULL[nearest]
    )
    goods = np.where(pulled, _GOODS_LUMPS[nearest], np.maximum(np.round(raw / 4500), 9) * 4500)
    shares = np.array([share for _, share in _FACTORS])
    factor = np.array([value for value, _ in _FACTORS])[
        np.digitize(z["factor"], [chance.cut(s) for s in np.cumsum(shares / shares.sum())[:-1]])
    ]
    credit = chance.amount(goods * factor)
    annuity = chance.amount(credit * chance.quantile(z["rate"], population.rate))
    limit = np.round(chance.quantile(z["goods"], _REVOLVING_CREDIT, log=True) / 45000) * 45000
    goods = np.where(revolving, limit, goods)
    credit = np.where(revolving, limit, credit)
    return goods, credit, np.where(revolving, limit / 20, annuity)


def _region(rng: np.random.Generator, z: dict[str, Floats]) -> dict[str, Ints | Floats]:
    """Draw a region: its rating from the latent (1 is best), then its population share."""
    rating = 3 - np.digitize(z["rating"], (chance.cut(0.1569), chance.cut(0.8953)))
    share = np.empty(len(rating))
    for number, (values, weights) in enumerate(_REGIONS, start=1):
        here = rating == number
        residual = (z["population"] - 0.58 * z["rating"]) / np.sqrt(1 - 0.58**2)
        cuts = [chance.cut(s) for s in np.cumsum(np.array(weights) / sum(weights))[:-1]]
        share[here] = np.array(values)[np.digitize(residual[here], cuts)]
    change = rng.random(len(rating))
    with_city = np.where((rating == 2) & (change < 0.0055), 1, rating)
    with_city = np.where((rating == 3) & (change < 0.090), 2, with_city)
    with_city = np.where((rating == 3) & (change < 0.016), 1, with_city)
    return {
        "REGION_POPULATION_RELATIVE": share,
        "REGION_RATING_CLIENT": rating.astype(np.int64),
        "REGION_RATING_CLIENT_W_CITY": with_city.astype(np.int64),
    }


def _social_circle(rng: np.random.Generator, z: Floats, missing_share: float) -> dict[str, pl.Series]:
    """Draw the four social circle counts: DEF_60 <= DEF_30 <= OBS_30, missing together."""
    n = len(z)
    cuts = [chance.cut(s) for s in np.cumsum(np.array(_CIRCLE) / sum(_CIRCLE))[:-1]]
    seen = np.digitize(z, cuts)
    seen = np.where(seen == 13, 13 + rng.geometric(0.35, n) - 1, seen)
    seen_60 = np.maximum(seen - chance.flags(rng, 0.02, n), 0)
    late = rng.binomial(seen, np.asarray(_CIRCLE_DEFAULT)[np.minimum(seen, 8)])
    late_60 = np.minimum(rng.binomial(late, 0.70), seen_60)
    missing = chance.flags(rng, missing_share, n)
    return {
        "OBS_30_CNT_SOCIAL_CIRCLE": chance.number(seen, missing),
        "DEF_30_CNT_SOCIAL_CIRCLE": chance.number(late, missing),
        "OBS_60_CNT_SOCIAL_CIRCLE": chance.number(seen_60, missing),
        "DEF_60_CNT_SOCIAL_CIRCLE": chance.number(late_60, missing),
    }


def _documents(rng: np.random.Generator, people: People, revolving: Flags, rare: float) -> dict[str, Ints]:
    """Draw the twenty document flags: one document in 88 % of the applications."""
    n = len(revolving)
    commercial = np.asarray(people.columns["NAME_INCOME_TYPE"] == "Commercial associate", dtype=bool)
    kind = np.where(revolving, 0, np.where(people.no_employer, 1, np.where(commercial, 2, 3)))
    shares = np.array(_DOCUMENT_SHARES)
    shares[:, 0] += shares[:, 5] * (1 - rare)
    shares[:, 5] *= rare
    first = np.array([3, 8, 6, 5, 0, -1])[chance.pick_by(rng, shares, kind)]
    rare_one = np.array(list(_RARE_DOCUMENTS))[chance.pick(rng, list(_RARE_DOCUMENTS.values()), n)]
    first = np.where(first == -1, rare_one, first)
    second = np.where(chance.flags(rng, _SECOND_DOCUMENT * rare, n) & (first > 0), rare_one, 0)
    return {f"FLAG_DOCUMENT_{k}": ((first == k) | (second == k)).astype(np.int64) for k in range(2, 22)}


def _enquiries(
    rng: np.random.Generator, z: Floats, has_file: Flags, population: Population
) -> dict[str, pl.Series]:
    """Draw the six enquiry counts, all missing where there is no credit bureau file."""
    n = len(z)
    counts = [chance.pick(rng, shares, n) for shares in population.enquiries]
    cuts = [chance.cut(s) for s in np.cumsum(np.array(_ENQUIRIES_YEAR) / sum(_ENQUIRIES_YEAR))[:-1]]
    counts.append(np.digitize(z, cuts))
    return {
        f"AMT_REQ_CREDIT_BUREAU_{period}": chance.number(count, ~has_file)
        for period, count in zip(ENQUIRIES, counts, strict=True)
    }
