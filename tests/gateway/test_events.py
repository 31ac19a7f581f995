"""What becomes of requests and backends, told to whoever listens."""

import asyncio
from collections.abc import Collection

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.errors import (
    BackendRefused,
    BackendUnavailable,
    CallerLeft,
    NodeError,
    PermissionDenied,
    RateLimited,
)
from inferd.core.progress import Stage, Tell, unheard
from inferd.core.request import OWNER, InferenceRequest, Principal, Tier
from inferd.gateway.admission.policy import Rule
from inferd.gateway.events import (
    BackendEvent,
    Event,
    Events,
    InferenceEvent,
    QueueEvent,
    Subscription,
    Topic,
)
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")
BOB = Principal(id="secret:bob")
INFERENCE = (Topic.INFERENCE,)


class Talkative(FakeBackend):
    """Says what it is at, and keeps the means to say more."""

    tell: Tell = staticmethod(unheard)

    async def infer(self, request: InferenceRequest) -> Answer:
        self.tell = request.tell
        request.tell(Stage.QUEUED, ahead=2)
        request.tell(Stage.LOADING)
        request.tell(Stage.LOADING)
        request.tell(Stage.RUNNING)
        return await super().infer(request)


def ask(id: str = "r1") -> InferenceRequest:  # noqa: A002
    return InferenceRequest(id=id, task="text-generation", model=MODEL)


async def answered(bench: Bench, id: str = "r1", principal: Principal = OWNER) -> None:  # noqa: A002
    async with bench.gateway.infer(ask(id), principal) as answer:
        await collect(answer)


async def heard(subscription: Subscription) -> list[Event]:
    """All that waits; the subscription is over then."""
    subscription.end()
    return [event async for _, event in subscription]


def stages(events: Collection[Event]) -> list[str]:
    return [f"{e.stage} {e.backend}".strip() for e in events if isinstance(e, InferenceEvent)]


def anything(event: Event) -> Event:
    return event


def noise(number: int) -> QueueEvent:
    return QueueEvent(backend="here", in_flight=number)


async def test_each_stage_is_told_as_it_comes_and_once() -> None:
    bench = Bench(Talkative())
    with bench.gateway.listen(OWNER, INFERENCE) as subscription:
        await answered(bench)
        events = await heard(subscription)
    assert stages(events) == [
        "routed here", "queued here", "loading here", "running here", "finished here",
    ]  # fmt: skip
    first, waits, *_, last = (e for e in events if isinstance(e, InferenceEvent))
    assert (first.request_id, first.model, first.task) == ("r1", MODEL, "text-generation")
    assert (first.source, first.tier) == ("local", "local")
    assert waits.ahead == 2
    assert not last.error


async def test_a_backend_that_says_nothing_runs_once_its_answer_begins() -> None:
    bench = Bench(FakeBackend())
    with bench.gateway.listen(OWNER, INFERENCE) as subscription:
        await answered(bench)
        assert stages(await heard(subscription)) == ["routed here", "running here", "finished here"]


async def test_each_attempt_is_told() -> None:
    far = FakeBackend("far")
    far.error = BackendUnavailable("far is off")
    bench = Bench(far, FakeBackend("here"))
    with bench.gateway.listen(OWNER, INFERENCE) as subscription:
        await answered(bench)
        assert stages(await heard(subscription)) == [
            "routed far", "routed here", "running here", "finished here",
        ]  # fmt: skip


async def test_a_failure_is_told_as_the_caller_is_told_and_nothing_leaks() -> None:
    refusing, buggy = FakeBackend(), FakeBackend()
    refusing.error, buggy.bug = BackendRefused("the prompt is empty", hint="write one"), True
    for backend, kind, message in (
        (refusing, "backend_refused", "the prompt is empty"),
        (buggy, "internal", "the node failed on this request"),
    ):
        bench = Bench(backend)
        with bench.gateway.listen(OWNER, INFERENCE) as subscription:
            with pytest.raises((NodeError, ZeroDivisionError)):
                await answered(bench)
            *_, last = await heard(subscription)
        assert isinstance(last, InferenceEvent)
        assert last.error
        assert (last.stage, last.error.kind, last.error.message) == ("failed", kind, message)
        assert last.error.hint


async def test_a_caller_that_leaves_ends_its_request() -> None:
    bench = Bench(FakeBackend())
    with bench.gateway.listen(OWNER, INFERENCE) as subscription:
        with pytest.raises(CallerLeft):
            async with bench.gateway.infer(ask(), OWNER):
                raise CallerLeft
        *_, last = await heard(subscription)
    assert isinstance(last, InferenceEvent)
    assert last.error
    assert (last.stage, last.error.kind) == ("failed", "aborted")


async def test_a_word_that_comes_when_all_is_over_is_not_told() -> None:
    talkative = Talkative()
    bench = Bench(talkative)
    with bench.gateway.listen(OWNER, INFERENCE) as subscription:
        await answered(bench)
        talkative.tell(Stage.LOADING)
        assert stages(await heard(subscription))[-1] == "finished here"


async def test_where_nobody_listens_a_backend_is_told_so() -> None:
    talkative = Talkative()
    bench = Bench(talkative)
    await answered(bench)
    assert talkative.tell is unheard
    with bench.gateway.listen(OWNER, INFERENCE):
        await answered(bench)
    assert talkative.tell is not unheard
    await answered(bench)
    assert talkative.tell is unheard


