"""Backends that come and go while the node runs."""

import asyncio
import gc
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from inferd.core.backend import Capabilities
from inferd.core.errors import BackendOverloaded, BackendUnavailable
from inferd.core.request import InferenceRequest, Principal
from inferd.gateway.events import BackendEvent, Topic
from inferd.gateway.routing.member import Member
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")


def ask() -> InferenceRequest:
    return InferenceRequest(id="r1", task="text-generation", model=MODEL)


async def answered_by(bench: Bench) -> str:
    async with bench.gateway.infer(ask(), bench.owner) as answer:
        async for _ in answer:
            pass
        return answer.served.backend


async def settled() -> None:
    """Let every task go as far as it can while the clock stands still."""
    loop = asyncio.get_running_loop()
    for _ in range(30):
        turned: asyncio.Future[None] = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


@asynccontextmanager
async def running(bench: Bench) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(bench.pool.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


class Counting(FakeBackend):
    """Says how often it was asked what it offers."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.looks = 0
        self.was_looked_at = asyncio.Event()

    async def capabilities(self) -> Capabilities:
        self.looks += 1
        self.was_looked_at.set()
        return await super().capabilities()

    async def has_looks(self, number: int) -> None:
        while self.looks < number:
            self.was_looked_at.clear()
            await self.was_looked_at.wait()


class Silent(FakeBackend):
    """Never says what it offers."""

    async def capabilities(self) -> Capabilities:
        await asyncio.Event().wait()
        raise AssertionError


async def test_an_added_backend_answers_and_a_removed_one_does_not() -> None:
    bench = Bench(FakeBackend("a"))
    assert await answered_by(bench) == "a"
    bench.pool.add(Member(FakeBackend("b"), priority=-1))
    assert await answered_by(bench) == "b"
    assert bench.pool.remove("b").name == "b"
    assert await answered_by(bench) == "a"
    assert [member.name for member in bench.pool] == ["a"]
    assert bench.pool.find("b") is None


def test_names_are_unique() -> None:
    bench = Bench(FakeBackend("a"))
    with pytest.raises(ValueError, match="a backend called a already"):
        bench.pool.add(Member(FakeBackend("a"), priority=0))
    with pytest.raises(ValueError, match="no backend called b"):
        bench.pool.remove("b")


async def test_a_draining_backend_ends_what_it_is_at_and_gets_nothing_new() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    member = bench.members[0]
    async with bench.gateway.infer(ask(), bench.owner) as answer:
        assert answer.served.backend == "a"
        member.drain()
        assert [await answered_by(bench) for _ in range(3)] == ["b", "b", "b"]
        assert member.in_flight == 1
        words = [chunk async for chunk in answer]
        assert len(words) == 4
    assert member.in_flight == 0
    told = bench.gateway.explain(ask(), bench.owner)
    assert {one.backend: one.order for one in told.candidates} == {"b": 1, "a": 0}
    assert "no new requests" in told.candidates[1].reason
    member.drain(drains=False)
    assert {await answered_by(bench) for _ in range(2)} == {"a", "b"}


async def test_nobody_but_a_draining_backend_is_a_reason_to_try_again() -> None:
    bench = Bench(FakeBackend("a"))
    bench.members[0].drain()
    with pytest.raises(BackendUnavailable, match="takes no new requests") as caught:
        await answered_by(bench)
    assert caught.value.retry_after


async def test_an_added_backend_is_asked_at_once_and_a_removed_one_no_more() -> None:
    first, added = Counting("a"), Counting("b")
    bench = Bench(first)
    async with running(bench):
        await settled()
        bench.pool.add(Member(added, priority=0))
        await added.has_looks(1)
        assert (first.looks, added.looks) == (1, 1)
        bench.pool.remove("b")
        bench.clock.turn(60)
        await first.has_looks(2)
        assert (first.looks, added.looks) == (2, 1)


async def test_a_silent_backend_delays_no_other_look() -> None:
    quick = Counting("quick")
    bench = Bench(Silent("silent"), quick)
    async with running(bench):
        await settled()
        for looks in (2, 3):
            bench.clock.turn(60)
            await quick.has_looks(looks)
            await settled()


async def test_one_that_was_removed_takes_no_look_from_another_of_its_name() -> None:
    bench = Bench(FakeBackend("a"))
    gone, added = bench.members[0], Counting("a")
    async with running(bench):
        await settled()
        gone.took()
        bench.pool.remove("a")
        await settled()
        bench.pool.add(Member(added, priority=0))
        await added.has_looks(1)
        gone.broke("cut off", bench.clock.now())
        await settled()
        bench.clock.turn(60)
        await settled()
        assert added.looks == 2


async def test_one_too_busy_to_be_looked_at_stays_what_it_was() -> None:
    here = FakeBackend("a")
    bench = Bench(here)
    member = bench.members[0]
    here.error = BackendOverloaded("all connections are at work")
    await bench.pool.refresh()
    assert (member.status, member.error) == ("initializing", "")
    here.error = None
    await bench.pool.refresh()
    offered = member.capabilities
    here.error = BackendOverloaded("all connections are at work")
    for _ in range(5):
        bench.clock.turn(60)
        await bench.pool.refresh()
    assert (member.status, member.error) == ("healthy", "")
    assert member.capabilities is offered
    here.error = BackendUnavailable("connection refused")
    await bench.pool.refresh()
    here.error = BackendOverloaded("all connections are at work")
    await bench.pool.refresh()
    assert member.status == "offline"


async def test_whoever_listens_hears_of_backends_that_come_and_go() -> None:
    bench = Bench(FakeBackend("a"))
    with bench.gateway.listen(bench.owner, [Topic.BACKEND]) as news:
        bench.pool.add(Member(FakeBackend("b"), priority=0))
        await bench.pool.refresh()
        bench.pool.remove("b")
        told = [(await anext(news))[1] for _ in range(2)]
    found = [(each.name, each.status) for each in told if isinstance(each, BackendEvent)]
    assert found == [
        ("b", "initializing"),
        ("b", "healthy"),
    ]


async def test_a_removed_backend_is_forgotten() -> None:
    bench = Bench(FakeBackend("a"))
    bench.pool.add(Member(FakeBackend("b"), priority=0))
    assert len(bench.gateway.backends(ALICE)) == 2
    gone = weakref.ref(bench.pool.remove("b"))
    gc.collect()
    assert gone() is None
