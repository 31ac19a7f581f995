"""What the owner says of some models or tasks: aliases, fall-backs, tiers, strategies."""

import pytest

from inferd.core.answer import collect
from inferd.core.backend import Model
from inferd.core.errors import BackendFailed, InvalidRequest, ModelNotFound, PermissionDenied
from inferd.core.request import InferenceRequest, Principal, Tier
from inferd.gateway.admission.policy import Rule
from inferd.gateway.browse import Query
from inferd.gateway.routing.router import Rules
from inferd.gateway.routing.routes import Route
from inferd.gateway.routing.strategies import LEAST_LOADED, STRATEGIES
from tests.gateway.fakes import Bench, FakeBackend

ALICE = Principal(id="secret:alice")
TEXT = frozenset({"text-generation"})
BIG, SMALL = Model(id="acme/big", tasks=TEXT), Model(id="acme/small", tasks=TEXT)
SMART = Route(name="smart", models=("smart",), use=("acme/big", "acme/small"))


def ask(model: str = "smart", **fields: object) -> InferenceRequest:
    return InferenceRequest(id="r", task="text-generation", model=model, **fields)  # type: ignore[arg-type]


def bench_of(*backends: FakeBackend, routes: tuple[Route, ...] = (SMART,), **more: object) -> Bench:
    return Bench(*backends, routing=Rules(routes=routes), **more)  # type: ignore[arg-type]


def order(bench: Bench, request: InferenceRequest, who: Principal | None = None) -> list[str]:
    found = bench.gateway.explain(request, who or bench.owner).candidates
    return [f"{one.backend}:{one.model}" for one in found if one.order]


def big_and_small() -> tuple[FakeBackend, FakeBackend]:
    return FakeBackend("big", models=(BIG,)), FakeBackend("small", models=(SMALL,))


async def test_an_alias_is_answered_by_the_first_of_its_models_that_answers() -> None:
    big, small = big_and_small()
    bench = bench_of(small, big)
    for _ in range(2):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            assert (answer.served.backend, answer.served.model) == ("big", "acme/big")
            await collect(answer)
    big.error = BackendFailed("down")
    for _ in range(2):
        async with bench.gateway.infer(ask(), bench.owner) as answer:
            assert (answer.served.backend, answer.served.model) == ("small", "acme/small")
            await collect(answer)
    assert small.asked[-1].model == "acme/small"
    assert len(big.asked) == 3


def test_a_route_covers_the_models_and_tasks_it_names_and_no_others() -> None:
    bench = bench_of(*big_and_small())
    assert order(bench, ask()) == ["big:acme/big", "small:acme/small"]
    assert order(bench, ask("acme/small")) == ["small:acme/small"]
    with pytest.raises(ModelNotFound):
        bench.plans.of(ask("smarter"), bench.owner)
    other = Route(models=("smart",), tasks=("fill-*",), use=("acme/big",))
    with pytest.raises(ModelNotFound):
        bench_of(*big_and_small(), routes=(other,)).plans.of(ask(), bench.owner)


def test_policy_is_asked_for_each_model_of_a_route() -> None:
    rules = (Rule(principal="secret:*", actions=("*",), models=("acme/small",)),)
    bench = bench_of(*big_and_small(), rules=rules)
    assert order(bench, ask(), ALICE) == ["small:acme/small"]
    none = (Rule(principal="secret:*", actions=("*",), models=("smart",)),)
    bench = bench_of(*big_and_small(), rules=none)
    with pytest.raises(PermissionDenied):
        bench.plans.of(ask(), ALICE)


def test_names_in_a_route_are_not_routed_again() -> None:
    routes = (
        Route(models=("a",), use=("b",)),
        Route(models=("b",), use=("a",)),
    )
    bench = bench_of(FakeBackend("has-b", models=(Model(id="b", tasks=TEXT),)), routes=routes)
    assert order(bench, ask("a")) == ["has-b:b"]


def test_tiers_of_a_route_come_in_its_order_whatever_the_priority() -> None:
    here = FakeBackend("here", models=(BIG,))
    team = FakeBackend("team", tier=Tier.TEAM, models=(BIG,))
    cloud = FakeBackend("cloud", tier=Tier.CLOUD, models=(BIG,))
    route = Route(models=("acme/*",), order=(Tier.TEAM, Tier.LOCAL))
    bench = bench_of(cloud, here, team, routes=(route,))
    bench.members[0].priority = -5
    assert order(bench, ask("acme/big")) == ["team:acme/big", "here:acme/big", "cloud:acme/big"]


