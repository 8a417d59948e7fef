"""Promises of scoring/evaluation/checks.py: no leak goes by, and what weakens a training is said."""

import numpy as np
import polars as pl
import pytest

from scoring.candidates.coding import Coded
from scoring.evaluation.checks import LeakSuspected, check_alone, check_auc, check_features, notices
from scoring.scorer.model import probability


def applications(n: int = 4_000) -> tuple[pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=n)
    y = (random.random(n) < probability(-2.2 + x)).astype(np.int8)
    levels = [f"level {i}" for i in range(n)]
    return pl.DataFrame({"x": x, "unique": levels, "noise": random.normal(size=n)}), y


def test_an_auc_that_is_too_good_stops_the_run_unless_a_reason_is_given():
    check_auc(0.8199)
    check_auc(0.95, reason="synthetic portfolio with a known signal")
    with pytest.raises(LeakSuspected, match=r"0\.8300 is above 0\.82: a feature probably knows TARGET"):
        check_auc(0.83)


def test_honest_features_pass():
    table, y = applications()
    check_features(Coded.of(table), y)


@pytest.mark.parametrize("kind", ["value", "opposite", "category", "gap"])
def test_a_feature_made_from_the_outcome_is_named(kind):
    table, y = applications()
    random = np.random.default_rng(1)
    noisy = np.where(random.random(len(y)) < 0.05, 1 - y, y)
    leak = {
        "value": pl.Series(noisy + random.normal(0, 0.1, len(y))),
        "opposite": pl.Series(-noisy.astype(float)),
        "category": pl.Series(np.where(noisy == 1, "late", "fine")),
        "gap": pl.Series([None if bad else 1.0 for bad in noisy]),
    }[kind]
    leaking = Coded.of(table.with_columns(days_to_default=leak))
    with pytest.raises(
        LeakSuspected, match=r"'days_to_default' alone orders defaults .* --allow-leak REASON"
    ):
        check_features(leaking, y)
    check_features(leaking, y, reason="I know")


def test_the_raw_columns_behind_a_leak_are_named_the_most_suspicious_first():
    _, y = applications()
    random = np.random.default_rng(1)
    job, bill = random.normal(5, 1, (2, len(y)))
    car = 10.0 - 8 * np.where(random.random(len(y)) < 0.05, 1 - y, y)
    table = pl.DataFrame(
        {"car_to_job": car / job, "DAYS_JOB": job, "CAR": car, "paid": bill, "owed": car + bill}
    )
    sources = {
        "car_to_job": {"CAR", "DAYS_JOB"}, "DAYS_JOB": {"DAYS_JOB"}, "CAR": {"CAR"},
        "paid": {"bills.PAID"}, "owed": {"CAR", "bills.PAID"},
    }  # fmt: skip
    with pytest.raises(LeakSuspected, match=r"It comes from CAR \(0\.9\d+\), bills\.PAID .*DAYS_JOB \(0\.5"):
        check_features(Coded.of(table), y, sources=sources)


def test_a_dozen_defaults_are_no_leak_by_chance():
    random = np.random.default_rng(0)
    table = pl.DataFrame({f"noise_{i}": random.normal(size=150) for i in range(400)})
    check_features(Coded.of(table), np.array([1] * 12 + [0] * 138, dtype=np.int8))


def test_a_feature_that_needs_other_rows_is_named():
    together = pl.DataFrame({"own": [1.0, 2.0], "rank": [1.0, 2.0]})
    check_alone(together, together.clone())
    with pytest.raises(LeakSuspected, match="'rank' of an application depends on the other applications"):
        check_alone(together, together.with_columns(rank=pl.Series([1.0, 1.0])))


def said(
    table: pl.DataFrame, defaults: int = 500, absent: tuple[str, ...] = (), language: str = "en"
) -> list[str]:
    y = np.zeros(max(len(table), defaults), dtype=np.int8)
    y[:defaults] = 1
    return [notice[language] for notice in notices(table, y, absent, 6)]


def test_an_ordinary_portfolio_needs_no_notice():
    assert said(pl.DataFrame({"x": [1.0, 2.0, None], "job": ["a", "b", "a"]})) == []


def test_what_weakens_a_training_is_said_in_sentences():
    n = 1_000
    table = pl.DataFrame(
        {
            "x": np.arange(n, dtype=float),
            "one": [1.0] * n,
            "empty": pl.Series([None] * n, dtype=pl.Float64),
            "rare": [1.0, 2.0] + [None] * (n - 2),
            "flag_or_gap": [1.0] * 500 + [None] * 500,
        }
    )
    few, empty, rare, one = said(table, defaults=60)
    assert few.startswith("Only 60 defaults: below 100 a good model cannot be told from a lucky one")
    assert empty == "One feature has no value at all, so nothing is learned of it: empty."
    assert rare == (
        "One feature is missing for more than 99% of the applications; it is kept, but little can be learned "
        "of it: rare."
    )
    assert one == "One feature is the same for everybody, so nothing is learned of it: one."


@pytest.mark.parametrize(("defaults", "what"), [(99, "below 100"), (100, "below 200"), (200, None)])
def test_few_defaults_are_said_by_the_lines_of_the_field(defaults, what):
    notes = said(pl.DataFrame({"x": [1.0, 2.0]}), defaults=defaults)
    assert [what in note for note in notes] == ([True] if what else [])


def test_a_notice_stands_in_french_too():
    table = pl.DataFrame({"x": [1.0, 2.0], "one": [1.0, 1.0]})
    bureau, few, one = said(table, 82, ("bureau",), "fr")
    assert (
        bureau == "Il manque au portefeuille bureau\u00a0: les variables qui en viennent manquent pour tous."
    )
    assert few.startswith("Seulement 82 défauts\u00a0: en dessous de 100, un bon modèle")
    assert few.endswith("environ 2\u202f000 (Siddiqi 2017).")
    assert one == "Une variable est la même pour tous, rien n'en est appris\u00a0: one."
    assert "aucune table d'historique" in said(table, absent=tuple("abcdef"), language="fr")[0]


def test_missing_history_is_said():
    table = pl.DataFrame({"x": [1.0, 2.0]})
    assert said(table, absent=("bureau", "pos_cash_balance")) == [
        "The portfolio lacks bureau, pos_cash_balance: features of it are missing for everybody."
    ]
    assert said(table, absent=("a", "b", "c", "d", "e", "f"))[0].startswith(
        "The portfolio has no history table"
    )


def test_of_many_features_a_few_are_named():
    table = pl.DataFrame({f"f{i}": [1.0, 1.0] for i in range(9)})
    assert said(table)[-1].endswith("f0, f1, f2, f3, f4 and 4 more.")
