"""What would turn a refusal: within policy, the smallest, true when it is scored, never a vain promise."""

import copy
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring import features
from scoring.candidates import LIGHTGBM, TrainingSet, fit
from scoring.client import Client, ServiceError
from scoring.counterfactual import FACTS, POLICY, Advisor, straight
from scoring.counterfactual.policy import tidy
from scoring.counterfactual.variations import Rater, Variations
from scoring.decision import PROTECTED
from scoring.features.varied import Varied
from scoring.judge import Judge
from scoring.schema import ApplicationRequest, Counterfactual
from scoring.scorer import Scorer
from scoring.serving.settings import Settings
from scoring.settings.setting import SettingError
from tests.support import small
from tests.support.running import TAG, problem, put_in_store, running

THRESHOLD = 0.45


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return small.save(tmp_path_factory.mktemp("scorer") / "scorer", THRESHOLD, small.burdened)


@pytest.fixture(scope="module")
def scorer(folder):
    return Scorer.load(folder)


@pytest.fixture(scope="module")
def requests():
    return small.applications(40, seed=11)


@pytest.fixture(scope="module")
def found(scorer, requests):
    """Every refusal of some applications with its answer."""
    asked = Advisor(scorer, "m")
    answers = [(request, asked.find(ApplicationRequest.model_validate(request))) for request in requests]
    return [(request, one) for request, one in answers if one.decision == "refused"]


def applied(request: dict, changes: list) -> dict:
    """An application with the changes of an alternative, as a client would make them."""
    changed = copy.deepcopy(request)
    for change in changes:
        *path, name = [int(p) if p.isdigit() else p for p in re.findall(r"[^.\[\]]+", change.field)]
        place = changed
        for part in path:
            place = place[part]
        assert place[name] == change.value
        place[name] = change.becomes
    return changed


def decided(scorer, request: dict) -> dict:
    (one,) = Judge(scorer).judge([ApplicationRequest.model_validate(request)])
    return one.said


def test_refusals_are_turned_here_in_several_ways_and_not_all_of_them_by_little(found, scorer):
    assert [one.outcome for _, one in found].count("found") >= 5
    assert any(len(one.alternatives) == 3 for _, one in found)
    asked = Advisor(scorer, "m", ["income"])
    outcomes = [asked.find(ApplicationRequest.model_validate(request)).outcome for request, _ in found]
    assert outcomes.count("none") >= 1


def test_each_alternative_is_granted_with_the_very_probability_that_was_said(found, scorer):
    for request, one in found:
        for alternative in one.alternatives:
            said = decided(scorer, applied(request, alternative.changes))
            assert said["decision"] == "granted"
            assert said["probability_of_default"] == alternative.probability_of_default
            assert said["score"] == alternative.score


def test_only_what_policy_lists_moves_in_its_direction_and_within_its_bounds(found):
    barred = {column for columns in PROTECTED.values() for column in columns}
    assert not barred & set(FACTS)
    for _, one in found:
        for alternative in one.alternatives:
            levers = [POLICY[name] for name in alternative.levers]
            for change in alternative.changes:
                name = change.field.rpartition(".")[2]
                movers = [lever for lever in levers if name in lever.facts]
                if not movers:
                    assert name in POLICY["debts"].records["bureau"] and "debts" in alternative.levers
                    assert 0 <= change.becomes < change.value
                    continue
                directions = {lever.facts[name] for lever in movers}
                if len(directions) == 1:
                    assert (change.becomes - change.value) * directions.pop() > 0
                least = np.prod([1 - lever.bound for lever in movers if lever.facts[name] < 0])
                most = np.prod([1 + lever.bound for lever in movers if lever.facts[name] > 0])
                assert least * 0.99 <= change.becomes / change.value <= most * 1.01


def test_facts_that_belong_together_move_together(found):
    pairs = 0
    for request, one in found:
        for alternative in one.alternatives:
            if alternative.levers in (["amount"], ["down_payment"]):
                became = applied(request, alternative.changes)
                before, after = (r["AMT_ANNUITY"] / r["AMT_CREDIT"] for r in (request, became))
                assert after == pytest.approx(before, rel=0.01)
                pairs += 1
    assert pairs


