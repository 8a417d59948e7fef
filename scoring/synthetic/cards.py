"""The lender's credit cards: credit_card_balance month by month, and their instalments.

Each card walks through its months at once with the others: it draws while there is room below the use its
holder aims at, pays the minimum or more, and pays interest on the rest.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.bureau import repeat
from scoring.synthetic.chance import Flags, Floats, Ints
from scoring.synthetic.previous import Previous
from scoring.synthetic.previous_levels import CARD

_WITH_ROWS = 0.95
_UNUSED = 0.356
_AIM = (0.0, 0.0, 0.02, 0.08, 0.35, 0.72, 0.98, 1.03, 1.06, 1.08, 1.12)
"""Use of the limit that the holder of a used card aims at, at `chance.LEVELS`."""
_INTEREST = 0.035
_MINIMUM = 0.05
_DRAW_SIZE = (500, 700, 900, 1300, 2749, 7221, 19500, 36000, 50600, 110000, 300000)


@dataclass
class _Months:
    """The walk: arrays of shape (months, cards)."""

    balance: Floats
    atm: Floats
    pos: Floats
    count_atm: Floats
    count_pos: Floats
    paid: Floats
    mature: Floats


def draw_cards(
    rng: np.random.Generator, z: dict[str, Floats], previous: Previous, client: Ints
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the monthly rows and the payments of every approved card; `client` is SK_ID_CURR by position."""
    card = np.flatnonzero((previous.kind == CARD) & (rng.random(len(previous.kind)) < _WITH_ROWS))
    owner = previous.row[card]
    n = len(card)
    limit = np.maximum(previous.credit[card], 45000.0)
    begin = -np.clip(np.floor(previous.days[card] / 30.44), 1, 96).astype(np.int64)
    ended = chance.flags(rng, 0.10, n)
    last = np.where(ended, begin + np.floor(rng.random(n) * -begin).astype(np.int64), -1)
    last = np.where(chance.flags(rng, 0.30, n), np.maximum(last - 1, begin), last)
    months = np.minimum(last, -1) - begin + 1
    unused = chance.mix(rng, z["card_use"][owner], 0.5) < chance.cut(_UNUSED)
    aim = np.where(unused, 0.0, chance.quantile(chance.mix(rng, z["card_use"][owner], 0.88), _AIM))
    start = np.floor(rng.random(n) ** 2 * 0.6 * months).astype(np.int64)
    habit = np.exp(0.1 + 1.1 * chance.mix(rng, z["card_use"][owner], 0.4))
    walk = _walk(rng, int(months.max(initial=1)), limit, aim, start, habit)
    place, month = repeat(months)
    row_walk = {name: getattr(walk, name)[month, place] for name in _Months.__dataclass_fields__}
    closed = ended[place] & (month >= 0.7 * months[place])
    frame = _table(
        rng,
        previous.prev_id[card],
        client[owner],
        begin,
        limit=limit,
        unused=unused,
        place=place,
        month=month,
        closed=closed,
        walk=row_walk,
    )
    payments = _payments(
        rng,
        z["late"][owner],
        previous.prev_id[card],
        client[owner],
        begin=begin,
        place=place,
        month=month,
        walk=row_walk,
    )
    return frame, payments


