"""How often another backend is asked when one fails."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.answer import Answer, collect
from inferd.core.backend import Model
from inferd.core.errors import BackendUnavailable, ModelNotFound, NodeError
from inferd.core.request import InferenceRequest, Place, Tier
from inferd.gateway.budget import Budget
from inferd.gateway.routing.router import Rules
from inferd.gateway.routing.routes import Route
from tests.gateway.fakes import MODEL, Bench, FakeBackend

SLOT = 10.0


def ask(**fields: object) -> InferenceRequest:
    return InferenceRequest(**{"id": "r", "task": "text-generation", "model": MODEL, **fields})  # pyright: ignore[reportArgumentType]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 200), st.integers(0, 30)), max_size=10))
def test_never_more_than_the_share_and_the_burst_at_once(
    schedule: list[tuple[float, int, int]],
) -> None:
    budget, now = Budget(share=0.1, burst=5), 0.0
    asked: list[tuple[float, int]] = []
    granted: list[tuple[float, int]] = []
    for pause, requests, wanted in schedule:
        now += pause
        if now >= budget.until:
            budget.turn(now)
        budget.requests += requests
        asked.append((now, requests))
        granted.append((now, sum(budget.spend(now) for _ in range(wanted))))
        recent = sum(count for at, count in granted if at > now - SLOT)
        assert recent <= 5 + 0.1 * sum(count for at, count in asked if at >= now - 3 * SLOT)


def spent(bench: Bench) -> dict[str, object]:
    found = next(each for each in bench.gateway.metrics() if each.name == "inferd_further_attempts")
    return {labels["budget"]: count for labels, count in found.series}


async def fail(bench: Bench, request: InferenceRequest) -> NodeError:
    with pytest.raises(NodeError) as failed:
        async with bench.gateway.infer(request, bench.owner):
            pass
    return failed.value


async def test_when_everybody_fails_each_request_soon_asks_one_only() -> None:
    here, there = FakeBackend("here"), FakeBackend("there")
    here.error, there.error = BackendUnavailable("here down"), BackendUnavailable("there down")
    bench = Bench(here, there)
    errors = [await fail(bench, ask()) for _ in range(100)]
    attempts = len(here.asked) + len(there.asked)
    assert 132 <= attempts <= 142
    assert "further attempts are at their limit, 10% of the requests" in errors[-1].hint
    assert spent(bench) == {"granted": attempts - 100, "refused": 200 - attempts}
    assert [member.in_flight for member in bench.members] == [0, 0]


async def test_those_that_were_on_their_way_when_it_failed_take_one_each() -> None:
    down = asyncio.Event()

    class Falling(FakeBackend):
        async def infer(self, request: InferenceRequest) -> Answer:
            self.asked.append(request)
            await down.wait()
            raise BackendUnavailable("down")

    bench = Bench(Falling("falling"), FakeBackend("here"))
    bench.members[1].priority = 1

    async def call() -> None:
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            await collect(answer)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(5):
            tasks.create_task(call())
        while bench.members[0].in_flight < 5:
            await bench.pool.refresh()
        bench.clock.turn(1)
        down.set()
    assert spent(bench) == {"granted": 5, "refused": 0}


async def test_there_are_others_again_after_a_while() -> None:
    here, there = FakeBackend("here"), FakeBackend("there")
    here.error = there.error = BackendUnavailable("down")
    bench = Bench(here, there)
    for _ in range(50):
        await fail(bench, ask())
    bench.clock.turn(3 * SLOT)
    before = len(here.asked) + len(there.asked)
    await fail(bench, ask())
    assert len(here.asked) + len(there.asked) == before + 2


async def test_a_backend_that_lacks_a_model_takes_nothing_from_the_budget() -> None:
    any_model = frozenset({"text-generation"})
    far = FakeBackend("far", tier=Tier.TEAM, is_node=True, open_tasks=any_model)
    far.error = ModelNotFound("not here")
    bench = Bench(far, FakeBackend("here"))
    for _ in range(100):
        async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner) as answer:
            await collect(answer)
    assert spent(bench) == {"granted": 0, "refused": 0}


async def test_trying_one_that_is_set_aside_before_one_that_is_well_takes_one() -> None:
    any_model = frozenset({"text-generation"})
    far = FakeBackend("far", tier=Tier.TEAM, is_node=True, open_tasks=any_model)
    far.error = BackendUnavailable("down")
    bench = Bench(far, FakeBackend("here"))
    for _ in range(200):
        async with bench.gateway.infer(ask(place=Place.REMOTE), bench.owner) as answer:
            await collect(answer)
    assert len(far.asked) == 200
    assert spent(bench) == {"granted": 1, "refused": 0}


async def test_a_model_that_is_lacking_is_fallen_back_from_on_the_same_backend() -> None:
    class Choosy(FakeBackend):
        async def infer(self, request: InferenceRequest) -> Answer:
            self.error = ModelNotFound("gone") if request.model == "acme/big" else None
            return await super().infer(request)

    any_model = frozenset({"text-generation"})
    names = ("acme/big", "acme/small")
    here = Choosy(models=tuple(Model(id=name, tasks=any_model) for name in names))
    bench = Bench(here, routing=Rules(routes=(Route(models=("smart",), use=names),)))
    async with bench.gateway.infer(ask(model="smart"), bench.owner) as answer:
        await collect(answer)
    assert [request.model for request in here.asked] == ["acme/big", "acme/small"]


async def test_a_backend_that_is_down_is_not_asked_for_its_other_models() -> None:
    any_model = frozenset({"text-generation"})
    names = ("acme/big", "acme/small")
    here = FakeBackend(models=tuple(Model(id=name, tasks=any_model) for name in names))
    here.error = BackendUnavailable("down")
    bench = Bench(here, routing=Rules(routes=(Route(models=("smart",), use=names),)))
    await fail(bench, ask(model="smart"))
    assert len(here.asked) == 1
