"""The usual way to score an application: pandas for the features, LightGBM's Booster, a line in a log file.

It computes a part of our features only (40 of the application's ratios; history counts as absent), so it does
less than our own service: what it cannot compute is missing to the model.
"""

from __future__ import annotations

import json
import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

DAYS_A_YEAR = 365.25
EXT = ["EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3"]
ENQUIRIES = [f"AMT_REQ_CREDIT_BUREAU_{p}" for p in ("HOUR", "DAY", "WEEK", "MON", "QRT", "YEAR")]
DOCUMENTS = [f"FLAG_DOCUMENT_{i}" for i in range(2, 22)]
ZERO = [f"{prefix}_count" for prefix in ("bureau", "previous", "pos", "card", "installment")]


class Usual:
    """A model and a log file."""

    def __init__(self, folder: Path, log: Path) -> None:
        description = json.loads((folder / "scorer.json").read_text())
        self.booster = lightgbm.Booster(model_file=str(folder / "booster.txt"))
        self.names = [column["name"] for column in description["features"]]
        self.levels = {c["name"]: c["levels"] for c in description["features"] if "levels" in c}
        self.calibration = description["calibration"]
        self.threshold = description["threshold"]
        self.points = description["points"]
        self.log = logging.getLogger("decisions")
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        self.log.addHandler(logging.FileHandler(log))

    def score(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Decide applications and write a line for each."""
        features = self.features(pd.DataFrame(records))
        raw = self.booster.predict(features, raw_score=True, num_threads=1)
        log_odds = self.calibration["slope"] * raw + self.calibration["intercept"]
        answers = []
        values = features.astype(object).where(features.notna(), None).to_dict(orient="records")
        for record, odds, inputs in zip(records, log_odds, values, strict=True):
            probability = 1 / (1 + np.exp(-odds))
            factor = self.points["double"] / np.log(2)
            answer = {
                "event_id": uuid.uuid4().hex,
                "SK_ID_CURR": record["SK_ID_CURR"],
                "probability_of_default": float(probability),
                "score": round(self.points["base"] - factor * (np.log(self.points["odds"]) + odds)),
                "threshold": self.threshold,
                "decision": "refused" if probability >= self.threshold else "granted",
            }
            answers.append(answer)
            self.log.info(json.dumps({"time": datetime.now(UTC).isoformat(), **answer, "inputs": inputs}))
        return answers

    def features(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Return the features in the model's order, categories as their codes."""
        columns = {name: raw.get(name, np.nan) for name in self.names}
        known = raw.reindex(columns=sorted({*raw, *EXT, *ENQUIRIES, *DOCUMENTS, *NUMBERS}))
        frame = known.assign(**{c: pd.to_numeric(known[c]) for c in EXT + ENQUIRIES + DOCUMENTS + NUMBERS})
        columns |= derived(frame)
        columns |= dict.fromkeys(ZERO, 0.0)
        found = pd.DataFrame({name: columns[name] for name in self.names}, index=raw.index)
        for name, levels in self.levels.items():
            codes = pd.Categorical(found[name], categories=levels).codes.astype(float)
            found[name] = np.where(codes < 0, np.nan, codes)
        return found.astype(float)


NUMBERS = [
    "AMT_INCOME_TOTAL", "AMT_CREDIT", "AMT_ANNUITY", "AMT_GOODS_PRICE", "DAYS_BIRTH", "DAYS_EMPLOYED",
    "DAYS_REGISTRATION", "DAYS_ID_PUBLISH", "DAYS_LAST_PHONE_CHANGE", "OWN_CAR_AGE", "CNT_FAM_MEMBERS",
    "DEF_30_CNT_SOCIAL_CIRCLE", "OBS_30_CNT_SOCIAL_CIRCLE",
]  # fmt: skip


def derived(x: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the ratios, as a notebook would compute them."""
    income, credit, annuity = x["AMT_INCOME_TOTAL"], x["AMT_CREDIT"], x["AMT_ANNUITY"]
    goods, car = x["AMT_GOODS_PRICE"], x["OWN_CAR_AGE"]
    age = -x["DAYS_BIRTH"] / DAYS_A_YEAR
    employed = -x["DAYS_EMPLOYED"].where(x["DAYS_EMPLOYED"] < 0) / DAYS_A_YEAR
    registered, identity = -x["DAYS_REGISTRATION"] / DAYS_A_YEAR, -x["DAYS_ID_PUBLISH"] / DAYS_A_YEAR
    phone = -x["DAYS_LAST_PHONE_CHANGE"].where(x["DAYS_LAST_PHONE_CHANGE"] != 0) / DAYS_A_YEAR
    ext = x[EXT]
    return {
        "ext_mean": ext.mean(axis=1),
        "ext_min": ext.min(axis=1),
        "ext_max": ext.max(axis=1),
        "ext_std": ext.std(axis=1, ddof=0),
        "ext_count": ext.notna().sum(axis=1),
        "ext_product": ext["EXT_SOURCE_1"] * ext["EXT_SOURCE_2"] * ext["EXT_SOURCE_3"],
        "ext_weighted": (ext * [2, 1, 3]).sum(axis=1) / (ext.notna() * [2, 1, 3]).sum(axis=1),
        "credit_to_ext_3": credit / ext["EXT_SOURCE_3"],
        "annuity_to_ext_3": annuity / ext["EXT_SOURCE_3"],
        "annuity_to_income": annuity / income,
        "credit_to_income": credit / income,
        "credit_to_annuity": credit / annuity,
        "annuity_to_credit": annuity / credit,
        "credit_to_goods": credit / goods,
        "down_payment": goods - credit,
        "goods_to_income": goods / income,
        "income_less_annuity": income - annuity,
        "employed_years": employed,
        "registration_years": registered,
        "identity_years": identity,
        "phone_years": phone,
        "employed_to_age": employed / age,
        "registration_to_age": registered / age,
        "identity_to_age": identity / age,
        "phone_to_age": phone / age,
        "phone_to_employed": phone / employed,
        "car_to_employed": car / employed,
        "income_to_employed": income / employed,
        "age_years": age,
        "car_to_age": car / age,
        "income_to_age": income / age,
        "income_per_person": income / x["CNT_FAM_MEMBERS"],
        "circle_default_share": x["DEF_30_CNT_SOCIAL_CIRCLE"] / x["OBS_30_CNT_SOCIAL_CIRCLE"],
        "enquiries": x[ENQUIRIES].sum(axis=1, min_count=1),
        "enquiries_recent_share": x[ENQUIRIES[:4]].sum(axis=1) / x[ENQUIRIES].sum(axis=1),
        "documents": x[DOCUMENTS].sum(axis=1, min_count=1),
        **{f"ext_{i}_squared": ext[f"EXT_SOURCE_{i}"] ** 2 for i in (2, 3)},
        **{f"ext_{i}_times_age": ext[f"EXT_SOURCE_{i}"] * age for i in (1, 2, 3)},
    }
