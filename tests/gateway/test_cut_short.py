"""What is booked for an answer that was cut."""

import asyncio
from collections.abc import Mapping

import pytest

from inferd.core.answer import collect
from inferd.core.errors import BackendFailed, CallerLeft, NodeError
from inferd.core.request import InferenceRequest, Limits, Principal
from inferd.core.result import Usage
from inferd.core.stopping import STOPPING
from inferd.gateway.admission.policy import Rule
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")
QUESTION = 400
"""Characters: a hundred tokens."""


def ask(*, most: int = 50) -> InferenceRequest:
    return InferenceRequest(
        id="r",
        task="text-generation",
        model=MODEL,
        inputs={"prompt": "x" * QUESTION},
        parameters={"max_tokens": most},
    )


def counts(bench: Bench) -> Mapping[str, object]:
    families = {family.name: family for family in bench.gateway.metrics()}
    return {
        labels["direction"]: count
        for labels, count in families["inferd_tokens"].series
        if labels["model"] == MODEL
    }


def booked(bench: Bench) -> list[tuple[str, int, int]]:
    rows = bench.records.rows
    return [(row.outcome, row.input_tokens, row.output_tokens) for row in rows]


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (CallerLeft(), "aborted"),
        (asyncio.CancelledError(), "aborted"),
        (asyncio.CancelledError(STOPPING), "stopped"),
        (BackendFailed("it broke off"), "backend_failed"),
    ],
    ids=str,
)
async def test_what_came_by_then_is_booked(end: BaseException, outcome: str) -> None:
    bench = Bench(FakeBackend())
    with pytest.raises(type(end)):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            await anext(answer)
            await anext(answer)
            raise end
    assert booked(bench) == [(outcome, 100, 2)]
    assert counts(bench) == {"input": 100, "output": 2}


async def test_what_was_told_goes_before_what_is_guessed() -> None:
    bench = Bench(FakeBackend())
    with pytest.raises(CallerLeft):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            await anext(answer)
            answer.usage = Usage(input_tokens=7, output_tokens=1)
            raise CallerLeft
    assert booked(bench) == [("aborted", 7, 1)]


async def test_an_answer_that_ended_is_booked_as_it_says_though_its_caller_left() -> None:
    bench = Bench(FakeBackend())
    with pytest.raises(CallerLeft):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            await collect(answer)
            raise CallerLeft
    assert booked(bench) == [("aborted", 2, 3)]


async def test_what_never_began_has_no_tokens() -> None:
    here = FakeBackend()
    here.error = BackendFailed("down")
    bench = Bench(here)
    with pytest.raises(NodeError):
        async with bench.gateway.infer(ask(), bench.owner):
            pass
    assert booked(bench) == [("backend_failed", 0, 0)]


async def test_a_cut_answer_is_paid_by_the_greater_of_what_was_reserved_and_what_came() -> None:
    limits = Limits(tokens_per_minute=101 + 101)
    bench = Bench(FakeBackend(), rules=(Rule(principal="secret:*", limits=limits),))
    for _ in range(2):
        # One token was bound to be the answer's, and two came of it: each time 102 are used.
        with pytest.raises(CallerLeft):
            async with bench.gateway.infer(ask(most=1), ALICE) as answer:
                await anext(answer)
                await anext(answer)
                raise CallerLeft
        bench.clock.turn(0.3)
    meter = bench.plans.of(ask(), ALICE).first(0.0, 0, ask()).meter
    assert meter is not None
    with pytest.raises(NodeError):
        meter.hold(ALICE, 1)