async def test_everybody_hears_of_their_own_requests_and_the_owner_of_all() -> None:
    bench = Bench(FakeBackend())
    with (
        bench.gateway.listen(ALICE, INFERENCE) as alices,
        bench.gateway.listen(OWNER, INFERENCE) as owners,
        bench.gateway.listen(OWNER, INFERENCE, requests=["b"]) as one,
    ):
        await answered(bench, "a", ALICE)
        await answered(bench, "b", BOB)
        assert {e.request_id for e in await heard(alices) if isinstance(e, InferenceEvent)} == {"a"}
        told = [e.request_id for e in await heard(owners) if isinstance(e, InferenceEvent)]
        assert set(told) == {"a", "b"}
        assert {e.request_id for e in await heard(one) if isinstance(e, InferenceEvent)} == {"b"}


async def test_who_may_not_list_hears_no_names_of_backends() -> None:
    rules = (
        Rule(principal="secret:bob", actions=("infer",)),
        Rule(principal="secret:alice", tier=Tier.LOCAL),
    )
    far = FakeBackend("far", tier=Tier.CLOUD)
    bench = Bench(FakeBackend("here"), far, rules=rules)
    with bench.gateway.listen(BOB, INFERENCE) as subscription:
        await answered(bench, principal=BOB)
        assert stages(await heard(subscription)) == ["routed", "running", "finished"]
    with pytest.raises(PermissionDenied):
        bench.gateway.listen(BOB, (Topic.INFERENCE, Topic.BACKEND))
    assert [state.name for state in bench.gateway.backends(ALICE)] == ["here"]
    with bench.gateway.listen(ALICE, (Topic.BACKEND, Topic.QUEUE)) as subscription:
        far.error = BackendUnavailable("off")
        await bench.pool.refresh()
        assert await heard(subscription) == []


async def test_a_backends_state_is_told_when_it_changes() -> None:
    here = FakeBackend()
    bench = Bench(here)
    with bench.gateway.listen(OWNER, (Topic.BACKEND,)) as subscription:
        await bench.pool.refresh()
        async with bench.gateway.infer(ask(), OWNER), bench.gateway.infer(ask(), OWNER):
            pass
        here.error = BackendUnavailable("off")
        for _ in range(2):
            await bench.pool.refresh()
        here.error = None
        await bench.pool.refresh()
        events = [e for e in await heard(subscription) if isinstance(e, BackendEvent)]
    assert [(e.usable, e.reason, e.in_flight) for e in events] == [
        (True, "", 1), (True, "", 0), (False, "off", 0), (True, "", 0),
    ]  # fmt: skip


async def test_what_a_backend_is_at_is_told_each_time() -> None:
    bench = Bench(FakeBackend())
    with bench.gateway.listen(OWNER, (Topic.QUEUE,)) as subscription:
        async with bench.gateway.infer(ask(), OWNER):
            await answered(bench)
        events = [e.in_flight for e in await heard(subscription) if isinstance(e, QueueEvent)]
    assert events == [1, 2, 1, 0]


async def test_a_broken_backend_isnt_called_usable_while_it_is_looked_at() -> None:
    class Slow(FakeBackend):
        looked = asyncio.Event()
        go_on = asyncio.Event()

        async def capabilities(self):
            self.looked.set()
            await self.go_on.wait()
            return await super().capabilities()

    slow = Slow()
    bench = Bench(slow)
    bench.members[0].error = "it was off"
    look = asyncio.ensure_future(bench.pool.refresh())
    await slow.looked.wait()
    assert not bench.members[0].state().usable
    slow.go_on.set()
    await look
    assert bench.members[0].state().usable


async def test_who_falls_behind_loses_the_oldest_and_learns_how_many() -> None:
    bus = Events(most_waiting=3)
    with bus.subscribe("owner", (Topic.QUEUE,), anything) as subscription:
        for number in range(5):
            bus.publish(Topic.QUEUE, noise(number))
        bus.publish(Topic.BACKEND, noise(9))
        subscription.end()
        assert [number async for number, _ in subscription] == [3, 4, 5]
        assert subscription.dropped == 2


async def test_leaving_ends_a_subscription_at_once_and_makes_room_for_another() -> None:
    bus = Events(most_each=2)
    with bus.subscribe("alice", (Topic.QUEUE,), anything):
        with bus.subscribe("alice", (Topic.QUEUE,), anything):
            with (
                pytest.raises(RateLimited) as refusal,
                bus.subscribe("alice", (Topic.QUEUE,), anything),
            ):
                raise AssertionError
            assert refusal.value.hint
            with bus.subscribe("bob", (Topic.STATUS,), anything):
                assert bus.hears(Topic.STATUS)
            assert not bus.hears(Topic.STATUS)
        with bus.subscribe("alice", (Topic.QUEUE,), anything):
            assert bus.is_heard
    assert not bus.is_heard
    assert repr(bus) == "<Events 0 subscribers>"


async def test_when_the_node_stops_listeners_get_what_waits_and_an_end() -> None:
    bus = Events()
    with bus.subscribe("owner", (Topic.QUEUE, Topic.BACKEND), anything) as subscription:
        bus.publish(Topic.QUEUE, noise(1))
        bus.close()
        assert [event async for _, event in subscription] == [noise(1)]
    with (
        pytest.raises(BackendUnavailable, match="stopping"),
        bus.subscribe("owner", INFERENCE, anything),
    ):
        raise AssertionError


async def test_a_listener_that_waits_hears_what_comes() -> None:
    bus = Events()
    with bus.subscribe("owner", (Topic.QUEUE,), anything) as subscription:
        waiting = asyncio.ensure_future(anext(subscription))
        await asyncio.wait([waiting], timeout=0)
        bus.publish(Topic.QUEUE, noise(7))
        assert await waiting == (1, noise(7))