def test_a_route_and_a_request_choose_the_strategy() -> None:
    route = Route(models=("acme/*",), strategy=LEAST_LOADED)
    bench = bench_of(*(FakeBackend(name, models=(BIG,)) for name in "ab"), routes=(route,))
    bench.members[0].in_flight = 2
    owner = bench.owner
    assert bench.gateway.explain(ask("acme/big"), owner).strategy == "least_loaded"
    for _ in range(4):
        plan = bench.plans.of(ask("acme/big"), owner)
        assert plan.first(100.0, bench.pool.changes.health, ask("acme/big")).name == "b"
    asked = ask("acme/big", strategy="round_robin")
    plan = bench.plans.of(asked, owner)
    names = {plan.first(100.0, bench.pool.changes.health, asked).name for _ in range(2)}
    assert names == {"a", "b"}


def test_an_unknown_strategy_is_refused_with_the_known_ones() -> None:
    bench = bench_of(FakeBackend("a", models=(BIG,)))
    with pytest.raises(InvalidRequest) as refused:
        bench.plans.of(ask("acme/big", strategy="fastest"), bench.owner)
    assert all(name in (refused.value.hint or "") for name in STRATEGIES)


def test_a_route_says_when_to_hedge_and_whether_to_keep() -> None:
    route = Route(models=("acme/*",), hedge_after=0.5, cache=True)
    bench = bench_of(FakeBackend("a", models=(BIG,)), routes=(route,))
    plan = bench.plans.of(ask("acme/big"), bench.owner)
    assert (plan.first(100.0, 0, ask()).hedge_after, plan.caches) == (0.5, True)


def test_vectors_of_another_model_are_no_fall_back() -> None:
    vectors = frozenset({"feature-extraction"})
    backends = [
        FakeBackend(name, models=(Model(id=f"acme/{name}", tasks=vectors),)) for name in "ab"
    ]
    bench = bench_of(*backends, routes=(Route(models=("v",), use=("acme/a", "acme/b")),))
    request = InferenceRequest(id="r", task="feature-extraction", model="v")
    assert order(bench, request) == ["a:acme/a"]


def test_names_that_routes_give_are_listed_beside_the_models() -> None:
    routes = (SMART, Route(models=("acme/*", "none"), use=("acme/gone",)))
    bench = bench_of(*big_and_small(), routes=routes)
    rows = {row.id: row for row in bench.gateway.models(bench.owner)}
    assert list(rows) == ["acme/big", "acme/small", "smart"]
    assert rows["smart"].places == rows["acme/big"].places
    assert rows["smart"].tasks == ("text-generation",)
    assert rows["smart"].stands_for == ("acme/big", "acme/small")
    assert "smart" not in {row.id for row in bench.gateway.models(bench.owner, task="chat")}
    only_small = (Rule(principal="secret:*", actions=("*",), models=("acme/small",)),)
    hidden = bench_of(*big_and_small(), rules=only_small)
    assert {row.id: row.places[0].backend for row in hidden.gateway.models(ALICE)} == {
        "acme/small": "small",
        "smart": "small",
    }
    nothing = (Rule(principal="secret:*", actions=("*",), models=("acme/other",)),)
    assert bench_of(*big_and_small(), rules=nothing).gateway.models(ALICE) == []


def test_they_are_counted_and_browsed_as_models_are() -> None:
    bench = bench_of(*big_and_small(), routes=(SMART,))
    page = bench.gateway.browse_known(bench.owner, Query(task="text-generation"))
    assert [row.id for row in page.rows] == ["acme/big", "acme/small", "smart"]
    assert page.rows[-1].stands_for == ("acme/big", "acme/small")
    counts = {each.name: each.models for each in bench.gateway.tasks(bench.owner)}
    assert (counts["text-generation"], counts["chat"]) == (3, 0)


def test_a_name_does_not_do_what_only_its_fall_back_could() -> None:
    vectors = frozenset({"feature-extraction"})
    backends = (big_and_small()[0], FakeBackend("v", models=(Model(id="vec", tasks=vectors),)))
    bench = bench_of(*backends, routes=(Route(models=("both",), use=("acme/big", "vec")),))
    row = next(row for row in bench.gateway.models(bench.owner) if row.id == "both")
    assert row.tasks == ("text-generation",)
