"""A call whose answer breaks off goes on elsewhere, or ends as it would have."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.backend import BackendType, Model, Status, Traits
from inferd.core.errors import (
    BackendFailed,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    NodeError,
    RateLimited,
)
from inferd.core.request import InferenceRequest, Limits, Principal, Raw, Tier
from inferd.core.result import TextDelta
from inferd.gateway.admission.policy import Rule
from inferd.gateway.budget import Budget
from inferd.gateway.call import Call
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ALICE = Principal(id="secret:alice")
BROKEN = "one "


def ask(**fields: object) -> InferenceRequest:
    fields = {
        "id": "r",
        "task": TASK,
        "model": MODEL,
        "stream": True,
        "inputs": {"prompt": "x" * 40},
        **fields,
    }
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


def going_on(name: str, **fields: object) -> FakeBackend:
    backend = FakeBackend(name, **fields)  # pyright: ignore[reportArgumentType]
    backend.traits = Traits(type=BackendType.GPU, continues=frozenset({TASK}))
    return backend


class Slow(FakeBackend):
    """Fails when the time is up in which it was to begin."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.traits = Traits(type=BackendType.GPU, continues=frozenset({TASK}))
        self.turn: Callable[[float], None] = lambda _: None

    async def infer(self, request: InferenceRequest) -> Answer:
        self.asked.append(request)
        self.turn(PATIENCE)
        raise BackendTimeout("no answer in time")


async def cut_and_go_on(call: AbstractAsyncContextManager[Answer]) -> list[str]:
    """Return the text that came in all, by pieces."""
    async with call as answer:
        return [chunk.text async for chunk in answer if isinstance(chunk, TextDelta)]


def cut(backend: FakeBackend) -> FakeBackend:
    backend.breaks_after = BackendFailed("cut")
    return backend


async def test_the_rest_comes_from_another_and_each_is_booked_for_its_part() -> None:
    first, second = cut(going_on("first")), going_on("second")
    bench = Bench(first, second)
    assert await cut_and_go_on(bench.gateway.infer(ask(), bench.owner)) == [
        "one ",
        "one ",
        "two ",
        "three",
    ]
    assert [request.continued for request in second.asked] == [BROKEN]
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert [member.failed for member in bench.members] == [1, 0]
    assert first.freed.is_set()
    assert second.freed.is_set()
    (row,) = bench.records.rows
    assert (row.backend, getattr(row, "after", ()), row.outcome) == ("second", ("first",), "ok")
    # Ten tokens of question and a piece by the first; two and three by the second.
    assert (row.input_tokens, row.output_tokens) == (12, 4)
    lost = next(each for each in bench.gateway.metrics() if each.name == "inferd_lost_tokens")
    assert [count for _, count in lost.series] == [10, 1]
    assert {labels["backend"] for labels, _ in lost.series} == {"first"}


async def test_whoever_fails_to_go_on_is_passed_over_for_the_next() -> None:
    first, second, third = cut(going_on("first")), going_on("second"), going_on("third")
    second.error = BackendUnavailable("down")
    bench = Bench(first, second, third)
    assert len(await cut_and_go_on(bench.gateway.infer(ask(), bench.owner))) == 4
    assert [member.failed for member in bench.members] == [1, 1, 0]
    assert [getattr(row, "after", ()) for row in bench.records.rows] == [("first", "second")]


async def test_where_all_fail_the_call_ends_with_what_broke_it() -> None:
    first, second = cut(going_on("first")), going_on("second")
    second.error = BackendRefused("not that")
    bench = Bench(first, second)
    with pytest.raises(BackendFailed, match="cut"):
        await cut_and_go_on(bench.gateway.infer(ask(), bench.owner))
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert [member.failed for member in bench.members] == [1, 0]
    (row,) = bench.records.rows
    assert (row.outcome, row.output_tokens) == ("backend_failed", 1)


