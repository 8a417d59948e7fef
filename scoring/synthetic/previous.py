"""Earlier applications to the same lender: previous_application, one row per request.

The level shares are in `previous_levels`; how rows follow from one another is here.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.bureau import repeat
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.previous_levels import (
    BY_YEAR,
    CARD,
    CASH,
    CONSUMER,
    FIRST_LIFT,
    KINDS,
    MONTHLY_RATE,
    LoanKind,
    Shares,
)
from scoring.synthetic.previous_table import NORMALISED, Codes, Requests, by_kind, lay_out
from scoring.synthetic.request import Population

_REQUESTS = (
    0.1731, 0.1560, 0.1295, 0.1086, 0.0906, 0.0756, 0.0579, 0.0448, 0.0380, 0.0271, 0.0220, 0.0158, 0.0114,
    0.0098, 0.0090, 0.0062, 0.0055, 0.0032, 0.0025, 0.0029, 0.0020, 0.0020, 0.0012, 0.0010, 0.0011, 0.0008,
    0.0006, 0.0005, 0.0004, 0.0004, 0.0003, 0.0003,
)  # fmt: skip
_DAYS = (2920, 2839, 2554, 2200, 1261, 570, 301, 160, 89, 15, 3)
_CARD_DAYS = (2922, 2922, 2922, 2900, 1850, 740, 390, 265, 180, 75, 25)
_DAYS_WITHIN = 0.76
_DOWN = (0.005, 0.01, 0.03, 0.06, 0.098, 0.10, 0.15, 0.25, 0.31, 0.46, 0.60)
_PAID_SHARE_RANKS = (0.0, 0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 1.0)
_PAID_SHARE = {
    CASH: (0.0, 0.06, 0.14, 0.30, 0.47, 0.67, 0.85, 1.0, 1.0),
    CONSUMER: (0.0, 0.20, 0.36, 0.60, 0.80, 0.91, 1.0, 1.0, 1.0),
}  # fmt: skip
_NO_DATES = {CASH: 0.078, CONSUMER: 0.022, CARD: 0.043}
_ORPHANS = {CASH: 0.045, CONSUMER: 0.045, CARD: 0.123}
"""Share of loans with balances whose request is not in previous_application."""
_CARD_WITH_ROWS = 0.95
_REFUSAL_TILT, _WALK_IN_TILT = 0.85, 0.55


@dataclass(frozen=True)
class Previous:
    """The earlier requests, one element per row; `row` is the position of the applicant."""

    row: Ints
    prev_id: Ints
    days: Ints
    kind: Ints
    credit: Floats
    annuity: Floats
    term: Ints
    first_due: Floats
    last_due: Floats
    table: pl.DataFrame


def draw_previous(
    rng: np.random.Generator, z: dict[str, Floats], client: Ints, population: Population
) -> Previous:
    """Draw the earlier requests of the applicants; `client` is SK_ID_CURR by position."""
    row, number = _requests_of_clients(rng, z["prev_count"], population)
    n = len(row)
    prev_id = 1_000_000 + (client[row] - 100_000) * 100 + number
    recency = np.sqrt(1 - _DAYS_WITHIN) * z["prev_recency"][row] + np.sqrt(
        _DAYS_WITHIN
    ) * rng.standard_normal(n)
    days = chance.quantile(recency, _DAYS).round().astype(np.int64)
    kind = _kinds(rng, z["prev_refused"][row], row, days)
    kind, days = _cards(rng, z["has_card"], row, number, kind=kind, days=days, population=population)
    size = -0.08 + 0.45 * z["prev_size"][row] + np.sqrt(1 - 0.45**2) * rng.standard_normal(n)
    size = np.where(kind == CARD, chance.mix(rng, z["card_limit"][row], 0.85), size)
    empty = rng.random(n) < np.array([k.empty for k in KINDS])[kind]
    credit = by_kind(kind, lambda k, here: chance.quantile(size[here], k.credit, log=True))
    credit = np.where(np.isin(kind, (CARD, 7, 8)), np.round(credit / 22500) * 22500, chance.amount(credit))
    credit = np.where(empty, 0.0, np.maximum(credit, 4500.0))
    term = _terms(rng, size, kind)
    codes = {name: _codes(rng, name, kind) for name in _CATEGORIES}
    _tilt_categories(rng, codes, z["prev_refused"][row], kind)
    annuity = _annuities(rng, codes["yields"][1], kind, credit, term)
    down_rate = _down_rates(rng, z["prev_down"][row], kind)
    first_due, last_due = _due_days(rng, days, kind, term)
    dated = np.isin(kind, (CASH, CONSUMER, CARD)) & (rng.random(n) >= _by_dict(_NO_DATES, kind))
    kept = rng.random(n) >= _by_dict(_ORPHANS, kind)
    drawn = Requests(
        client=client[row],
        prev_id=prev_id,
        days=days,
        kind=kind,
        empty=empty,
        credit=credit,
        annuity=annuity,
        term=term,
        down_rate=down_rate,
        first_due=first_due,
        last_due=last_due,
        dated=dated,
        codes=codes,
    )
    table = lay_out(rng, drawn).filter(pl.Series(kept))
    return Previous(row, prev_id, days, kind, credit, annuity, term, first_due, last_due, table)


def _requests_of_clients(rng: np.random.Generator, z: Floats, population: Population) -> tuple[Ints, Ints]:
    """Return the applicant of each request and its number within the applicant."""
    cuts = [chance.cut(s) for s in np.cumsum(np.array(_REQUESTS) / sum(_REQUESTS))[:-1]]
    count = np.where(chance.flags(rng, population.no_previous, len(z)), 0, 1 + np.digitize(z, cuts))
    return repeat(count)


def _kinds(rng: np.random.Generator, z: Floats, row: Ints, days: Ints) -> Ints:
    """Draw the kind of each request: by its year, whether it was the first, and the client's refusals."""
    first_day = np.zeros(row.max(initial=-1) + 1, dtype=np.int64)
    np.maximum.at(first_day, row, days)
    first = days == first_day[row]
    weights = np.asarray(BY_YEAR)[np.minimum(days // 365, 7)]
    weights = np.where(first[:, None], weights * np.asarray(FIRST_LIFT), weights)
    refused = np.array([k.status == "Refused" for k in KINDS])
    tilt = np.exp(_REFUSAL_TILT * z - 0.62)[:, None]
    weights = np.where(refused, weights * tilt, weights)
    cumulative = np.cumsum(weights, axis=1)
    target = rng.random(len(row)) * cumulative[:, -1]
    chosen: Ints = (target[:, None] >= cumulative[:, :-1]).sum(axis=1)
    return chosen


def _cards(
    rng: np.random.Generator,
    z: Floats,
    row: Ints,
    number: Ints,
    *,
    kind: Ints,
    days: Ints,
    population: Population,
) -> tuple[Ints, Ints]:
    """Give some clients a card: one of their requests becomes an approved revolving loan."""
    has_previous = np.zeros(len(z), dtype=bool)
    has_previous[row] = True
    count = np.bincount(row, minlength=len(z))
    share = population.card / _CARD_WITH_ROWS / (1 - population.no_previous)
    holder = has_previous & (z > chance.cut(1 - share))
    place = np.floor(rng.random(len(z)) * count).astype(np.int64)
    card = holder[row] & (number == place[row])
    card_days = chance.quantile(rng.standard_normal(len(row)), _CARD_DAYS).round().astype(np.int64)
    return np.where(card, CARD, kind), np.where(card, card_days, days)


def _by_dict(table: dict[int, float], kind: Ints) -> Floats:
    """Look up a number by kind, 0 where the table has none."""
    return np.array([table.get(number, 0.0) for number in range(len(KINDS))])[kind]


def _terms(rng: np.random.Generator, size: Floats, kind: Ints) -> Ints:
    """Draw the term in months: larger loans run longer."""
    latent = chance.mix(rng, size, 0.62)

    def draw(known: LoanKind, here: Flags) -> Floats:
        months = np.array(sorted(known.terms))
        shares = np.array([known.terms[int(m)] for m in months])
        return months[
            np.digitize(latent[here], [chance.cut(s) for s in np.cumsum(shares / shares.sum())[:-1]])
        ]

    return by_kind(kind, draw).astype(np.int64)


_CATEGORIES: dict[str, Callable[[LoanKind], Shares]] = {
    "yields": lambda k: k.yields,
    "product": lambda k: k.product,
    "channel": lambda k: k.channel,
    "client": lambda k: k.client,
    "payment": lambda k: k.payment,
    "reject": lambda k: k.reject,
    "seller": lambda k: k.seller,
    "suite": lambda k: k.suite,
    "purpose": lambda k: k.purpose,
    "goods": lambda k: k.goods,
}


def _codes(rng: np.random.Generator, name: str, kind: Ints) -> Codes:
    """Draw one category column; level -1 is missing."""
    levels: list[str] = []
    for known in KINDS:
        levels += [level for level in _CATEGORIES[name](known) if level is not None and level not in levels]

    def draw(known: LoanKind, here: Flags) -> Floats:
        shares = _CATEGORIES[name](known)
        numbers = np.array([-1 if level is None else levels.index(level) for level in shares])
        return numbers[chance.pick(rng, list(shares.values()), int(here.sum()))]

    return levels, by_kind(kind, draw).astype(np.int64)


def _tilt_categories(rng: np.random.Generator, codes: dict[str, Codes], z: Floats, kind: Ints) -> None:
    """Make walk-in customers likelier among clients who are refused often."""
    levels, product = codes["product"]
    walk_in, known = levels.index("walk-in"), levels.index("x-sell")
    is_stated = (product == walk_in) | (product == known)
    share = np.array([k.product.get("walk-in", 0.0) for k in KINDS])[kind]
    cuts = np.interp(1 - share, chance.rank(np.linspace(-4, 4, 401)), np.linspace(-4, 4, 401))
    product[is_stated] = np.where(chance.mix(rng, z, _WALK_IN_TILT) > cuts, walk_in, known)[is_stated]


def _annuities(rng: np.random.Generator, yields: Ints, kind: Ints, credit: Floats, term: Ints) -> Floats:
    """Derive the annuity from credit, term and the monthly rate of the yield group; a card pays 5 %."""
    u = rng.random(len(kind))
    rate = np.full(len(kind), 0.02)
    level_names: list[str] = []
    for known in KINDS:
        level_names += [name for name in known.yields if name is not None and name not in level_names]
    contract = np.array([k.contract for k in KINDS])[kind]
    for loan, groups in MONTHLY_RATE.items():
        for group, knots in groups.items():
            here = (contract == loan) & (yields == level_names.index(group))
            rate[here] = np.interp(u[here], (0.05, 0.25, 0.50, 0.75, 0.95), knots)
    months = np.maximum(term, 1)
    loan_annuity = credit / months * (1 + rate * months)
    return chance.amount(np.where(contract == "Revolving loans", credit / 20, loan_annuity), 0.045)


def _down_rates(rng: np.random.Generator, z: Floats, kind: Ints) -> Floats:
    """Draw RATE_DOWN_PAYMENT; NaN where the request knows no down payment."""
    n = len(kind)
    share = chance.quantile(chance.mix(rng, z, 0.5), _DOWN)
    paid = chance.mix(rng, z, 0.5) > chance.cut(0.42)
    positive = np.where(np.isin(kind, (CONSUMER, 4)), paid, chance.flags(rng, 0.03, n))
    is_stated = rng.random(n) < np.array([k.down for k in KINDS])[kind]
    return np.where(is_stated, np.where(positive, share * NORMALISED, 0.0), np.nan)


def _due_days(rng: np.random.Generator, days: Ints, kind: Ints, term: Ints) -> tuple[Floats, Floats]:
    """Return the first due day and the last one really due (early repayment), days before the application."""
    n = len(days)
    wait = 30 + chance.pick(rng, (0.55, 0.25, 0.08), n)
    wait += np.where(chance.flags(rng, 0.1, n), rng.integers(3, 21, n), 0)
    first = (wait - days).astype(np.float64)
    u = rng.random(n)
    share = np.where(
        kind == CASH,
        np.interp(u, _PAID_SHARE_RANKS, _PAID_SHARE[CASH]),
        np.interp(u, _PAID_SHARE_RANKS, _PAID_SHARE[CONSUMER]),
    )
    last: Floats = first + 30.0 * np.round(share * np.maximum(term - 1, 0))
    return first, last
