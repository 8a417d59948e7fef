"""Applications with any value that the service lets through, the awkward ones often."""

from random import Random
from typing import Any

from scoring import schema

WILD_NUMBERS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-300,
    5e-324,
    1e9,
    9.3e15,
    1e19,
    1e150,
    1.7e308,
    -1.7e308,
    365243.0,
]
WILD_WHOLE = [0, 1, -1, -30, -365, -730, -41_000, 365_243, 2_148, 2**31 - 1, -(2**31 - 1)]
TEXTS = ["", "XNA", "Unknown", "Active", "Closed", "Approved", "Refused", "0", "C", "X", "7", "Zürich"]


def wild(random: Random, column: schema.Column) -> Any:
    """Give any value that the middleware lets through, the awkward ones often."""
    if column.kind == "category":
        return random.choice([*TEXTS, *column.levels])
    if column.kind == "id":
        return random.choice([1, 2, 3, 2**53 + 1, 2**63 - 1])
    is_number = column.kind == "number"
    least, most = (-1.7e308, 1.7e308) if is_number else (-(2**31) + 1, 2**31 - 1)
    low = least if column.minimum is None else column.minimum
    high = most if column.maximum is None else column.maximum
    odd = [v for v in (WILD_NUMBERS if is_number else WILD_WHOLE) if low <= v <= high]
    usual = random.uniform(max(low, -1e6), min(high, 1e6))
    return random.choice([*odd, *[usual if is_number else round(usual)] * len(odd)])


def wild_record(random: Random, record: type[schema.Record]) -> dict[str, Any]:
    known = random.choice([0.0, 0.5, 0.9, 1.0])
    named = schema.columns(record).items()
    return {n: wild(random, c) for n, c in named if n != "SK_ID_CURR" and random.random() < known}


def wild_request(random: Random) -> dict[str, Any]:
    history = {
        name: [wild_record(random, record) for _ in range(random.choice([0, 0, 1, 2, 5]))]
        for name, record in schema.HISTORY.items()
    }
    numbers = [loan.setdefault("SK_ID_BUREAU", 1) for loan in history["bureau"]]
    for month in history["bureau_balance"]:
        month["SK_ID_BUREAU"] = random.choice(numbers or [1])
    if not numbers:
        del history["bureau_balance"]
    return {"SK_ID_CURR": 1, **wild_record(random, schema.Application), "history": history}
