"""The servers that speak OpenAI's API: how each lists its models, and what it wants to be told."""

import asyncio
import json

import pytest

from inferd.backends import Settings, open_kind
from inferd.core.errors import BackendFailed, BackendUnavailable
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Usage
from inferd.wire import openai_chat
from tests.backends.fakes import MODEL, SECRET, FakeNode, FakeOpenAI, FakeUpstream
from tests.backends.subjects import NODE, Subject, remote
from tests.clocks import HandClock
from tests.http1.upstream import BOUND, Received, Wire

WRITES = ["chat", "text-generation"]
EMBEDS = ["feature-extraction"]

LISTS: dict[str, tuple[object, dict[str, list[str]]]] = {
    "openai": (
        {
            "object": "list",
            "data": [
                {"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "system"},
                {"id": "text-embedding-3-small", "object": "model"},
                {"id": "whisper-1", "object": "model"},
                {"id": "dall-e-3", "object": "model"},
                {"id": "tts-1-hd", "object": "model"},
                {"id": "omni-moderation-latest", "object": "model"},
            ],
        },
        {"gpt-4o": WRITES, "text-embedding-3-small": EMBEDS},
    ),
    "vllm": (
        {
            "object": "list",
            "data": [
                {
                    "id": "meta-llama/Llama-3.1-8B-Instruct",
                    "object": "model",
                    "owned_by": "vllm",
                    "root": "/models/llama",
                    "parent": None,
                    "max_model_len": 8192,
                    "permission": [{"id": "modelperm-1", "allow_sampling": True}],
                },
                {"id": "sql-lora", "parent": "meta-llama/Llama-3.1-8B-Instruct"},
            ],
        },
        {"meta-llama/Llama-3.1-8B-Instruct": WRITES, "sql-lora": WRITES},
    ),
    "sglang": (
        {"object": "list", "data": [{"id": "qwen", "owned_by": "sglang", "max_model_len": 32768}]},
        {"qwen": WRITES},
    ),
    "llama.cpp": (
        {
            "models": [{"name": "m.gguf", "model": "m.gguf", "capabilities": ["completion"]}],
            "object": "list",
            "data": [{"id": "m.gguf", "object": "model", "owned_by": "llamacpp", "meta": {"n": 1}}],
        },
        {"m.gguf": WRITES},
    ),
    "lm studio": (
        {
            "data": [
                {"id": "qwen2-vl-7b", "type": "vlm", "state": "loaded"},
                {"id": "nomic", "type": "embeddings", "state": "not-loaded"},
            ]
        },
        {"qwen2-vl-7b": WRITES, "nomic": EMBEDS},
    ),
    "tgi": (
        {"object": "list", "data": [{"id": "tgi", "object": "model", "owned_by": "tgi"}]},
        {"tgi": WRITES},
    ),
    "ollama": (
        {
            "models": [
                {
                    "name": "llama3:8b",
                    "model": "llama3:8b",
                    "capabilities": ["completion", "tools"],
                },
                {"name": "arctic:22m", "model": "arctic:22m", "capabilities": ["embedding"]},
            ]
        },
        {"llama3:8b": WRITES, "arctic:22m": EMBEDS},
    ),
    "openrouter": (
        {
            "data": [
                {
                    "id": "mistralai/mistral-small",
                    "name": "Mistral: Small",
                    "architecture": {"modality": "text->text", "output_modalities": ["text"]},
                    "pricing": {"prompt": "0.1"},
                },
                {"id": "acme/vec", "architecture": {"output_modalities": ["embeddings"]}},
                {"id": "acme/draw", "architecture": {"output_modalities": ["image"]}},
                {"id": "acme/both", "architecture": {"output_modalities": ["image", "text"]}},
            ]
        },
        {"mistralai/mistral-small": WRITES, "acme/vec": EMBEDS, "acme/both": WRITES},
    ),
    "together": (
        [
            {"id": "a/chat", "type": "chat"},
            {"id": "a/lang", "type": "language"},
            {"id": "a/vec", "type": "embedding"},
            {"id": "a/flux", "type": "image"},
            {"id": "a/rank", "type": "rerank"},
        ],
        {"a/chat": WRITES, "a/lang": WRITES, "a/vec": EMBEDS},
    ),
    "mistral": (
        {
            "data": [
                {
                    "id": "mistral-small-2506",
                    "aliases": ["mistral-small-latest"],
                    "capabilities": {"completion_chat": True, "vision": True},
                },
                {"id": "mistral-embed", "capabilities": {"completion_chat": False}},
            ]
        },
        {"mistral-small-2506": WRITES, "mistral-embed": EMBEDS},
    ),
    "groq": (
        {"data": [{"id": "llama", "active": True}, {"id": "old", "active": False}]},
        {"llama": WRITES},
    ),
    "rows of anything": (
        {"data": [{"id": "a", "type": "model"}, {"id": 7}, {}, "b", None, {"id": "a"}]},
        {"a": WRITES},
    ),
}


class Listing(FakeOpenAI):
    def __init__(self, said: object) -> None:
        super().__init__()
        self.said = said

    async def route(self, wire: Wire, request: Received) -> None:
        if request.path == "/v1/models":
            await self.whole(wire, self.said)
        else:
            await super().route(wire, request)


@pytest.mark.parametrize("server", LISTS)
async def test_each_servers_list_is_read(server: str) -> None:
    said, expected = LISTS[server]
    async with asyncio.timeout(BOUND), remote("openai", Listing(said), path="/v1") as subject:
        offered = await subject.backend.capabilities()
    assert {model.id: sorted(model.tasks) for model in offered.models} == expected


async def test_other_names_that_a_server_knows_count() -> None:
    said = LISTS["mistral"][0]
    async with asyncio.timeout(BOUND), remote("openai", Listing(said), path="/v1") as subject:
        offered = await subject.backend.capabilities()
    assert offered.find("chat", "mistral-small-latest") == "mistral-small-2506"


@pytest.mark.parametrize("said", [{"data": "none"}, {"x": 1}, "models", 7])
async def test_what_is_no_list_is_a_failure(said: object) -> None:
    async with asyncio.timeout(BOUND), remote("openai", Listing(said), path="/v1") as subject:
        with pytest.raises(BackendFailed, match="isn't a list of models"):
            await subject.backend.capabilities()


# What goes with every request


def upstream_of(subject: Subject) -> FakeUpstream:
    assert subject.upstream is not None
    return subject.upstream


async def test_the_operators_own_headers_go_with_every_request() -> None:
    headers = {"HTTP-Referer": "https://acme.example", "X-Title": "Acme"}
    opened = remote("openai", FakeOpenAI(), path="/v1", options={"headers": headers})
    async with asyncio.timeout(BOUND), opened as subject:
        await subject.backend.capabilities()
        (await subject.backend.infer(subject.ask())).close()
        (await subject.backend.infer(subject.ask(stream=True))).close()
        seen = [request.headers for request in upstream_of(subject).received]
    assert [each["http-referer"] for each in seen] == ["https://acme.example"] * 3
    assert [each["x-title"] for each in seen] == ["Acme"] * 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "other"},
        {"content-length": "7"},
        {"Transfer-Encoding": "chunked"},
        {"Authorization": "Bearer other"},
        {"x\r\ny": "1"},
        {"x": "1\r\ny: 2"},
        {"x": "é"},
        {"": "x"},
    ],
)
async def test_headers_that_cannot_be_sent_are_refused_at_once(headers: dict[str, str]) -> None:
    settings = Settings(name="x", api_key=SECRET, options={"headers": headers})
    with pytest.raises(ValueError, match="backend x: options: headers"):
        async with open_kind("openai", settings, node=NODE, clock=HandClock()):
            pass


