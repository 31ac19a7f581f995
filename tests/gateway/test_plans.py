"""What is decided once is what would be decided now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.backend import Capabilities, Model
from inferd.core.errors import InvalidRequest, ModelNotFound, NodeError
from inferd.core.request import InferenceRequest, Limits, Place, Principal, Tier
from inferd.gateway.admission.permission import Permission
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.routing.router import Rules
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ANY = frozenset({TASK})
ALICE, BOB = Principal(id="secret:alice"), Principal(id="secret:bob")


def ask(**fields: object) -> InferenceRequest:
    return InferenceRequest(**{"id": "r1", "task": TASK, "model": MODEL, **fields})  # pyright: ignore[reportArgumentType]


def four() -> list[FakeBackend]:
    return [
        FakeBackend("a"),
        FakeBackend("b"),
        FakeBackend("node", tier=Tier.TEAM, is_node=True, open_tasks=ANY),
        FakeBackend("cloud", tier=Tier.CLOUD, models=(Model(id="acme/two", tasks=ANY),)),
    ]


def decided_now(bench: Bench, rules: tuple[Rule, ...], request: InferenceRequest, who: Principal):
    """The order, and each one's model and rule, as decided from nothing."""
    policy = Policy(rules)
    matches = bench.router.matches(request, Permission(policy, request, who))
    plan = bench.router.plan(matches)
    return [
        (match.member.name, match.model)
        for match in plan.order(bench.clock.now(), bench.pool.changes.health, request)
    ]


EVENTS = st.one_of(
    st.tuples(st.just("fail"), st.integers(0, 3)),
    st.tuples(st.just("work"), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.integers(0, 40)),
    st.tuples(st.just("offer"), st.integers(0, 3)),
)
REQUESTS = st.builds(
    ask,
    model=st.sampled_from(["", MODEL, "acme/two"]),
    place=st.sampled_from(Place),
    tiers=st.sampled_from([None, frozenset({Tier.LOCAL}), frozenset({Tier.LOCAL, Tier.TEAM})]),
    backend=st.sampled_from(["", "", "", "a", "node", "nobody"]),
    hops=st.sampled_from([(), ("x",), ("x", "y")]),
)
RULES = (
    Rule(principal="secret:bob", models=("acme/two",), effect="deny"),
    Rule(principal="secret:bob", tier=Tier.TEAM),
    Rule(principal="secret:alice", models=("acme/two",), tier=Tier.CLOUD),
    Rule(principal="secret:alice", tier=Tier.LOCAL),
)


@given(
    events=st.lists(EVENTS, max_size=12),
    requests=st.lists(st.tuples(REQUESTS, st.sampled_from([ALICE, BOB])), min_size=1, max_size=4),
)
def test_a_plan_that_was_kept_is_the_one_that_would_be_made_now(
    events: list[tuple[str, int]], requests: list[tuple[InferenceRequest, Principal]]
) -> None:
    bench = Bench(*four(), rules=RULES, routing=Rules(max_hops=2))
    for event, number in events:
        for request, who in requests:
            try:
                plan = bench.plans.of(request, who)
            except NodeError as kept:
                if not isinstance(kept, InvalidRequest):
                    with pytest.raises(type(kept)):
                        decided_now(bench, RULES, request, who)
                continue
            plan.turn = 0
            now, health = bench.clock.now(), bench.pool.changes.health
            expected = decided_now(bench, RULES, request, who)
            assert [(t.name, t.model) for t in plan.order(now, health, request)] == expected
            assert plan.first(now, health, request).name == expected[0][0]
        _happen(bench, event, number)


def _happen(bench: Bench, event: str, number: int) -> None:
    match event:
        case "wait":
            bench.clock.turn(number)
        case "offer":
            member = bench.members[number]
            other = "acme/two" if member.model_for(TASK, MODEL) == MODEL else MODEL
            member.offers(Capabilities(models=(Model(id=other, tasks=ANY),)))
        case "fail":
            bench.members[number].took()
            bench.members[number].broke("down", bench.clock.now())
        case _:
            bench.members[number].took()
            bench.members[number].gave(0.1)


def test_principals_of_whom_the_same_rules_speak_share_their_plans() -> None:
    bench = Bench(FakeBackend(), rules=(Rule(principal="secret:a*"), Rule(principal="secret:*")))
    anna, bob, carl = (Principal(id=f"secret:{name}") for name in ("anna", "bob", "carl"))
    assert bench.plans.of(ask(), bob) is bench.plans.of(ask(), carl)
    assert bench.plans.of(ask(), bob) is not bench.plans.of(ask(), anna)


def test_a_principal_with_nearer_tiers_has_plans_of_its_own() -> None:
    bench = Bench(FakeBackend("here"), FakeBackend("cloud", tier=Tier.CLOUD))
    near = Principal(id="owner", tiers=frozenset({Tier.LOCAL}))
    assert len(bench.plans.of(ask(), bench.owner)) == 2
    assert len(bench.plans.of(ask(), near)) == 1


def test_a_model_that_appears_is_found_and_one_that_goes_is_not() -> None:
    bench = Bench(FakeBackend())
    with pytest.raises(ModelNotFound):
        bench.plans.of(ask(model="acme/new"), bench.owner)
    bench.members[0].offers(Capabilities(models=(Model(id="acme/new", tasks=ANY),)))
    assert len(bench.plans.of(ask(model="acme/new"), bench.owner)) == 1
    with pytest.raises(ModelNotFound):
        bench.plans.of(ask(), bench.owner)


def test_whose_turn_it_is_outlives_a_plan() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    assert bench.plans.of(ask(), bench.owner).first(0.0, 0, ask()).name == "a"
    bench.members[0].offers(Capabilities(models=bench.members[0].capabilities.models * 2))
    assert bench.plans.of(ask(), bench.owner).first(0.0, 0, ask()).name == "b"


def test_invented_names_fill_no_memory_and_drive_nothing_out() -> None:
    nodes = [FakeBackend(f"n{i}", is_node=True, open_tasks=ANY) for i in range(64)]
    bench = Bench(*nodes)
    listed, used = bench.plans.of(ask(), bench.owner), ask(model="acme/used")
    unlisted = bench.plans.of(used, bench.owner)
    for number in range(1100):
        bench.plans.of(ask(model=f"acme/{number}"), bench.owner)
        assert bench.plans.of(used, bench.owner) is unlisted
    assert bench.plans.of(ask(), bench.owner) is listed
    assert bench.plans.size <= 4096 + 64


def test_a_name_longer_than_any_is_not_kept() -> None:
    bench = Bench(FakeBackend(open_tasks=ANY))
    bench.plans.of(ask(model="x" * 300), bench.owner)
    assert not bench.plans.size


async def test_a_model_counts_for_itself_where_the_rule_says_so() -> None:
    limits = Limits(concurrency=1, per_model=True)
    models = tuple(Model(id=f"acme/{name}", tasks=ANY) for name in ("one", "two"))
    rule = Rule(principal="secret:*", limits=limits)
    bench = Bench(FakeBackend(models=models, open_tasks=ANY), rules=(rule,))
    targets = {
        name: bench.plans.of(ask(model=name), ALICE).first(0.0, 0, ask())
        for name in ("acme/one", "acme/two", "invented/a", "invented/b")
    }
    assert targets["acme/one"].meter is not targets["acme/two"].meter
    assert targets["invented/a"].meter is targets["invented/b"].meter
