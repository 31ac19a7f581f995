"""Another server asked over WebSockets: the brief's own, and a whole node of ours."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import Answer, collect
from inferd.core.backend import Backend, Model
from inferd.core.content import BytesFile, Message
from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    LoopDetected,
    ModelNotFound,
    NodeError,
    PayloadTooLarge,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, Finish, Media, Result, TextDelta
from inferd.frontends.websocket.settings import SocketSettings
from tests.backends.fake_ws import FakeSocketServer, listening
from tests.backends.fakes import MODEL, SECRET
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, fails, hangs, hangs_mid_stream, says
from tests.frontends.nodes import Node, open_node, soon

ASK = InferenceRequest(
    id="req-1", task="text-generation", model=MODEL, inputs={"prompt": "one two three"}
)
STREAM = msgspec.structs.replace(ASK, stream=True)


@asynccontextmanager
async def asking(url: str, **more: object) -> AsyncGenerator[Backend]:
    settings = msgspec.structs.replace(
        Settings(name="far", base_url=url, api_key=SECRET, timeout=5.0), **more
    )
    async with open_kind("ws_node", settings, node="node-b", clock=HandClock()) as backend:
        yield backend


async def chunks_of(answer: Answer) -> list[Chunk]:
    try:
        return [chunk async for chunk in answer]
    finally:
        answer.close()


async def result_of(backend: Backend, request: InferenceRequest) -> Result:
    answer = await backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


@pytest.mark.parametrize("is_inferd", [True, False])
async def test_the_briefs_own_server_is_understood(is_inferd: bool) -> None:
    async with listening(FakeSocketServer(is_inferd=is_inferd)) as server:
        async with asking(server.url) as backend:
            offered = await backend.capabilities()
            assert offered.open_tasks == {"chat", "text-generation", "text-to-image"}
            assert (await result_of(backend, ASK)).text == "one two three"
            chunks = await chunks_of(await backend.infer(STREAM))
            assert chunks[:-1] == [TextDelta("one"), TextDelta(" two"), TextDelta(" three")]
            assert isinstance(chunks[-1], Finish)
            # Each on the connection that the one before it left whole.
            assert server.opened == 1
        assert [asked["inputs"] for asked in server.asked] == ["one two three"] * 2
        assert server.asked[0]["headers"]["X-Inference-Hops"] == "node-b"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (HTTPStatus.UNAUTHORIZED, BackendUnavailable),
        (HTTPStatus.FORBIDDEN, BackendDenied),
        (HTTPStatus.TOO_MANY_REQUESTS, BackendLimited),
        (HTTPStatus.SERVICE_UNAVAILABLE, BackendOverloaded),
        (HTTPStatus.FOUND, BackendUnavailable),
        (HTTPStatus.BAD_GATEWAY, BackendFailed),
    ],
)
async def test_a_refused_handshake_is_one_of_our_errors(
    status: HTTPStatus, expected: type[NodeError]
) -> None:
    server = FakeSocketServer()
    server.status = status
    async with listening(server), asking(server.url) as backend:
        with pytest.raises(expected) as failed:
            await backend.infer(ASK)
        assert "trace" not in str(failed.value)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("cut", BackendFailed),
        ("garbage", BackendFailed),
        ("going", BackendUnavailable),
        ("error", BackendOverloaded),
        ("hang", BackendTimeout),
        ("stall", BackendTimeout),
        ("mute", BackendTimeout),
    ],
)
@pytest.mark.parametrize("request_of", [ASK, STREAM], ids=["whole", "stream"])
async def test_what_goes_wrong_is_one_of_our_errors_and_frees_the_server(
    mode: str, expected: type[NodeError], request_of: InferenceRequest
) -> None:
    server = FakeSocketServer()
    server.mode = mode
    short = {"timeout": 0.2, "stall": 0.2} if expected is BackendTimeout else {}
    async with listening(server), asking(server.url, **short) as backend:
        with pytest.raises(expected):
            await result_of(backend, request_of)
        if mode != "error":
            await server.until_empty()


async def test_nobody_there_is_unavailable() -> None:
    async with listening(FakeSocketServer()) as server:
        url = server.url
    async with asking(url) as backend:
        with pytest.raises(BackendUnavailable):
            await backend.infer(ASK)
        with pytest.raises(BackendUnavailable):
            await backend.capabilities()
    with pytest.raises(BackendUnavailable):
        await backend.infer(ASK)


async def test_closing_or_cancelling_an_answer_ends_it_there() -> None:
    server = FakeSocketServer()
    server.mode = "stall"
    async with listening(server), asking(server.url) as backend:
        answer = await backend.infer(STREAM)
        assert await anext(answer) == TextDelta("one")
        answer.close()
        await server.until_empty()
        server.mode = "hang"
        task = asyncio.get_running_loop().create_task(backend.infer(ASK))
        while len(server.asked) < 2:
            await asyncio.get_running_loop().run_in_executor(None, list)
        task.cancel()
        await server.until_empty()


async def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async with listening(FakeSocketServer()) as server, asking(server.url) as backend:
        for count in (1, 2, 3):
            assert (await result_of(backend, ASK)).text == "one two three"
            assert server.opened == count
            for socket in tuple(server.sockets):
                socket.transport.abort()
            await server.until_empty()


async def test_so_many_connections_and_no_more() -> None:
    server = FakeSocketServer()
    server.mode = "stall"
    async with listening(server), asking(server.url, options={"connections": 1}) as backend:
        answer = await backend.infer(STREAM)
        with pytest.raises(BackendOverloaded):
            await backend.infer(STREAM)
        answer.close()


async def test_what_it_has_no_word_for_is_refused_without_traffic() -> None:
    async with listening(FakeSocketServer()) as server:
        async with asking(server.url, models={"ours": "theirs"}) as backend:
            assert [model.id for model in (await backend.capabilities()).models] == ["ours"]
            with pytest.raises(ModelNotFound):
                await backend.infer(ASK)
            await result_of(backend, msgspec.structs.replace(ASK, model="ours"))
            assert server.asked[0]["model"] == "theirs"
            picture = BytesFile(field="image", name="a.png", data=b"", content_type="image/png")
            with pytest.raises(UnsupportedTask):
                await backend.infer(msgspec.structs.replace(ASK, model="ours", files=(picture,)))
        with pytest.raises(ValueError, match="base_url"):
            async with asking(""):
                pass


# A whole node of ours


@asynccontextmanager
async def asking_node(node: Node) -> AsyncGenerator[Backend]:
    async with asking(f"ws://{node.host}/ws") as backend:
        yield backend


async def test_another_inferd_answers_and_says_who_it_was() -> None:
    behind = FakeBackend(says(*HELLO))
    async with open_node(behind, secrets=[SECRET]) as node, asking_node(node) as backend:
        assert "chat" in (await backend.capabilities()).open_tasks
        words = (Message(role="user", text="Hi"),)
        chat = InferenceRequest(
            id="r", task="chat", model="tiny", inputs={"messages": words}, stream=True
        )
        answer = await backend.infer(chat)
        assert answer.served.node == "node-a"
        assert await chunks_of(answer) == [*HELLO]
        assert behind.requests[0].inputs["messages"] == words
        assert behind.requests[0].hops == ("node-b",)
        tiny = msgspec.structs.replace(ASK, model="tiny", tiers=frozenset({Tier.LOCAL}))
        result = await result_of(backend, tiny)
        assert (result.text, result.usage.output_tokens) == ("Hello", 2)
        assert behind.requests[1].tiers == {Tier.LOCAL}


async def test_a_picture_comes_as_it_was_made() -> None:
    picture = Media(data=b"\x89PNG", content_type="image/png", name="a.png")
    paints = Model(id="tiny", tasks=frozenset({"text-to-image"}))
    behind = FakeBackend(says(picture, Finish()), models=(paints,))
    async with open_node(behind, secrets=[SECRET]) as node, asking_node(node) as backend:
        asked = msgspec.structs.replace(ASK, task="text-to-image", model="tiny")
        assert (await result_of(backend, asked)).media == picture


async def test_its_errors_are_ours_by_their_kind() -> None:
    async with (
        open_node(FakeBackend(fails(BackendOverloaded("busy"))), secrets=[SECRET]) as node,
        asking_node(node) as backend,
    ):
        tiny = msgspec.structs.replace(ASK, model="tiny")
        with pytest.raises(BackendOverloaded):
            await backend.infer(tiny)
        with pytest.raises(ModelNotFound):
            await backend.infer(ASK)
        with pytest.raises(LoopDetected):
            await backend.infer(msgspec.structs.replace(tiny, hops=("node-a",)))
        long = msgspec.structs.replace(tiny, inputs={"prompt": "x" * (2 << 20)})
        with pytest.raises(PayloadTooLarge):
            await backend.infer(long)


@pytest.mark.parametrize("behaviour", [hangs, hangs_mid_stream])
async def test_leaving_frees_what_stands_behind_it(behaviour: object) -> None:
    is_late = behaviour is hangs_mid_stream
    behind = FakeBackend(hangs_mid_stream if is_late else hangs)
    async with open_node(behind, secrets=[SECRET]) as node, asking_node(node) as backend:
        tiny = msgspec.structs.replace(STREAM, model="tiny")
        task = asyncio.get_running_loop().create_task(backend.infer(tiny))
        if is_late:
            answer = await task
            await anext(answer)
            answer.close()
        else:
            await soon(behind.entered.wait())
            task.cancel()
        await soon(behind.freed.wait())


async def test_its_limit_of_connections_is_told_as_a_limit() -> None:
    sockets = SocketSettings(connections=1)
    behind = FakeBackend(hangs_mid_stream)
    async with (
        open_node(behind, secrets=[SECRET], sockets=sockets) as node,
        asking_node(node) as backend,
    ):
        tiny = msgspec.structs.replace(STREAM, model="tiny")
        answer = await backend.infer(tiny)
        with pytest.raises(BackendLimited):
            await backend.infer(tiny)
        answer.close()
