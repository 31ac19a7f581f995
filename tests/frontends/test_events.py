"""GET /events on a real socket: what is told, to whom, and when it ends."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest

from inferd.core.request import Action
from inferd.gateway.admission.policy import Rule
from inferd.gateway.events import QueueEvent, Topic
from inferd.wire import sse
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, hangs, says
from tests.frontends.nodes import PATIENCE, Node, open_node, soon

ALICE, BOB = "alice's secret", "bob's secret"
SPEC = {"task": "text-generation", "payload": {"prompt": "Hi"}}


class Listener:
    """A response as it comes, read as events."""

    def __init__(self, response: httpx2.Response, pieces: AsyncIterator[bytes]) -> None:
        self.response = response
        self.raw = b""
        self._pieces = pieces
        self._decoder = sse.Decoder()
        self._events: list[sse.Event] = []

    async def next(self, topic: str = "") -> sse.Event:
        """The next event, or the next of a topic."""
        async with asyncio.timeout(PATIENCE):
            while True:
                while not self._events:
                    await self._more()
                event = self._events.pop(0)
                if not topic or event.event == topic:
                    return event

    async def stages(self, last: str) -> list[dict[str, object]]:
        """Inference events until one of that stage."""
        found: list[dict[str, object]] = []
        while not found or found[-1]["stage"] != last:
            found.append(json.loads((await self.next("inference")).data))
        return found

    async def until(self, mark: bytes) -> None:
        async with asyncio.timeout(PATIENCE):
            while mark not in self.raw:
                await self._more()

    async def rest(self) -> list[sse.Event]:
        """Everything until the node ends the response."""
        async with asyncio.timeout(PATIENCE):
            async for piece in self._pieces:
                self._events += self._decoder.feed(piece)
        return self._events

    async def _more(self) -> None:
        piece = await anext(self._pieces)
        self.raw += piece
        self._events += self._decoder.feed(piece)


@asynccontextmanager
async def listening(node: Node, query: str = "", secret: str = "") -> AsyncGenerator[Listener]:
    async with node.client.stream("GET", f"/events{query}", headers=bearer(secret)) as response:
        assert response.status_code == 200, await response.aread()
        yield Listener(response, response.aiter_bytes())


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"} if secret else {}


async def asked(node: Node, id: str, secret: str = "", **headers: str) -> int:  # noqa: A002
    headers = {"X-Request-Id": id, **bearer(secret), **headers}
    return (await node.client.post("/inference", json=SPEC, headers=headers)).status_code


async def test_a_listener_is_told_first_how_all_stands_and_then_what_happens() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, listening(node) as listener:
        headers = listener.response.headers
        assert headers["content-type"] == "text/event-stream"
        assert headers["cache-control"] == "no-store"
        assert headers["x-accel-buffering"] == "no"
        status = await listener.next()
        assert listener.raw.startswith(b"retry: ")
        assert status.event == "status"
        vitals = json.loads(status.data)
        assert (vitals["node"], vitals["name"], vitals["version"]) == ("node-a", "lab", "1.2.3")
        assert (vitals["backends_up"], vitals["backends_down"], vitals["in_flight"]) == (1, 0, 0)
        backend = await listener.next()
        assert (backend.event, json.loads(backend.data)["usable"]) == ("backend", True)
        assert await asked(node, "my-own-id") == 200
        told = await listener.stages("finished")
        assert [event["stage"] for event in told] == ["routed", "running", "finished"]
        assert {(event["request_id"], event["backend"]) for event in told} == {
            ("my-own-id", "fake")
        }
        assert "error" not in told[-1]


async def test_events_are_numbered_and_of_the_topics_that_were_asked_for() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        listening(node, "?topics=queue,backend") as listener,
    ):
        assert (await listener.next()).event == "backend"
        await asked(node, "a")
        events = [await listener.next() for _ in range(4)]
        assert [(event.event, event.id) for event in events] == [
            ("backend", "1"), ("queue", "2"), ("backend", "3"), ("queue", "4"),
        ]  # fmt: skip


async def test_callers_hear_of_their_own_requests_and_of_the_ones_they_want() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO)), secrets=[ALICE, BOB]) as node,
        listening(node, "?topics=inference", ALICE) as alices,
        listening(node, "?topics=inference&requests=b2,b3", BOB) as bobs,
    ):
        for name in ("b1", "b2"):
            await asked(node, name, BOB)
        await asked(node, "a1", ALICE)
        assert {event["request_id"] for event in await alices.stages("finished")} == {"a1"}
        assert {event["request_id"] for event in await bobs.stages("finished")} == {"b2"}


async def test_a_failure_is_told_with_its_kind_and_what_to_do() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        listening(node, "?topics=inference") as listener,
    ):
        status = await asked(node, "a", **{"X-Inference-Backend": "nine"})
        (event,) = await listener.stages("failed")
        assert status == 400
        assert event["error"] == {
            "kind": "invalid_request",
            "message": "there is no backend called nine here",
            "hint": "those you may ask for: fake; leave out the backend to let the node choose",
        }


async def test_where_a_request_would_go_heeds_the_backend_that_is_named() -> None:
    one, two = (FakeBackend(says(*HELLO), name) for name in ("one", "two"))
    async with open_node(one, two) as node:
        for name in ("one", "two", "one"):
            named = {"X-Inference-Backend": name}
            head = await node.client.head("/inference", headers=named)
            assert head.headers["x-inference-backend"] == name
            assert await asked(node, "a", **named) == 200
        head = await node.client.head("/inference", headers={"X-Inference-Backend": "nine"})
        assert "no backend called nine" in head.headers["x-inference-warning"]
        question = {"task": "text-generation", "backend": "two"}
        explained = (await node.client.post("/admin/explain", json=question)).json()
        reasons = {each["backend"]: each["reason"] for each in explained["candidates"]}
        assert reasons["one"] == "not the one asked for"
    assert (len(one.requests), len(two.requests)) == (2, 1)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?topics=weather", "topics"),
        ("?topics=", "topics"),
        ("?requests=a%20b", "requests"),
        ("?requests=" + ",".join(map(str, range(65))), "requests"),
    ],
)
async def test_what_cant_be_listened_to_is_refused(query: str, param: str) -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        for method in ("GET", "HEAD")[: 2 if param == "topics" else 1]:
            refused = await node.client.request(method, f"/events{query}")
            assert refused.status_code == 422
        told = (await node.client.get(f"/events{query}")).json()
        assert told["hint"]
        assert param[:5] in told["reason"]


async def test_a_stranger_is_refused_and_who_may_not_list_hears_of_requests_alone() -> None:
    rules = [Rule(principal="secret:*", actions=(Action.INFER,))]
    async with open_node(FakeBackend(says(*HELLO)), secrets=[ALICE], rules=rules) as node:
        assert (await node.client.get("/events")).status_code == 401
        refused = await node.client.get("/events?topics=status", headers=bearer(ALICE))
        assert refused.status_code == 403
        async with listening(node, secret=ALICE) as listener:
            await asked(node, "a", ALICE)
            told = await listener.stages("finished")
            assert {event["backend"] for event in told} == {""}
            assert b"event: status" not in listener.raw
            assert b"event: backend" not in listener.raw


async def test_head_answers_at_once() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        head = await soon(node.client.head("/events"))
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
        assert not node.gateway.pool.events.is_heard


async def test_a_listener_that_leaves_frees_its_place() -> None:
    async with open_node(FakeBackend(hangs)) as node, AsyncExitStack() as stack:
        bus = node.gateway.pool.events
        lines = [await stack.enter_async_context(node.dial()) for _ in range(16)]
        for wire in lines:
            await wire.send(f"GET /events HTTP/1.1\r\nHost: {node.host}\r\n\r\n")
            await wire.until(b"retry: ")
        refused = await node.client.get("/events")
        assert refused.status_code == 429
        assert refused.json()["kind"] == "rate_limited"
        assert refused.headers["retry-after"]
        for wire in lines:
            wire.hang_up()
        async with asyncio.timeout(PATIENCE):
            while bus.is_heard:
                await node.client.get("/healthz")
        async with listening(node) as listener:
            assert (await listener.next()).event == "status"


async def test_a_caller_that_leaves_its_request_is_told_of_elsewhere() -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node, listening(node, "?topics=inference") as listener:
        asking = asyncio.ensure_future(asked(node, "a"))
        await soon(backend.entered.wait())
        asking.cancel()
        await asyncio.wait([asking])
        *_, last = await listener.stages("failed")
        assert isinstance(last["error"], dict)
        assert last["error"]["kind"] == "aborted"
        await soon(backend.freed.wait())


async def test_the_line_is_kept_alive_and_the_status_comes_again() -> None:
    clock = HandClock()
    async with (
        open_node(FakeBackend(says(*HELLO)), clock=clock) as node,
        listening(node, "?topics=status") as listener,
    ):
        first = json.loads((await listener.next()).data)
        for _ in range(3):
            await clock.has_sleepers()
            clock.turn(5)
        second = json.loads((await listener.next("status")).data)
        assert second["uptime"] - first["uptime"] == pytest.approx(10)
        await listener.until(b"\n: still here\n\n")


async def test_when_the_node_stops_the_response_ends_as_it_should() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        async with listening(node, "?topics=inference") as listener:
            await asked(node, "a")
            node.gateway.pool.events.close()
            stages = [json.loads(event.data)["stage"] for event in await listener.rest()]
            assert stages == ["routed", "running", "finished"]
        late = await node.client.get("/events")
        assert (late.status_code, late.json()["kind"]) == (503, "backend_unavailable")


async def test_after_an_hour_a_listener_shows_its_credential_again() -> None:
    clock = HandClock()
    async with (
        open_node(FakeBackend(says(*HELLO)), clock=clock) as node,
        listening(node, "?topics=inference") as listener,
    ):
        await listener.until(b"retry: ")
        for _ in range(720):
            await clock.has_sleepers()
            clock.turn(5)
        assert await listener.rest() == []


async def test_a_listener_that_is_behind_learns_how_much_it_missed() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO))) as node,
        listening(node, "?topics=queue") as listener,
    ):
        await listener.until(b"retry: ")
        for number in range(300):
            node.gateway.pool.events.publish(
                Topic.QUEUE, QueueEvent(backend="fake", in_flight=number)
            )
        dropped, first = await listener.next(), await listener.next()
        assert (dropped.event, json.loads(dropped.data)) == ("dropped", {"dropped": 44})
        assert (first.id, json.loads(first.data)["in_flight"]) == ("45", 44)
