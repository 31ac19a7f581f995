"""What closes a breaker, and what doesn't: requests of before it opened, and looks that go well."""

from contextlib import AsyncExitStack

import pytest

from inferd.core.answer import collect
from inferd.core.backend import BackendType, Traits
from inferd.core.errors import BackendFailed, BackendLimited, NodeError
from inferd.core.request import InferenceRequest
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ASK = InferenceRequest(id="r", task=TASK, model=MODEL)
STREAM = InferenceRequest(id="s", task=TASK, model=MODEL, inputs={"prompt": "count"}, stream=True)


async def answered_by(bench: Bench) -> str:
    async with bench.gateway.infer(ASK, bench.owner) as answer:
        await collect(answer)
        return answer.served.backend


async def test_an_older_stream_that_ends_well_does_not_undo_retry_after() -> None:
    first, spare = FakeBackend("a"), FakeBackend("b")
    bench = Bench(first, spare)
    member, bench.members[1].priority = bench.members[0], 5
    async with bench.gateway.infer(STREAM, bench.owner) as older:
        bench.clock.turn(1)
        first.error = BackendLimited("too many requests", retry_after=30)
        assert await answered_by(bench) == "b"
        asked = len(first.asked)
        bench.clock.turn(1)
        await collect(older)
    assert (member.status, member.error) == ("unhealthy", "too many requests")
    for _ in range(5):
        assert await answered_by(bench) == "b"
    assert len(first.asked) == asked
    first.error = None
    bench.clock.turn(30)
    assert await answered_by(bench) == "a"
    assert (member.status, member.error) == ("healthy", "")


async def test_a_trial_is_ended_by_the_request_that_tries_and_no_other() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    member, clock = bench.members[0], bench.clock
    older, other = clock.now(), clock.now() + 1
    for at in (older, other, other):
        member.took(at)
    clock.turn(2)
    member.broke("HTTP 500", clock.now())
    clock.turn(2)
    assert member.status == "degraded"
    trial = clock.now()
    member.took(trial)
    clock.turn(1)
    member.left(older)
    assert (member.breaker.trial, member.status) == (trial, "degraded")
    member.began(1.0, other)
    assert (member.breaker.trial, member.status) == (trial, "degraded")
    member.gave(1.0, other)
    assert (member.breaker.trial, member.status) == (trial, "degraded")
    member.began(1.0, trial)
    assert (member.breaker.trial, member.status) == (None, "healthy")


async def test_calls_say_which_of_them_tries_it() -> None:
    first, second = FakeBackend("a"), FakeBackend("b")
    bench = Bench(first, second)
    member = bench.members[0]
    async with AsyncExitStack() as ended, AsyncExitStack() as older:
        for _ in range(2):
            await older.enter_async_context(bench.gateway.infer(STREAM, bench.owner))
        assert member.in_flight == 1
        bench.clock.turn(1)
        member.took()
        member.broke("HTTP 500", bench.clock.now())
        bench.clock.turn(1)
        first.hangs = True
        trying = ended.enter_async_context(bench.gateway.infer(ASK, bench.owner)).__await__()
        trying.send(None)
        assert member.breaker.is_on_trial
        await older.aclose()
        assert member.breaker.is_on_trial
        trying.close()
        assert not member.breaker.is_on_trial


async def test_who_writes_the_rest_of_an_answer_has_passed_its_trial() -> None:
    first, second = FakeBackend("a"), FakeBackend("b")
    for each in (first, second):
        each.traits = Traits(type=BackendType.GPU, continues=frozenset({TASK}))
    first.breaks_after = BackendFailed("cut")
    bench = Bench(first, second)
    member = bench.members[1]
    await bench.pool.refresh()
    member.took()
    member.broke("HTTP 500", bench.clock.now())
    async with bench.gateway.infer(STREAM, bench.owner) as answer:
        bench.clock.turn(2)
        assert member.status == "degraded"
        for _ in range(2):
            await anext(answer)
        assert len(second.asked) == 1
        assert (member.status, member.breaker.is_on_trial) == ("healthy", False)


async def test_a_spare_that_nobody_asks_is_well_again_after_good_looks() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("spare"))
    spare = bench.members[1]
    spare.priority = 9
    spare.took()
    spare.broke("HTTP 500", bench.clock.now())
    bench.clock.turn(1)
    await bench.pool.refresh()
    assert spare.status == "degraded"
    bench.clock.turn(60)
    assert spare.status == "degraded"
    await bench.pool.refresh()
    told = bench.gateway.report(bench.owner).backends[1]
    assert (told.status, told.next, told.reason) == ("healthy", "", "")
    assert (told.breaker.state, told.breaker.failures) == ("closed", 0)
    assert not spare.is_troubled


@pytest.mark.parametrize("every", [0.5, 5.0, 20.0])
async def test_one_that_fails_all_and_lists_its_models_never_looks_well(every: float) -> None:
    broken = FakeBackend("a")
    bench = Bench(broken, FakeBackend("b"))
    member = bench.members[0]
    bench.members[1].priority = 9

    async def fails(_request: InferenceRequest) -> None:
        raise BackendFailed("HTTP 500")

    broken.infer = fails  # type: ignore[method-assign, assignment]
    seen = set[str]()
    for _ in range(60):
        assert await answered_by(bench) == "b"
        bench.clock.turn(every)
        await bench.pool.refresh()
        seen.add(member.status)
    assert seen == {"unhealthy", "degraded"}


async def test_a_success_since_the_last_failure_closes_it() -> None:
    here = FakeBackend("a")
    bench = Bench(here)
    here.error = BackendFailed("HTTP 500")
    with pytest.raises(NodeError):
        await answered_by(bench)
    here.error = None
    bench.clock.turn(0.1)
    assert bench.members[0].status == "unhealthy"
    # Nobody else is left to ask.
    assert await answered_by(bench) == "a"
    assert bench.members[0].status == "healthy"
