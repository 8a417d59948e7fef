"""The layout of previous_application: how its 37 columns follow from what was drawn for a request."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.schema import NO_DATE
from scoring.synthetic import chance
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.previous_levels import CARD, KINDS, LoanKind
from scoring.synthetic.request import WEEKDAYS

_CASH_FACTOR = (1.0, 1.0, 1.0, 1.0, 1.058, 1.102, 1.172, 1.25, 1.309, 1.40, 1.50)
_SHOP_FACTOR = (0.90, 0.96, 1.0, 1.0, 1.0, 1.0, 1.08, 1.13, 1.158, 1.25, 1.36)
NORMALISED = 1.089
"""RATE_DOWN_PAYMENT is down payment / (credit + down payment) times this."""
Codes = tuple[list[str], Ints]
"""Level names of a category, and the level number of each row."""


def by_kind(kind: Ints, draw: Callable[[LoanKind, Flags], Floats]) -> Floats:
    """Fill an array kind by kind."""
    values = np.zeros(len(kind))
    for number, known in enumerate(KINDS):
        here = kind == number
        if here.any():
            values[here] = draw(known, here)
    return values


@dataclass(frozen=True)
class Requests:
    """Earlier requests as they were drawn, one a row; before they are laid out with their gaps."""

    client: Ints
    prev_id: Ints
    days: Ints
    kind: Ints
    empty: Flags
    credit: Floats
    annuity: Floats
    term: Ints
    down_rate: Floats
    first_due: Floats
    last_due: Floats
    dated: Flags
    codes: dict[str, Codes]


def lay_out(rng: np.random.Generator, requests: Requests) -> pl.DataFrame:
    """Lay out previous_application with its gaps and codes."""
    n = len(requests.kind)
    contract = np.array([k.contract for k in KINDS])[requests.kind]
    shop, card = contract == "Consumer loans", contract == "Revolving loans"
    factor_latent = rng.standard_normal(n)
    factor = np.where(
        shop, chance.quantile(factor_latent, _SHOP_FACTOR), chance.quantile(factor_latent, _CASH_FACTOR)
    )
    factor = np.where(card | (requests.kind == 5), 1.0, factor)
    down_share = np.nan_to_num(requests.down_rate) / NORMALISED
    down = chance.amount(requests.credit * down_share / (1 - down_share), 0.045)
    asked = chance.amount((requests.credit + down) / factor)
    not_asked = card & chance.flags(rng, 0.41, n)
    unpriced = requests.empty | (card & chance.flags(rng, 0.30, n))
    no_offer = (
        requests.empty
        | ((requests.kind == 5) & chance.flags(rng, 0.98, n))
        | ((requests.kind == 4) & chance.flags(rng, 0.17, n))
    )
    has_down_payment = ~np.isnan(requests.down_rate) & ~requests.empty
    interest = shop & chance.flags(rng, 0.01, n)
    names = _names(requests.codes, no_offer)
    dates = _date_columns(rng, requests)
    places = by_kind(
        requests.kind, lambda k, here: chance.quantile(rng.standard_normal(int(here.sum())), k.sellerplace)
    )
    insured = chance.flags(rng, np.array([k.insured for k in KINDS])[requests.kind], n)
    portfolio = np.select([no_offer, shop, card], ["XNA", "POS", "Cards"], "Cash")
    return pl.DataFrame(
        {
            "SK_ID_PREV": requests.prev_id,
            "SK_ID_CURR": requests.client,
            "NAME_CONTRACT_TYPE": _strings(contract),
            "AMT_ANNUITY": chance.number(requests.annuity, no_offer),
            "AMT_APPLICATION": np.where(requests.empty | not_asked, 0.0, asked),
            "AMT_CREDIT": requests.credit,
            "AMT_DOWN_PAYMENT": chance.number(down, ~has_down_payment),
            "AMT_GOODS_PRICE": chance.number(asked, unpriced),
            "WEEKDAY_APPR_PROCESS_START": chance.named(
                WEEKDAYS, chance.pick(rng, (0.1511, 0.1573, 0.1520, 0.1482, 0.1533, 0.1414, 0.0968), n)
            ),
            "HOUR_APPR_PROCESS_START": np.clip(np.round(12.5 + 3.3 * rng.standard_normal(n)), 0, 23).astype(
                np.int64
            ),
            "FLAG_LAST_APPL_PER_CONTRACT": chance.named(
                ("N", "Y"), chance.flags(rng, 0.9958, n).astype(np.int64)
            ),
            "NFLAG_LAST_APPL_IN_DAY": chance.flags(rng, 0.9967, n).astype(np.int64),
            "RATE_DOWN_PAYMENT": chance.number(np.where(has_down_payment, requests.down_rate, np.nan)),
            "RATE_INTEREST_PRIMARY": chance.number(0.1892 + 0.02 * rng.standard_normal(n), ~interest),
            "RATE_INTEREST_PRIVILEGED": chance.number(
                np.asarray((0.6379, 0.7156, 0.8351, 0.8525, 0.8673))[chance.pick(rng, (1, 2, 4, 2, 3), n)],
                ~interest,
            ),
            "NAME_CASH_LOAN_PURPOSE": names["purpose"],
            "NAME_CONTRACT_STATUS": _strings(np.array([k.status for k in KINDS])[requests.kind]),
            "DAYS_DECISION": -requests.days,
            "NAME_PAYMENT_TYPE": names["payment"],
            "CODE_REJECT_REASON": names["reject"],
            "NAME_TYPE_SUITE": names["suite"],
            "NAME_CLIENT_TYPE": names["client"],
            "NAME_GOODS_CATEGORY": names["goods"],
            "NAME_PORTFOLIO": _strings(portfolio),
            "NAME_PRODUCT_TYPE": names["product"],
            "CHANNEL_TYPE": names["channel"],
            "SELLERPLACE_AREA": places.round().astype(np.int64),
            "NAME_SELLER_INDUSTRY": names["seller"],
            "CNT_PAYMENT": chance.number(requests.term, no_offer),
            "NAME_YIELD_GROUP": names["yields"],
            "PRODUCT_COMBINATION": _combination(_strings(contract), names),
            **dates,
            "NFLAG_INSURED_ON_APPROVAL": chance.number(insured, ~requests.dated),
        }
    )


def _names(codes: dict[str, Codes], no_offer: Flags) -> dict[str, pl.Series]:
    """Return the category columns; without an offer yield group and product type are XNA."""
    names: dict[str, pl.Series] = {}
    for column, (levels, numbers) in codes.items():
        if column in ("yields", "product"):
            numbers = np.where(no_offer, levels.index("XNA"), numbers)
        names[column] = chance.named(levels, numbers)
    return names


def _strings(values: np.ndarray) -> pl.Series:
    """Return a String column of an array with few distinct texts."""
    levels, codes = np.unique(values, return_inverse=True)
    return chance.named([str(level) for level in levels], codes.astype(np.int64))


def _date_columns(rng: np.random.Generator, requests: Requests) -> dict[str, pl.Series]:
    """Return the five DAYS_ columns of approved loans; what has not happened yet is `NO_DATE`."""
    n = len(requests.kind)
    card = requests.kind == CARD
    drawn = np.where(
        card & chance.flags(rng, 0.62, n),
        np.minimum(requests.first_due - 20 + rng.integers(0, 90, n), -1.0),
        NO_DATE,
    )
    first = np.where(
        (requests.first_due >= -1) | (card & chance.flags(rng, 0.39, n)), NO_DATE, requests.first_due
    )
    planned = requests.first_due + 30.0 * (requests.term - 1)
    closed_card = chance.flags(rng, 0.22, n)
    last_card = np.where(closed_card, -np.ceil(requests.days * rng.random(n) * 0.8) - 1, NO_DATE)
    last = np.where(card, last_card, np.where(requests.last_due >= -1, NO_DATE, requests.last_due))
    after = 2.0 + np.minimum(rng.poisson(5.0, n), 15)
    ended = np.where((last == NO_DATE) | (last + after >= -1), NO_DATE, last + after)
    return {
        "DAYS_FIRST_DRAWING": chance.number(drawn, ~requests.dated),
        "DAYS_FIRST_DUE": chance.number(first, ~requests.dated),
        "DAYS_LAST_DUE_1ST_VERSION": chance.number(np.where(card, NO_DATE, planned), ~requests.dated),
        "DAYS_LAST_DUE": chance.number(last, ~requests.dated),
        "DAYS_TERMINATION": chance.number(ended, ~requests.dated),
    }


_SHOP_WORDS = {
    "Consumer electronics": "household", "Connectivity": "mobile", "Furniture": "industry",
    "Construction": "industry", "Clothing": "industry", "Industry": "industry",
}  # fmt: skip


def _combination(contract: pl.Series, names: dict[str, pl.Series]) -> pl.Series:
    """Return PRODUCT_COMBINATION, nearly a function of contract, product, seller and yield."""
    frame = pl.DataFrame(
        {"contract": contract, **{name: names[name] for name in ("product", "seller", "yields")}}
    )
    price = pl.col("yields").replace_strict(
        {"low_action": "low", "low_normal": "low", "middle": "middle", "high": "high"}, default=""
    )
    way = pl.when(pl.col("product") == "walk-in").then(pl.lit("Street")).otherwise(pl.lit("X-Sell"))
    card = pl.when(pl.col("product") == "x-sell").then(pl.lit("Card X-Sell")).otherwise(pl.lit("Card Street"))
    shop = pl.col("seller").replace_strict(_SHOP_WORDS, default="other")
    interest = pl.when(pl.col("yields") == "low_action").then(pl.lit("without")).otherwise(pl.lit("with"))
    shop = pl.when((shop == "other") & (interest == "without")).then(pl.lit("others")).otherwise(shop)
    return frame.select(
        pl.when(pl.col("contract") == "Revolving loans")
        .then(card)
        .when(pl.col("contract") == "Consumer loans")
        .then(pl.concat_str(pl.lit("POS "), shop, pl.lit(" "), interest, pl.lit(" interest")))
        .when(pl.col("contract") == "XNA")
        .then(None)
        .when(pl.col("product") == "XNA")
        .then(pl.lit("Cash"))
        .otherwise(pl.concat_str(pl.lit("Cash "), way, pl.lit(": "), price))
    ).to_series()
