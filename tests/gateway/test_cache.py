"""What one was answered serves the next who asks the same."""

from collections.abc import AsyncIterator

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.content import BytesFile
from inferd.core.errors import (
    BackendFailed,
    BackendUnavailable,
    InvalidRequest,
    PermissionDenied,
    RateLimited,
)
from inferd.core.request import InferenceRequest, Limits, Principal, Raw, Tier
from inferd.core.result import Chunk
from inferd.gateway.admission.policy import Rule
from inferd.gateway.routing.picking import Picker
from inferd.gateway.routing.router import Rules
from inferd.gateway.routing.routes import Route
from inferd.gateway.routing.strategies import Strategy
from inferd.gateway.sharing import Terms
from tests.gateway.fakes import MODEL, Bench, FakeBackend

TASK = "text-generation"
ALICE, BOB = Principal(id="secret:alice"), Principal(id="secret:bob")


def ask(number: int = 1, **fields: object) -> InferenceRequest:
    fields = {
        "id": f"r{number}",
        "task": TASK,
        "model": MODEL,
        "inputs": {"prompt": "hello"},
        "parameters": {"temperature": 0},
        **fields,
    }
    return InferenceRequest(**fields)  # pyright: ignore[reportArgumentType]


def keeping(*backends: FakeBackend, terms: Terms | None = None, rules: tuple[Rule, ...] = ()):
    return Bench(*backends, rules=rules, sharing=terms or Terms())


async def text(bench: Bench, request: InferenceRequest, who: Principal | None = None) -> str:
    async with bench.gateway.infer(request, who or bench.owner) as answer:
        return (await collect(answer)).text


async def test_the_same_question_is_asked_once_and_each_has_a_row() -> None:
    here = FakeBackend(tier=Tier.TEAM)
    bench = keeping(here)
    assert await text(bench, ask(1)) == "one two three"
    bench.clock.turn(7)
    async with bench.gateway.infer(ask(2), bench.owner) as answer:
        assert (await collect(answer)).text == "one two three"
        served = answer.served
    assert len(here.asked) == 1
    assert (served.age, served.source, served.backend) == (7, "local", "here")
    assert (served.seen, served.nodes) == ((), ("node-a",))
    first, second = bench.records.rows
    assert (first.id, first.source, first.input_tokens, first.output_tokens) == (
        "r1",
        "remote",
        2,
        3,
    )
    assert (second.id, second.source, second.tier) == ("r2", "cache", "")
    assert (second.input_tokens, second.output_tokens, second.outcome) == (0, 0, "ok")
    assert (second.backend, second.model) == ("here", MODEL)


async def asked(bench: Bench, *requests: tuple[InferenceRequest, Principal]) -> int:
    """Return how often a backend was asked for these, one after the other."""
    for request, who in requests:
        await text(bench, request, who)
    return sum(member.served for member in bench.members)


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": {"prompt": "hello "}},
        {"parameters": {"temperature": 0, "max_tokens": 5}},
        {"tiers": frozenset({Tier.LOCAL})},
        {"stream": True},
        {"backend": "here"},
        {"model": ""},
        {"raw": Raw(wire="w", body=b"{}")},
        {"files": (BytesFile("image", b"1"),)},
    ],
    ids=["prompt", "parameters", "tiers", "stream", "backend", "model", "wire", "files"],
)
async def test_another_question_is_asked(other: dict[str, object]) -> None:
    bench = keeping(FakeBackend())
    assert await asked(bench, (ask(1), ALICE), (ask(2, **other), ALICE)) == 2


async def test_nobody_is_given_what_was_answered_to_somebody_else() -> None:
    near = Principal(id=ALICE.id, tiers=frozenset({Tier.LOCAL}))
    bench = keeping(FakeBackend())
    assert await asked(bench, (ask(1), ALICE), (ask(2), BOB), (ask(3), near)) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"fresh": True},
        {"explain": True},
        {"hops": ("node-b",)},
        {"parameters": {"temperature": 0.7}},
        {"parameters": {}},
    ],
    ids=str,
)
async def test_what_may_come_out_otherwise_or_must_be_new_is_asked_each_time(
    fields: dict[str, object],
) -> None:
    bench = keeping(FakeBackend())
    assert await asked(bench, (ask(1, **fields), ALICE), (ask(2, **fields), ALICE)) == 2


