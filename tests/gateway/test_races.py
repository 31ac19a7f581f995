"""Who loses a race frees everything, whenever anybody leaves, and keeps nobody waiting."""

import asyncio
from contextlib import suppress

import pytest

from inferd.core.answer import Answer
from inferd.core.request import InferenceRequest
from tests.gateway.fakes import Bench
from tests.gateway.test_hedging import Asked, Gated, ask, turn_about


class Clinging(Gated):
    """Given up, it ends only when it is let go; it may be answered all the same."""

    def __init__(self, name: str, *, is_answered: bool = False) -> None:
        super().__init__(name)
        self.let_go = asyncio.Event()
        self._is_answered = is_answered

    async def infer(self, request: InferenceRequest) -> Answer:
        try:
            return await super().infer(request)
        except asyncio.CancelledError:
            await self.let_go.wait()
            if not self._is_answered:
                raise
        return await super().infer(request)


@pytest.mark.parametrize("is_answered", [False, True])
async def test_the_winners_caller_does_not_wait_until_the_loser_is_gone(is_answered: bool) -> None:
    slow, quick = Clinging("slow", is_answered=is_answered), Gated("quick")
    bench = Bench(slow, quick)
    call = Asked(bench, ask())
    await call.be_late()
    quick.gate.set()
    assert await call.task == "quick"
    # Until it has freed what it holds it counts as busy; then nothing is left of it.
    assert [member.in_flight for member in bench.members] == [1, 0]
    slow.gate.set()
    slow.let_go.set()
    await turn_about()
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert [member.failed for member in bench.members] == [0, 0]
    assert slow.freed.is_set() == is_answered
    (row,) = bench.records.rows
    assert (row.backend, row.outcome) == ("quick", "ok")


@pytest.mark.parametrize("turns", range(8))
@pytest.mark.parametrize("is_late", [False, True])
async def test_who_leaves_at_any_moment_leaves_no_answer_open(turns: int, is_late: bool) -> None:
    slow, quick = Gated("slow"), Gated("quick")
    bench = Bench(slow, quick)
    call = Asked(bench, ask())
    await slow.reached.wait()
    winner = slow
    if is_late:
        await call.be_late()
        winner = quick
    winner.gate.set()
    await turn_about(turns)
    call.task.cancel()
    with suppress(asyncio.CancelledError):
        await call.task
    await turn_about()
    assert winner.freed.is_set() == (winner.asked != [] and not winner.was_cancelled)
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert len(bench.records.rows) == 1


async def test_who_leaves_twice_leaves_no_answer_open() -> None:
    slow, quick = Clinging("slow", is_answered=True), Gated("quick")
    bench = Bench(slow, quick)
    call = Asked(bench, ask())
    await call.be_late()
    for _ in range(2):
        call.task.cancel()
        await turn_about()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    slow.gate.set()
    slow.let_go.set()
    await turn_about()
    assert slow.freed.is_set()


async def test_a_fault_of_ours_is_told_though_the_other_was_given_up() -> None:
    broken, other = Gated("broken"), Gated("other")
    broken.bug = True
    bench = Bench(broken, other)
    call = Asked(bench, ask())
    await call.be_late()
    broken.gate.set()
    with pytest.raises(ZeroDivisionError):
        await call.task
    assert other.was_cancelled
    assert [member.failed for member in bench.members] == [1, 0]
