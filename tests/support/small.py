"""Made-up applications and a scorer trained on them in seconds, for tests of what comes after training."""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from scoring import features, tables
from scoring.candidates import LIGHTGBM, TrainingSet, fit
from scoring.decision import COSTS, POINTS
from scoring.inference_log import COLUMNS
from scoring.schema import ApplicationRequest, extension
from scoring.scorer import DESCRIPTION, Scorer
from scoring.scorer.calibration import Affine
from scoring.scorer.certainty import Certainty, Reading, ReviewRule
from scoring.scorer.folder import own_hash
from scoring.scorer.model import Boosted, Encoding, Model, Vector
from scoring.scorer.scorecard import FeaturePoints, Scorecard

Request = dict[str, Any]


def applications(n: int, seed: int = 0) -> list[Request]:
    """Invent applications; those with a low outside score, much debt and late payments default more often."""
    random = np.random.default_rng(seed)
    return [_application(random, number) for number in range(1, n + 1)]


def _application(random: np.random.Generator, number: int) -> Request:
    days = -int(random.integers(100, 2_500))
    late = int(random.integers(0, 40)) if random.random() < 0.4 else 0
    debt = round(float(random.uniform(0, 90_000)), 2)
    request: Request = {
        "SK_ID_CURR": number,
        "NAME_CONTRACT_TYPE": str(random.choice(["Cash loans", "Revolving loans"])),
        "AMT_CREDIT": round(float(random.uniform(50_000, 900_000)), 1),
        "AMT_ANNUITY": round(float(random.uniform(5_000, 60_000)), 1),
        "AMT_INCOME_TOTAL": round(float(random.uniform(60_000, 300_000)), 1),
        "NAME_INCOME_TYPE": str(random.choice(["Working", "Pensioner", "Commercial associate"])),
        "NAME_EDUCATION_TYPE": str(random.choice(["Higher education", "Secondary / secondary special"])),
        "CODE_GENDER": str(random.choice(["F", "M"])),
        "DAYS_BIRTH": -int(random.integers(8_000, 24_000)),
        "DAYS_EMPLOYED": -int(random.integers(0, 6_000)),
        "EXT_SOURCE_2": round(float(random.beta(5, 3)), 4),
    }
    if random.random() < 0.8:
        request["EXT_SOURCE_3"] = round(float(random.beta(5, 3)), 4)
    if random.random() < 0.7:
        credit = {
            "SK_ID_BUREAU": number,
            "CREDIT_ACTIVE": "Active",
            "CREDIT_TYPE": "Consumer credit",
            "DAYS_CREDIT": days,
            "AMT_CREDIT_SUM": 100_000.0,
            "AMT_CREDIT_SUM_DEBT": debt,
        }
        month = {"SK_ID_BUREAU": number, "MONTHS_BALANCE": -1, "STATUS": "1" if late > 20 else "0"}
        payments = [
            {
                "SK_ID_PREV": number,
                "NUM_INSTALMENT_VERSION": 1,
                "NUM_INSTALMENT_NUMBER": i + 1,
                "DAYS_INSTALMENT": -300 + 30 * i,
                "DAYS_ENTRY_PAYMENT": -300 + 30 * i + (late if i % 2 else -5),
                "AMT_INSTALMENT": 5_000.0,
                "AMT_PAYMENT": 5_000.0,
            }
            for i in range(6)
        ]
        request["history"] = {
            "bureau": [credit],
            "bureau_balance": [month],
            "installments_payments": payments,
        }
    return request


def portfolio(requests: list[Request]) -> tables.Portfolio:
    return tables.from_requests([ApplicationRequest.model_validate(request) for request in requests])


def late(table: pl.DataFrame) -> Vector:
    """Log-odds of default of those with a low outside score and late payments."""
    return (
        1.5
        - 6 * table["EXT_SOURCE_2"].to_numpy()
        + 0.15 * table["installment_late_days_mean"].fill_null(0).to_numpy()
    )


def burdened(table: pl.DataFrame) -> Vector:
    """Log-odds of default of those with much to pay for their income, and debts elsewhere."""
    owed = table["bureau_debt_sum"].fill_null(0).to_numpy() / 45_000
    return -3.5 + 6 * table["annuity_to_income"].to_numpy() + owed + table["AMT_CREDIT"].to_numpy() / 400_000


