"""Those who ask the same at once share one answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.answer import Answer, collect
from inferd.core.content import BytesFile
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.request import InferenceRequest, Limits, Principal
from inferd.core.result import Chunk, Finish, TextDelta
from inferd.gateway.admission.policy import Rule
from inferd.gateway.sharing import Terms
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")


def ask(number: int = 1, **fields: object) -> InferenceRequest:
    fields = {
        "id": f"r{number}",
        "task": "text-generation",
        "model": MODEL,
        "inputs": {"prompt": "hello"},
        "parameters": {"temperature": 0},
        **fields,
    }
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


def keeping(backend: FakeBackend, *, terms: Terms | None = None) -> Bench:
    return Bench(backend, sharing=terms or Terms())


async def text(bench: Bench, request: InferenceRequest) -> str:
    async with bench.gateway.infer(request, ALICE) as answer:
        return (await collect(answer)).text


class Slow(FakeBackend):
    """Says a word each time it is let, and then no more."""

    def __init__(self, words: int = 3, *, more: str = "") -> None:
        super().__init__()
        self.more = more
        self.words = words
        self.lets = asyncio.Semaphore(0)
        self.was_closed = False

    async def _chunks(self, request: InferenceRequest) -> AsyncIterator[Chunk]:
        for number in range(self.words):
            await self.lets.acquire()
            if self.breaks_after is not None:
                raise self.breaks_after
            yield TextDelta(f"{number} {self.more}")
        yield Finish(model=request.model)


async def turn_about() -> None:
    """Let whatever is ready have its turns."""
    for _ in range(12):
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(passed.set_result, None)
        await passed


def start(bench: Bench, *requests: InferenceRequest) -> list[asyncio.Task[str]]:
    loop = asyncio.get_running_loop()
    return [loop.create_task(text(bench, request)) for request in requests]


async def test_those_who_ask_at_once_share_what_comes_and_one_is_booked_with_it() -> None:
    slow = Slow()
    bench = keeping(slow)
    calls = start(bench, ask(1), ask(2))
    await turn_about()
    slow.lets.release()
    await turn_about()
    calls += start(bench, ask(3))
    await turn_about()
    assert bench.members[0].in_flight == 1
    for _ in range(2):
        slow.lets.release()
    assert {await call for call in calls} == {"0 1 2 "}
    assert len(slow.asked) == 1
    rows = {row.id: row for row in bench.records.rows}
    assert sorted(rows) == ["r1", "r2", "r3"]
    assert sorted(row.source for row in rows.values()) == ["local", "shared", "shared"]
    assert bench.members[0].in_flight == 0
    assert await text(bench, ask(4)) == "0 1 2 "
    assert len(slow.asked) == 1


async def test_who_asked_first_may_leave() -> None:
    slow = Slow()
    bench = keeping(slow)
    first, second = start(bench, ask(1), ask(2))
    await turn_about()
    first.cancel()
    await asyncio.wait((first,))
    assert not slow.freed.is_set()
    for _ in range(3):
        slow.lets.release()
    assert await second == "0 1 2 "
    rows = {row.id: (row.source, row.outcome) for row in bench.records.rows}
    assert rows == {"r1": ("shared", "aborted"), "r2": ("local", "ok")}


async def test_the_last_to_leave_frees_the_backend() -> None:
    slow = Slow()
    bench = keeping(slow)
    calls = start(bench, ask(1), ask(2))
    await turn_about()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert slow.freed.is_set()
    assert bench.members[0].in_flight == 0
    assert sorted((row.id, row.outcome) for row in bench.records.rows) == [
        ("r1", "aborted"),
        ("r2", "aborted"),
    ]


class SlowToLeave(FakeBackend):
    """Has something to put away before it lets go."""

    async def infer(self, request: InferenceRequest) -> Answer:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await asyncio.Event().wait()
            finally:
                await turn_about()
        raise AssertionError("nobody let it answer")


async def test_the_last_to_leave_may_be_cancelled_twice() -> None:
    rule = Rule(principal="secret:*", limits=Limits(concurrency=2))
    bench = Bench(SlowToLeave(), rules=(rule,), sharing=Terms())
    # There are as many places as there are calls: what the first two held is free again.
    for numbers in ((1, 2), (3, 4)):
        calls = start(bench, *map(ask, numbers))
        await turn_about()
        for call in (*calls, calls[1]):
            call.cancel()
            await turn_about()
        assert all(call.cancelled() for call in calls)
        for _ in range(3):
            await turn_about()
    rows = [(row.id, row.source, row.outcome) for row in bench.records.rows]
    assert rows == [
        (f"r{number}", "local" if number in (2, 4) else "shared", "aborted")
        for number in range(1, 5)
    ]
    assert bench.members[0].in_flight == 0
    assert held(bench) == 0


async def test_all_are_told_of_a_failure() -> None:
    slow = Slow()
    slow.breaks_after = BackendFailed("cut")
    bench = keeping(slow)
    calls = start(bench, ask(1), ask(2))
    await turn_about()
    slow.lets.release()
    await asyncio.wait(calls)
    assert [str(call.exception()) for call in calls] == ["cut", "cut"]
    assert [row.outcome for row in bench.records.rows] == ["backend_failed"] * 2
    assert bench.members[0].failed == 1


def held(bench: Bench) -> object:
    """Return how many bytes are on their way to somebody."""
    found = next(each for each in bench.gateway.metrics() if each.name == "inferd_cache_bytes")
    return {labels["of"]: count for labels, count in found.series}["under way"]


async def test_one_with_files_shares_with_nobody_who_may_leave_before_it() -> None:
    slow = Slow()
    bench = keeping(slow)
    files = (BytesFile("image", b"1"),)
    calls = start(bench, ask(1, files=files), ask(2, files=files))
    await turn_about()
    assert len(slow.asked) == 2
    for _ in range(6):
        slow.lets.release()
    assert [await call for call in calls] == ["0 1 2 "] * 2


async def test_many_long_answers_are_held_within_the_room_there_is() -> None:
    slow = Slow(300, more="x" * 1000)
    bench = keeping(slow, terms=Terms(most_bytes=4 << 20))
    async with AsyncExitStack() as stack:
        answers = [
            await stack.enter_async_context(
                bench.gateway.infer(ask(number, inputs={"prompt": str(number)}), ALICE)
            )
            for number in range(30)
        ]
        for _ in range(30 * 300):
            slow.lets.release()
        for _ in range(20):
            await turn_about()
        most = held(bench)
        assert isinstance(most, int)
        # A flight that has begun to hold more keeps what it has, and takes no more.
        assert 4 << 20 < most <= (4 << 20) + 30 * (64 << 10)
        for answer in answers:
            assert (await collect(answer)).finish is not None
    assert held(bench) == 0


async def test_one_with_a_deadline_waits_for_nobody_else() -> None:
    slow = Slow()
    bench = keeping(slow)
    calls = start(bench, ask(1), ask(2, deadline=bench.clock.now() + 60))
    await turn_about()
    assert len(slow.asked) == 2
    for _ in range(6):
        slow.lets.release()
    assert [await call for call in calls] == ["0 1 2 "] * 2


async def test_a_long_answer_is_held_within_bounds_for_the_slowest() -> None:
    words = 400
    slow = Slow(words, more="x" * 1000)
    bench = keeping(slow, terms=Terms(most_bytes=1 << 20))
    quick, idle = (bench.gateway.infer(ask(number), ALICE) for number in (1, 2))
    async with quick as first, idle as second:
        for _ in range(words):
            slow.lets.release()
        read = asyncio.get_running_loop().create_task(collect(first))
        await turn_about()
        assert not read.done()
        late = await collect(second)
        assert (
            (await read).text
            == late.text
            == "".join(f"{number} {slow.more}" for number in range(words))
        )
    assert len(bench.records.rows) == 2


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 1)),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("word"), st.integers(1, 4)),
        st.tuples(st.just("fail"), st.just(0)),
    ),
    max_size=10,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS)
def test_however_they_come_and_go_each_has_one_row_and_all_is_freed(
    steps: list[tuple[str, int]],
) -> None:
    asyncio.run(_come_and_go(steps))


async def _come_and_go(steps: list[tuple[str, int]]) -> None:
    slow = Slow()
    bench = keeping(slow, terms=Terms(seconds=0))
    calls: list[asyncio.Task[str]] = []
    for step, number in steps:
        match step:
            case "ask":
                prompt = {"prompt": str(number)}
                calls += start(bench, ask(len(calls), inputs=prompt))
            case "leave" if number < len(calls):
                calls[number].cancel()
            case "word":
                for _ in range(number):
                    slow.lets.release()
            case _:
                slow.breaks_after = BackendFailed("cut")
        await turn_about()
    for _ in range(3 * len(calls)):
        slow.lets.release()
    for call in calls:
        with suppress(NodeError, asyncio.CancelledError):
            assert await call == "0 1 2 "
    assert bench.members[0].in_flight == 0
    assert held(bench) == 0
    assert sorted(row.id for row in bench.records.rows) == sorted(
        f"r{number}" for number in range(len(calls))
    )