@pytest.mark.parametrize("parameters", [{"seed": 4}, {"do_sample": False}], ids=str)
async def test_what_comes_out_alike_is_kept(parameters: dict[str, object]) -> None:
    bench = keeping(FakeBackend())
    request = ask(1, parameters=parameters)
    assert await asked(bench, (request, ALICE), (request, ALICE)) == 1


def routed(route: Route) -> Bench:
    return Bench(FakeBackend(), routing=Rules(routes=(route,)), sharing=Terms())


async def test_a_route_may_say_that_anything_is_kept() -> None:
    bench = routed(Route(name="1", cache=True))
    request = ask(1, parameters={})
    assert await asked(bench, (request, ALICE), (request, ALICE)) == 1


async def test_a_route_may_say_that_nothing_is_kept() -> None:
    bench = routed(Route(name="1", cache=False))
    assert await asked(bench, (ask(1), ALICE), (ask(2), ALICE)) == 2


class Unsorted(Picker):
    """Says who is first, and nothing more."""

    def order(self, turn: int, request: InferenceRequest) -> list[int]:
        raise AssertionError("nobody failed, so that only the first is of interest")


@pytest.mark.parametrize("cache", [None, False])
async def test_however_many_there_are_only_the_first_is_looked_for(cache: bool | None) -> None:
    strategy = Strategy("unsorted", "it is its turn", lambda members, _models, _: Unsorted(members))
    bench = Bench(
        FakeBackend("one"),
        FakeBackend("two"),
        routing=Rules(routes=(Route(strategy=strategy, cache=cache),)),
        sharing=Terms(),
    )
    assert await asked(bench, *[(ask(1), ALICE)] * 3) == (3 if cache is False else 1)
    # Nor does it take anybody's turn.
    assert bench.members[1].served == (1 if cache is False else 0)


async def test_vectors_are_the_same_each_time() -> None:
    task = "feature-extraction"
    model = Model(id=MODEL, tasks=frozenset({task}))
    bench = keeping(FakeBackend(models=(model,)))
    request = ask(1, task=task, parameters={})
    assert await asked(bench, (request, ALICE), (request, ALICE)) == 1


@pytest.mark.parametrize("happens", ["time", "offers"])
async def test_what_is_old_or_void_is_asked_again(happens: str) -> None:
    here = FakeBackend()
    bench = keeping(here)
    await text(bench, ask(1))
    if happens == "time":
        bench.clock.turn(300)
    else:
        models = (*here.assumed.models, Model(id="acme/two", tasks=frozenset({TASK})))
        bench.members[0].offers(Capabilities(models=models))
    await text(bench, ask(2))
    assert len(here.asked) == 2


async def test_nothing_is_kept_of_what_failed_or_was_cut() -> None:
    here = FakeBackend()
    bench = keeping(here)
    here.breaks_after = BackendFailed("cut")
    with pytest.raises(BackendFailed):
        await text(bench, ask(1))
    here.breaks_after = None
    bench.clock.turn(60)
    assert await text(bench, ask(2)) == "one two three"
    assert len(here.asked) == 2
    assert [row.outcome for row in bench.records.rows] == ["backend_failed", "ok"]


async def test_nothing_is_kept_that_two_have_written() -> None:
    first, second = FakeBackend("first"), FakeBackend("second")
    for backend in (first, second):
        backend.traits = Traits(type=BackendType.GPU, continues=frozenset({TASK}))
    first.breaks_after = BackendFailed("cut")
    bench = keeping(first, second)
    assert await text(bench, ask(1, stream=True)) == "one one two three"
    await text(bench, ask(2, stream=True))
    assert [len(first.asked), len(second.asked)] == [1, 2]


async def test_what_stood_in_for_a_better_model_is_not_given_when_that_is_well() -> None:
    best = Route(models=("best",), use=("acme/big", "acme/little"))
    big, little = (
        FakeBackend(name, models=(Model(id=f"acme/{name}", tasks=frozenset({TASK})),))
        for name in ("big", "little")
    )
    bench = Bench(big, little, routing=Rules(routes=(best,)), sharing=Terms())
    big.error = BackendUnavailable("a blip")
    for number in range(3):
        await text(bench, ask(number, model="best"))
    # At the end it isn't even asked: it is known to be ill.
    assert len(big.asked) < 3 == len(little.asked)
    big.error = None
    bench.clock.turn(60)
    for age in (None, 0):
        async with bench.gateway.infer(ask(model="best"), bench.owner) as answer:
            await collect(answer)
            assert (answer.served.model, answer.served.age) == ("acme/big", age)


