"""Backends that come and go while a call is on its way."""

from collections.abc import Callable

import pytest

from inferd.core.errors import BackendUnavailable
from inferd.gateway.routing.member import Member
from tests.gateway.fakes import Bench, FakeBackend
from tests.gateway.test_hedging import Asked, Gated, ask


def drains(bench: Bench) -> None:
    bench.members[1].drain()


def removes(bench: Bench) -> None:
    bench.pool.remove("other")


@pytest.mark.parametrize("goes", [drains, removes])
async def test_one_that_went_meanwhile_is_not_asked_after_a_failure(
    goes: Callable[[Bench], None],
) -> None:
    down, other = Gated("down"), FakeBackend("other")
    down.error = BackendUnavailable("down")
    bench = Bench(down, other)
    call = Asked(bench, ask(hedge=False))
    await down.reached.wait()
    goes(bench)
    down.gate.set()
    with pytest.raises(BackendUnavailable):
        await call.task
    assert not other.asked


async def test_one_that_goes_between_two_attempts_is_passed_over() -> None:
    down, second, third = Gated("down"), Gated("second"), FakeBackend("third")
    down.error = second.error = BackendUnavailable("down")
    bench = Bench(down, second, third)
    bench.members[2].priority = 1
    call = Asked(bench, ask(hedge=False))
    down.gate.set()
    await second.reached.wait()
    bench.members[2].drain()
    second.gate.set()
    with pytest.raises(BackendUnavailable):
        await call.task
    assert not third.asked


@pytest.mark.parametrize("goes", [drains, removes])
async def test_one_that_went_meanwhile_is_not_asked_beside_a_late_one(
    goes: Callable[[Bench], None],
) -> None:
    slow, other = Gated("slow"), FakeBackend("other")
    bench = Bench(slow, other)
    call = Asked(bench, ask())
    await slow.reached.wait()
    goes(bench)
    await call.be_late()
    slow.gate.set()
    assert await call.task == "slow"
    assert not other.asked


async def test_one_that_came_meanwhile_stands_in() -> None:
    down = Gated("down")
    down.error = BackendUnavailable("down")
    bench = Bench(down)
    call = Asked(bench, ask(hedge=False))
    await down.reached.wait()
    bench.pool.add(Member(FakeBackend("new"), priority=0))
    down.gate.set()
    assert await call.task == "new"
