"""Answers on their way out: whole, streamed, untouched, cut short."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Embeddings, Finish, TextDelta
from tests.frontends import nodes
from tests.frontends.fakes import (
    HELLO,
    Behaviour,
    FakeBackend,
    breaks_after,
    fails,
    hangs,
    hangs_mid_stream,
    iterate,
    passes,
    says,
)
from tests.frontends.nodes import Node, Way, Wire, open_node, soon

CHAT = '{"messages":[{"role":"user","content":"Hi"}]}'
STREAM = '{"stream":true,"messages":[{"role":"user","content":"Hi"}]}'
SPEC = '{"task":"text-generation","payload":{"prompt":"Hi"}}'
EVENTS = "Accept: text/event-stream\r\n"
STREAMS = [("/v1/chat/completions", STREAM, ""), ("/inference", SPEC, EVENTS)]


@pytest.fixture(params=Way, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask each test's node in every way there is."""
    monkeypatch.setattr(nodes, "usual_way", request.param)


async def ask(wire: Wire, path: str, body: str, headers: str = "") -> None:
    await wire.send(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"{headers}Content-Length: {len(body)}\r\n\r\n{body}"
    )


async def chat(node: Node, body: str) -> str:
    answer = await node.client.post(
        "/v1/chat/completions", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200
    return answer.text


async def test_an_answer_says_who_gave_it() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        answer = await node.client.post("/inference", json={"task": "chat", "payload": {
            "messages": [{"role": "user", "content": "Hi"}]}})  # fmt: skip
    assert answer.json() == {"generated_text": "Hello"}
    said = {name: value for name, value in answer.headers.items() if name.startswith("x-inf")}
    assert said == {
        "x-inference-source": "local",
        "x-inference-backend": "fake",
        "x-inference-node": "node-a",
        "x-inference-nodes": "node-a",
        "x-inference-model": "tiny",
        "x-inference-usage": "input_tokens=3, output_tokens=2",
    }


async def test_warnings_become_headers_that_cannot_break_out() -> None:
    nasty = "no\r\nSet-Cookie: a=b\r\n\r\n<script>é…\x00"
    backend = FakeBackend(says(*HELLO, warnings=(nasty, "second")))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/chat/completions", content=CHAT, headers={"Content-Type": "application/json"}
        )
    assert "set-cookie" not in answer.headers
    assert answer.headers.get_list("x-inference-warning") == [
        "no  Set-Cookie: a=b    <script>???",
        "second",
    ]


async def test_a_model_s_name_cannot_break_out_of_its_header() -> None:
    chunks = (TextDelta("Hi"), Finish(model="m\r\nX-Evil: 1"))
    async with open_node(FakeBackend(says(*chunks))) as node:
        answer = await node.client.post("/inference", json={"task": "text-generation",
            "payload": {"prompt": "Hi"}})  # fmt: skip
    assert "x-evil" not in answer.headers
    assert answer.headers["x-inference-model"] == "m  X-Evil: 1"


async def test_every_node_that_saw_the_words_is_named_however_many() -> None:
    names = tuple(f"node-{number:016x}" for number in range(32))

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        return Answer(iterate(*HELLO), served=Served(nodes=names, warnings=("w" * 5000,) * 50))

    async with open_node(FakeBackend(infer)) as node:
        answer = await node.client.post(
            "/v1/chat/completions", content=CHAT, headers={"Content-Type": "application/json"}
        )
    assert answer.headers["x-inference-nodes"] == ",".join(("node-a", *names))
    assert answer.headers.get_list("x-inference-warning") == ["w" * 500] * 16


async def test_a_stream_ends_with_its_mark() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        text = await chat(node, STREAM)
        assert node.ledger.outcomes == ["ok"]
    assert text.count('"finish_reason":"stop"') == 1
    assert text.endswith("data: [DONE]\n\n")


async def test_tasks_stream_as_tgi_does() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node, node.dial() as wire:
        await ask(wire, "/inference", SPEC, EVENTS)
        answer = (await wire.until(b"0\r\n\r\n")).decode()
    assert '"token":{"id":0,"text":"Hel"' in answer
    assert '"generated_text":"Hello"' in answer


@pytest.mark.parametrize(("path", "body", "headers"), STREAMS)
async def test_a_failure_after_the_first_chunk_is_an_event_and_a_cut(
    path: str, body: str, headers: str
) -> None:
    backend = FakeBackend(breaks_after(TextDelta("Hel"), BackendFailed("it broke off")))
    async with open_node(backend) as node, node.dial() as wire:
        await ask(wire, path, body, headers)
        answer = await wire.rest()
        assert node.ledger.outcomes == ["backend_failed"]
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"Hel" in answer
    assert b"it broke off" in answer
    assert b"[DONE]" not in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert backend.freed.is_set()


async def test_a_fault_of_ours_mid_stream_is_told_without_its_insides() -> None:
    backend = FakeBackend(breaks_after(TextDelta("Hel"), RuntimeError("insides")))
    async with open_node(backend) as node, node.dial() as wire:
        await ask(wire, "/v1/chat/completions", STREAM)
        answer = await wire.rest()
    assert b"internal" in answer
    assert b"insides" not in answer
    assert b"[DONE]" not in answer


