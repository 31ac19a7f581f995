"""Backends that come and go while a node runs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest

from inferd.backends import Settings
from inferd.core.backend import Backend
from inferd.core.content import Message
from inferd.core.errors import BackendError, BackendUnavailable
from inferd.core.request import InferenceRequest
from inferd.gateway.routing.pool import Pool
from inferd.node.compose import Wanted
from inferd.node.roster import NameTaken, NoSuchBackend, Roster, open_roster
from tests.clocks import HandClock
from tests.gateway.fakes import FakeBackend
from tests.http1.upstream import Received, Wire, serve

PATIENCE = 20


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def roster(clock: HandClock) -> AsyncIterator[Roster]:
    async with open_roster((), Pool((), clock), node="node-a", clock=clock) as found:
        yield found


async def asleep(clock: HandClock) -> None:
    """Wait until somebody sleeps, but not for ever."""
    async with asyncio.timeout(PATIENCE):
        await clock.has_sleepers()


def echo(name: str, **options: object) -> Wanted:
    return Wanted(kind="echo", settings=Settings(name=name, options=options))


class Lent:
    """A backend that notes which task opened it, and which closed it."""

    def __init__(self, name: str) -> None:
        self.backend = FakeBackend(name)
        self.opening, self.may_open, self.closed = (asyncio.Event() for _ in range(3))
        self.opened_by: object = None
        self.closed_by: object = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Backend]:
        self.opened_by = asyncio.current_task()
        self.opening.set()
        try:
            await self.may_open.wait()
            yield self.backend
        finally:
            self.closed_by = asyncio.current_task()
            self.closed.set()


async def test_a_backend_is_in_the_pool_for_as_long_as_it_is_open(roster: Roster) -> None:
    member = await roster.add(echo("parrot"))
    assert roster.pool.find("parrot") is member
    assert "parrot" in roster
    assert await roster.remove("parrot") == 0
    assert roster.pool.find("parrot") is None
    assert "parrot" not in roster
    # The name is free again.
    assert await roster.add(echo("parrot")) is not member


async def test_one_task_opens_and_closes_it(roster: Roster) -> None:
    lent = Lent("slow")
    lent.may_open.set()
    await roster.take("slow", lent.open())
    await roster.remove("slow")
    assert lent.opened_by is lent.closed_by
    assert lent.opened_by is not asyncio.current_task()


async def test_a_name_is_taken_from_the_moment_it_is_asked_for(roster: Roster) -> None:
    lent = Lent("slow")
    async with asyncio.TaskGroup() as tasks:
        adding = tasks.create_task(roster.take("slow", lent.open()))
        await lent.opening.wait()
        with pytest.raises(NameTaken, match="called slow already"):
            await roster.add(echo("slow"))
        with pytest.raises(NoSuchBackend):
            roster.drain("slow")
        lent.may_open.set()
        assert (await adding).name == "slow"


async def test_one_that_is_still_being_opened_is_said_to_be(roster: Roster) -> None:
    lent = Lent("slow")
    adding = asyncio.ensure_future(roster.take("slow", lent.open()))
    await lent.opening.wait()
    with pytest.raises(NoSuchBackend, match="slow is still being opened"):
        await roster.remove("slow")
    lent.may_open.set()
    assert (await adding).name == "slow"


async def test_what_cannot_be_opened_leaves_nothing_behind(roster: Roster) -> None:
    with pytest.raises(ValueError, match="no kind called 'nope'"):
        await roster.add(Wanted(kind="nope", settings=Settings(name="x")))
    with pytest.raises(ValueError, match="options"):
        await roster.add(echo("x", volume=11))
    assert "x" not in roster
    await roster.add(echo("x"))


async def test_who_gives_up_while_it_opens_frees_the_name(roster: Roster) -> None:
    lent = Lent("slow")
    async with asyncio.TaskGroup() as tasks:
        adding = tasks.create_task(roster.take("slow", lent.open()))
        await lent.opening.wait()
        adding.cancel()
    await lent.closed.wait()
    assert "slow" not in roster
    assert lent.closed_by is lent.opened_by
    assert roster.pool.find("slow") is None


async def test_removing_waits_for_what_runs(roster: Roster, clock: HandClock) -> None:
    member = await roster.take("busy", nullcontext(FakeBackend("busy")))
    member.took()
    async with asyncio.TaskGroup() as tasks:
        removing = tasks.create_task(roster.remove("busy", 10.0))
        await asleep(clock)
        assert member.is_draining
        clock.turn(1.0)
        await asleep(clock)
        assert not removing.done()
        assert roster.pool.find("busy") is member
        member.gave(0.5)
        clock.turn(1.0)
        assert await removing == 0
    assert roster.pool.find("busy") is None


async def test_after_its_time_what_still_runs_is_counted(roster: Roster, clock: HandClock) -> None:
    member = await roster.take("busy", nullcontext(FakeBackend("busy")))
    member.took()
    async with asyncio.TaskGroup() as tasks:
        removing = tasks.create_task(roster.remove("busy", 2.0))
        for _ in range(2):
            await asleep(clock)
            clock.turn(1.5)
        assert await removing == 1


async def test_what_is_cut_fails_with_an_error_that_others_may_mend(roster: Roster) -> None:
    async def hang(wire: Wire, received: Received) -> None:
        await wire.reader.read()

    request = InferenceRequest(
        id="r", task="chat", model="m", inputs={"messages": (Message(role="user", text="Hi"),)}
    )
    async with serve(hang) as upstream:
        settings = Settings(name="far", base_url=f"{upstream.url}/v1", models={"m": "m"})
        member = await roster.add(Wanted(kind="openai", settings=settings))

        async def ask() -> None:
            with pytest.raises(BackendError) as caught:
                await member.backend.infer(request)
            assert caught.value.retryable

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask())
            await upstream.until(lambda: bool(upstream.received))
            await roster.remove("far", 0.0)


async def test_a_closed_roster_closes_all_and_takes_nobody_in(clock: HandClock) -> None:
    pool = Pool((), clock)
    opening = Lent("opening")
    async with (
        asyncio.timeout(PATIENCE),
        asyncio.TaskGroup() as tasks,
        open_roster([echo("a"), echo("b")], pool, node="node-a", clock=clock) as roster,
    ):
        assert [member.name for member in pool] == ["a", "b"]
        late = tasks.create_task(_refused(roster, opening))
        await opening.opening.wait()
    assert not len(pool)
    assert opening.closed_by is opening.opened_by
    assert late.done()
    with pytest.raises(BackendUnavailable, match="stopping"):
        await roster.add(echo("c"))


async def _refused(roster: Roster, lent: Lent) -> None:
    with pytest.raises(BackendUnavailable, match="stopping"):
        await roster.take("opening", lent.open())