async def test_a_key_in_a_header_is_never_told() -> None:
    class Telling(FakeOpenAI):
        async def handle(self, wire: Wire, request: Received) -> None:
            said = f"wrong key {request.headers['api-key']}"
            await wire.answer(json.dumps({"error": {"message": said}}).encode(), status=400)

    key = {"api-key": "azure-secret-0001"}
    opened = remote("openai", Telling(), path="/v1", api_key="", options={"headers": key})
    async with asyncio.timeout(BOUND), opened as subject:
        with pytest.raises(Exception, match="hidden") as refused:
            await subject.backend.infer(subject.ask())
    assert "azure-secret" not in str(refused.value)


@pytest.mark.parametrize(("kind", "path"), [("openai", "/v1"), ("remote_node", "")])
async def test_the_request_is_known_upstream_by_its_id_and_its_trace(kind: str, path: str) -> None:
    fake = FakeOpenAI() if kind == "openai" else FakeNode()
    trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with asyncio.timeout(BOUND), remote(kind, fake, path=path) as subject:
        (await subject.backend.infer(subject.ask(id="r-7", trace=trace))).close()
        (await subject.backend.infer(subject.ask(id="r\n8"))).close()
        first, second = (request.headers for request in upstream_of(subject).received)
    assert (first["x-request-id"], first["traceparent"]) == ("r-7", trace.decode())
    assert "x-request-id" not in second
    assert "traceparent" not in second


