"""How earlier loans were paid back: POS_CASH_balance by month, installments_payments by payment.

A loan has one balance per month from its start to its end, and one instalment per 30 days. Lateness is the
client's: a latent that the target reads too.
"""

import numpy as np
import polars as pl

from scoring.synthetic import chance
from scoring.synthetic.bureau import repeat
from scoring.synthetic.chance import Floats, Ints
from scoring.synthetic.previous import Previous
from scoring.synthetic.previous_levels import CASH, CONSUMER

MONTH = 30.44
_WITH_ROWS = {CASH: 0.92, CONSUMER: 0.97}
_LATE_CUT = 1.66
"""A loan is ever late (with tolerance) where its lateness exceeds this: 5.7 % of the loans."""
_LATE_WITHIN = 0.70
_DPD = (1, 1, 1, 2, 5, 16, 448, 1345, 1902, 2800, 3400)
_DPD_TOLERATED = (1, 1, 1, 1, 2, 4, 9, 40, 370, 900, 2000)
_DELAY = (-140, -78, -38, -28, -17, -9, -2, 0.6, 4, 20, 60)
"""Days between due day and payment; positive is late."""
_DELAY_WEIGHTS = (0.45, 0.35)
"""How much of one payment's delay is the client's habit, and the loan's."""
_ODD_STATUS = (0.00006, 0.0006, 0.0003)  # Demand, Returned to the store, Amortized debt


