"""What is peculiar to servers of OpenAI's API: bytes that pass through, and names that change."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import Answer, collect
from inferd.core.errors import (
    BackendFailed,
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
)
from inferd.core.request import InferenceRequest, Raw, Tier
from inferd.core.result import Result, Usage
from inferd.wire import openai_chat, openai_embeddings
from tests.backends.fakes import EMBEDDER, JSON, MODEL, SECRET, FakeOpenAI, FakeUpstream
from tests.backends.subjects import NODE, Subject, remote
from tests.clocks import HandClock
from tests.http1.upstream import BOUND, Wire, dead_port


@pytest.fixture
async def subject() -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), remote("openai", FakeOpenAI(), path="/v1") as subject:
        yield subject


def upstream_of(subject: Subject) -> FakeUpstream:
    assert subject.upstream is not None
    return subject.upstream


def raw_chat(body: bytes) -> InferenceRequest:
    return openai_chat.decode_request(body, id="r")


async def folded(subject: Subject, request: InferenceRequest) -> Result:
    answer = await subject.backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


async def bytes_of(answer: Answer) -> bytes:
    pieces: list[bytes] = []
    try:
        async for chunk in answer:
            assert isinstance(chunk, bytes)
            pieces.append(chunk)
    finally:
        answer.close()
    return b"".join(pieces)


ODD = b'{"model": "%b", "odd": 1.0, "stream": %b, "messages": [{"role":"user","content":"a b"}]}'


async def test_a_callers_bytes_pass_through_whole(subject: Subject) -> None:
    body = ODD % (MODEL.encode(), b"false")
    answer = await subject.backend.infer(raw_chat(body))
    assert (answer.wire, answer.status, answer.content_type) == (
        "openai.chat",
        200,
        "application/json",
    )
    assert answer.whole is not None
    assert json.loads(answer.whole)["choices"][0]["message"]["odd"] == 1
    assert answer.usage == Usage(input_tokens=2, output_tokens=2)
    assert upstream_of(subject).received[-1].body == body
    answer.close()


async def test_a_raw_stream_passes_through_and_its_usage_is_read(subject: Subject) -> None:
    body = ODD.replace(b'"odd"', b'"stream_options": {"include_usage": true}, "odd"')
    answer = await subject.backend.infer(raw_chat(body % (MODEL.encode(), b"true")))
    assert answer.content_type == "text/event-stream"
    said = await bytes_of(answer)
    assert said.startswith(b'data: {"model"')
    assert said.endswith(b"data: [DONE]\n\n")
    assert answer.usage == Usage(input_tokens=2, output_tokens=2)


class Unfinished(FakeOpenAI):
    """Ends its streams in good order, but without saying that they are complete."""

    async def events(self, wire: Wire, events: list[str]) -> None:
        await super().events(wire, events[:-3])


@pytest.mark.parametrize("raw", [False, True])
async def test_a_stream_that_does_not_say_it_ended_is_a_failure(raw: bool) -> None:
    async with asyncio.timeout(BOUND), remote("openai", Unfinished(), path="/v1") as subject:
        request = raw_chat(ODD % (MODEL.encode(), b"true")) if raw else subject.ask(stream=True)
        answer = await subject.backend.infer(request)
        with pytest.raises(BackendFailed, match="broke off"):
            async for _ in answer:
                pass
        answer.close()


class Undone(FakeOpenAI):
    """Ends its streams with a finish reason and no [DONE], as some servers do."""

    async def events(self, wire: Wire, events: list[str]) -> None:
        await super().events(wire, events[:-1])


async def test_a_finish_reason_is_an_end_too() -> None:
    async with asyncio.timeout(BOUND), remote("openai", Undone(), path="/v1") as subject:
        answer = await subject.backend.infer(raw_chat(ODD % (MODEL.encode(), b"true")))
        assert b'"finish_reason": "stop"' in await bytes_of(answer)
        assert (await folded(subject, subject.ask(stream=True))).text == "one two three"


async def test_raw_embeddings_pass_through(subject: Subject) -> None:
    body = b'{"model": "%b", "input": ["a", "bc"], "encoding_format": "float"}' % EMBEDDER.encode()
    answer = await subject.backend.infer(openai_embeddings.decode_request(body, id="r"))
    assert answer.wire == "openai.embeddings"
    assert answer.whole is not None
    assert [row["embedding"] for row in json.loads(answer.whole)["data"]] == [[1, 1], [2, 1]]
    assert answer.usage.input_tokens == 6


async def test_embeddings_without_raw_bytes_are_typed(subject: Subject) -> None:
    request = InferenceRequest(
        id="r", task="feature-extraction", model=EMBEDDER, inputs={"prompt": ("a", "bc")}
    )
    result = await folded(subject, request)
    assert result.embeddings is not None
    assert (result.embeddings.count, result.embeddings.dimension) == (2, 2)


async def test_another_wires_bytes_are_not_passed_on(subject: Subject) -> None:
    request = subject.ask(raw=Raw(wire="anthropic.messages", body=b"{}"))
    assert (await folded(subject, request)).text == "one two three"


async def test_text_generation_goes_through_chat(subject: Subject) -> None:
    request = InferenceRequest(
        id="r",
        task="text-generation",
        model=MODEL,
        inputs={"prompt": "a b"},
        parameters={"max_new_tokens": 9, "do_sample": False, "return_full_text": True, "top_k": 3},
    )
    assert (await folded(subject, request)).text == "a ba b"
    sent = json.loads(upstream_of(subject).received[-1].body)
    assert sent == {
        "model": MODEL,
        "messages": [{"role": "user", "content": "a b"}],
        "max_tokens": 9,
        "temperature": 0,
        "top_k": 3,
    }


async def test_contradicting_parameters_are_refused(subject: Subject) -> None:
    request = InferenceRequest(
        id="r",
        task="text-generation",
        model=MODEL,
        inputs={"prompt": "a"},
        parameters={"do_sample": False, "temperature": 0.7},
    )
    with pytest.raises(InvalidRequest):
        await folded(subject, request)
    assert upstream_of(subject).received == []


class Sorry(FakeOpenAI):
    """Says 200 and means failure."""

    async def whole(self, wire: Wire, body: object, content_type: str = JSON) -> None:
        await super().whole(wire, {"error": {"message": "out of memory"}}, content_type)


async def test_two_hundred_with_an_error_inside_is_a_failure() -> None:
    async with asyncio.timeout(BOUND), remote("openai", Sorry(), path="/v1") as subject:
        for request in (subject.ask(), raw_chat(ODD % (MODEL.encode(), b"false"))):
            with pytest.raises(BackendFailed):
                await folded(subject, request)


async def test_models_are_listed_by_what_their_names_say(subject: Subject) -> None:
    offered = await subject.backend.capabilities()
    assert {model.id: sorted(model.tasks) for model in offered.models} == {
        MODEL: ["chat", "text-generation"],
        EMBEDDER: ["feature-extraction"],
    }
    assert offered.open_tasks == frozenset()


@pytest.mark.parametrize(
    ("name", "embeds"),
    [
        ("text-embedding-3-small", True),
        ("nomic-embed-text:latest", True),
        ("BAAI/bge-m3", True),
        ("intfloat/multilingual-e5-large", True),
        ("Alibaba-NLP/gte-Qwen2-7B", True),
        ("sentence-transformers/all-MiniLM-L6-v2", True),
        ("acme/named", True),
        ("gpt-4o", False),
        ("some-e500-chat", False),
        ("forgted", False),
    ],
)
async def test_a_model_makes_vectors_only_if_its_name_or_its_operator_says_so(
    name: str, embeds: bool
) -> None:
    settings = Settings(name="x", models={"ours": name}, options={"embeddings": ["acme/named"]})
    async with open_kind("openai", settings, node=NODE, clock=HandClock()) as backend:
        assert ("feature-extraction" in backend.assumed.tasks) == embeds
        assert ("chat" in backend.assumed.tasks) != embeds


async def test_configured_models_win_and_are_renamed() -> None:
    fake = FakeOpenAI()
    async with (
        asyncio.timeout(BOUND),
        remote("openai", fake, path="/v1", models={"ours": MODEL, "vectors": EMBEDDER},
               options={"embeddings": ["vectors"]}) as subject,
    ):  # fmt: skip
        for offered in (subject.backend.assumed, await subject.backend.capabilities()):
            assert [model.id for model in offered.models] == ["ours", "vectors"]
            assert offered.find("feature-extraction", "") == "vectors"
        assert (await folded(subject, subject.ask(model="ours"))).text == "one two three"
        assert json.loads(fake.received[-1].body)["model"] == MODEL
        sent = len(fake.received)
        with pytest.raises(ModelNotFound):
            await folded(subject, subject.ask(model=MODEL))
        assert len(fake.received) == sent


async def test_a_server_without_a_list_serves_the_configured_models() -> None:
    fake = FakeOpenAI()
    async with (
        asyncio.timeout(BOUND),
        remote("openai", fake, path="/other", models={MODEL: MODEL}) as subject,
    ):
        assert await subject.backend.capabilities() == subject.backend.assumed


@pytest.mark.parametrize(
    ("base_url", "tier", "expected"),
    [
        ("", None, Tier.CLOUD),
        ("http://127.0.0.1:8001/v1", None, Tier.LOCAL),
        ("http://localhost:8001/v1", None, Tier.LOCAL),
        ("http://[::1]:8001/v1", None, Tier.LOCAL),
        ("http://10.0.0.7:8001/v1", None, Tier.CLOUD),
        ("http://10.0.0.7:8001/v1", Tier.TEAM, Tier.TEAM),
    ],
)
async def test_words_stay_here_only_on_loopback(
    base_url: str, tier: Tier | None, expected: Tier
) -> None:
    settings = Settings(name="x", base_url=base_url, tier=tier)
    async with open_kind("openai", settings, node=NODE, clock=HandClock()) as backend:
        assert backend.tier is expected
        assert not backend.is_node


async def test_a_refused_key_says_where_to_look(subject: Subject) -> None:
    upstream = upstream_of(subject)
    upstream.mode, upstream.status = "status", 401
    with pytest.raises(BackendUnavailable) as refused:
        await folded(subject, subject.ask())
    assert "api_key of openai" in refused.value.hint


async def test_nobody_listening_is_unavailable() -> None:
    url = f"http://127.0.0.1:{await dead_port()}/v1"
    settings = Settings(name="x", base_url=url, api_key=SECRET)
    async with (
        asyncio.timeout(BOUND),
        open_kind("openai", settings, node=NODE, clock=HandClock()) as backend,
    ):
        with pytest.raises(BackendUnavailable):
            await backend.capabilities()


@pytest.mark.parametrize(
    "settings",
    [
        Settings(name="x", base_url="ftp://a"),
        Settings(name="x", base_url="http://me:pw@a"),
        Settings(name="x", api_key="line\nbreak"),
        Settings(name="x", options={"colour": "red"}),
    ],
)
async def test_settings_that_cannot_work_are_refused_at_once(settings: Settings) -> None:
    with pytest.raises(ValueError, match="backend x"):
        async with open_kind("openai", settings, node=NODE, clock=HandClock()):
            pass


async def test_connections_are_kept_after_streams_too(subject: Subject) -> None:
    for _ in range(3):
        await folded(subject, subject.ask(stream=True))
        await folded(subject, subject.ask())
    assert upstream_of(subject).server.connections == 1
