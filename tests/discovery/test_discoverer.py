"""Looking again and again: what is taken in, what is let go, and what nobody waits for."""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from inferd.core.backend import BackendType, Status
from inferd.core.errors import BackendUnavailable
from inferd.core.found import Found, Verdict
from inferd.discovery import Discoverer, Offer, Taken
from tests.clocks import HandClock
from tests.http1.upstream import BOUND


def offer(verdict: Verdict = Verdict.USABLE) -> Offer:
    found = Found(
        id="server:acme:1",
        name="Acme",
        kind="openai",
        type=BackendType.API,
        verdict=verdict,
        reason="it answers",
    )
    return Offer(found=found, name="acme", kind="openai", base_url="http://127.0.0.1:1/v1")


class FakeNode:
    """Takes and drops, and says what it has."""

    def __init__(self) -> None:
        self.has: list[Taken] = []
        self.dropped: list[str] = []
        self.fails = False

    def taken(self) -> Sequence[Taken]:
        return tuple(self.has)

    async def take(self, offer: Offer) -> str:
        if self.fails:
            raise BackendUnavailable("no")
        taken = Taken(
            name=offer.name,
            kind=offer.kind,
            type=BackendType.API,
            endpoint=offer.base_url,
            is_found=True,
        )
        self.has.append(taken)
        return offer.name

    async def drop(self, name: str) -> None:
        self.dropped.append(name)
        self.has = [each for each in self.has if each.name != name]


class Look:
    def __init__(self, *offers: Offer) -> None:
        self.offers = list(offers)
        self.fails = False

    async def __call__(self, taken: Sequence[Taken]) -> Sequence[Offer]:
        if self.fails:
            raise RuntimeError("a fault of this look")
        return self.offers


class Running:
    def __init__(self, node: FakeNode, *looks: Look, is_on: bool = True) -> None:
        self.clock = HandClock()
        self.discoverer = Discoverer(looks, node, self.clock, interval=60, is_on=is_on)

    async def __aenter__(self) -> Discoverer:
        self._task = asyncio.ensure_future(self.discoverer.run())
        async with asyncio.timeout(BOUND):
            await self.clock.has_sleepers()
        return self.discoverer

    async def again(self) -> None:
        self.clock.turn(60)
        async with asyncio.timeout(BOUND):
            await self.clock.has_sleepers()

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))


async def test_what_is_usable_is_taken_once_for_the_owner() -> None:
    node = FakeNode()
    running = Running(node, Look(offer()))
    async with running as discoverer:
        await running.again()
        (found,) = discoverer.found
    assert [each.name for each in node.has] == ["acme"]
    assert (found.verdict, found.backend) == (Verdict.IN_USE, "acme")
    assert "owner alone" in found.reason
    assert 'backends = ["acme"]' in found.hint


async def test_what_is_configured_already_is_left_alone() -> None:
    node = FakeNode()
    mine = Taken(name="mine", kind="openai", type=BackendType.API, endpoint="http://localhost:1/x")
    node.has = [mine, Taken(name="far", kind="remote_node", type=BackendType.HYBRID, endpoint="h")]
    async with Running(node, Look(offer())) as discoverer:
        told = {each.name: each.backend for each in discoverer.found}
    assert len(node.has) == 2
    assert told == {"Acme": "mine", "far": "far"}


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (Status.INITIALIZING, "", "it hasn't been asked yet"),
        (Status.HEALTHY, "", "it answers"),
        (Status.UNKNOWN, "", "nothing was heard of it lately"),
        (Status.OFFLINE, "no connection", "no connection"),
    ],
)
async def test_of_a_configured_one_is_told_what_the_pool_knows_now(
    status: Status, error: str, told: str
) -> None:
    node = FakeNode()
    far = Taken(name="far", kind="ws_node", type=BackendType.WEBSOCKET, endpoint="ws://h")
    async with Running(node, Look()) as discoverer:
        assert discoverer.found == []
        node.has = [msgspec.structs.replace(far, status=status, reason=error)]
        assert [each.reason for each in discoverer.found] == [told]


async def test_a_tool_is_known_by_its_program_whatever_its_backend_is_called() -> None:
    node = FakeNode()
    node.has = [Taken(name="mine", kind="cli_tool", type=BackendType.CLI, endpoint="gemini")]
    found = msgspec.structs.replace(offer().found, id="cli:gemini", endpoint="/usr/bin/gemini")
    tool = Offer(found=found, name="gemini-cli", kind="cli_tool")
    async with Running(node, Look(tool)) as discoverer:
        assert [each.backend for each in discoverer.found] == ["mine"]
    assert len(node.has) == 1


async def test_one_that_goes_away_is_let_go_at_the_second_look() -> None:
    node, look = FakeNode(), Look(offer())
    running = Running(node, look)
    async with running as discoverer:
        gone = msgspec.structs.replace(offer().found, id="server:acme", verdict=Verdict.NOT_THERE)
        look.offers = [Offer(found=gone)]
        await running.again()
        assert node.dropped == []
        await running.again()
        assert node.dropped == ["acme"]
        look.offers = [offer()]
        await running.again()
        assert [each.backend for each in discoverer.found] == ["acme"]


async def test_a_look_that_fails_takes_nothing_away() -> None:
    node, good, bad = FakeNode(), Look(offer()), Look()
    running = Running(node, good, bad)
    async with running as discoverer:
        bad.fails, good.offers = True, []
        for _ in range(3):
            await running.again()
        assert discoverer.found == []
    assert node.dropped == []


async def test_what_cannot_be_taken_stays_usable() -> None:
    node = FakeNode()
    node.fails = True
    async with Running(node, Look(offer())) as discoverer:
        assert [each.verdict for each in discoverer.found] == [Verdict.USABLE]


async def test_switched_off_it_looks_when_asked_and_takes_nothing() -> None:
    node, clock = FakeNode(), HandClock()
    discoverer = Discoverer([Look(offer())], node, clock, interval=60, is_on=False)
    await discoverer.run()
    assert (discoverer.looked_at, discoverer.found) == (None, ())
    await discoverer.look()
    assert [each.verdict for each in discoverer.found] == [Verdict.USABLE]
    assert node.has == []