def draw_repayment(
    rng: np.random.Generator, z: dict[str, Floats], previous: Previous, client: Ints
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return balances and payments of the approved loans; `client` is SK_ID_CURR by position."""
    approved = np.isin(previous.kind, (CASH, CONSUMER))
    share = np.where(previous.kind == CASH, _WITH_ROWS[CASH], _WITH_ROWS[CONSUMER])
    loans = np.flatnonzero(approved & (rng.random(len(approved)) < share))
    lateness = np.sqrt(1 - _LATE_WITHIN) * z["late"][previous.row[loans]]
    lateness += np.sqrt(_LATE_WITHIN) * rng.standard_normal(len(loans))
    balances = _balances(rng, previous, loans, lateness, client)
    return balances, _payments(rng, z["late"], previous, loans, lateness, client)


def _balances(
    rng: np.random.Generator, previous: Previous, loans: Ints, lateness: Floats, client: Ints
) -> pl.DataFrame:
    """Lay out POS_CASH_balance: the future instalments fall by one a month until the loan is completed."""
    n = len(loans)
    term = previous.term[loans]
    begin = np.floor(-previous.days[loans] / MONTH + rng.uniform(-0.45, 0.45, n)).astype(np.int64)
    end = np.ceil(previous.last_due[loans] / MONTH).astype(np.int64)
    completed = end <= -1
    begin = np.minimum(np.maximum(begin, -96), -1)
    last = np.where(completed, np.maximum(end, begin), np.where(chance.flags(rng, 0.3, n), -2, -1))
    last = np.maximum(np.minimum(last, -1), begin)
    loan, month = repeat(last - begin + 1)
    at_end = month == (last - begin)[loan]
    slow = rng.binomial(month, 0.05)
    future = np.maximum(term[loan] - month + slow, 0)
    future = np.where(at_end & completed[loan], 0, np.where(future == 0, 1, future))
    finished = at_end & completed[loan] & chance.flags(rng, 0.88, len(loan))
    ever = lateness > _LATE_CUT
    months_late = np.where(ever, np.ceil(np.exp(0.35 + 0.8 * rng.standard_normal(n))), 0)
    from_month = np.floor(rng.random(n) * (last - begin + 1))
    late = (month >= from_month[loan]) & (month < (from_month + months_late)[loan])
    tolerated = chance.quantile(rng.standard_normal(len(loan)), _DPD_TOLERATED).round()
    counted_on = chance.flags(rng, 0.022, n)[loan] & (month >= from_month[loan])
    small = counted_on & chance.flags(rng, 0.55, len(loan))
    dpd = np.where(late, tolerated, 0.0)
    total = np.where(small, chance.quantile(rng.standard_normal(len(loan)), _DPD).round(), dpd)
    status = np.where(finished, 1, np.where((month == 0) & chance.flags(rng, 0.088, n)[loan], 2, 0))
    odd = 3 + chance.pick(rng, _ODD_STATUS, len(loan))
    status = np.where(chance.flags(rng, sum(_ODD_STATUS), len(loan)), odd, status)
    unknown = chance.flags(rng, 0.0028, len(loan))
    owner = loans[loan]
    return pl.DataFrame(
        {
            "SK_ID_PREV": previous.prev_id[owner],
            "SK_ID_CURR": client[previous.row[owner]],
            "MONTHS_BALANCE": begin[loan] + month,
            "CNT_INSTALMENT": chance.number(
                np.minimum(term[loan], np.where(finished, month + 1, 99)), unknown
            ),
            "CNT_INSTALMENT_FUTURE": chance.number(future, unknown),
            "NAME_CONTRACT_STATUS": chance.named(
                ("Active", "Completed", "Signed", "Demand", "Returned to the store", "Amortized debt"), status
            ),
            "SK_DPD": np.maximum(total, dpd).astype(np.int64),
            "SK_DPD_DEF": dpd.astype(np.int64),
        }
    )


def _payments(
    rng: np.random.Generator, late: Floats, previous: Previous, loans: Ints, lateness: Floats, client: Ints
) -> pl.DataFrame:
    """Lay out installments_payments of loans: one row per payment, some instalments paid in two parts."""
    first, last = previous.first_due[loans], np.minimum(previous.last_due[loans], -1)
    due_count = np.where(first > -1, 0, np.floor((last - first) / 30) + 1).astype(np.int64)
    loan, number = repeat(np.maximum(due_count, 0))
    due = first[loan] + 30.0 * number
    of_client, of_loan = _DELAY_WEIGHTS
    delayed = of_client * late[previous.row[loans]][loan] + of_loan * lateness[loan]
    explained = of_client**2 + of_loan**2 + 2 * of_client * of_loan * (1 - _LATE_WITHIN) ** 0.5
    delayed += (1 - explained) ** 0.5 * rng.standard_normal(len(loan))
    delay = chance.quantile(delayed, _DELAY).round()
    partial = chance.flags(rng, np.where(delay > 0, 0.085, 0.055), len(loan))
    annuity = previous.annuity[loans][loan]
    part = rng.random(len(loan)) ** 0.7
    planned_end = previous.first_due[loans] + 30.0 * (previous.term[loans] - 1)
    early_close = (number == (due_count - 1)[loan]) & (previous.last_due[loans] < planned_end)[loan]
    prescribed = np.where(early_close, annuity * (1 + 3 * rng.random(len(loan)) ** 3), annuity)
    more = np.where(chance.flags(rng, 0.01, len(loan)), 1.5, 1.0)
    paid = prescribed * np.where(partial, part, more)
    changed = chance.flags(rng, 0.05, len(loans))[loan] & (number > 3)
    version = 1.0 + early_close + changed
    second = np.flatnonzero(partial & chance.flags(rng, 0.8, len(loan)))
    order = np.concatenate([np.arange(len(loan)), second])
    rest = np.concatenate(
        [
            np.zeros(len(loan)),
            np.where(chance.flags(rng, 0.7, len(second)), 0.0, rng.integers(0, 20, len(second))),
        ]
    )
    paid = np.concatenate([paid, (prescribed - paid)[second]])
    entry = np.minimum(due[order] + delay[order] + rest, -1.0)
    owner = loans[loan][order]
    unpaid = chance.flags(rng, 0.0003, len(order))
    return pl.DataFrame(
        {
            "SK_ID_PREV": previous.prev_id[owner],
            "SK_ID_CURR": client[previous.row[owner]],
            "NUM_INSTALMENT_VERSION": version[order],
            "NUM_INSTALMENT_NUMBER": number[order] + 1,
            "DAYS_INSTALMENT": due[order],
            "DAYS_ENTRY_PAYMENT": chance.number(entry, unpaid),
            "AMT_INSTALMENT": np.round(prescribed[order], 3),
            "AMT_PAYMENT": chance.number(np.round(paid, 3), unpaid),
        }
    )
