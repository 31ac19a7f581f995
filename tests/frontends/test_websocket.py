"""`/ws/{client_id}` over real sockets, on our server and on uvicorn."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from inferd.core.answer import Answer
from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, Finish, TextDelta, Value
from inferd.frontends.websocket.settings import SocketSettings
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, breaks_after, hangs, hangs_mid_stream, says
from tests.frontends.nodes import Way, open_node, soon
from tests.frontends.sockets import dial

NOW = 1_000_000.0
"""The hand clock's."""
ASK = {"model": "tiny", "inputs": "Hi", "request_id": "r1"}
BOTH = pytest.mark.parametrize("way", [Way.NATIVE, Way.UVICORN])
WAYS = pytest.mark.parametrize(
    "way", [Way.NATIVE, pytest.param(Way.UVICORN, marks=pytest.mark.extra)]
)


@BOTH
async def test_a_stream_has_exactly_the_briefs_messages(way: Way) -> None:
    async with (
        open_node(FakeBackend(says(*HELLO)), way=way, clock=HandClock()) as node,
        dial(node, "lab-1", is_greeted=False) as talker,
    ):
        assert await talker.hear() == {
            "type": "connection",
            "status": "connected",
            "client_id": "lab-1",
            "timestamp": NOW,
        }
        task = "text-generation"
        assert await talker.ask(**ASK, stream=True) == [
            _said("inference_started", model="tiny", task=task),
            _said("inference_chunk", chunk="Hel", index=0),
            _said("inference_chunk", chunk="lo", index=1),
            _said("inference_complete"),
        ]
        assert node.ledger.outcomes == ["ok"]
        assert node.ledger.rows[0].id == "r1"


@WAYS
async def test_a_whole_answer_has_its_tasks_shape(way: Way) -> None:
    async with (
        open_node(FakeBackend(says(*HELLO)), way=way, clock=HandClock()) as node,
        dial(node) as talker,
    ):
        [_, told] = await talker.ask(**ASK)
        assert told == _said(
            "inference_result",
            result={"generated_text": "Hello"},
            model="tiny",
            task="text-generation",
        )
        await talker.say(type="inference", model="tiny", inputs="Hi")
        started = await talker.hear()
        assert (await talker.hear())["request_id"] == started["request_id"] != ""


async def test_what_is_no_request_is_told_in_the_briefs_words() -> None:
    async with (
        open_node(FakeBackend(says(*HELLO)), clock=HandClock()) as node,
        dial(node) as talker,
    ):
        missing = "Missing required fields: model and inputs"
        await talker.say(type="inference", request_id="r1", model="tiny")
        assert await talker.hear() == _said("error", message=missing)
        await talker.say(type="inference", request_id="r1", inputs="Hi")
        assert await talker.hear() == _said("error", message=missing)
        await talker.say(type="dance")
        assert await talker.hear() == {"type": "error", "message": "Unknown message type: dance"}
        for text in ("{", "", "\x00", "[" * 100_000):
            await talker.line.send(text)
            assert await talker.hear() == {"type": "error", "message": "Invalid JSON format"}
        for text, kind in (("[1]", "array"), ('"ping"', "str"), ("null", "null")):
            await talker.line.send(text)
            told = f"A message is a JSON object: Expected `object`, got `{kind}`"
            assert await talker.hear() == {"type": "error", "message": told}
        await talker.say(type="ping")
        assert await talker.hear() == {"type": "pong", "timestamp": NOW}
        await talker.say(type="inference", request_id="r1", model=7, inputs="Hi")
        told = await talker.hear()
        assert "model" in told["message"]
        assert "Hi" not in told["message"]


async def test_a_wrong_request_fails_under_its_own_id_and_says_what_to_do() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, dial(node) as talker:
        for wrong, says_so in (
            ({"task": "dancing"}, "dancing"),
            ({"model": "nobody-has-this"}, "inferd models"),
            ({"task": "image-classification"}, "base64"),
            ({"parameters": {"temperature": "hot"}}, "temperature"),
            ({"parameters": [1]}, "parameters"),
            ({"headers": {"X-Inference-Tier": "moon"}}, "X-Inference-Tier"),
            ({"headers": ["x"]}, "headers"),
        ):
            [*_, told] = await talker.ask(**{**ASK, **wrong})
            assert told["type"] == "inference_error"
            assert told["request_id"] == "r1"
            assert says_so in told["error"]
            assert told.keys() == {"type", "request_id", "error", "timestamp"}
        [*_, told] = await talker.ask(**{**ASK, "model": "nobody"}, details=True)
        assert told["details"]["kind"] == "model_not_found"
        assert told["details"]["hint"]


async def test_a_broken_answer_is_an_error_and_never_a_short_one() -> None:
    broken = breaks_after(TextDelta("Hel"), BackendFailed("it broke off"))
    async with open_node(FakeBackend(broken)) as node, dial(node) as talker:
        heard = await talker.ask(**ASK, stream=True)
        assert [each["type"] for each in heard] == [
            "inference_started",
            "inference_chunk",
            "inference_error",
        ]
        heard = await talker.ask(**ASK)
        assert [each["type"] for each in heard] == ["inference_started", "inference_error"]
        silent = breaks_after(TextDelta("Hel"), ValueError("a fault of ours"))
    async with open_node(FakeBackend(silent)) as node, dial(node) as talker:
        [*_, told] = await talker.ask(**ASK, stream=True)
        assert "fault of ours" not in told["error"]


