"""How much."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import RateLimited
from inferd.core.request import InferenceRequest, Limits, Principal, Raw
from inferd.gateway.admission.estimate import estimate
from inferd.gateway.admission.limits import Hold, Limiter, Meter
from tests.clocks import HandClock

ALICE, BOB = Principal(id="key:alice"), Principal(id="key:bob")


def test_concurrency_counts_what_is_running_and_frees_on_release() -> None:
    two = meter(HandClock(), concurrency=2)
    first = two.hold(ALICE)
    two.hold(ALICE)
    with pytest.raises(RateLimited):
        two.hold(ALICE)
    first.release()
    first.release()
    two.hold(ALICE)
    with pytest.raises(RateLimited):
        two.hold(ALICE)


def test_requests_a_minute_refill_with_time() -> None:
    clock = HandClock()
    slow = meter(clock, requests_per_minute=2)
    slow.hold(ALICE)
    slow.hold(ALICE)
    with pytest.raises(RateLimited) as refused:
        slow.hold(ALICE)
    assert refused.value.retry_after == pytest.approx(30)
    clock.turn(30)
    slow.hold(ALICE)
    with pytest.raises(RateLimited):
        slow.hold(ALICE)


def test_each_principal_has_its_own_count() -> None:
    one = meter(HandClock(), concurrency=1)
    one.hold(ALICE)
    one.hold(BOB)


def test_no_limits_have_no_meter() -> None:
    assert Limiter(HandClock()).meter(Limits(per_model=True)) is None


def test_each_rule_counts_for_itself() -> None:
    limiter, one = Limiter(HandClock()), Limits(concurrency=1)
    chat = limiter.meter(one, rule="chat")
    assert chat is limiter.meter(one, rule="chat", model="any")
    assert chat is not limiter.meter(one, rule="embeddings")


def meter(clock: HandClock, **limits: object) -> Meter:
    found = Limiter(clock).meter(Limits(**limits))  # pyright: ignore[reportArgumentType]
    assert found is not None
    return found


def test_tokens_are_reserved_before_and_settled_after() -> None:
    clock = HandClock()
    tokens = meter(clock, tokens_per_minute=1000)
    first = tokens.hold(ALICE, 600)
    with pytest.raises(RateLimited, match="1000 tokens a minute") as refused:
        tokens.hold(ALICE, 600)
    assert refused.value.retry_after == pytest.approx(12)
    first.release(100)
    tokens.hold(ALICE, 600)


def test_what_was_used_beyond_the_estimate_is_waited_for() -> None:
    clock = HandClock()
    tokens = meter(clock, tokens_per_minute=600)
    tokens.hold(ALICE, 100).release(1200)
    with pytest.raises(RateLimited) as refused:
        tokens.hold(ALICE, 1)
    clock.turn((refused.value.retry_after or 0) + 0.001)
    tokens.hold(ALICE, 1)


@given(
    rate=st.integers(1, 10**9),
    answers=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**18)), min_size=1),
)
def test_no_answer_makes_a_debt_that_two_minutes_do_not_pay(
    rate: int, answers: list[tuple[int, int]]
) -> None:
    clock = HandClock()
    tokens = meter(clock, tokens_per_minute=rate)
    held = list[tuple[Hold, int]]()
    for estimated, used in answers:
        with suppress(RateLimited):
            held.append((tokens.hold(ALICE, estimated), used))
    for hold, used in held:
        hold.release(used)
    waits = list[float]()
    for _ in range(3):
        try:
            tokens.hold(ALICE, 10**18)
            break
        except RateLimited as refused:
            waits.append(refused.retry_after or 0)
            clock.turn(waits[-1] + 0.001)
    assert len(waits) <= 1
    assert all(0 < wait <= 120 for wait in waits)


def test_a_request_longer_than_a_minutes_tokens_waits_for_a_full_minute_not_for_ever() -> None:
    tokens = meter(HandClock(), tokens_per_minute=100)
    tokens.hold(ALICE, 5000)
    with pytest.raises(RateLimited):
        tokens.hold(ALICE, 1)


def test_an_answer_that_does_not_say_what_it_used_costs_the_estimate() -> None:
    tokens = meter(HandClock(), tokens_per_minute=1000)
    tokens.hold(ALICE, 800).release()
    with pytest.raises(RateLimited):
        tokens.hold(ALICE, 800)


@pytest.mark.parametrize(
    ("parameters", "tokens"),
    [
        ({"max_tokens": 7}, 107),
        ({"max_new_tokens": 9}, 109),
        *(({"max_tokens": most}, 356) for most in (None, 0, -3, "many", True)),
    ],
)
def test_a_request_takes_its_length_and_what_its_answer_may_have(
    parameters: dict[str, object], tokens: int
) -> None:
    asked: dict[str, object] = {"id": "r", "task": "chat", "parameters": parameters}
    raw = InferenceRequest(**asked, raw=Raw(wire="x", body=b"x" * 400))  # pyright: ignore[reportArgumentType]
    inputs = {"a": "x" * 100, "b": ["y" * 200, {"c": "z" * 100}]}
    typed = InferenceRequest(**asked, inputs=inputs)  # pyright: ignore[reportArgumentType]
    assert estimate(raw) == estimate(typed) == tokens


@pytest.mark.parametrize(("most", "tokens"), [(100_000, 100_100), (None, 356), (0, 356)])
def test_a_body_that_was_only_peeked_at_takes_what_the_peek_saw(
    most: int | None, tokens: int
) -> None:
    raw = Raw(wire="x", body=b"x" * 400, most_tokens=most, read=lambda _: ({}, {}))
    assert estimate(InferenceRequest(id="r", task="chat", raw=raw)) == tokens


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 400)),
        st.tuples(st.just("free"), st.integers(0, 400)),
        st.tuples(st.just("free unsaid"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 30)),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_whatever_comes_nothing_leaks_and_nobody_gets_more(steps: list[tuple[str, int]]) -> None:
    clock, held, began = HandClock(), list[Hold](), HandClock().now()
    limits = meter(clock, requests_per_minute=6, tokens_per_minute=600, concurrency=3)
    taken, waits = 0, list[float]()
    for step, number in steps:
        match step:
            case "take":
                try:
                    held.append(limits.hold(ALICE, number))
                    taken += 1
                except RateLimited as refused:
                    waits.append(refused.retry_after or 0)
            case "wait":
                clock.turn(number)
            case _ if held:
                hold = held.pop(0)
                for _ in range(2):
                    hold.release(None if step == "free unsaid" else number)
            case _:
                pass
        minutes = (clock.now() - began) / 60
        assert len(held) <= 3
        assert taken <= 6 + 6 * minutes + 1e-6
    assert all(wait > 0 for wait in waits)
    for hold in held:
        hold.release(0)
    clock.turn(3600)
    again = [limits.hold(ALICE, 1) for _ in range(3)]
    with pytest.raises(RateLimited, match="3 requests running"):
        limits.hold(ALICE, 1)
    assert len(again) == 3


def test_accounts_that_stand_as_new_ones_are_forgotten() -> None:
    clock = HandClock()
    limits = meter(clock, requests_per_minute=60)
    for number in range(20_000):
        limits.hold(Principal(id=f"key:{number}")).release()
    busy = [limits.hold(BOB)]
    clock.turn(120)
    limits.hold(ALICE)
    assert len(limits) <= 3
    assert busy
