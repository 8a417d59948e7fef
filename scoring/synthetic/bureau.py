"""Loans that the credit bureau reports, and their monthly balances.

Shares and quantiles: complete histories of 10,000 public applicants. Currency of the source, days before
the application, months before it.
"""

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.request import Population

MOST_LOANS = 60
"""Loans of one client are cut here; the number fits an id of two digits."""

_LOANS = (
    0.1339, 0.1321, 0.1212, 0.1054, 0.0928, 0.0821, 0.0648, 0.0562, 0.0443, 0.0363, 0.0274, 0.0226, 0.0188,
    0.0137, 0.0112, 0.0087, 0.0073, 0.0044, 0.0036, 0.0027, 0.0023, 0.0014, 0.0020, 0.0010, 0.0006, 0.0005,
    0.0005, 0.0004, 0.0003, 0.0003,
)  # fmt: skip
_DAYS = (2920, 2868, 2659, 2380, 1650, 984, 476, 214, 128, 37, 6)
_DAYS_WITHIN = 0.80
"""Share of the variance of DAYS_CREDIT (as normal scores) that lies inside one client."""

TYPES = (
    "Consumer credit", "Credit card", "Car loan", "Mortgage", "Microloan", "Loan for business development",
    "Another type of loan", "Loan for working capital replenishment", "Unknown type of loan",
    "Cash loan (non-earmarked)", "Loan for the purchase of equipment",
)  # fmt: skip
_TYPE_SHARE = (0.7281, 0.2339, 0.0157, 0.0103, 0.0094, 0.0012, 0.0006, 0.0003, 0.0002, 0.0001, 0.0001)
_KIND = np.array([0, 1, 2, 3, 4, 2, 0, 2, 0, 0, 2])
"""Rare types behave like one of the five common ones."""
_SUM = (
    (9000, 13500, 21110, 27760, 53960, 119000, 314400, 795200, 1305000, 2436000, 4500000),
    (4500, 4500, 9000, 22500, 45000, 118000, 225000, 427500, 540000, 900000, 1800000),
    (90000, 119100, 493600, 690100, 1028000, 1616000, 2358000, 3383000, 4048000, 7977000, 12000000),
    (450000, 982400, 1575000, 1933000, 3025000, 4725000, 6980000, 9806000, 11970000, 17840000, 27000000),
    (3000, 4500, 6750, 9000, 13500, 22500, 45000, 70560, 123200, 396000, 450000),
)
_DURATION = (
    (7, 16, 92, 127, 212, 365, 829, 1826, 1826, 1827, 2560),
    (15, 30, 214, 365, 1070, 1379, 2558, 31070, 31610, 33420, 33900),
    (120, 170, 366, 730, 1096, 1816, 1826, 1827, 1829, 2549, 3652),
    (90, 140, 1825, 2617, 3656, 5482, 7305, 7634, 9192, 10960, 10960),
    (3, 3.5, 7, 8, 15, 21, 59, 228, 364, 738, 1096),
)
_NO_END = (0.011, 0.218, 0.009, 0.049, 0.453)
_ACTIVE_BY_END = (  # share active when the end lies ahead, lies behind, is not known; by kind
    (0.778, 0.040, 0.514),
    (0.837, 0.335, 0.739),
    (0.680, 0.031, 0.429),
    (0.758, 0.095, 0.680),
    (0.885, 0.105, 0.258),
)
_LIFE = (  # life of a closed loan / planned duration
    (0.05, 0.08, 0.18, 0.35, 0.7536, 1.0, 1.0, 1.1, 1.39, 2.5, 4.0),
    (0.005, 0.008, 0.0106, 0.04, 0.1227, 0.69, 1.0, 1.2, 1.58, 3.0, 5.0),
    (0.02, 0.05, 0.1075, 0.2, 0.3629, 0.668, 0.9968, 1.0, 1.009, 1.3, 2.0),
    (0.005, 0.008, 0.0108, 0.03, 0.0576, 0.1316, 0.33, 0.7, 0.873, 1.0, 1.0),
    (0.1, 0.15, 0.2788, 0.4, 0.7155, 1.0, 1.135, 3.0, 11.56, 20.0, 30.0),
)
_CARD_DEBT = (0, 0, 0, 0, 0, 0.12, 0.70, 0.95, 1.0, 1.05, 1.2)
_ANNUITY_SHARE = (0.003, 0.006, 0.0147, 0.019, 0.0273, 0.0424, 0.0993, 0.3, 0.5, 1.1, 1.5)
_UPDATE_ACTIVE = (2800, 1640, 668, 345, 48, 24, 13, 7, 4, 2, 0)
_MAX_OVERDUE = (10, 30, 140, 800, 3375, 7425, 15000, 30000, 44120, 120000, 500000)

