"""Backends that come and go while a call is on its way."""

from collections.abc import Callable

import pytest

from inferd.core.errors import BackendFailed, BackendUnavailable, BackendWithdrawn
from inferd.gateway.budget import Budget
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


async def test_one_taken_out_while_it_is_asked_is_not_blamed_and_costs_nothing() -> None:
    backend, other = Gated("first"), FakeBackend("other")
    bench = Bench(backend, other, budget=Budget(share=0.0, burst=0))
    member = bench.members[0]
    call = Asked(bench, ask(hedge=False))
    await backend.reached.wait()
    backend.error = BackendFailed("first broke off")
    bench.pool.remove("first")
    backend.gate.set()
    assert await call.task == "other"
    assert len(other.asked) == 1
    assert (member.failed, member.in_flight, member.breaker.failures) == (0, 0, 0)


async def test_where_nobody_is_left_the_withdrawal_is_told() -> None:
    bench = Bench(backend := Gated("first"), budget=Budget(share=0.0, burst=0))
    call = Asked(bench, ask(hedge=False))
    await backend.reached.wait()
    backend.error = BackendFailed("first broke off")
    bench.pool.remove("first")
    backend.gate.set()
    with pytest.raises(BackendWithdrawn, match="was taken out of this node"):
        await call.task


async def test_its_successor_of_the_same_name_is_asked() -> None:
    bench = Bench(backend := Gated("first"), budget=Budget(share=0.0, burst=0))
    call = Asked(bench, ask(hedge=False))
    await backend.reached.wait()
    backend.error = BackendFailed("first broke off")
    bench.pool.remove("first")
    bench.pool.add(Member(FakeBackend("first"), priority=0))
    backend.gate.set()
    assert await call.task == "first"