@WAYS
async def test_several_run_at_once_and_pings_are_answered_meanwhile(way: Way) -> None:
    gate = asyncio.Event()

    async def waits(backend: FakeBackend, request: InferenceRequest) -> Answer:
        if request.id == "slow":
            await gate.wait()
        return await says(*HELLO)(backend, request)

    async with open_node(FakeBackend(waits), way=way) as node, dial(node) as talker:
        await talker.say(type="inference", **{**ASK, "request_id": "slow"})
        assert (await talker.hear())["type"] == "inference_started"
        await talker.say(type="ping")
        assert (await talker.hear())["type"] == "pong"
        heard = await talker.ask(**ASK, stream=True)
        assert {each["request_id"] for each in heard} == {"r1"}
        await talker.say(type="inference", **{**ASK, "request_id": "slow"})
        assert (await talker.hear("error"))["request_id"] == "slow"
        gate.set()
        assert (await talker.hear())["request_id"] == "slow"


@BOTH
async def test_cancel_ends_an_inference_and_frees_its_backend(way: Way) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend, way=way, clock=HandClock()) as node, dial(node) as talker:
        await talker.say(type="inference", **ASK)
        await talker.hear("inference_started")
        await soon(backend.entered.wait())
        await talker.say(type="cancel", request_id="r1")
        assert await talker.hear() == _said("inference_cancelled")
        assert backend.freed.is_set()
        assert node.ledger.outcomes == ["aborted"]
        await talker.say(type="cancel", request_id="r1")
        assert (await talker.hear())["type"] == "error"
        await talker.say(type="cancel")
        assert "request_id" in (await talker.hear())["message"]


async def test_cancelled_in_the_same_breath_it_was_asked() -> None:
    async with open_node(FakeBackend(hangs)) as node, dial(node) as talker:
        await talker.say(type="inference", **ASK)
        await talker.say(type="cancel", request_id="r1")
        heard = await talker.hear_to("inference_cancelled")
        assert [each["type"] for each in heard] == ["inference_started", "inference_cancelled"]


@WAYS
@pytest.mark.parametrize("manner", ["close", "abort"])
async def test_a_client_that_leaves_cancels_everything(way: Way, manner: str) -> None:
    backend = FakeBackend(hangs_mid_stream)
    async with open_node(backend, way=way) as node:
        async with dial(node) as talker:
            for number in range(3):
                await talker.say(type="inference", **ASK | {"request_id": number}, stream=True)
                await talker.hear("inference_chunk")
            if manner == "abort":
                talker.line.transport.abort()
        await soon(backend.freed.wait())
        while len(node.ledger.rows) < 3:
            node.ledger.news.clear()
            await soon(node.ledger.news.wait())
        assert node.ledger.outcomes == ["aborted"] * 3
        assert not any(member.in_flight for member in node.gateway.pool)


async def test_more_at_once_than_allowed_are_refused() -> None:
    sockets = SocketSettings(inferences=2)
    async with open_node(FakeBackend(hangs), sockets=sockets) as node, dial(node) as talker:
        for number in range(3):
            await talker.say(type="inference", **ASK | {"request_id": number}, details=True)
        told = await talker.hear("inference_error")
        assert told["request_id"] == 2
        assert told["details"]["kind"] == "rate_limited"
        await talker.say(type="cancel", request_id=0)
        await talker.hear("inference_cancelled")
        await talker.say(type="inference", **ASK | {"request_id": 3})
        assert (await talker.hear())["type"] == "inference_started"


async def test_directions_hold_for_the_socket_and_for_one_message() -> None:
    far = FakeBackend(says(*HELLO), "far", tier=Tier.CLOUD)
    near = FakeBackend(says(*HELLO), "near", tier=Tier.LOCAL)
    local = {"X-Inference-Tier": "local"}
    async with open_node(far, near) as node:
        async with dial(node, headers=local) as talker:
            [*_, told] = await talker.ask(**ASK, details=True)
            assert told["details"]["backend"] == "near"
            headers = {"x-inference-tier": "cloud", "X-Inference-Backend": "far"}
            [*_, told] = await talker.ask(**ASK, details=True, headers=headers)
            assert told["details"]["backend"] == "far"
        async with dial(node) as talker:
            [*_, told] = await talker.ask(**ASK, details=True, stream=True, headers=local)
            assert told["details"]["backend"] == "near"
            assert told["details"]["output_tokens"] == 2
            assert "route" not in told["details"]
            explain = {"X-Inference-Explain": "true"}
            [*_, told] = await talker.ask(**ASK, details=True, headers=explain)
            assert "near" in told["details"]["route"]


async def test_a_chat_and_chunks_that_are_no_text() -> None:
    async def chunks() -> AsyncIterator[Chunk]:
        yield Value({"a": 1})
        yield Finish()

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        return backend.answer(chunks())

    backend = FakeBackend(infer)
    async with open_node(backend) as node, dial(node) as talker:
        for inputs in ("Hi", [{"role": "user", "content": "Hi"}]):
            chat = {**ASK, "task": "chat", "inputs": inputs}
            [_, piece, last] = await talker.ask(**chat, stream=True)
            assert piece["chunk"] == {"result": {"a": 1}}
            assert last["type"] == "inference_complete"
        first, second = (request.inputs for request in backend.requests)
        assert first == second


async def test_messages_may_come_as_bytes() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, dial(node) as talker:
        await talker.line.send(json.dumps({"type": "ping"}).encode())
        assert (await talker.hear())["type"] == "pong"


def _said(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, "request_id": "r1", "timestamp": NOW, **more}