@cache  # half a second, for every second file of tests
def _fitted(
    policy: tuple[str, ...], risk: Callable[[pl.DataFrame], Vector]
) -> tuple[pl.DataFrame, Encoding, str]:
    """Return the features of the applications, and what was learned on them."""
    table = features.build(portfolio(applications(600))).select(features.names(policy))
    random = np.random.default_rng(1)
    y = (random.random(len(table)) < 1 / (1 + np.exp(-risk(table)))).astype(np.int8)
    directions = {name: features.FEATURE_BY_NAME[name].direction for name in table.columns}
    model = fit(LIGHTGBM, TrainingSet.of(table, y, directions), rounds=60)
    return table, model.encoding, cast(Boosted, model.function).text


def scorer(
    policy: tuple[str, ...] = ("gender", "family_status"),
    threshold: float = 0.35,
    risk: Callable[[pl.DataFrame], Vector] = late,
) -> tuple[Scorer, pl.DataFrame, list[Request]]:
    """Train a scorer; give it with the features and the requests that it saw."""
    requests = applications(600)
    table, encoding, text = _fitted(policy, risk)
    model = Model(encoding, Boosted(text))  # by the engine of now, which a test may have taken away
    bare = Scorer(model, Affine(), threshold, COSTS, POINTS, policy, {})
    granted = bare.probability(table) < bare.threshold
    contributions, _ = bare.contributions(table)
    numbers = [name for name, dtype in table.schema.items() if dtype == pl.Float64]
    medians = table.filter(granted).select(numbers).median().row(0, named=True)
    learned = Scorer(
        model,
        bare.calibration,
        bare.threshold,
        COSTS,
        POINTS,
        policy,
        {
            name: (cast(float, low), cast(float, high))
            for name in numbers
            if (low := table[name].min()) is not None and (high := table[name].max())
        },
        granted_contributions=dict(
            zip(table.columns, contributions[granted].mean(axis=0).tolist(), strict=True)
        ),
        granted_values={name: value for name, value in medians.items() if value is not None},
        metrics={"auc": {"value": 0.7, "low": 0.6, "high": 0.8}},
        lineage={"candidate": "lightgbm", "extension": extension.fingerprint()},
        certainty=certainty(table.columns),
    )
    return learned, table, requests


def certainty(names: list[str]) -> Certainty:
    """Make a certainty by hand: every reason of review is met among a few applications."""
    card = Scorecard(
        -1.0,
        (
            FeaturePoints(names.index("EXT_SOURCE_2"), (0.4, 0.7), (1.5, 0.0, -1.5), 0.25),
            FeaturePoints(names.index("installment_late_days_mean"), (8.0,), (-0.3, 1.1), 0.0),
        ),
    )
    return Certainty(
        log_odds=(-3.0, -1.0, 1.0),
        below=(0.9, 0.7, 0.8),
        above=(0.5, 0.6, 0.7),
        near=(0.14, 0.15),
        near_level=0.3,
        most=0.15,
        odd=2,
        reading=Reading(card, 0.1, -1.5),
        rules=(ReviewRule("AMT_CREDIT", at_least=850_000.0), ReviewRule("EXT_SOURCE_2", at_most=0.3)),
    )


def sign(folder: Path) -> None:
    """Make a scorer that a test has changed whole again, as if it had been saved so."""
    path = folder / DESCRIPTION
    description = json.loads(path.read_text(encoding="utf-8"))
    for name in description["files"]:
        description["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    description["sha256"] = own_hash(description)
    path.write_text(json.dumps(description), encoding="utf-8")


def save(folder: Path, threshold: float = 0.35, risk: Callable[[pl.DataFrame], Vector] = late) -> Path:
    """Write the trained scorer to a folder that does not exist yet, as training does."""
    learned, table, requests = scorer(threshold=threshold, risk=risk)
    decided = learned.decide(table)
    log = [
        decided[name] if name in decided.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in COLUMNS.items()
    ]
    reference = table.select(*log, pl.all())
    examples = [
        {
            "request": requests[i],
            "probability_of_default": decided["probability_of_default"][i],
            "decision": decided["decision"][i],
        }
        for i in range(25)
    ]
    learned.save(folder, reference, examples)
    return folder
