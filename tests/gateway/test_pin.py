"""A request that names the only backend that may answer it."""

import pytest

from inferd.core.answer import collect
from inferd.core.backend import Model
from inferd.core.errors import (
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    NotConfigured,
    PermissionDenied,
)
from inferd.core.request import InferenceRequest, Place, Principal, Tier, tiers_up_to
from inferd.gateway.admission.policy import Rule
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ANY = frozenset({TASK})
ALICE = Principal(id="secret:alice")


def ask(backend: str, **fields: object) -> InferenceRequest:
    fields = {"id": "r1", "task": TASK, "model": MODEL, "backend": backend, **fields}
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


def far_node(name: str = "far") -> FakeBackend:
    return FakeBackend(name, tier=Tier.TEAM, is_node=True, open_tasks=ANY)


async def refusal_of(
    bench: Bench, request: InferenceRequest, principal: Principal | None = None
) -> NodeError:
    with pytest.raises(NodeError) as caught:
        async with bench.gateway.infer(request, principal or bench.owner):
            raise AssertionError
    return caught.value


async def test_only_the_named_one_is_asked_and_it_isnt_told() -> None:
    one, two = FakeBackend("one"), FakeBackend("two")
    bench = Bench(one, two)
    for _ in range(3):
        async with bench.gateway.infer(ask("two"), bench.owner) as answer:
            await collect(answer)
        assert answer.served.backend == "two"
    assert not one.asked
    assert {request.backend for request in two.asked} == {""}


async def test_when_the_named_one_fails_no_other_answers() -> None:
    one, two = FakeBackend("one"), FakeBackend("two")
    two.error = BackendUnavailable("two is off")
    bench = Bench(one, two)
    assert "two is off" in (await refusal_of(bench, ask("two"))).message
    assert not one.asked
    two.error = None
    assert bench.members[1].ejected_until > bench.clock.now()
    async with bench.gateway.infer(ask("two"), bench.owner) as answer:
        assert (await collect(answer)).text == "one two three"


async def test_its_own_usual_model_answers_who_names_none() -> None:
    other = FakeBackend("other", models=(Model(id="acme/two", tasks=ANY),))
    bench = Bench(FakeBackend("here"), other)
    async with bench.gateway.infer(ask("other", model=""), bench.owner) as answer:
        await collect(answer)
    assert [request.model for request in other.asked] == ["acme/two"]


async def test_an_explanation_says_why_the_others_arent_asked() -> None:
    bench = Bench(FakeBackend("one"), FakeBackend("two"))
    explanation = bench.gateway.explain(ask("two"), bench.owner)
    assert [(c.backend, c.order, c.reason) for c in explanation.candidates] == [
        ("two", 1, "can and may run it"),
        ("one", 0, "not the one asked for"),
    ]
    unknown = bench.gateway.explain(ask("nine"), bench.owner)
    assert {c.reason for c in unknown.candidates} == {"not the one asked for"}
    assert "no backend called nine" in unknown.error
    assert "one, two" in unknown.error


async def test_one_that_is_hidden_is_refused_in_the_words_for_one_that_isnt_there() -> None:
    rules = (Rule(principal="secret:alice", tier=Tier.LOCAL),)
    hidden = FakeBackend("vault", tier=Tier.CLOUD)
    bench = Bench(FakeBackend("here"), hidden, rules=rules)
    for name in ("vault", "nine"):
        error = await refusal_of(bench, ask(name), ALICE)
        assert isinstance(error, InvalidRequest)
        assert error.message == f"there is no backend called {name} here"
        assert error.details["backends"] == ["here"]
    assert not hidden.asked


async def test_who_may_infer_there_and_not_list_may_still_name_it() -> None:
    bench = Bench(FakeBackend("here"), rules=(Rule(principal="secret:alice", actions=("infer",)),))
    async with bench.gateway.infer(ask("here"), ALICE) as answer:
        await collect(answer)
    error = await refusal_of(bench, ask("nine"), ALICE)
    assert error.details["backends"] == []
    assert "here" not in error.hint.split()


async def test_naming_it_widens_nothing() -> None:
    cloud = FakeBackend("cloud", tier=Tier.CLOUD)
    rules = (Rule(principal="secret:alice", tier=Tier.CLOUD, models=("acme/other",)),)
    bench = Bench(FakeBackend("here"), cloud, far_node(), rules=rules)
    near = ask("cloud", tiers=tiers_up_to(Tier.LOCAL))
    for request, principal, kind in (
        (near, bench.owner, PermissionDenied),
        (ask("cloud"), Principal(id="owner", tiers=frozenset({Tier.LOCAL})), PermissionDenied),
        (ask("far"), ALICE, PermissionDenied),
        (ask("far", place=Place.LOCAL), bench.owner, InvalidRequest),
        (ask("here", place=Place.REMOTE), bench.owner, InvalidRequest),
        (ask("here", model="acme/nine"), bench.owner, ModelNotFound),
    ):
        error = await refusal_of(bench, request, principal)
        assert type(error) is kind, error
        assert error.hint
    assert not any(m.backend.asked for m in bench.members if isinstance(m.backend, FakeBackend))


async def test_another_node_is_asked_only_where_there_is_one() -> None:
    bench = Bench(FakeBackend("here"))
    error = await refusal_of(bench, ask("here", place=Place.REMOTE))
    assert isinstance(error, NotConfigured)
