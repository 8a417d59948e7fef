"""Where an application stands: true counts of groups, none of them small; a curve as decisions have it."""

from copy import copy

import numpy as np
import polars as pl
import pytest

from scoring import features
from scoring.client import Client
from scoring.comparison import AMONG, FILTERS, NEIGHBOURS, Peers, is_compared
from scoring.comparison.bins import TENS, FactBins
from scoring.comparison.curve import DRAWN, CurveDrawer
from scoring.comparison.owner import owner_view
from scoring.comparison.partition import FEWEST
from scoring.decision import PROTECTED
from scoring.judge import Judge
from scoring.schema import ApplicationRequest
from scoring.scorer import Scorer, read_reference
from tests.support import small
from tests.support.running import problem, put_in_store, running


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("scorer") / "scorer", 0.45, small.burdened)


@pytest.fixture(scope="module")
def scorer(folder):
    return Scorer.load(folder)


@pytest.fixture(scope="module")
def reference(folder):
    return read_reference(folder)


@pytest.fixture(scope="module")
def comparator(scorer, folder):
    return Peers(scorer, folder)


@pytest.fixture(scope="module")
def requests():
    return small.applications(40, seed=21)


def asked(request: dict) -> ApplicationRequest:
    return ApplicationRequest.model_validate(request)


def test_counts_are_those_of_the_reference_to_tens(comparator, reference, requests):
    one = comparator.compare(asked(requests[0]), "AMT_INCOME_TOTAL")
    upper = [b.to for b in one.axes[0][:-2]]
    for side, counts in (("granted", one.granted), ("refused", one.refused)):
        values = reference.filter(pl.col("decision") == side)["AMT_INCOME_TOTAL"].to_numpy()
        true = np.bincount(np.searchsorted(upper, values, side="left"), minlength=len(counts))
        assert all(count % TENS == 0 for count in counts)
        assert np.abs(np.array(counts) - true).max() <= TENS / 2
    own = one.axes[0][one.own[0]]
    assert (own.above or 0) < requests[0]["AMT_INCOME_TOTAL"] <= (own.to or np.inf)


def test_a_sentence_says_which_share_has_no_higher_value(comparator, requests):
    one = comparator.compare(asked(requests[0]), "AMT_INCOME_TOTAL")
    share = sum(one.granted[: one.own[0] + 1]) / sum(one.granted)
    assert f"{share:.0%} of the granted" in one.text["en"] and "plus haute" in one.text["fr"]


@pytest.mark.parametrize("among", AMONG)
def test_no_group_that_anybody_can_ask_for_is_small(comparator, reference, among):
    """Nor is any difference of two groups: those of one partition have nobody in common."""
    if among not in comparator._partitions:
        return
    groups = comparator._partitions[among].groups
    granted = (reference["decision"] == "granted").to_numpy()
    for group in np.unique(groups):
        inside = groups == group
        assert min((inside & granted).sum(), (inside & ~granted).sum()) >= FEWEST


def test_moving_the_own_facts_a_little_gives_the_same_neighbours_or_wholly_others(comparator):
    """Who would shift the edge of a neighbourhood person by person cannot: there is no edge of their own."""
    base = small.applications(1, seed=5)[0]
    partition = comparator._partitions[NEIGHBOURS]
    known = {int(group) for group in np.unique(partition.groups)}
    assert len(known) > 1
    seen = set()
    for amount in np.linspace(50_000, 900_000, 60):
        values = features.one({**base, "AMT_CREDIT": float(amount)}, base.get("history"))
        seen.add(partition.of(values))
    assert len(seen) > 1 and seen <= known


def test_the_reference_falls_into_the_very_groups_that_applications_are_asked_in(comparator, reference):
    for partition in comparator._partitions.values():
        rows = reference.rows(named=True)[:50]
        assert [partition.of(row) for row in rows] == partition.groups[:50].tolist()


def test_two_facts_leave_small_cells_empty(comparator, requests):
    one = comparator.compare(asked(requests[0]), "AMT_INCOME_TOTAL", beside="AMT_CREDIT")
    cells = len(one.axes[0]) * len(one.axes[1])
    assert len(one.granted) == len(one.refused) == cells
    assert all(count % FEWEST == 0 for count in (*one.granted, *one.refused))


