"""Several instances, each with a folder of its own, write one log: one index, one store, one key."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import select

from scoring.client import Client, ServiceError
from scoring.decisions import (
    Filter,
    Follower,
    Index,
    LateError,
    OtherLogError,
    page,
    place_of,
    schema,
)
from scoring.inference_log import (
    Entry,
    InferenceLog,
    LogError,
    anchors_folder,
    identity,
    log_key,
    pseudonym_key,
    read,
    renew,
)
from tests.support import small
from tests.support.databases import fresh
from tests.support.logs import decided
from tests.support.running import bentoml, environment, put_in_store, running, wait_until

KEY = bytes(range(32))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
STEM = "0123456789abcdef01234567"


class Instance:
    """A log in a folder of its own, and who follows it."""

    def __init__(self, name: str, folder, database: str, key: bytes = KEY, worker: str = "w0") -> None:
        self.log = InferenceLog(folder / name, f"{name}-{worker}", key, "m:1", categories=("income_type",))
        self.index = Index(place_of(database, self.log.folder), identity(key), name)
        self.follower = Follower(self.index, self.log.folder, self.log.anchors, key)

    def decide(self, *numbers: int) -> None:
        for number in numbers:
            said = {"probability_of_default": 0.5, "threshold": 0.1, "decision": "refused"}
            inputs = {"ext_mean": 0.5, "income_type": "Working"}
            one = Entry(f"{number:032x}", number, "r", operator="bank", features=inputs, **said)
            self.log.record([one], NOON + timedelta(seconds=number))

    def decide_table(self, rows: int) -> None:
        with self.log.table(STEM, "r", "bank", NOON) as table:
            table.add(*decided(rows))
            table.commit()

    def found(self, **wanted) -> set[str]:
        return {one.event_id for one in page(self.index, Filter(**wanted), 1_000, datetime.now(UTC)).found}


@pytest.fixture
def two(tmp_path, database):
    both = [Instance(name, tmp_path, database) for name in "ab"]
    yield both
    for one in both:
        one.log.close()
        one.index.close()


def test_the_logs_of_two_are_one_index_and_neither_takes_the_others_for_lost(two):
    a, b = two
    for turn in range(6):
        a.decide(turn)
        a.follower.step()
        b.decide(100 + turn)
        b.follower.step()
    events = {f"{number:032x}" for number in (*range(6), *range(100, 106))}
    for one in two:
        for _ in range(8):  # more looks than doubts are allowed
            one.follower.step()
        assert one.found() == events
    with a.index.begin() as connection:
        states = connection.execute(select(schema.files.c.instance, schema.files.c.state)).all()
    assert sorted(states) == [("a", "open"), ("b", "open")]


def test_one_request_that_came_to_both_under_one_key_counts_once(two):
    for one in two:
        one.decide_table(9)
        one.follower.step()
    assert two[0].found() == two[1].found() == {f"{STEM}{row:08x}" for row in range(9)}
    with two[0].index.begin() as connection:
        assert connection.scalar(select(schema.about.c.duplicates)) == 9


def test_followers_at_the_same_time_lose_and_double_nothing(two):
    a, b = two
    is_over = threading.Event()
    faults: list[BaseException] = []

    def follow(one: Instance) -> None:
        try:
            while not is_over.is_set():
                one.follower.step()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=follow, args=(one,)) for one in two]
    try:
        a.follower.step(), b.follower.step()  # the tables are there
        for thread in threads:
            thread.start()
        for number in range(60):
            a.decide(number)
            b.decide(1_000 + number)
        a.decide_table(50), b.decide_table(50)
        wait_until(lambda: faults or len(a.found()) == 170)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert not faults
    with a.index.begin() as connection:
        ids = sorted(connection.scalars(select(schema.decisions.c.id)))
    assert len(set(ids)) == len(ids) == 170


@pytest.mark.parametrize("is_first", [True, False])
def test_one_reviews_what_the_other_decided_whichever_is_followed_first(two, is_first):
    a, b = two
    a.decide(1)
    review = {
        "event_id": f"{1:032x}",
        "verdict": "otherwise",
        "decision": "granted",
        "reason": "x",
        "operator": "ann",
    }
    b.log.note("review", review, NOON + timedelta(minutes=1))
    for one in two if is_first else two[::-1]:
        one.follower.step()
    b.follower._beaten = 0.0  # it is a second later
    b.follower.step()
    for one in two:
        assert one.found(review="otherwise") == {f"{1:032x}"} and not one.found(review="waiting")


def test_what_is_found_is_as_old_as_the_last_sign_of_any_and_late_is_who_has_none(two):
    a, b = two
    b.decide(1)
    b.log.close()
    then = datetime.now(UTC)
    b.follower.step()
    with pytest.raises(LateError):
        page(a.index, Filter(), 10, then)
    a.follower.step()
    with a.index.begin(is_writing=True) as connection:
        long_ago = {"followed": int((then - timedelta(hours=1)).timestamp() * 1e6)}
        connection.execute(schema.instances.update().where(schema.instances.c.name == "b").values(**long_ago))
    found = page(a.index, Filter(), 10, datetime.now(UTC))
    assert found.as_of < then - timedelta(minutes=59) and len(found.found) == 1
    with pytest.raises(LateError):
        page(b.index, Filter(), 10, datetime.now(UTC))
    assert b.follower.retire() == []
    assert page(a.index, Filter(), 10, datetime.now(UTC)).as_of >= then - timedelta(seconds=1)
    assert len(a.found()) == 1


def test_who_may_still_write_is_not_retired(two):
    a, _ = two
    a.decide(1)
    a.follower.step()
    assert [name.split(".")[1] for name in a.follower.retire()] == ["a-w0"]
    a.log.close()
    a.follower.step()
    assert a.follower.retire() == []


def test_an_index_that_is_made_again_is_filled_by_all(two):
    a, b = two
    a.decide(1), b.decide(2)
    a.follower.step(), b.follower.step()
    a.index.remake()
    for one in two:
        for _ in range(2):
            one.follower._beaten = 0.0
            one.follower.step()
    assert a.found() == b.found() == {f"{1:032x}", f"{2:032x}"}


def test_who_has_another_key_is_told_and_writes_nothing(two, tmp_path, database):
    two[0].decide(1)
    two[0].follower.step()
    other = Instance("c", tmp_path, database, key=b"x" * 32)
    other.decide(7)
    with pytest.raises(OtherLogError, match="another log"):
        other.follower.step()
    assert len(two[0].found()) == 1
    other.log.close()
    other.index.close()


def test_an_instance_that_takes_anothers_name_is_told(two, tmp_path, database):
    two[0].decide(1)
    two[0].follower.step()
    second = Instance("a", tmp_path / "elsewhere", database, worker="w1")
    second.decide(7)
    with pytest.raises(OtherLogError, match="CREDIT_SCORING_INSTANCE of its own"):
        second.follower.step()
    second.log.close()
    second.index.close()


def test_the_key_of_several_is_never_made(tmp_path):
    log, key = tmp_path / "log", tmp_path / "pseudonym.key"
    with pytest.raises(LogError, match="openssl rand") as told:
        log_key(key, log, anchors_folder(log), is_shared=True)
    assert "CREDIT_SCORING_KEY_FILE" in str(told.value) and not key.exists()
    made = pseudonym_key(key)
    assert log_key(key, log, anchors_folder(log), is_shared=True) == made
    writer = InferenceLog(log, "a-w0", made, "m:1")
    writer.record([Entry("e", 1, "r", 0.5, 0.1, "refused", {"x": 1.0})], NOON)
    writer.close()
    key.unlink()
    with pytest.raises(LogError, match="put the old key back"):
        log_key(key, log, anchors_folder(log), is_shared=True)
    with pytest.raises(LogError, match="openssl rand"):
        renew(log, anchors_folder(log), key, "lost", NOON, is_shared=True)
    assert not key.exists() and len(read(log).table) == 1


# --- two services ---

BANK, DESK = "b" * 32, "d" * 32


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("instances")
    put_in_store(small.save(home / "scorer", threshold=0.2), home)
    pseudonym_key(home / "pseudonym.key")
    return home


def settings_of(home, name: str, index: str) -> dict[str, str]:
    return {
        "CREDIT_SCORING_INSTANCE": name,
        "CREDIT_SCORING_INDEX": index,
        "CREDIT_SCORING_KEY_FILE": str(home / "pseudonym.key"),
        "CREDIT_SCORING_API_KEYS": f"bank:{BANK},desk+read+review:{DESK}",
    }


@pytest.fixture(scope="module")
def services(home, postgres_url):
    """Two services, each with a folder of its own, and one PostgreSQL."""
    index = fresh(postgres_url)
    with ExitStack() as stack:
        served = {}
        for name in "ab":
            own = home / name
            own.mkdir()
            (own / "bentoml").symlink_to(home / "bentoml")
            served[name] = stack.enter_context(running(own, key=BANK, **settings_of(home, name, index)))
        yield served


def looking(service) -> Client:
    return Client(service.url, api_key=DESK, attempts=40, sleep=lambda _: None)


@pytest.mark.heavy
@pytest.mark.served
def test_two_services_with_one_index_make_one_log(services):
    table = pl.DataFrame({"SK_ID_CURR": range(50), "EXT_SOURCE_2": [number / 50 for number in range(50)]})
    requests = small.applications(6, seed=4)
    with ExitStack() as stack:
        a, b = (stack.enter_context(Client(one.url, api_key=BANK)) for one in services.values())
        at_a, at_b = (stack.enter_context(looking(one)) for one in services.values())
        with ThreadPoolExecutor(2) as pool:  # one request, sent to both at the same time
            twice = list(pool.map(lambda one: one.score_table(table, "one-key"), (a, b)))
        assert twice[0].equals(twice[1])
        events = set(twice[0]["event_id"])
        own = {
            "a": {one.event_id for one in a.score(requests)},
            "b": {one.event_id for one in b.score(requests)},
        }
        events |= own["a"] | own["b"]
        for desk in (at_a, at_b):

            def is_followed(desk: Client = desk) -> bool:
                try:
                    return len(desk.decisions(limit=200).decisions) >= len(events)
                except ServiceError as error:
                    assert error.kind == "busy", error  # the other's follower is late on a busy machine
                    return False

            wait_until(is_followed)
            found = [one.event_id for one in desk.decisions(limit=200).decisions]
            assert sorted(found) == sorted(events), "each once, at both"
            of_client = desk.decisions(client=int(requests[0]["SK_ID_CURR"])).decisions
            assert len({one.applicant for one in of_client}) == 1 and len(of_client) >= 2, "one pseudonym"
        mine, others = min(own["a"]), min(own["b"])
        assert at_a.decision(mine).differences == []
        with pytest.raises(ServiceError, match="machine of the instance b"):
            at_a.decision(others)
        waiting = at_a.decisions(review="waiting", limit=200).decisions
        theirs = next(one.event_id for one in waiting if one.event_id in own["b"])
        assert at_a.review(theirs, "confirmed", "Looked at.").verdict == "confirmed"
        with pytest.raises(ServiceError, match="reviewed before"):
            at_b.review(theirs, "otherwise", "No.")


@pytest.mark.served
def test_a_service_of_several_does_not_start_without_the_key(home, tmp_path):
    (tmp_path / "bentoml").symlink_to(home / "bentoml")
    changes = {"CREDIT_SCORING_INSTANCE": "c", "CREDIT_SCORING_KEY_FILE": str(tmp_path / "none.key")}
    process = bentoml("serve", "service:CreditScoring", "--port", "0", env=environment(tmp_path, **changes))
    said, _ = process.communicate(timeout=120)
    assert process.returncode and "several instances write this log" in said and "openssl rand" in said
    assert not (tmp_path / "none.key").exists()