def other_model() -> FakeBackend:
    return going_on("second", models=(Model(id="acme/two", tasks=frozenset({TASK})),))


@pytest.mark.parametrize(
    "second",
    [
        lambda: FakeBackend("second"),
        other_model,
        lambda: going_on("second", tier=Tier.CLOUD),
    ],
    ids=["one that can't", "one with another model", "one beyond the tiers"],
)
async def test_nobody_else_goes_on(second: Callable[[], FakeBackend]) -> None:
    first, other = cut(going_on("first")), second()
    bench = Bench(first, other)
    near = frozenset({Tier.LOCAL})
    with pytest.raises(BackendFailed):
        await cut_and_go_on(bench.gateway.infer(ask(tiers=near), bench.owner))
    assert not other.asked
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert bench.members[0].failed == 1


async def test_a_rule_that_forbids_the_next_is_heeded() -> None:
    first, second = cut(going_on("first")), going_on("second", tier=Tier.CLOUD)
    bench = Bench(first, second, rules=(Rule(principal="secret:*", tier=Tier.LOCAL),))
    with pytest.raises(BackendFailed):
        await cut_and_go_on(bench.gateway.infer(ask(), ALICE))
    assert not second.asked


async def test_a_broken_answer_costs_at_least_what_was_reserved_for_it() -> None:
    rule = Rule(principal="secret:*", limits=Limits(tokens_per_minute=1000))
    bench = Bench(cut(going_on("first")), going_on("second"), rules=(rule,))
    await cut_and_go_on(bench.gateway.infer(ask(), ALICE))
    meter = bench.plans.of(ask(), ALICE).first(0.0, 0, ask()).meter
    assert meter is not None
    # Twelve read, four written.
    (row,) = bench.records.rows
    assert row.input_tokens + row.output_tokens == 16
    with pytest.raises(RateLimited):
        meter.hold(ALICE, 1000 - 15)
    meter.hold(ALICE, 1000 - 16)


async def test_one_that_only_peeked_is_read_for_whoever_goes_on() -> None:
    first, second = cut(going_on("first")), going_on("second")
    first.wires = second.wires = frozenset({"w"})
    bench = Bench(first, second)
    raw = Raw(wire="w", body=b"{}", read=lambda _: ({"prompt": "read"}, {}))
    request = ask(raw=raw, inputs={})
    assert await cut_and_go_on(bench.gateway.infer(request, bench.owner))
    (rest,) = second.asked
    assert rest.inputs == {"prompt": "read"}
    assert rest.raw is not None
    assert (rest.raw.wire, rest.raw.read) == ("w", None)


async def test_what_another_backend_would_refuse_too_is_not_carried_on() -> None:
    first, second = going_on("first"), going_on("second")
    bench = Bench(first, second)
    async with (call := bench.gateway.infer(ask(), bench.owner)) as answer:
        await collect(answer)
        assert isinstance(call, Call)
        assert await call.carry_on(BackendRefused("no"), ask()) is None
    assert not second.asked


async def test_break_offs_in_a_row_spend_the_budget_but_for_the_first() -> None:
    backends = [cut(going_on("first")), cut(going_on("second")), going_on("third")]
    bench = Bench(*backends, budget=Budget(share=0, burst=0))
    with pytest.raises(BackendFailed, match="cut"):
        await cut_and_go_on(bench.gateway.infer(ask(), bench.owner))
    assert [len(backend.asked) for backend in backends] == [1, 1, 0]
    assert [member.in_flight for member in bench.members] == [0, 0, 0]


def many(error: NodeError) -> list[FakeBackend]:
    backends = [cut(going_on("first")), *(going_on(f"other-{index}") for index in range(5))]
    for backend in backends[1:]:
        backend.error = error
    return backends