@pytest.mark.parametrize(
    "behaviour",
    [
        says(),
        fails(BackendFailed("no")),
        says(Embeddings(data=b"\0\0\0\0", dimension=1), Finish()),
    ],
)
async def test_a_failure_before_the_first_byte_is_a_status(behaviour: Behaviour) -> None:
    async with open_node(FakeBackend(behaviour)) as node:
        answer = await node.client.post(
            "/v1/chat/completions", content=STREAM, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "backend_failed"


async def test_a_stream_without_an_end_is_never_passed_off_as_whole() -> None:
    async with open_node(FakeBackend(says(TextDelta("Hel")))) as node, node.dial() as wire:
        await ask(wire, "/v1/chat/completions", STREAM)
        answer = await wire.rest()
        assert node.ledger.outcomes == ["backend_failed"]
    assert b"[DONE]" not in answer
    assert b"without saying" in answer


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", CHAT), ("/v1/chat/completions", STREAM), ("/inference", SPEC)],
)
async def test_a_caller_that_leaves_before_the_answer_frees_the_backend(
    path: str, body: str
) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend) as node, node.dial() as wire:
        await ask(wire, path, body)
        await soon(backend.entered.wait())
        wire.hang_up()
        await soon(backend.freed.wait())
        await soon(node.ledger.news.wait())
        assert node.ledger.outcomes == ["aborted"]
        assert [member.in_flight for member in node.gateway.pool] == [0]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/inference"])
async def test_a_caller_that_leaves_mid_body_is_nobody_s_fault(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    backend = FakeBackend(says(*HELLO))
    async with open_node(backend) as node:
        async with node.dial() as wire:
            await wire.send(
                f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Expect: 100-continue\r\nContent-Length: 9999\r\n\r\n"
            )
            await wire.until(b"100 Continue\r\n\r\n")
            await wire.send("{")
        assert (await node.client.get("/healthz")).status_code == 200
    assert backend.requests == []
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.mark.parametrize(("path", "body", "headers"), STREAMS)
async def test_a_caller_that_leaves_mid_stream_frees_the_backend(
    path: str, body: str, headers: str
) -> None:
    backend = FakeBackend(hangs_mid_stream)
    async with open_node(backend) as node, node.dial() as wire:
        await ask(wire, path, body, headers)
        await wire.until(b"Hel")
        wire.hang_up()
        await soon(backend.freed.wait())
        await soon(node.ledger.news.wait())
        assert node.ledger.outcomes == ["aborted"]


async def test_an_answered_request_leaves_no_task_behind() -> None:
    async with open_node(FakeBackend(says(*HELLO))) as node:
        assert "Hel" in await chat(node, STREAM)
        assert (await node.client.get("/healthz")).status_code == 200
        assert not [task for task in asyncio.all_tasks() if "Exchange" in repr(task)]


async def test_bytes_of_the_same_wire_pass_untouched() -> None:
    body = b'{"odd":  "spacing", "and": ["fields"]}'
    backend = FakeBackend(passes(body, content_type="application/json; x=1", status=202))
    async with open_node(backend) as node:
        answer = await node.client.post(
            "/v1/chat/completions", content=CHAT, headers={"Content-Type": "application/json"}
        )
        assert node.ledger.outcomes == ["ok"]
    assert (answer.status_code, answer.content) == (202, body)
    assert answer.headers["content-type"] == "application/json; x=1"
    assert answer.headers["x-upstream"] == "yes"
    raw = backend.requests[0].raw
    assert raw is not None
    assert raw.body == CHAT.encode()


async def test_a_stream_of_the_same_wire_passes_untouched_with_its_own_end() -> None:
    pieces = (b"data: {", b"}\n\nda", b"ta: [DONE]\n\n")
    backend = FakeBackend(passes(None, *pieces, content_type="text/event-stream"))
    async with open_node(backend) as node:
        assert await chat(node, STREAM) == "data: {}\n\ndata: [DONE]\n\n"
        answer = await node.client.post(
            "/v1/chat/completions", content=STREAM, headers={"Content-Type": "application/json"}
        )
        assert answer.headers["x-accel-buffering"] == "no"


async def test_half_an_event_does_not_swallow_the_error_behind_it() -> None:
    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        answer = await breaks_after(b"data: {", BackendFailed("cut"))(backend, request)
        answer.wire, answer.content_type = "openai.chat", "text/event-stream"
        return answer

    async with open_node(FakeBackend(infer)) as node, node.dial() as wire:
        await ask(wire, "/v1/chat/completions", STREAM)
        answer = await wire.rest()
    assert b'\n\ndata: {"error"' in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_backend_that_never_waits_still_lets_the_node_see_the_caller_leave() -> None:
    produced = 0

    async def chunks() -> AsyncIterator[Chunk]:
        nonlocal produced
        for _ in range(2000):
            produced += 1
            yield TextDelta("x" * 64 * 1024)
        yield Finish()

    async def infer(backend: FakeBackend, request: InferenceRequest) -> Answer:
        return backend.answer(chunks())

    backend = FakeBackend(infer)
    async with open_node(backend) as node, node.dial() as wire:
        await ask(wire, "/v1/chat/completions", STREAM)
        await wire.until(b"xxx")
        wire.hang_up()
        await soon(backend.freed.wait())
        assert node.ledger.outcomes == ["aborted"]
    assert produced < 1000