# OpenAI's older completions, passed through


class Completing(FakeOpenAI):
    """Knows `/completions`."""

    async def handle(self, wire: Wire, request: Received) -> None:
        if request.path != "/v1/completions":
            await super().handle(wire, request)
            return
        body = json.loads(request.body)
        choice = {"index": 0, "text": f"more of {body['prompt']}", "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 4}
        if body.get("stream"):
            choices = [{**choice, "finish_reason": None}]
            rows = [{"choices": choices}, {"choices": [choice]}]
            if (body.get("stream_options") or {}).get("include_usage"):
                rows.append({"choices": [], "usage": usage})  # pyright: ignore[reportArgumentType]
            await self.events(wire, [*map(json.dumps, rows), "[DONE]"])
        else:
            await self.whole(wire, {"choices": [choice], "usage": usage, "odd": 1})


@pytest.mark.parametrize(("kind", "path"), [("openai", "/v1"), ("remote_node", "")])
@pytest.mark.parametrize("stream", [False, True])
async def test_completions_pass_through(kind: str, path: str, stream: bool) -> None:
    body = json.dumps({"model": MODEL, "prompt": "a b", "stream": stream, "logprobs": 2})
    raw = Raw(wire="openai.completions", body=body.encode(), model=MODEL)
    request = InferenceRequest(id="r", task="text-generation", model=MODEL, stream=stream, raw=raw)
    async with asyncio.timeout(BOUND), remote(kind, Completing(), path=path) as subject:
        assert raw.wire in subject.backend.wires
        answer = await subject.backend.infer(request)
        said = answer.whole or b"".join(
            [chunk async for chunk in answer if isinstance(chunk, bytes)]
        )
        answer.close()
        sent = upstream_of(subject).received[-1]
    assert answer.wire == raw.wire
    assert answer.usage == Usage(input_tokens=3, output_tokens=4)
    assert b"more of a b" in said
    assert b"prompt_tokens" not in said or not stream
    assert json.loads(sent.body)["logprobs"] == 2


async def test_a_raw_answer_carries_what_describes_its_body() -> None:
    fake = FakeOpenAI()
    fake.headers = {"openai-organization": "acme", "content-language": "en", "set-cookie": "a=b"}
    raw = Raw(
        wire="openai.chat", body=b'{"model":"%b","messages":[{"content":"a"}]}' % MODEL.encode()
    )
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1") as subject:
        answer = await subject.backend.infer(subject.ask(raw=raw))
        answer.close()
    assert answer.block == b"content-type: application/json\r\ncontent-language: en\r\n"


async def test_a_refused_key_without_a_key_says_where_to_put_one() -> None:
    opened = remote("openai", FakeOpenAI(), path="/v1", api_key="")
    async with asyncio.timeout(BOUND), opened as subject:
        with pytest.raises(BackendUnavailable) as refused:
            await subject.backend.infer(subject.ask())
    assert "api_key of openai" in refused.value.hint


@pytest.mark.parametrize("passes", [False, True])
async def test_only_the_model_that_was_governed_is_asked_unless_the_operator_says_so(
    *, passes: bool
) -> None:
    body = b'{"model":"%b","models":["b"],"messages":[{"role":"user","content":"a"}],"odd": 1.0}'
    opened = remote("openai", FakeOpenAI(), path="/v1", options={"routing_fields": passes})
    async with asyncio.timeout(BOUND), opened as subject:
        assert subject.upstream is not None
        request = openai_chat.take_request(body % MODEL.encode(), {}, id="r")
        (await subject.backend.infer(request)).close()
        sent = subject.upstream.received[-1].body
        assert (sent == body % MODEL.encode()) is passes
        assert (b'"models"' in sent) is passes
        assert b'"odd"' in sent
        typed = subject.ask(parameters={"fallbacks": ["b"], "temperature": 1})
        (await subject.backend.infer(typed)).close()
        sent = subject.upstream.received[-1].body
        assert (b'"fallbacks"' in sent) is passes
        assert b'"temperature"' in sent