async def test_those_who_fail_to_go_on_spend_the_budget_but_for_the_first() -> None:
    backends, budget = many(BackendUnavailable("down")), Budget(share=0, burst=1)
    bench = Bench(*backends, budget=budget)
    with pytest.raises(BackendFailed, match="cut"):
        await cut_and_go_on(bench.gateway.infer(ask(), bench.owner))
    assert sum(len(backend.asked) for backend in backends) == 3
    assert (budget.granted, budget.refused) == (1, 1)
    assert [member.in_flight for member in bench.members] == [0] * len(backends)


async def test_after_a_refusal_nobody_more_is_asked_to_go_on() -> None:
    backends = many(BackendRefused("not that"))
    bench = Bench(*backends)
    with pytest.raises(BackendFailed, match="cut"):
        await cut_and_go_on(bench.gateway.infer(ask(), bench.owner))
    assert sum(len(backend.asked) for backend in backends) == 2
    assert [member.in_flight for member in bench.members] == [0] * len(backends)


async def test_one_on_trial_that_goes_on_has_passed_it() -> None:
    first, second = cut(going_on("first")), going_on("second")
    bench = Bench(first, second)
    bench.members[1].priority = 1
    bench.members[1].took()
    bench.members[1].broke("down", bench.clock.now())
    # Its time is up after a second.
    bench.clock.turn(2.0)
    async with bench.gateway.infer(ask(), bench.owner) as answer:
        async for _ in answer:
            if second.asked:
                break
        assert bench.members[1].in_flight == 1
        assert not bench.members[1].breaker.is_on_trial
        assert bench.members[1].status is not Status.UNHEALTHY


PATIENCE = 5.0


async def break_off_late(first: FakeBackend, second: FakeBackend) -> tuple[Bench, float]:
    """Have a stream cut long after it had to begin; return when the rest had to, at the latest."""
    bench = Bench(first, second)
    if isinstance(second, Slow):
        second.turn = bench.clock.turn
    request = ask(deadline=bench.clock.now() + PATIENCE)
    with suppress(NodeError):
        async with bench.gateway.infer(request, bench.owner) as answer:
            bench.clock.turn(100.0)
            async for _ in answer:
                pass
    return bench, bench.clock.now() + PATIENCE


async def test_a_rest_has_as_long_to_begin_as_the_answer_had() -> None:
    first, second = cut(going_on("first")), going_on("second")
    bench, until = await break_off_late(first, second)
    assert [request.deadline for request in second.asked] == [until]
    assert bench.records.rows[0].outcome == "ok"
    # Who broke off an answer that had begun in time is to blame, deadline or not.
    assert [member.failed for member in bench.members] == [1, 0]


async def test_who_has_no_time_to_begin_a_rest_is_not_to_blame() -> None:
    first, second = cut(going_on("first")), Slow("second")
    bench, _ = await break_off_late(first, second)
    assert second.asked
    assert [member.failed for member in bench.members] == [1, 0]
    assert [member.in_flight for member in bench.members] == [0, 0]
    assert bench.records.rows[0].outcome == "backend_failed"


@pytest.mark.parametrize("is_counted", [True, False], ids=["counted", "free"])
async def test_each_rule_counts_what_was_spent_under_it(is_counted: bool) -> None:
    limits, none = Limits(tokens_per_minute=1000), Limits()
    rules = (
        Rule(principal="secret:*", backends=("first",), limits=limits if is_counted else none),
        Rule(principal="secret:*", backends=("second",), limits=limits),
    )
    first, second = cut(going_on("first")), going_on("second")
    bench = Bench(first, second, rules=rules)
    await cut_and_go_on(bench.gateway.infer(ask(), ALICE))
    (row,) = bench.records.rows
    assert (row.input_tokens, row.output_tokens) == (12, 4)
    meter = bench.limiter.meter(limits, rule=rules[1])
    assert meter is not None
    # The ten read and the one written by the first are none of its: two and three are.
    with pytest.raises(RateLimited):
        meter.hold(ALICE, 1000 - 4)
    meter.hold(ALICE, 1000 - 5)