def test_what_one_fact_shows_less_the_cells_of_two_tells_nobody_in_an_empty_cell(comparator, requests):
    """Each cell may hold 49 more than it shows, each bin of one fact five: what is left may be nobody."""
    facts, looked_at = ("NAME_INCOME_TYPE", "NAME_EDUCATION_TYPE"), 0
    single = comparator.compare(asked(requests[0]), facts[0])
    both = comparator.compare(asked(requests[0]), facts[0], beside=facts[1])
    for side in ("granted", "refused"):
        cells = np.array(getattr(both, side)).reshape([len(axis) for axis in both.axes])
        for whole, row in zip(getattr(single, side), cells, strict=True):
            for place in np.flatnonzero(row == 0):
                others = np.delete(row, place)
                assert whole - TENS / 2 - (others + FEWEST - 1).sum() <= 0
                looked_at += whole > 0
    assert looked_at


def test_a_fact_may_be_compared_with_itself_by_name_only_if_it_is_not_protected():
    barred = {column for columns in PROTECTED.values() for column in columns}
    assert not any(is_compared(column) for column in barred)
    assert not any(is_compared(n) for n, f in features.FEATURE_BY_NAME.items() if features.protected_by(f))
    assert not barred & {*FILTERS, *DRAWN} and is_compared("score") and not is_compared("anything")


def test_groups_without_anybody_and_facts_that_nobody_reads_get_a_sentence(comparator, requests):
    strange = comparator.compare(
        asked({**requests[0], "NAME_INCOME_TYPE": "Astronaut"}), "score", "NAME_INCOME_TYPE"
    )
    assert strange.granted == [] and strange.text["en"].startswith("Nobody")
    missing = comparator.compare(asked({"SK_ID_CURR": 1}), "AMT_INCOME_TOTAL")
    assert missing.own == [None] and missing.granted and "not known" in missing.text["en"]
    comparator = copy(comparator)
    comparator._known = set()
    one = comparator.compare(asked(requests[0]), "AMT_CREDIT")
    assert one.granted == [] and "does not hold" in one.text["en"]


def test_a_reference_with_hardly_a_refusal_shows_nothing(scorer, folder, requests):
    few = Peers(scorer, folder)
    few._granted = np.ones_like(few._granted)
    one = few.compare(asked(requests[0]), "score")
    assert one.granted == one.refused == [] and "too few" in one.text["en"]


def test_a_fact_of_words_without_a_level_that_many_have_is_compared_all_the_same(comparator, requests):
    """Its levels stand together in one bin; a word is never read as a number."""
    one = comparator.compare(asked({**requests[0], "FLAG_OWN_CAR": "Y"}), "FLAG_OWN_CAR")
    assert [axis.kind for axis in one.axes[0]] == ["other", "missing"] and one.own == [0]
    assert "have the same" in one.text["en"] and sum(one.granted) > 0
    curved = FactBins.of(pl.Series("x", ["a", "b", None], dtype=pl.String), 5)
    assert (curved.place("c"), curved.size) == (0, 2)


def test_edges_are_round_and_levels_that_few_have_stand_together():
    axis = FactBins.of(pl.Series("x", np.arange(1000) + 0.123456), 10)
    assert all(edge == float(f"{edge:.3g}") for edge in axis.edges)
    levels = FactBins.of(pl.Series("x", ["a"] * 200 + ["b"] * 150 + ["c"] * 3), 10)
    assert levels.levels == ("a", "b") and levels.place("c") == levels.place("unseen") == 2