def test_alternatives_differ_in_kind_and_the_nearest_comes_first(found):
    for _, one in found:
        kinds = [frozenset(alternative.levers) for alternative in one.alternatives]
        assert len(set(kinds)) == len(kinds) <= 3
        assert not any(a < b for place, b in enumerate(kinds) for a in kinds[:place])
        sizes = [alternative.size for alternative in one.alternatives]
        assert sizes == sorted(sizes)


def test_no_fewer_steps_of_the_same_lever_would_do(found, scorer):
    """Walked with the judge itself, step by step: fair so far, granted, and granted a step further."""
    reader, looked_at = Rater(scorer), 0
    for request, one in found:
        here = Variations(reader, ApplicationRequest.model_validate(request))
        for alternative in one.alternatives:
            if len(alternative.levers) > 1:
                continue
            lever = POLICY[alternative.levers[0]]
            risks = [
                reader.decide(here.after([lever], [step])[0])["probability_of_default"]
                for step in range(lever.steps + 1)
            ]
            step = round(alternative.size * lever.steps)
            holds = [
                n
                for n in range(1, lever.steps + 1)
                if max(risks[n], risks[min(n + 1, lever.steps)]) < THRESHOLD
                and max(risks[: n + 1]) <= risks[0]
            ]
            assert holds[0] == step
            looked_at += 1
    assert looked_at >= 5


def test_no_advice_leads_over_a_higher_risk_however_many_levers_it_takes(scorer, found):
    """Each point of the straight way is judged as /score judges; a lower threshold takes more levers."""
    numbers = set[int]()
    for threshold in (THRESHOLD, 0.2):
        asked = Advisor(replace(scorer, threshold=threshold), "m")
        for request, _ in found[:8]:
            here = Variations(asked._reader, ApplicationRequest.model_validate(request))
            for way in asked._search(here, [lever for lever in POLICY.values() if here.can(lever)]):
                points = [here.after(way.levers, point.tolist())[0] for point in straight(way.steps)]
                risks = [asked._reader.decide(point)["probability_of_default"] for point in points]
                assert max(risks) == risks[0] and risks[-1] < threshold
                numbers.add(len(way.levers))
    assert numbers >= {1, 2}


def test_a_way_of_five_levers_that_lies_between_far_steps_is_found(scorer):
    levers = [POLICY[name] for name in ("amount", "down_payment", "longer", "income", "debts")]
    least, most = np.array([9, 9, 3, 3, 3]), np.array([11, 11, 5, 5, 4])

    def rate(moved, steps):
        whole = np.zeros((len(steps), len(levers)))
        whole[:, [levers.index(lever) for lever in moved]] = steps
        return np.where(((least <= whole) & (whole <= most)).all(axis=1), 0.2, 0.6)

    (way,) = Advisor(scorer, "m")._search(SimpleNamespace(rate=rate), levers)
    assert way.levers == tuple(levers) and way.steps == tuple(least)


def test_a_lattice_says_what_a_decision_says_to_the_bit(scorer, found):
    reader = Rater(scorer)
    random = np.random.default_rng(3)
    for request, _ in found[:6]:
        here = Variations(reader, ApplicationRequest.model_validate(request))
        levers = [lever for lever in POLICY.values() if here.can(lever) and lever.name != "shorter"]
        steps = np.stack([random.integers(0, lever.steps + 1, 20) for lever in levers], axis=1)
        rated = here.rate(levers, steps)
        each = [reader.decide(here.after(levers, row.tolist())[0])["probability_of_default"] for row in steps]
        assert all(a in (b, 1.0) for a, b in zip(rated, each, strict=True))
        assert (rated < 1).any()


def test_the_same_application_is_told_the_same_each_time(scorer, requests):
    asked = ApplicationRequest.model_validate(requests[3])
    assert Advisor(scorer, "m").find(asked) == Advisor(scorer, "m").find(asked)


