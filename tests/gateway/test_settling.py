"""What a call pays for, however it ends."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.answer import Answer, collect
from inferd.core.backend import Model
from inferd.core.errors import (
    BackendFailed,
    BackendLimited,
    BackendRefused,
    BackendTimeout,
    CallerLeft,
    ModelNotFound,
    NodeError,
    RateLimited,
)
from inferd.core.request import InferenceRequest, Limits, Principal
from inferd.core.result import TextDelta, Usage
from inferd.gateway.admission.limits import Meter
from inferd.gateway.admission.policy import Rule
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ALICE = Principal(id="secret:alice")
MINUTE = 1000
ASKED = 300


def ask(**fields: object) -> InferenceRequest:
    parameters = {"max_tokens": ASKED}
    usual: dict[str, object] = {"id": "r", "task": TASK, "model": MODEL, "parameters": parameters}
    return InferenceRequest(**{**usual, **fields})  # pyright: ignore[reportArgumentType]


def limited(*backends: FakeBackend) -> Bench:
    rule = Rule(principal="secret:*", limits=Limits(tokens_per_minute=MINUTE, concurrency=1))
    return Bench(*backends, rules=(rule,))


def meter_of(bench: Bench) -> Meter:
    meter = bench.plans.of(ask(), ALICE).first(0.0, 0, ask()).meter
    assert meter is not None
    return meter


def left(bench: Bench) -> float:
    """How many tokens are left of the minute's; none at all while the only place is taken."""
    meter = meter_of(bench)
    low, high = 0, MINUTE
    while low < high:
        middle = (low + high + 1) // 2
        try:
            meter.hold(ALICE, middle).release(0)
            low = middle
        except RateLimited:
            high = middle - 1
    return low


async def finish(bench: Bench, here: FakeBackend) -> None:
    async with bench.gateway.infer(ask(), ALICE) as answer:
        await collect(answer)


async def finish_in_silence(bench: Bench, here: FakeBackend) -> None:
    async with bench.gateway.infer(ask(), ALICE):
        pass


async def leave_within(bench: Bench, here: FakeBackend) -> None:
    with pytest.raises(CallerLeft):
        async with bench.gateway.infer(ask(), ALICE) as answer:
            assert await anext(answer) == TextDelta("one ")
            # Some wires tell usage as they go.
            answer.usage = Usage(input_tokens=2, output_tokens=1)
            raise CallerLeft


async def leave_before(bench: Bench, here: FakeBackend) -> None:
    here.hangs = True
    here.reached.clear()

    async def call() -> Answer:
        async with bench.gateway.infer(ask(), ALICE) as answer:
            return answer

    task = asyncio.get_running_loop().create_task(call())
    reached = asyncio.get_running_loop().create_task(here.reached.wait())
    await asyncio.wait((task, reached), return_when=asyncio.FIRST_COMPLETED)
    reached.cancel()
    task.cancel()
    with pytest.raises((asyncio.CancelledError, RateLimited)) as ended:
        await task
    if ended.type is RateLimited:
        raise ended.value


async def be_late(bench: Bench, here: FakeBackend) -> None:
    here.hangs = True
    with pytest.raises(BackendTimeout):
        async with bench.gateway.infer(ask(deadline=bench.clock.now() + 0.001), ALICE):
            pass


async def fail_after_sending(bench: Bench, here: FakeBackend) -> None:
    here.error = BackendFailed("broke")
    here.error.sent_bytes = 9
    with pytest.raises(BackendFailed):
        async with bench.gateway.infer(ask(), ALICE):
            pass


async def be_refused(bench: Bench, here: FakeBackend) -> None:
    here.error = BackendRefused("no such parameter")
    here.error.sent_bytes = 9
    with pytest.raises(BackendRefused):
        async with bench.gateway.infer(ask(), ALICE):
            pass


async def fail_before_sending(bench: Bench, here: FakeBackend) -> None:
    here.error = BackendFailed("down")
    with pytest.raises(BackendFailed):
        async with bench.gateway.infer(ask(), ALICE):
            pass


Way = Callable[[Bench, FakeBackend], Awaitable[None]]
COSTS: dict[Way, int] = {
    finish: 5,
    finish_in_silence: ASKED,
    leave_within: ASKED,
    leave_before: ASKED,
    be_late: ASKED,
    fail_after_sending: ASKED,
    be_refused: 0,
    fail_before_sending: 0,
}


@pytest.mark.parametrize("way", COSTS)
async def test_each_way_to_end_has_its_price(way: Way) -> None:
    here = FakeBackend()
    bench = limited(here)
    await way(bench, here)
    assert left(bench) == MINUTE - COSTS[way]


@given(ways=st.lists(st.sampled_from(list(COSTS)), max_size=12))
def test_no_way_of_ending_gets_more_than_a_minutes_tokens_and_nothing_leaks(
    ways: list[Way],
) -> None:
    async def run() -> None:
        here = FakeBackend()
        bench = limited(here)
        spent = 0
        for way in ways:
            here.hangs, here.error = False, None
            try:
                await way(bench, here)
                spent += COSTS[way]
            except RateLimited:
                assert spent > MINUTE - ASKED
        assert left(bench) == MINUTE - spent

    asyncio.run(run())


async def test_the_attempt_that_may_have_cost_something_is_paid_though_the_last_did_not() -> None:
    first, second = FakeBackend("first"), FakeBackend("second")
    first.error, second.error = BackendFailed("broke"), BackendFailed("down")
    first.error.sent_bytes = 9
    bench = limited(first, second)
    with pytest.raises(NodeError):
        async with bench.gateway.infer(ask(), ALICE):
            pass
    assert left(bench) == MINUTE - ASKED


@pytest.mark.parametrize("kind", [BackendLimited, ModelNotFound])
async def test_who_was_turned_away_everywhere_pays_nothing(kind: type[NodeError]) -> None:
    first, second = FakeBackend("first"), FakeBackend("second")
    for backend in (first, second):
        backend.error = kind("no")
        backend.error.sent_bytes = 9
    bench = limited(first, second)
    with pytest.raises(kind):
        async with bench.gateway.infer(ask(), ALICE):
            pass
    assert left(bench) == MINUTE


async def test_a_fallback_to_another_model_counts_for_that_model() -> None:
    first = FakeBackend("first")
    second = FakeBackend("second", models=(Model(id="acme/two", tasks=frozenset({TASK})),))
    first.error = BackendFailed("down")
    limits = Limits(requests_per_minute=1, per_model=True)
    bench = Bench(first, second, rules=(Rule(principal="secret:*", limits=limits),))
    async with bench.gateway.infer(ask(model="acme/two"), ALICE):
        pass
    with pytest.raises(RateLimited):
        async with bench.gateway.infer(ask(model=""), ALICE):
            pass
