"""One client's requests are counted apart from another's; a crowd that is refused comes back one by one."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from scoring.serving import rate
from scoring.serving.rate import Rate, Returns


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_second_s_worth_may_come_at_once_and_then_one_at_a_time():
    clock = Clock()
    limit = Rate(4, clock)
    assert [limit.wait_s("desk") for _ in range(5)] == [0, 0, 0, 0, 0.25]
    clock.now += 0.25
    assert [limit.wait_s("desk") for _ in range(2)] == [0, 0.25]


def test_one_client_does_not_pay_for_another():
    limit = Rate(1, Clock())
    assert limit.wait_s("desk") == 0
    assert limit.wait_s("desk") == 1
    assert limit.wait_s("office") == 0


def test_a_rate_below_one_a_second_lets_the_first_request_pass():
    clock = Clock()
    limit = Rate(0.1, clock)
    assert (limit.wait_s("desk"), limit.wait_s("desk")) == (0, 10)
    clock.now += 10
    assert limit.wait_s("desk") == 0


def test_a_worker_lets_its_share_pass_and_tells_the_rate_of_the_whole_service():
    clock = Clock()
    limit = Rate(10, clock, workers=4)
    assert [limit.wait_s("desk") for _ in range(3)] == [0, 0, 0.2]
    assert limit.per_s == 10


def test_strangers_take_no_memory_without_end(monkeypatch):
    monkeypatch.setattr(rate, "CLIENTS_KEPT", 100)
    limit = Rate(1, Clock())
    for number in range(1_000):
        limit.wait_s(str(number))
    assert len(limit._left) == 100


@given(st.floats(0.5, 100), st.lists(st.floats(0, 2), max_size=200))
def test_no_more_than_the_rate_passes_in_any_time(per_s, pauses):
    clock = Clock()
    limit, passed = Rate(per_s, clock), 0
    for pause in pauses:
        clock.now += pause
        passed += limit.wait_s("desk") == 0
    assert passed <= max(1, per_s) + sum(pauses) * per_s + 1e-6


def test_a_crowd_that_is_refused_comes_back_at_an_even_rate():
    returns = Returns(per_s=100, least_s=1, most_s=10, clock=lambda: 0.0)
    waits = Counter(returns.after_s() for _ in range(550))
    assert set(waits) == {1, 2, 3, 4, 5, 6} and all(99 <= waits[second] <= 101 for second in (2, 3, 4, 5))


def test_nobody_is_told_to_wait_longer_than_the_most():
    returns = Returns(per_s=100, least_s=1, most_s=3, clock=lambda: 0.0)
    assert max(returns.after_s() for _ in range(10_000)) == 3


def test_who_is_refused_alone_comes_back_at_the_soonest():
    now = [0.0]
    returns = Returns(per_s=100, least_s=1, most_s=10, clock=lambda: now[0])
    for _ in range(300):
        returns.after_s()
    now[0] = 60.3
    assert returns.after_s() == 1