STATUSES = ("0", "1", "2", "3", "4", "5", "C", "X")
_FIRST = (0.535, 0, 0, 0, 0, 0, 0.015, 0.450)
CHAIN = (  # month to next month
    (0.8583, 0.0184, 0.0003, 0, 0, 0.0001, 0.0461, 0.0770),
    (0.5150, 0.3340, 0.0432, 0.0012, 0, 0.0002, 0.0705, 0.0366),
    (0.2520, 0.1480, 0.1800, 0.3190, 0.0043, 0, 0.0613, 0.0356),
    (0.1440, 0.0470, 0.0370, 0.1310, 0.5030, 0.0168, 0.0839, 0.0369),
    (0.0630, 0.0320, 0.0050, 0.0420, 0.1050, 0.6050, 0.1050, 0.0420),
    (0.0300, 0.0035, 0.0007, 0.0014, 0.0021, 0.8940, 0.0367, 0.0310),
    (0, 0, 0, 0, 0, 0, 1, 0),
    (0.1090, 0.0018, 0.0001, 0, 0, 0.0001, 0.0071, 0.8820),
)
"""The published Markov chain of STATUS (schema paper, section 6); C is absorbing."""
_CLOSED, _UNKNOWN = 6, 7
_ORPHANS = 0.05
"""Share of loans with balances that are not in the bureau table (43,041 of 817,395 in the full files)."""