def _walk(
    rng: np.random.Generator, length: int, limit: Floats, aim: Floats, start: Ints, habit: Floats
) -> _Months:
    """Walk all cards through their months."""
    n = len(limit)
    months = _Months(*(np.zeros((length, n)) for _ in range(7)))
    balance, mature = np.zeros(n), np.zeros(n)
    cash_lover = rng.random(n) < 0.55
    for month in range(length):
        room = aim * limit - balance
        wants = (month >= start) & (aim > 0) & (room > 0.03 * limit)
        eager = np.where(month == start, 1.0, np.clip(0.45 * habit, 0.05, 0.95))
        draws = wants & (rng.random(n) < eager)
        times = np.where(draws, 1 + rng.poisson(1.6 * habit), 0)
        size = chance.quantile(rng.standard_normal(n), _DRAW_SIZE, log=True)
        drawn = np.where(
            draws, np.minimum(size * times + np.where(month == start, 0.5 * room, 0), np.maximum(room, 0)), 0
        )
        at_atm = np.where(cash_lover, rng.random(n) < 0.85, rng.random(n) < 0.25)
        had = balance
        minimum = np.minimum(_MINIMUM * had, had)
        generous = chance.flags(rng, 0.22, n)
        more = np.where(generous, had * rng.random(n) ** 1.5, had * 0.03 * rng.random(n))
        paid = np.where((had > 0) & (rng.random(n) > 0.055), np.minimum(minimum + more, had), 0.0)
        paid = np.where(had < 500, had, paid)
        balance = np.maximum(had * (1 + _INTEREST) - paid + drawn, 0.0)
        balance = np.where(balance < 100, 0.0, np.minimum(balance, 1.12 * limit))
        mature += (had > 0) & (paid > 0)
        for name, values in (
            ("balance", balance),
            ("atm", np.where(at_atm, drawn, 0)),
            ("pos", np.where(at_atm, 0, drawn)),
            ("count_atm", np.where(at_atm, times, 0)),
            ("count_pos", np.where(at_atm, 0, times)),
            ("paid", paid),
            ("mature", mature),
        ):
            getattr(months, name)[month] = values
    return months


def _table(
    rng: np.random.Generator,
    prev_id: Ints,
    client: Ints,
    begin: Ints,
    *,
    limit: Floats,
    unused: Flags,
    place: Ints,
    month: Ints,
    closed: Flags,
    walk: dict[str, Floats],
) -> pl.DataFrame:
    """Lay out credit_card_balance; detail of drawings is missing together, never where there is a drawing."""
    n = len(place)
    balance = chance.amount(walk["balance"], 0.045)
    odd = chance.flags(rng, 0.002, n) & (balance == 0)
    balance = np.where(odd, -chance.amount(np.exp(5 + 1.5 * rng.standard_normal(n)), 0.045), balance)
    drawn = walk["atm"] + walk["pos"]
    times = walk["count_atm"] + walk["count_pos"]
    detail_free = chance.flags(rng, np.where(unused, 0.80, 0.12), len(unused))[place]
    no_detail = detail_free & (times == 0) & (balance <= 0)
    other = chance.flags(rng, 0.02, n) & (times > 0) & (walk["pos"] > 0)
    amounts = {name: chance.amount(walk[name], 0.045) for name in ("atm", "pos", "paid")}
    no_limit = closed | chance.flags(rng, np.where(unused, 0.13, 0.04), len(unused))[place]
    no_minimum = (balance <= 0) & chance.flags(rng, 0.11, n)
    no_payment = (balance <= 0) & (amounts["paid"] == 0) & chance.flags(rng, 0.40, n)
    principal = chance.amount(np.where(balance > 0, balance * 0.965, balance), 0.045)
    dpd_card = chance.flags(rng, 0.035, len(unused))[place] & chance.flags(rng, 0.35, n)
    dpd = np.where(dpd_card, np.ceil(np.exp(1.5 + 2.0 * rng.standard_normal(n))), 0).astype(np.int64)
    tolerated = np.where(chance.flags(rng, 0.018, n) & (balance > 0), 1, 0)
    limit_now = np.where(no_limit, 0.0, limit[place])
    paid_total = np.where(
        balance > 0, amounts["paid"], np.where(chance.flags(rng, 0.2, n), 0, amounts["paid"])
    )
    return pl.DataFrame(
        {
            "SK_ID_PREV": prev_id[place],
            "SK_ID_CURR": client[place],
            "MONTHS_BALANCE": begin[place] + month,
            "AMT_BALANCE": balance,
            "AMT_CREDIT_LIMIT_ACTUAL": limit_now.astype(np.int64),
            "AMT_DRAWINGS_ATM_CURRENT": chance.number(amounts["atm"], no_detail),
            "AMT_DRAWINGS_CURRENT": chance.amount(drawn, 0.045),
            "AMT_DRAWINGS_OTHER_CURRENT": chance.number(np.where(other, amounts["pos"], 0.0), no_detail),
            "AMT_DRAWINGS_POS_CURRENT": chance.number(np.where(other, 0.0, amounts["pos"]), no_detail),
            "AMT_INST_MIN_REGULARITY": chance.number(
                np.where(balance > 0, chance.amount(_MINIMUM * np.maximum(balance, 0), 0.045), 0.0),
                no_minimum,
            ),
            "AMT_PAYMENT_CURRENT": chance.number(amounts["paid"], no_payment),
            "AMT_PAYMENT_TOTAL_CURRENT": paid_total,
            "AMT_RECEIVABLE_PRINCIPAL": principal,
            "AMT_RECIVABLE": balance,
            "AMT_TOTAL_RECEIVABLE": balance,
            "CNT_DRAWINGS_ATM_CURRENT": chance.number(walk["count_atm"], no_detail),
            "CNT_DRAWINGS_CURRENT": times.astype(np.int64),
            "CNT_DRAWINGS_OTHER_CURRENT": chance.number(np.where(other, walk["count_pos"], 0), no_detail),
            "CNT_DRAWINGS_POS_CURRENT": chance.number(np.where(other, 0, walk["count_pos"]), no_detail),
            "CNT_INSTALMENT_MATURE_CUM": chance.number(walk["mature"], no_minimum),
            "NAME_CONTRACT_STATUS": chance.named(
                ("Active", "Completed", "Signed"),
                np.where(closed, 1, np.where((month == 0) & (begin[place] > -3), 2, 0)),
            ),
            "SK_DPD": np.maximum(dpd, tolerated),
            "SK_DPD_DEF": tolerated.astype(np.int64),
        }
    )


