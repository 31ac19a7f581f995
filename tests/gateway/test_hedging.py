"""A second backend asked when the first is late."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.answer import Answer, collect
from inferd.core.backend import Model
from inferd.core.errors import BackendFailed, BackendRefused, BackendUnavailable, NodeError
from inferd.core.request import InferenceRequest, Limits, Raw, Tier
from inferd.gateway.admission.policy import Rule
from inferd.gateway.budget import Budget
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
USUAL = 1.0
"""Seconds after which one of whom nothing is known is late."""


def ask(**fields: object) -> InferenceRequest:
    fields = {"id": "r", "task": TASK, "model": MODEL, "hedge": True, **fields}
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


class Gated(FakeBackend):
    """Answers, or fails, when it is let."""

    def __init__(self, name: str, **fields: object) -> None:
        super().__init__(name, **fields)  # pyright: ignore[reportArgumentType]
        self.gate = asyncio.Event()
        self.was_cancelled = False

    async def infer(self, request: InferenceRequest) -> Answer:
        self.reached.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.asked.append(request)
            self.was_cancelled = True
            raise
        return await super().infer(request)


class Asked:
    """A call in a task of its own, to be looked at while it waits."""

    def __init__(self, bench: Bench, request: InferenceRequest) -> None:
        self.bench = bench
        self.warnings: tuple[str, ...] = ()
        self.seen: tuple[str, ...] = ()
        self.task = asyncio.get_running_loop().create_task(self._run(request))

    async def _run(self, request: InferenceRequest) -> str:
        async with self.bench.gateway.infer(request, self.bench.owner) as answer:
            await collect(answer)
        self.warnings, self.seen = answer.served.warnings, answer.served.seen
        return answer.served.backend

    async def be_late(self, seconds: float = USUAL) -> None:
        await self.bench.clock.has_sleepers()
        self.bench.clock.turn(seconds)
        await turn_about()


async def turn_about(turns: int = 12) -> None:
    """Let whatever is ready have its turns."""
    for _ in range(turns):
        passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(passed.set_result, None)
        await passed


def settled(bench: Bench) -> None:
    assert [member.in_flight for member in bench.members] == [0] * len(bench.members)
    assert len(bench.records.rows) == 1


async def test_who_begins_first_answers_and_the_other_is_cancelled_without_blame() -> None:
    slow, quick = Gated("slow"), Gated("quick")
    bench = Bench(slow, quick)
    call = Asked(bench, ask(raw=Raw(wire="w", body=b"x" * 40)))
    await call.be_late()
    await quick.reached.wait()
    quick.gate.set()
    assert await call.task == "quick"
    assert slow.was_cancelled
    assert [member.failed for member in bench.members] == [0, 0]
    assert call.warnings == ("slow was given up: another began to answer first",)
    settled(bench)
    (row,) = bench.records.rows
    # The ten tokens that the loser may have read are booked beside the winner's two and three.
    assert (row.backend, row.outcome) == ("quick", "ok")
    assert (row.input_tokens, row.output_tokens) == (12, 3)


async def test_the_first_may_still_win() -> None:
    slow, second = Gated("slow"), Gated("second")
    bench = Bench(slow, second)
    call = Asked(bench, ask())
    await call.be_late()
    await second.reached.wait()
    slow.gate.set()
    assert await call.task == "slow"
    assert second.was_cancelled
    settled(bench)


async def test_nobody_else_is_asked_while_the_first_is_in_time() -> None:
    slow, second = Gated("slow"), Gated("second")
    bench = Bench(slow, second)
    call = Asked(bench, ask())
    await call.be_late(USUAL / 2)
    slow.gate.set()
    assert await call.task == "slow"
    assert not second.reached.is_set()
    settled(bench)


async def test_without_a_wish_nobody_is_hedged() -> None:
    slow, second = Gated("slow"), Gated("second")
    call = Asked(Bench(slow, second), ask(hedge=False))
    await slow.reached.wait()
    slow.gate.set()
    assert await call.task == "slow"
    assert not second.reached.is_set()


async def test_a_route_may_wish_it_for_everybody_and_say_when() -> None:
    slow, quick = Gated("slow"), Gated("quick")
    bench = Bench(slow, quick)
    plan = bench.gateway._plans.of(ask(), bench.owner)  # pyright: ignore[reportPrivateUsage]
    for target in plan.order(0.0, 0, ask()):
        target.hedge_after = 0.25
    call = Asked(bench, ask(hedge=False))
    await call.be_late(0.25)
    await quick.reached.wait()
    quick.gate.set()
    assert await call.task == "quick"


async def test_late_is_what_is_late_for_that_backend() -> None:
    slow, quick = Gated("slow"), Gated("quick")
    bench = Bench(slow, quick)
    for _ in range(100):
        bench.members[0].took()
        bench.members[0].began(0.01)
        # What follows may take as long as it likes.
        bench.members[0].gave(60.0)
    call = Asked(bench, ask())
    await call.be_late(0.02)
    await quick.reached.wait()
    quick.gate.set()
    assert await call.task == "quick"


@pytest.mark.parametrize(
    "second",
    [
        lambda: Gated("second", tier=Tier.CLOUD),
        lambda: Gated("second", models=(Model(id="acme/two", tasks=frozenset({TASK})),)),
    ],
    ids=["farther", "another model"],
)
async def test_only_the_like_of_the_first_are_asked_beside_it(second: object) -> None:
    slow, other = Gated("slow"), second()  # pyright: ignore[reportCallIssue]
    call = Asked(Bench(slow, other), ask(model=""))
    await call.be_late()
    slow.gate.set()
    assert await call.task == "slow"
    assert not other.reached.is_set()


async def test_nobody_is_asked_beside_it_whose_rule_counts_for_itself() -> None:
    slow, far = Gated("slow", tier=Tier.TEAM), Gated("far")
    limits = Limits(requests_per_minute=10)
    rules = (Rule(principal="owner", backends=("far",), limits=limits), Rule(principal="owner"))
    bench = Bench(slow, far, rules=rules)
    bench.members[1].priority = 1
    call = Asked(bench, ask())
    await call.be_late()
    slow.gate.set()
    assert await call.task == "slow"
    assert not far.reached.is_set()


async def test_nobody_is_asked_beside_it_who_is_set_aside() -> None:
    slow, down = Gated("slow"), Gated("down")
    bench = Bench(slow, down)
    bench.members[1].took()
    bench.members[1].broke("down", bench.clock.now(), retry_after=60)
    call = Asked(bench, ask())
    await call.be_late()
    slow.gate.set()
    assert await call.task == "slow"
    assert not down.reached.is_set()


async def test_a_place_that_lost_is_named_among_those_that_saw_the_words() -> None:
    slow, quick = Gated("slow", tier=Tier.TEAM), Gated("quick", tier=Tier.TEAM)
    bench = Bench(slow, quick)
    call = Asked(bench, ask())
    await call.be_late()
    quick.gate.set()
    assert await call.task == "quick"
    assert call.seen == ("slow", "quick")


async def test_a_hedge_spends_the_budget_of_retries() -> None:
    slow, second = Gated("slow"), Gated("second")
    bench = Bench(slow, second, budget=Budget(share=0, burst=0))
    call = Asked(bench, ask())
    await call.be_late()
    slow.gate.set()
    assert await call.task == "slow"
    assert not second.reached.is_set()


async def test_when_the_first_fails_the_second_is_waited_for() -> None:
    slow, quick = Gated("slow"), Gated("quick")
    slow.error = BackendUnavailable("down")
    bench = Bench(slow, quick)
    call = Asked(bench, ask())
    await call.be_late()
    await quick.reached.wait()
    slow.gate.set()
    quick.gate.set()
    assert await call.task == "quick"
    assert [member.failed for member in bench.members] == [1, 0]
    settled(bench)


async def test_leaving_frees_both() -> None:
    slow, second = Gated("slow"), Gated("second")
    bench = Bench(slow, second)
    call = Asked(bench, ask())
    await call.be_late()
    await second.reached.wait()
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert slow.was_cancelled
    assert second.was_cancelled
    settled(bench)
    assert bench.records.rows[0].outcome == "aborted"
    assert [member.failed for member in bench.members] == [0, 0]


ERRORS = {
    "ok": None,
    "down": BackendUnavailable,
    "broke": BackendFailed,
    "refused": BackendRefused,
}
STEPS = st.lists(
    st.one_of(
        st.sampled_from(["late", "leave"]),
        st.tuples(st.integers(0, 2), st.sampled_from([*ERRORS, "cut", "bug"])),
    ),
    max_size=8,
)


@settings(max_examples=30, deadline=None)
@given(steps=STEPS, hedge=st.booleans())
def test_each_request_ends_once_whatever_fails_and_when(
    steps: list[str | tuple[int, str]], hedge: bool
) -> None:
    asyncio.run(_end_once(steps, hedge=hedge))


async def _end_once(steps: list[str | tuple[int, str]], *, hedge: bool) -> None:
    backends = [Gated(name) for name in "abc"]
    bench = Bench(*backends)
    call = Asked(bench, ask(hedge=hedge))
    for step in ["begin", *steps, (0, "ok"), (1, "ok"), (2, "ok")]:
        if step == "late":
            bench.clock.turn(USUAL)
        elif step == "leave":
            call.task.cancel()
        elif isinstance(step, tuple) and not backends[step[0]].gate.is_set():
            backend, how = backends[step[0]], step[1]
            kind = ERRORS.get(how)
            backend.error = kind("no") if kind is not None else None
            backend.breaks_after = BackendFailed("cut") if how == "cut" else None
            backend.bug = how == "bug"
            backend.gate.set()
        await turn_about()
    with suppress(NodeError, ZeroDivisionError, asyncio.CancelledError):
        await call.task
    settled(bench)
    assert sum(member.failed + member.served for member in bench.members) <= len(backends)