async def test_a_rule_is_heeded_and_a_limit_counted_for_what_is_kept_too() -> None:
    limits = Limits(requests_per_minute=2)
    rules = (Rule(principal="secret:alice", limits=limits), Rule(principal="secret:bob", models=()))
    bench = keeping(FakeBackend(), rules=rules)
    await asked(bench, (ask(1), ALICE), (ask(2), ALICE))
    with pytest.raises(RateLimited):
        await text(bench, ask(3), ALICE)
    with pytest.raises(PermissionDenied):
        await text(bench, ask(4), BOB)
    assert [row.outcome for row in bench.records.rows][2:] == ["rate_limited", "permission_denied"]


async def test_the_cap_is_kept_and_the_least_used_go_first() -> None:
    bench = keeping(FakeBackend(), terms=Terms(most_bytes=100_000))
    for number in range(200):
        await text(bench, ask(number, inputs={"prompt": str(number)}))
        await text(bench, ask(number, inputs={"prompt": "0"}))
    sizes = {f.name: f.series for f in bench.gateway.metrics() if f.name.startswith("inferd_cache")}
    size, under_way = (count for _, count in sizes["inferd_cache_bytes"])
    assert isinstance(size, int)
    assert 50_000 < size <= 100_000
    assert under_way == 0
    hits = {labels["outcome"]: count for labels, count in sizes["inferd_cache_requests"]}
    assert hits == {"hit": 200, "miss": 200, "shared": 0}


class Broken(BytesFile):
    """An upload whose sender leaves in the middle of it."""

    async def read(self) -> AsyncIterator[bytes]:
        yield b"1"
        raise InvalidRequest("the caller broke off")


async def test_an_upload_that_breaks_off_while_it_is_compared_has_a_row() -> None:
    task = "image-classification"
    bench = keeping(FakeBackend(models=(Model(id=MODEL, tasks=frozenset({task})),)))
    with pytest.raises(InvalidRequest):
        await text(bench, ask(1, task=task, files=(Broken("image", b"12"),)))
    (row,) = bench.records.rows
    assert (row.id, row.outcome, row.backend) == ("r1", "invalid_request", "")


async def test_bytes_are_passed_on_and_kept_as_they_came() -> None:
    class Passing(FakeBackend):
        async def infer(self, request: InferenceRequest) -> Answer:
            self.asked.append(request)
            answer = Answer()
            answer.wire, answer.whole, answer.block = "w", b'{"x": 1}', b"a: b\r\n"
            return answer

    passing = Passing()
    bench = keeping(passing)
    raw = Raw(wire="w", body=b'{"seed": 1}', read=lambda _: ({}, {"seed": 1}))
    for number in (1, 2):
        async with bench.gateway.infer(ask(number, raw=raw), ALICE) as answer:
            assert (answer.wire, answer.whole, answer.block) == ("w", b'{"x": 1}', b"a: b\r\n")
    assert len(passing.asked) == 1


async def test_of_bytes_that_were_cut_nothing_is_kept() -> None:
    class Cut(FakeBackend):
        async def infer(self, request: InferenceRequest) -> Answer:
            answer = await super().infer(request)
            answer.wire = "w"
            return answer

        async def _chunks(self, request: InferenceRequest) -> AsyncIterator[Chunk]:
            yield b"data: 1"
            raise BackendFailed("cut")

    bench = keeping(Cut())
    raw = Raw(wire="w", body=b'{"seed": 1}', read=lambda _: ({}, {"seed": 1}))
    for number in (1, 2):
        with pytest.raises(BackendFailed):
            async with bench.gateway.infer(ask(number, raw=raw), ALICE) as answer:
                assert [chunk async for chunk in answer]
    assert [row.outcome for row in bench.records.rows] == ["backend_failed"] * 2
    assert bench.members[0].failed == 2