def test_values_that_training_never_saw_are_not_proposed(found, scorer):
    """A narrower training makes what lies beyond it no advice."""
    request = next(r for r, o in found if o.alternatives and o.alternatives[0].levers == ["amount"])
    least = request["AMT_CREDIT"]
    narrow = replace(scorer, ranges={**scorer.ranges, "AMT_CREDIT": (least, 1e6)})
    again = Advisor(narrow, "m").find(ApplicationRequest.model_validate(request))
    assert not any({"amount", "down_payment"} & set(a.levers) for a in again.alternatives)


def test_what_is_granted_needs_no_change(scorer, requests):
    granted = next(r for r in requests if decided(scorer, r)["decision"] == "granted")
    one = Advisor(scorer, "m").find(ApplicationRequest.model_validate(granted))
    assert (one.outcome, one.alternatives) == ("granted", [])
    assert "granted as it is" in one.text["en"] and "telle quelle" in one.text["fr"]


@pytest.mark.parametrize("barrier", ["lender", "client", "bare", "model"])
def test_where_nothing_may_change_that_is_said(scorer, found, barrier):
    request, _ = next((r, o) for r, o in found if o.alternatives)
    asked, wanted, allowed, used = request, None, tuple(POLICY), scorer
    if barrier == "lender":
        allowed = ()
    elif barrier == "client":
        wanted = frozenset[str]()
    elif barrier == "bare":
        asked = {"SK_ID_CURR": 1, "EXT_SOURCE_2": 0.01}
        used = replace(scorer, threshold=0.0)
    else:  # a model that reads nothing of what may change
        names = [n for n in features.names(()) if n.startswith("EXT_SOURCE")]
        table = features.build(small.portfolio(small.applications(200)))[names]
        y = (table["EXT_SOURCE_2"].to_numpy() < 0.5).astype(np.int8)
        model = fit(LIGHTGBM, TrainingSet.of(table, y, {}), rounds=5)
        used = replace(scorer, model=model, threshold=0.0, certainty=None)
    one = Advisor(used, "m", allowed).find(ApplicationRequest.model_validate(asked), wanted)
    assert (one.decision, one.outcome, one.alternatives) == ("refused", "nothing", [])
    assert one.text["en"].startswith("Nothing that may change")


def test_debts_are_not_touched_where_the_lender_summed_them_up(scorer, found):
    request, one = next((r, o) for r, o in found if any("debts" in a.levers for a in o.alternatives))
    given = features.one(request, request["history"])
    aggregates = {name: given[name] for name in features.HISTORY_FEATURES}
    bare = {name: value for name, value in request.items() if name != "history"}
    asked = ApplicationRequest.model_validate({**bare, "history_features": aggregates})
    again = Advisor(scorer, "m").find(asked)
    assert again.probability_of_default == one.probability_of_default
    assert not any("debts" in alternative.levers for alternative in again.alternatives)


def test_sentences_name_the_values_before_and_after(found):
    for _, one in found:
        for alternative in one.alternatives:
            assert alternative.text["en"].startswith("The loan would be granted if you ")
            assert alternative.text["fr"].startswith("Le crédit serait accordé si vous pouviez\u00a0: ")
            if alternative.levers == ["income"]:
                (change,) = alternative.changes
                said = alternative.text["en"].replace(",", "")
                assert f"income of {change.becomes:g} instead of {change.value:.9g}." in said


@given(st.floats(1, 1e7), st.integers(3, 4))
def test_a_proposed_amount_is_round_and_hardly_moved(amount, digits):
    for up in (False, True):
        (found,) = tidy(np.array([amount]), digits, up)
        assert abs(found - amount) <= max(amount * 10.0 ** (1 - digits), 0.011)
        assert found >= amount - 0.006 if up else found <= amount + 0.006


@pytest.mark.parametrize("amount", [0.004, 1.0, 1e15, 1.7e308])
def test_no_amount_that_the_door_lets_through_becomes_infinite_when_it_is_made_round(amount):
    for up in (False, True):
        (found,) = tidy(np.array([amount]), 3, up)
        assert np.isfinite(found) and found >= 0


amounts = st.none() | st.floats(1, 1e6)


