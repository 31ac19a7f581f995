"""What is peculiar to the Hub's providers: tasks, chat through its router, offers."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator

import pytest

from inferd.core.answer import Answer
from inferd.core.content import BytesFile, File
from inferd.core.errors import (
    InvalidRequest,
    NodeError,
    PayloadTooLarge,
)
from inferd.core.request import InferenceRequest
from inferd.wire import openai_chat
from tests.backends.fake_hub import PNG, WAV, FakeHub, row
from tests.backends.fakes import EMBEDDER, MODEL, SECRET
from tests.backends.hub_requests import OWN, PATH, Arriving, ask, ask_file, folded
from tests.backends.subjects import Subject, hub
from tests.http1.upstream import BOUND, Wire

LABELS = [{"label": "cat", "score": 1.0}]


@pytest.fixture
def upstream() -> FakeHub:
    return FakeHub()


@pytest.fixture
async def subject(upstream: FakeHub) -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), hub(upstream) as subject:
        yield subject


@pytest.mark.parametrize("file", [BytesFile("image", PNG), Arriving()])
async def test_a_file_alone_is_sent_as_it_is(
    upstream: FakeHub, subject: Subject, file: File
) -> None:
    upstream.answer(PATH, LABELS)
    assert (await folded(subject, ask_file("image-classification", file))).value == LABELS
    (sent,) = upstream.asked
    assert sent.body == PNG
    assert sent.headers["content-type"] == "image/png"
    assert sent.headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("file", [BytesFile("image", PNG), Arriving()])
async def test_beside_parameters_a_file_is_base64(
    upstream: FakeHub, subject: Subject, file: File
) -> None:
    upstream.answer(PATH, [])
    await folded(subject, ask_file("object-detection", file, threshold=0.5))
    (sent,) = upstream.asked
    assert json.loads(sent.body) == {
        "inputs": base64.b64encode(PNG).decode(),
        "parameters": {"threshold": 0.5},
    }
    assert sent.headers["content-type"] == "application/json"


async def test_a_sound_keeps_the_type_that_its_sender_gave(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.answer(PATH, {"text": "hello", "chunks": [{"text": "hello", "timestamp": [0, 1]}]})
    file = BytesFile("audio", WAV, content_type="audio/x-wav; codecs=1")
    result = await folded(subject, ask_file("automatic-speech-recognition", file))
    assert result.text == "hello"
    assert result.value == {"chunks": [{"text": "hello", "timestamp": [0, 1]}]}
    assert upstream.asked[0].headers["content-type"] == "audio/x-wav"


async def test_a_picture_is_asked_for_and_comes_as_bytes(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.answer(PATH, PNG, "image/png")
    result = await folded(subject, ask("text-to-image", prompt="a cat"))
    assert result.media is not None
    assert (result.media.data, result.media.content_type) == (PNG, "image/png")
    assert upstream.asked[0].headers["accept"] == "image/png"


async def test_vectors_and_similarities_are_pipelines(upstream: FakeHub, subject: Subject) -> None:
    vector = await folded(subject, ask("feature-extraction", model=EMBEDDER, prompt="a"))
    assert vector.embeddings is not None
    close = await folded(
        subject, ask("sentence-similarity", model=EMBEDDER, source_sentence="a", sentences=["b"])
    )
    assert close.value == [0.5, 0.25]
    assert len(upstream.looked_up) == 1


async def test_the_second_spelling_of_a_mask_is_tried(upstream: FakeHub, subject: Subject) -> None:
    guess = {"score": 1.0, "token": 1, "token_str": "x", "sequence": "x"}
    upstream.answer(PATH, [guess])
    first = await folded(subject, ask("fill-mask", mask_sentence="a", mask_sentence_alt="b"))
    assert first.value == {"result_1": [guess], "result_2": None}
    assert len(upstream.asked) == 1

    class Picky(FakeHub):
        async def provide(self, wire: Wire, path: str) -> None:
            is_first = b"[MASK]" in self.received[-1].body
            self.failures = {PATH: (400, b'{"error": "no mask_token"}')} if is_first else {}
            await super().provide(wire, path)

    picky = Picky()
    picky.answer(PATH, [guess])
    async with hub(picky) as other:
        asked = ask("fill-mask", mask_sentence="[MASK]", mask_sentence_alt="<mask>")
        again = await folded(other, asked)
        assert again.value == {"result_1": None, "result_2": [guess]}
        with pytest.raises(NodeError, match="mask_token"):
            await folded(other, ask("fill-mask", mask_sentence="[MASK]"))


async def test_text_streams_from_the_task_api(upstream: FakeHub, subject: Subject) -> None:
    events = [
        {"token": {"text": "a", "special": False}, "generated_text": None},
        {"token": {"text": "b", "special": False}, "generated_text": "ab"},
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    upstream.answer(PATH, body, "text/event-stream")
    request = InferenceRequest(
        id="r", task="text-generation", model=f"{OWN}:hf-inference", inputs={"prompt": "x"},
        stream=True,
    )  # fmt: skip
    assert (await folded(subject, request)).text == "ab"
    assert json.loads(upstream.asked[0].body) == {"inputs": "x", "stream": True}


# Chat


RAW = b'{"model": "%b", "odd": 1.0, "stream": %b, "messages": [{"role":"user","content":"a b"}]}'


@pytest.mark.parametrize(
    ("options", "name", "sent"),
    [
        ({}, MODEL, MODEL),
        ({"provider": "together"}, MODEL, f"{MODEL}:together"),
        ({"provider": "fastest"}, MODEL, f"{MODEL}:fastest"),
        ({"provider": "together"}, f"{MODEL}:novita", f"{MODEL}:novita"),
        ({"provider": "together"}, f"{MODEL}:auto", MODEL),
        ({}, "llama", f"{MODEL}:cheapest"),
    ],
)
async def test_the_router_is_told_the_provider(
    upstream: FakeHub, options: dict[str, str], name: str, sent: str
) -> None:
    models = {"llama": f"{MODEL}:cheapest"}
    async with asyncio.timeout(BOUND), hub(upstream, options=options, models=models) as subject:
        assert (await folded(subject, subject.ask(model=name))).text == "one two three"
    assert json.loads(upstream.asked[0].body)["model"] == sent
    assert upstream.looked_up == []


async def test_a_callers_own_bytes_pass_through(upstream: FakeHub) -> None:
    async with (
        asyncio.timeout(BOUND),
        hub(upstream, options={"bill_to": "acme-org"}) as subject,
    ):
        request = openai_chat.decode_request(RAW % (MODEL.encode(), b"true"), id="r")
        answer = await subject.backend.infer(request)
        said = b"".join([chunk async for chunk in answer if isinstance(chunk, bytes)])
        answer.close()
    assert answer.wire == "openai.chat"
    assert said.endswith(b"data: [DONE]\n\n")
    assert b'"odd": 1.0' in upstream.asked[0].body
    assert upstream.asked[0].headers["x-hf-bill-to"] == "acme-org"


async def test_a_question_about_an_image_is_chat(upstream: FakeHub, subject: Subject) -> None:
    request = InferenceRequest(
        id="r", task="image-text-to-text", model=MODEL, inputs={"prompt": "what?"},
        files=(Arriving(),), parameters={"max_new_tokens": 3},
    )  # fmt: skip
    assert (await folded(subject, request)).text == "an image"
    body = json.loads(upstream.asked[0].body)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert body["max_tokens"] == 3


async def test_an_image_that_no_chat_could_carry_is_refused(subject: Subject) -> None:
    request = ask("image-text-to-text", model=MODEL, prompt="what?")
    huge = BytesFile("image", bytes(17 << 20))
    with pytest.raises(PayloadTooLarge):
        await subject.backend.infer(InferenceRequest(
            id="r", task=request.task, model=MODEL, inputs=request.inputs, files=(huge,)
        ))  # fmt: skip
    with pytest.raises(InvalidRequest):
        await subject.backend.infer(request)


# What it offers


async def test_listed_models_are_offered_for_what_they_do(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.mappings[MODEL]["hf-inference"] = row("summarization", MODEL)
    offered = await subject.backend.capabilities()
    assert {model.id: sorted(model.tasks) for model in offered.models} == {
        MODEL: ["chat", "summarization", "text-generation"],
        EMBEDDER: ["feature-extraction", "sentence-similarity"],
    }
    assert "object-detection" in offered.open_tasks


async def test_without_the_hub_the_routers_list_is_believed(
    upstream: FakeHub, subject: Subject
) -> None:
    upstream.mappings.clear()
    offered = await subject.backend.capabilities()
    assert [model.id for model in offered.models] == [MODEL]
    assert isinstance(await subject.backend.infer(subject.ask()), Answer)