def _payments(
    rng: np.random.Generator,
    late: Floats,
    prev_id: Ints,
    client: Ints,
    *,
    begin: Ints,
    place: Ints,
    month: Ints,
    walk: dict[str, Floats],
) -> pl.DataFrame:
    """Lay out the instalments of the cards: version 0, paid in full, mostly on the day."""
    used = np.flatnonzero(walk["mature"] > 0)
    pieces = 1 + rng.poisson(1.25, len(used))
    owner, _ = repeat(pieces)
    chosen = used[owner]
    n = len(chosen)
    due = (begin[place[chosen]] + month[chosen]) * 30.44 + rng.integers(0, 25, n)
    due = np.minimum(np.round(due), -1.0)
    early = np.where(chance.flags(rng, 0.42, n), -np.ceil(rng.exponential(7.0, n)), 0.0)
    is_late = 0.5 * late[place[chosen]] + 0.87 * rng.standard_normal(n) > chance.cut(1 - 0.041)
    entry = np.minimum(due + np.where(is_late, np.ceil(rng.exponential(9.0, n)), early), -1.0)
    paid = np.where(
        walk["paid"][chosen] > 0,
        walk["paid"][chosen] / pieces[owner],
        np.exp(4 + 2.0 * rng.standard_normal(n)),
    )
    amount = np.round(np.maximum(paid, 0.045), 3)
    return pl.DataFrame(
        {
            "SK_ID_PREV": prev_id[place[chosen]],
            "SK_ID_CURR": client[place[chosen]],
            "NUM_INSTALMENT_VERSION": np.zeros(n),
            "NUM_INSTALMENT_NUMBER": walk["mature"][chosen].astype(np.int64),
            "DAYS_INSTALMENT": due,
            "DAYS_ENTRY_PAYMENT": entry,
            "AMT_INSTALMENT": amount,
            "AMT_PAYMENT": amount,
        }
    )