@pytest.mark.parametrize("known", [0, 1, 3, 49, 99, 100, 260, 5_000])
def test_no_edge_tells_the_value_of_one_of_few_who_have_one(known):
    """A fact that three of thousands have would have their three values for edges."""
    values = pl.Series("x", [float(n) for n in range(known)] + [None] * (5_000 - known), dtype=pl.Float64)
    axis = FactBins.of(values, 10)
    counts = np.bincount(axis.places(values), minlength=axis.size)[:-1]
    assert len(axis.edges) == max(0, min(10, known // FEWEST) - 1)
    assert not axis.edges or counts.min() >= FEWEST - 5


def test_beside_an_amount_of_next_to_nothing_no_other_follows_it_to_infinity(scorer, folder, requests):
    with np.errstate(all="raise"):
        curve = CurveDrawer(scorer, folder).draw(asked({**requests[1], "AMT_CREDIT": 1e-320}), "AMT_CREDIT")
    assert curve.linked == [] and all(point.together is None for point in curve.points)


@pytest.mark.parametrize("fact", ["AMT_CREDIT", "AMT_INCOME_TOTAL"])
def test_a_curve_is_what_decisions_would_say(scorer, folder, requests, fact):
    curve = CurveDrawer(scorer, folder).draw(asked(requests[1]), fact)
    assert [point.value for point in curve.points] == sorted({point.value for point in curve.points})
    assert requests[1][fact] in {point.value for point in curve.points}
    for point in curve.points:
        changed = {**requests[1], fact: point.value}
        (one,) = Judge(scorer).judge([asked(changed)])
        assert one.said["probability_of_default"] == point.probability_of_default
        linked = {name: requests[1][name] * (point.value / requests[1][fact]) for name in curve.linked}
        (other,) = Judge(scorer).judge([asked({**changed, **linked})])
        assert point.together == (other.said["probability_of_default"] if linked else None)
    assert curve.linked == (["AMT_ANNUITY"] if fact == "AMT_CREDIT" else [])


def test_a_curve_of_a_fact_that_the_model_does_not_read_is_a_sentence(scorer, folder, requests):
    curves = CurveDrawer(scorer, folder)
    unread = next(name for name in DRAWN if name in features.FEATURE_BY_NAME)
    curves.scorer = type("Blind", (), {"feature_names": [], "threshold": 0.1})()
    curve = curves.draw(asked(requests[0]), unread)
    assert curve.points == [] and "does not read" in curve.text["en"] and "ne lit pas" in curve.text["fr"]


BOSS, DESK = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture(scope="module")
def served(tmp_path_factory, folder):
    home = tmp_path_factory.mktemp("served")
    put_in_store(folder, home)
    keys = f"boss+owner:{BOSS},desk:{DESK}"
    with running(home, key=BOSS, CREDIT_SCORING_API_KEYS=keys, CREDIT_SCORING_INDEX="off") as service:
        yield service


@pytest.mark.served
def test_over_http_a_client_is_placed_and_wrong_questions_are_named(served, requests):
    with Client(served.url, api_key=BOSS) as client:
        placed = client.compare(requests[:2], "score", among="neighbours")
        assert [one.SK_ID_CURR for one in placed] == [r["SK_ID_CURR"] for r in requests[:2]]
        assert all(sum(one.granted) >= FEWEST - 5 * TENS for one in placed)
        (against,) = client.compare(requests[:1], "AMT_CREDIT", beside="ext_mean")
        assert len(against.axes) == 2
        (curve,) = client.curve(requests[:1], "AMT_CREDIT")
        assert len(curve.points) > 5 and len(served.log()) == 0
        for path, field in (
            ("/compare?fact=", "fact"),
            ("/compare?fact=CODE_GENDER", "fact"),
            ("/compare?fact=score&among=me", "among"),
            ("/curve?fact=DAYS_BIRTH", "fact"),
            ("/curve?fact=AMT_CREDIT&beside=score", "beside"),
        ):
            (fault,) = problem(served.post(path, requests[:1]), 422).errors
            assert fault.field == field


def test_the_owner_sees_what_each_threshold_would_do(scorer, folder, reference):
    view = owner_view(scorer, "m", folder)
    assert view.fairness == []  # this reference was made without the groups
    default = reference["probability_of_default"].to_numpy()
    for cut in view.cuts:
        granted = default < cut.threshold
        assert cut.approved == granted.mean()
        if granted.any():
            assert cut.bad_rate == pytest.approx(default[granted].mean())
        cost = 10 * default[granted].sum() + (1 - default[~granted]).sum()
        assert cut.cost_per_1000 == pytest.approx(1000 * cost / len(default))
    assert scorer.threshold in {cut.threshold for cut in view.cuts}
    assert [cut.approved for cut in view.cuts] == sorted(cut.approved for cut in view.cuts)
    assert sum(one.importance for one in view.groups) == pytest.approx(
        sum(one.importance for one in view.features)
    )


def test_the_owner_sees_on_whom_decisions_fall_and_no_group_of_fewer_than_100(scorer, reference, tmp_path):
    random = np.random.default_rng(6)
    n = len(reference)
    groups = random.choice(["F", "M"], n)
    groups[:99] = "X"
    target = (random.random(n) < reference["probability_of_default"].to_numpy()).astype(np.int8)
    beside = {"audit.gender": groups, "audit.target": target, "audit.fold": np.zeros(n, dtype=np.int8)}
    reference.with_columns(**{k: pl.Series(v) for k, v in beside.items()}).write_parquet(
        tmp_path / "reference.parquet"
    )
    view = owner_view(scorer, "m", tmp_path)
    assert {one.name for one in view.fairness} == {"F", "M"}
    granted = (reference["decision"] == "granted").to_numpy()
    shares = {name: granted[groups == name].mean() for name in ("F", "M")}
    for one in view.fairness:
        own = groups == one.name
        near = 2 * TENS / own.sum()  # those of X are left out, so the others are not all exact
        assert (one.attribute, one.applications % 10) == ("gender", 0)
        assert one.approved == pytest.approx(shares[one.name], abs=near)
        assert one.ratio == pytest.approx(shares[one.name] / max(shares.values()), abs=2 * near)
        assert one.good_approved == pytest.approx(granted[own & (target == 0)].mean(), abs=near)
        assert one.default_rate == pytest.approx(target[own].mean(), abs=near)
    (in_force,) = [cut for cut in view.cuts if cut.threshold == scorer.threshold]
    ratio = min(shares.values()) / max(shares.values())
    assert in_force.fairness == {"gender": pytest.approx(ratio, abs=0.1)}
    assert "aucun modèle" in view.text["fr"]


def test_bands_stand_in_the_order_of_their_numbers(scorer, reference, tmp_path):
    random, n = np.random.default_rng(8), len(reference)
    bands = random.choice(["40–49", "< 30", "≥ 62", "30–39"], n)
    beside = {"audit.age": bands, "audit.target": random.integers(0, 2, n), "audit.fold": np.zeros(n)}
    reference.with_columns(**{k: pl.Series(v) for k, v in beside.items()}).write_parquet(
        tmp_path / "reference.parquet"
    )
    shown = [one.name for one in owner_view(scorer, "m", tmp_path).fairness]
    assert shown == ["< 30", "30–39", "40–49", "≥ 62"]


@pytest.mark.parametrize("left_out", [0, 1, 4, 99])
def test_the_groups_that_are_shown_less_the_whole_tell_of_nobody_who_is_left_out(
    scorer, reference, tmp_path, left_out
):
    """An exact share is a count of one size: with all counts but one group's, that one's is known too."""
    random = np.random.default_rng(left_out)
    n = len(reference)
    groups = np.where(random.random(n) < 0.4, "F", "M")
    groups[:left_out] = "X"
    default = reference["probability_of_default"].to_numpy()
    target = (random.random(n) < default).astype(np.int8)
    beside = {"audit.gender": groups, "audit.target": target, "audit.fold": np.zeros(n, dtype=np.int8)}
    reference.with_columns(**{k: pl.Series(v) for k, v in beside.items()}).write_parquet(
        tmp_path / "reference.parquet"
    )
    view = owner_view(scorer, "m", tmp_path)
    assert len(view.fairness) == 2
    exact = {
        "approved": lambda own: (default[own] < scorer.threshold).mean(),
        "default_rate": lambda own: target[own].mean(),
        "expected": lambda own: default[own].mean(),
        "good_approved": lambda own: (default[own & (target == 0)] < scorer.threshold).mean(),
    }
    for name, share in exact.items():
        is_exact = {g.name: getattr(g, name) == pytest.approx(share(groups == g.name)) for g in view.fairness}
        assert is_exact["F"] and (left_out == 0 or not is_exact["M"])


@pytest.mark.served
def test_only_a_key_with_the_role_sees_the_owners_view(served):
    with Client(served.url, api_key=BOSS) as client:
        assert client.owner().model.startswith("credit_scoring:")
    served.http.headers["x-api-key"] = DESK
    assert "owner" in problem(served.http.get("/owner"), 403).detail
    assert problem(served.http.post("/owner"), 405)
    served.http.headers["x-api-key"] = BOSS
    assert problem(served.http.get("/owner?threshold=0.1"), 422).type.endswith("no-parameters")