@given(st.lists(st.tuples(amounts, amounts, amounts, amounts), min_size=1, max_size=5))
def test_what_varies_is_computed_as_a_table_computes_it(rows):
    request = small.applications(3, seed=5)[1]
    varied = Varied(features.names(()), FACTS)
    asked = [{**request, **dict(zip(FACTS, row, strict=True))} for row in rows]
    expected = features.build(small.portfolio(asked)).select(varied.names)
    values = features.one(request, request.get("history"))
    known = {**{n: v for n, v in values.items() if n in features.HISTORY_FEATURES}, **request}
    columns = pl.DataFrame(rows, schema=dict.fromkeys(FACTS, pl.Float64), orient="row")
    assert varied(known, columns).equals(expected)


def test_a_lender_allows_fewer_changes_by_a_setting():
    assert Settings.read({}).changes == tuple(POLICY)
    assert Settings.read({"CREDIT_SCORING_CHANGES": "amount, income"}).changes == ("amount", "income")
    assert Settings.read({"CREDIT_SCORING_CHANGES": "none"}).changes == ()
    with pytest.raises(SettingError, match=r"'gender'.*amount, down_payment"):
        Settings.read({"CREDIT_SCORING_CHANGES": "gender"})


@pytest.fixture(scope="module")
def served(tmp_path_factory, folder):
    home = tmp_path_factory.mktemp("served")
    put_in_store(folder, home)
    with running(home, CREDIT_SCORING_CHANGES="amount,income,debts", CREDIT_SCORING_INDEX="off") as service:
        yield service


@pytest.mark.served
def test_over_http_an_alternative_scores_as_it_was_said_and_asking_records_nothing(served, requests):
    with Client(served.url) as client:
        before = len(served.log())
        answers = client.counterfactual(requests[:10]) + client.counterfactual(requests[10:20])
        assert len(served.log()) == before
        plain = client.score(requests[:20])
        turned = 0
        for request, answer, decision in zip(requests, answers, plain, strict=False):
            assert request["SK_ID_CURR"] == answer.SK_ID_CURR and answer.model == TAG
            assert answer.probability_of_default == decision.probability_of_default
            for alternative in answer.alternatives:
                assert set(alternative.levers) <= {"amount", "income", "debts"}
                (scored,) = client.score([applied(request, alternative.changes)])
                assert scored.decision == "granted"
                assert scored.probability_of_default == alternative.probability_of_default
                turned += 1
        assert turned >= 3
        only = client.counterfactual(requests[:10], change=["income"])
        assert all(set(a.levers) == {"income"} for one in only for a in one.alternatives)
        nothing = client.counterfactual(requests[:10], change=[])
        assert {one.outcome for one in nothing} == {"granted", "nothing"}


@pytest.mark.served
def test_over_http_wrong_questions_are_named(served, requests):
    for query, field, said in (
        ("change=gender", "change", "one of amount"),
        ("change=amount&change=income", "change", "twice"),
        ("threshold=1", "threshold", "no such parameter"),
    ):
        (fault,) = problem(served.post(f"/counterfactual?{query}", requests[:1]), 422).errors
        assert fault.field == field and said in fault.detail
    assert "More than 10" in problem(served.post("/counterfactual", requests[:11]), 422).detail
    assert problem(served.http.get("/counterfactual"), 405)
    wrong = served.post("/counterfactual", [{**requests[0], "AMT_CREDIT": "much"}])
    assert problem(wrong, 422).errors[0].field == "AMT_CREDIT"
    with Client(served.url) as client, pytest.raises(ServiceError, match="must be one of"):
        client.counterfactual(requests[:1], change=["age"])


@pytest.mark.served
def test_the_document_says_what_may_be_asked(served):
    endpoint = served.http.get("/docs.json").json()["paths"]["/counterfactual"]["post"]
    (change,) = [one for one in endpoint["parameters"] if one["name"] == "change"]
    assert change["schema"]["items"]["enum"] == list(POLICY)
    answer = json.dumps(endpoint["responses"]["200"])
    assert Counterfactual.__name__ in answer
