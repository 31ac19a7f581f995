"""How much."""

import pytest

from inferd.core.errors import RateLimited
from inferd.core.request import Limits, Principal
from inferd.gateway.admission.limits import Limiter
from tests.clocks import HandClock

ALICE, BOB = Principal(id="key:alice"), Principal(id="key:bob")


def test_concurrency_counts_what_is_running_and_frees_on_release() -> None:
    limiter, two = Limiter(HandClock()), Limits(concurrency=2)
    first = limiter.hold(ALICE, two)
    limiter.hold(ALICE, two)
    with pytest.raises(RateLimited):
        limiter.hold(ALICE, two)
    first.release()
    first.release()
    limiter.hold(ALICE, two)
    with pytest.raises(RateLimited):
        limiter.hold(ALICE, two)


def test_requests_a_minute_refill_with_time() -> None:
    clock = HandClock()
    limiter, slow = Limiter(clock), Limits(requests_per_minute=2)
    limiter.hold(ALICE, slow)
    limiter.hold(ALICE, slow)
    with pytest.raises(RateLimited) as refused:
        limiter.hold(ALICE, slow)
    assert refused.value.retry_after == pytest.approx(30)
    clock.turn(30)
    limiter.hold(ALICE, slow)
    with pytest.raises(RateLimited):
        limiter.hold(ALICE, slow)


def test_each_principal_has_its_own_count() -> None:
    limiter, one = Limiter(HandClock()), Limits(concurrency=1)
    limiter.hold(ALICE, one)
    limiter.hold(BOB, one)


def test_no_limits_hold_nothing() -> None:
    limiter = Limiter(HandClock())
    for _ in range(1000):
        limiter.hold(ALICE, Limits())


def test_each_rule_counts_for_itself() -> None:
    limiter, one = Limiter(HandClock()), Limits(concurrency=1)
    limiter.hold(ALICE, one, rule="embeddings")
    limiter.hold(ALICE, one, rule="chat")
    with pytest.raises(RateLimited):
        limiter.hold(ALICE, one, rule="chat")