def draw_bureau(
    rng: np.random.Generator, z: dict[str, Floats], has_file: Flags, client: Ints, population: Population
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return bureau and bureau_balance of the applicants that have a file.

    Parameters
    ----------
    has_file : ndarray of bool
        Whether the credit bureau knows the applicant.
    client : ndarray of shape (n,)
        SK_ID_CURR by position.
    """
    row, number = _loans_of_clients(z["bureau_count"], has_file)
    loan_id = 5_000_000 + (client[row] - 100_000) * 100 + number
    n = len(row)
    between = np.sqrt(1 - _DAYS_WITHIN)
    recency = 0.06 + between * z["bureau_recency"][row] + np.sqrt(_DAYS_WITHIN) * rng.standard_normal(n)
    days = chance.quantile(recency, _DAYS).round().astype(np.int64)
    kind_of_loan = chance.pick(rng, _TYPE_SHARE, n)
    recent_microloan = (kind_of_loan == 4) & (days > 700)
    kind_of_loan = np.where(recent_microloan, 0, kind_of_loan)
    kind = _KIND[kind_of_loan]
    size = 0.45 * z["bureau_size"][row] + np.sqrt(1 - 0.45**2) * rng.standard_normal(n)
    total = chance.amount(_by_kind(kind, size, _SUM, log=True))
    total = np.where((kind == 1) & chance.flags(rng, 0.15, n), 0.0, total)
    duration = _by_kind(kind, chance.mix(rng, size, 0.65), _DURATION, log=True).round()
    end = duration - days
    no_end = chance.flags(rng, np.asarray(_NO_END)[kind], n)
    active = _active(rng, z["bureau_active"][row], kind, end, no_end)
    life = np.maximum(np.round(duration * _by_kind(kind, rng.standard_normal(n), _LIFE)), 1)
    life = np.where(life < days, life, np.floor(days * (0.2 + 0.8 * rng.random(n))))
    ended = np.where(active, np.nan, -np.maximum(days - life, 1))
    debt = _debt(rng, z["bureau_debt"][row], kind, active=active, end=end, duration=duration, total=total)
    updated = _updated(rng, active, ended, days)
    balance, kept = _balances(
        rng, row, loan_id, days=days, active=active, ended=ended, clients=len(client), population=population
    )
    loan = {
        "client": client[row],
        "row": row,
        "loan_id": loan_id,
        "days": days,
        "type": kind_of_loan,
        "kind": kind,
        "total": total,
        "end": end,
        "ended": ended,
        "debt": debt,
        "updated": updated,
    }
    table = _table(rng, loan, active, no_end, population, len(client))
    return table.filter(pl.Series(kept)), balance


def _loans_of_clients(z: Floats, has_file: Flags) -> tuple[Ints, Ints]:
    """Return the applicant of each loan and the loan's number within the applicant."""
    cuts = [chance.cut(s) for s in np.cumsum(np.array(_LOANS) / sum(_LOANS))[:-1]]
    count = np.where(has_file, 1 + np.digitize(z, cuts), 0)
    return repeat(np.minimum(count, MOST_LOANS))


def repeat(count: Ints) -> tuple[Ints, Ints]:
    """Return for counts (2, 0, 1) the owners (0, 0, 2) and the numbers within them (0, 1, 0)."""
    owner = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    return owner, np.arange(len(owner)) - start[owner]


def _by_kind(kind: Ints, z: Floats, tables: tuple[tuple[float, ...], ...], log: bool = False) -> Floats:
    """Map latents to the marginal of each loan's kind."""
    values = np.empty(len(kind))
    for number, knots in enumerate(tables):
        here = kind == number
        values[here] = chance.quantile(z[here], knots, log)
    return values


def _active(rng: np.random.Generator, z: Floats, kind: Ints, end: Floats, no_end: Flags) -> Flags:
    """Draw which loans still run: a matter of type and end date, tilted by the client."""
    column = np.where(no_end, 2, np.where(end > 0, 0, 1))
    share = np.asarray(_ACTIVE_BY_END)[kind, column]
    cuts = np.interp(share, chance.rank(np.linspace(-4, 4, 401)), np.linspace(-4, 4, 401))
    active: Flags = chance.mix(rng, -z, 0.50) < cuts
    return active


def _debt(
    rng: np.random.Generator,
    z: Floats,
    kind: Ints,
    *,
    active: Flags,
    end: Floats,
    duration: Floats,
    total: Floats,
) -> Floats:
    """Draw what is still owed: the part of the loan's time that is left, or the use of a card."""
    n = len(kind)
    left = np.clip(end / duration, 0.0, 1.0)
    share = np.clip(left**0.75 * (1 + 0.10 * (z + 0.7 * rng.standard_normal(n))), 0, 1)
    past = np.where(rng.random(n) < 0.5, 0.0, rng.random(n) ** 2 * 0.8)
    share = np.where((left <= 0) & (kind != 1), past, share)
    card = chance.quantile(chance.mix(rng, z, 0.6), _CARD_DEBT)
    share = np.where(kind == 1, card, share)
    debt = np.where(active, chance.amount(total * share, 0.045), 0.0)
    odd = chance.flags(rng, 0.004, n) & (kind == 1) & active
    return np.where(odd, -chance.amount(0.01 * total, 0.045), debt)


def _updated(rng: np.random.Generator, active: Flags, ended: Floats, days: Ints) -> Ints:
    """Draw the day of the bureau's last news: at the end of a closed loan, last month for an active one."""
    n = len(days)
    running = chance.quantile(rng.standard_normal(n), _UPDATE_ACTIVE)
    late = np.where(rng.random(n) < 0.70, 0.0, np.exp(3.5 + 2.6 * rng.standard_normal(n)))
    closed = np.maximum(-np.nan_to_num(ended) - late, 1)
    return -np.minimum(np.where(active, running, closed), days).round().astype(np.int64)


def _table(
    rng: np.random.Generator,
    loan: dict[str, np.ndarray],
    active: Flags,
    no_end: Flags,
    population: Population,
    clients: int,
) -> pl.DataFrame:
    """Lay out the bureau table with its gaps and odd values."""
    n = len(active)
    sold = ~active & chance.flags(rng, 0.0058, n)
    card = loan["kind"] == 1
    overdue = active & chance.flags(rng, 0.006, n)
    overdue_days = np.where(overdue, np.ceil(np.exp(2.6 + 1.7 * rng.standard_normal(n))), 0).astype(np.int64)
    owed = np.where(overdue, chance.amount(np.exp(7.0 + 2.0 * rng.standard_normal(n)), 0.045), 0.0)
    max_overdue = np.where(
        chance.flags(rng, 0.20, n), chance.quantile(rng.standard_normal(n), _MAX_OVERDUE, log=True), 0.0
    )
    limit_missing = chance.flags(rng, np.where(card, 0.30, 0.40), n)
    limit = np.where(
        card & active & chance.flags(rng, 0.31, n),
        chance.amount(loan["total"] * rng.random(n) ** 2, 0.045),
        0.0,
    )
    no_annuity = chance.flags(rng, population.bureau_annuity_missing, clients)[loan["row"]]
    smaller = chance.mix(rng, (11.7 - np.log(loan["total"] + 1000)) / 1.3, 0.6)
    annuity = chance.amount(loan["total"] * chance.quantile(smaller, _ANNUITY_SHARE, log=True), 0.5)
    annuity = np.where(chance.flags(rng, 0.44, n), annuity, 0.0)
    ancient = chance.flags(rng, 0.0001, n)
    debt_missing = chance.flags(rng, np.where(active, 0.105, 0.168), n)
    return pl.DataFrame(
        {
            "SK_ID_CURR": loan["client"],
            "SK_ID_BUREAU": loan["loan_id"],
            "CREDIT_ACTIVE": chance.named(("Closed", "Active", "Sold"), np.where(sold, 2, active)),
            "CREDIT_CURRENCY": chance.named(
                ("currency 1", "currency 2", "currency 3"), chance.pick(rng, (0.9993, 0.0006, 0.0001), n)
            ),
            "DAYS_CREDIT": -loan["days"],
            "CREDIT_DAY_OVERDUE": overdue_days,
            "DAYS_CREDIT_ENDDATE": chance.number(np.where(ancient, -41875.0, loan["end"]), no_end),
            "DAYS_ENDDATE_FACT": chance.number(np.where(ancient & ~active, -41900.0, loan["ended"])),
            "AMT_CREDIT_MAX_OVERDUE": chance.number(
                chance.amount(max_overdue, 0.045), chance.flags(rng, 0.6736, n)
            ),
            "CNT_CREDIT_PROLONG": chance.pick(rng, (0.9963, 0.0031, 0.0005, 0.0001), n),
            "AMT_CREDIT_SUM": loan["total"],
            "AMT_CREDIT_SUM_DEBT": chance.number(loan["debt"], debt_missing),
            "AMT_CREDIT_SUM_LIMIT": chance.number(limit, limit_missing),
            "AMT_CREDIT_SUM_OVERDUE": owed,
            "CREDIT_TYPE": chance.named(TYPES, loan["type"]),
            "DAYS_CREDIT_UPDATE": loan["updated"],
            "AMT_ANNUITY": chance.number(annuity, no_annuity),
        }
    )


def _balances(
    rng: np.random.Generator,
    row: Ints,
    loan_id: Ints,
    *,
    days: Ints,
    active: Flags,
    ended: Floats,
    clients: int,
    population: Population,
) -> tuple[pl.DataFrame, Flags]:
    """Walk the status chain month by month over the loans of the covered clients.

    Returns
    -------
    balance : DataFrame
        bureau_balance.
    kept : ndarray of bool
        Loans that stay in the bureau table; a few with balances do not.
    """
    covered = chance.flags(rng, population.balance_coverage, clients)[row]
    loans = np.flatnonzero(covered)
    first = -(days[loans] // 30.44).astype(np.int64)
    last = np.where(rng.random(len(loans)) < 0.89, 0, -rng.integers(0, 24, len(loans)))
    months = np.maximum(last, first) - first + 1
    closing = np.where(
        active[loans], 999, np.floor((np.nan_to_num(ended[loans]) + days[loans]) / 30.44)
    ).astype(np.int64)
    cumulative = np.cumsum(np.asarray(CHAIN), axis=1)
    cumulative /= cumulative[:, -1:]
    open_chain = np.asarray(CHAIN).copy()
    open_chain[:, _CLOSED] *= 0.06  # an open loan is rarely reported closed
    open_cumulative = np.cumsum(open_chain, axis=1)
    open_cumulative /= open_cumulative[:, -1:]
    order = np.argsort(-months, kind="stable")
    months, closing, first = months[order], closing[order], first[order]
    start = np.cumsum(months) - months
    status = np.empty(int(months.sum()), dtype=np.int8)
    state = chance.pick(rng, _FIRST, len(loans))
    for month in range(int(months.max(initial=0))):
        alive = int(np.searchsorted(-months, -month, side="left"))
        state = state[:alive]
        if month:
            draw = rng.random(alive)
            state = (draw[:, None] >= open_cumulative[state, :-1]).sum(axis=1)
            state = np.where((closing[:alive] < month) & (state != _UNKNOWN), _CLOSED, state)
        status[start[:alive] + month] = state
    owner, number = repeat(months)
    balance = pl.DataFrame(
        {
            "SK_ID_BUREAU": loan_id[loans[order]][owner],
            "MONTHS_BALANCE": first[owner] + number,
            "STATUS": chance.named(STATUSES, status.astype(np.int64)),
        }
    )
    kept = ~(covered & chance.flags(rng, _ORPHANS, len(row)))
    return balance, kept
