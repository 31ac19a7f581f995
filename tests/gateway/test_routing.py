"""Which backend next."""

from collections.abc import Callable

import pytest

from inferd.core.backend import Model
from inferd.core.errors import (
    BackendUnavailable,
    LoopDetected,
    ModelNotFound,
    NodeError,
    NotConfigured,
    PermissionDenied,
)
from inferd.core.request import InferenceRequest, Place, Tier
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.plan import Match
from inferd.gateway.routing.refusals import Why
from inferd.gateway.routing.router import Rules
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ANY = frozenset({TASK})


def ask(**fields: object) -> InferenceRequest:
    return InferenceRequest(**{"id": "r1", "task": TASK, "model": MODEL, **fields})  # pyright: ignore[reportArgumentType]


def node(name: str, **options: object) -> FakeBackend:
    return FakeBackend(name, tier=Tier.TEAM, is_node=True, open_tasks=ANY, **options)  # pyright: ignore[reportArgumentType]


class Says:
    """A permit that asks a function for its objection."""

    def __init__(self, objection: Callable[[str, Tier], str]) -> None:
        self._objection = objection

    def reason(self, model: str, tier: Tier, _backend: str, /, *, is_found: bool) -> str:
        return self._objection(model, tier)

    def allows(self, model: str, tier: Tier, backend: str, /, *, is_found: bool) -> bool:
        return not self.reason(model, tier, backend, is_found=is_found)


YES = Says(lambda _model, _tier: "")


def targets(bench: Bench, request: InferenceRequest, permit: Says = YES) -> list[Match]:
    plan = bench.router.plan(bench.router.matches(request, permit))
    return list(plan.order(bench.clock.now(), bench.pool.changes.health, request))


def order(bench: Bench, request: InferenceRequest, permit: Says = YES) -> list[str]:
    return [match.member.name for match in targets(bench, request, permit)]


def firsts(bench: Bench, count: int) -> list[str]:
    """Whom the next requests would ask first."""
    now, health = bench.clock.now(), bench.pool.changes.health
    plan = bench.plans.of(ask(), bench.owner)
    return [plan.first(now, health, ask()).name for _ in range(count)]


async def test_this_machine_comes_before_another_node() -> None:
    assert order(Bench(node("far"), FakeBackend("here")), ask()) == ["here", "far"]


async def test_a_task_this_machine_lacks_goes_to_another_node() -> None:
    assert order(Bench(FakeBackend("here"), node("far")), ask(model="acme/two")) == ["far"]


async def test_use_remote_true_puts_nodes_first_and_ends_here() -> None:
    bench = Bench(FakeBackend("here"), node("far"))
    assert order(bench, ask(place=Place.REMOTE)) == ["far", "here"]


async def test_use_remote_true_never_ends_here_when_fallback_is_off() -> None:
    bench = Bench(FakeBackend("here"), node("far"), routing=Rules(fallback_local=False))
    assert order(bench, ask(place=Place.REMOTE)) == ["far"]


async def test_use_remote_true_without_a_node_is_not_configured() -> None:
    with pytest.raises(NotConfigured, match="not configured"):
        order(Bench(FakeBackend("here")), ask(place=Place.REMOTE))


async def test_use_remote_false_stays_on_this_machine() -> None:
    bench = Bench(FakeBackend("here"), node("far"), FakeBackend("api", tier=Tier.CLOUD))
    assert order(bench, ask(place=Place.LOCAL)) == ["here"]
    with pytest.raises(ModelNotFound):
        order(bench, ask(place=Place.LOCAL, model="acme/two"))


async def test_preferred_tasks_go_to_another_node_first_unasked() -> None:
    bench = Bench(FakeBackend("here"), node("far"), routing=Rules(prefer_remote=ANY))
    assert order(bench, ask()) == ["far", "here"]
    assert order(bench, ask(place=Place.LOCAL)) == ["here"]


async def test_words_never_leave_the_tiers_of_the_request() -> None:
    bench = Bench(node("far"), FakeBackend("api", tier=Tier.CLOUD))
    assert order(bench, ask(tiers=frozenset({Tier.LOCAL, Tier.TEAM}))) == ["far"]
    with pytest.raises(PermissionDenied):
        order(bench, ask(tiers=frozenset({Tier.LOCAL})))


async def test_nearer_tiers_come_first() -> None:
    bench = Bench(FakeBackend("api", tier=Tier.CLOUD), node("far"), FakeBackend("here"))
    assert order(bench, ask()) == ["here", "far", "api"]


async def test_a_lower_priority_number_comes_first_within_reach() -> None:
    bench = Bench(FakeBackend("slow"), FakeBackend("fast"))
    bench.members[0].priority = 1
    assert order(bench, ask()) == ["fast", "slow"]


async def test_equals_take_turns() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    assert firsts(bench, 4) == ["a", "b", "a", "b"]


async def test_a_backend_that_failed_waits_at_the_end_until_its_time_is_up() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    broken = bench.members[0]
    broken.took()
    broken.broke("down", bench.clock.now())
    assert firsts(bench, 3) == ["b", "b", "b"]
    bench.clock.turn(31)
    assert firsts(bench, 1) == ["a"]
    broken.took()
    assert firsts(bench, 3) == ["b", "b", "b"]
    broken.gave(0.1)
    assert set(firsts(bench, 2)) == {"a", "b"}


async def test_each_failure_in_a_row_sets_aside_for_longer_up_to_a_bound() -> None:
    member = Member(FakeBackend("a"), priority=0)
    pauses: list[float] = []
    for _ in range(8):
        member.took()
        member.broke("down", 0.0)
        pauses.append(member.ejected_until)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    member.took()
    member.gave(0.1)
    assert member.ejected_until == 0


async def test_a_request_that_has_travelled_far_enough_is_not_sent_on() -> None:
    bench = Bench(node("far"), routing=Rules(max_hops=2))
    with pytest.raises(LoopDetected):
        order(bench, ask(hops=("node-x", "node-y")))


async def test_what_policy_refuses_is_not_a_target() -> None:
    bench = Bench(FakeBackend("here"), node("far"))

    def only_here(_model: str, tier: Tier) -> str:
        return "" if tier is Tier.LOCAL else "not for you"

    assert order(bench, ask(), Says(only_here)) == ["here"]
    with pytest.raises(PermissionDenied) as refused:
        order(bench, ask(model="acme/two"), Says(only_here))
    assert "not for you" not in str(refused.value)
    _, refusals = bench.router.consider(ask(model="acme/two"), Says(only_here))
    assert Why.POLICY in {refusal.why for refusal in refusals}


async def test_a_backend_bound_to_tasks_is_asked_for_no_other() -> None:
    bench = Bench(node("far"))
    bench.members[0].only_tasks = frozenset({"fill-mask"})
    with pytest.raises(ModelNotFound):
        order(bench, ask())


async def test_an_alias_reaches_the_backend_as_the_model_it_stands_for() -> None:
    model = Model(id="acme/one", tasks=ANY, aliases=("one",))
    bench = Bench(FakeBackend("here", models=(model,)))
    assert targets(bench, ask(model="one"))[0].model == "acme/one"


async def test_a_request_that_names_no_model_gets_the_nearest_one_from_everybody() -> None:
    other = Model(id="acme/two", tasks=ANY)
    bench = Bench(FakeBackend("a"), FakeBackend("b", models=(other,)), node("far"))
    for _ in range(4):
        found = targets(bench, ask(model=""))
        assert [(t.member.name, t.model) for t in found] == [
            ("a", MODEL),
            ("far", MODEL),
            ("b", "acme/two"),
        ]


async def test_vectors_of_another_model_are_no_fallback() -> None:
    embeds = frozenset({"feature-extraction"})
    one, two = (Model(id=f"acme/{name}", tasks=embeds) for name in ("one", "two"))
    bench = Bench(FakeBackend("a", models=(one,)), FakeBackend("b", models=(two,)))
    found = targets(bench, ask(task="feature-extraction", model=""))
    assert [t.member.name for t in found] == ["a"]


async def test_a_node_asked_by_name_chooses_its_own_usual_model() -> None:
    bench = Bench(FakeBackend("here"), FakeBackend("far", is_node=True, open_tasks=ANY, models=()))
    found = targets(bench, ask(model="", place=Place.REMOTE))
    assert [(t.member.name, t.model) for t in found] == [("far", ""), ("here", MODEL)]


async def test_a_fault_in_one_backend_does_not_end_the_asking_of_others() -> None:
    bad, good = FakeBackend("bad"), FakeBackend("good")
    bad.fault = UnicodeError("label empty")
    bench = Bench(bad, good)
    await bench.pool.refresh()
    assert bench.members[0].error
    assert not bench.members[1].error


async def test_a_backend_that_answers_again_is_well_again() -> None:
    bench = Bench(FakeBackend("a"))
    member = bench.members[0]
    member.took()
    member.broke("down", 0.0)
    member.took()
    member.gave(0.1)
    assert member.error == ""


async def test_explain_names_every_backend_and_its_reason() -> None:
    bench = Bench(FakeBackend("here"), node("far"), FakeBackend("api", models=()))
    explained = bench.gateway.explain(ask(), bench.owner)
    assert [(c.backend, c.order) for c in explained.candidates] == [
        ("here", 1),
        ("far", 2),
        ("api", 0),
    ]
    assert explained.candidates[2].reason == "it doesn't do text-generation"
    assert explained.source == "local"


async def test_a_silent_backend_delays_nobody_and_keeps_what_it_last_said() -> None:
    dead, live = FakeBackend("dead"), FakeBackend("live")
    dead.error = BackendUnavailable("no route")
    bench = Bench(dead, live)
    await bench.pool.refresh()
    assert bench.members[0].error == "no route"
    assert bench.members[0].model_for(TASK, MODEL) == MODEL
    assert bench.members[1].error == ""


def test_errors_say_what_to_do() -> None:
    bench = Bench(FakeBackend("here"))
    with pytest.raises(NodeError) as refused:
        order(bench, ask(model="nobody/has"))
    assert refused.value.hint


async def test_who_fails_for_ever_is_set_aside_for_no_longer_than_the_bound() -> None:
    member = Member(FakeBackend("a"), priority=0)
    for _ in range(1100):
        member.took()
        member.broke("down", 0.0)
    assert member.ejected_until == 30
