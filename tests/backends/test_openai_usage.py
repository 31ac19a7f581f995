"""What streams of OpenAI's API took: asked for, booked, and kept from callers who didn't ask."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.errors import BackendRefused
from inferd.core.request import InferenceRequest
from inferd.core.result import NO_USAGE, Usage
from inferd.wire import openai_chat
from tests.backends.fakes import MODEL, FakeNode, FakeOpenAI, FakeUpstream
from tests.backends.subjects import Subject, remote
from tests.http1.upstream import BOUND

TOOK = Usage(input_tokens=2, output_tokens=2)


@pytest.fixture(params=["openai", "remote_node"])
async def subject(request: pytest.FixtureRequest) -> AsyncGenerator[Subject]:
    opened = (
        remote("openai", FakeOpenAI(), path="/v1")
        if request.param == "openai"
        else remote("remote_node", FakeNode())
    )
    async with asyncio.timeout(BOUND), opened as subject:
        yield subject


def upstream_of(subject: Subject) -> FakeUpstream:
    assert subject.upstream is not None
    return subject.upstream


def sent_by(subject: Subject) -> list[dict[str, object]]:
    return [json.loads(request.body) for request in upstream_of(subject).received]


def asking(**more: object) -> InferenceRequest:
    messages = [{"role": "user", "content": "a b"}]
    body = {"model": MODEL, "stream": True, "messages": messages, **more}
    return openai_chat.decode_request(json.dumps(body).encode(), id="r")


async def text_of(answer: Answer) -> str:
    pieces: list[bytes] = []
    async for chunk in answer:
        assert isinstance(chunk, bytes)
        assert chunk
        pieces.append(chunk)
    answer.close()
    return b"".join(pieces).decode()


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": False, "x": 1.0}}])
async def test_a_stream_is_booked_though_its_caller_asked_for_no_usage(
    subject: Subject, options: dict[str, object]
) -> None:
    answer = await subject.backend.infer(asking(odd=1, **options))
    said = await text_of(answer)
    assert answer.usage == TOOK
    assert "prompt_tokens" not in said
    assert said.count("data: ") == 4
    assert said.endswith("data: [DONE]\n\n")
    [sent] = sent_by(subject)
    more = {"x": 1.0} if options else {}
    assert (sent["odd"], sent["stream_options"]) == (1, {**more, "include_usage": True})


async def test_a_caller_who_asked_sees_the_usage(subject: Subject) -> None:
    answer = await subject.backend.infer(asking(stream_options={"include_usage": True}))
    assert "prompt_tokens" in await text_of(answer)
    assert answer.usage == TOOK


async def test_an_upstream_that_refuses_the_question_is_not_asked_it_again(
    subject: Subject,
) -> None:
    upstream_of(subject).mode = "strict"
    for _ in range(2):
        answer = await subject.backend.infer(asking())
        assert "[DONE]" in await text_of(answer)
        assert answer.usage == NO_USAGE
    assert (await collect(await subject.backend.infer(subject.ask(stream=True)))).text
    assert ["stream_options" in body for body in sent_by(subject)] == [True, False, False, False]


async def test_what_the_caller_asked_for_is_the_upstreams_to_refuse(subject: Subject) -> None:
    upstream_of(subject).mode = "strict"
    with pytest.raises(BackendRefused):
        await subject.backend.infer(asking(stream_options={"include_usage": True}))
    assert len(sent_by(subject)) == 1


async def test_a_request_refused_for_itself_is_told_as_such(subject: Subject) -> None:
    upstream_of(subject).mode, upstream_of(subject).status = "status", 400
    with pytest.raises(BackendRefused):
        await subject.backend.infer(asking())
    upstream_of(subject).mode = "ok"
    await text_of(await subject.backend.infer(asking()))
    assert "stream_options" in sent_by(subject)[-1]


@pytest.mark.parametrize("is_raw", [True, False])
async def test_the_option_turns_the_question_off(is_raw: bool) -> None:
    opened = remote("openai", FakeOpenAI(), path="/v1", options={"usage": False})
    async with asyncio.timeout(BOUND), opened as subject:
        answer = await subject.backend.infer(asking() if is_raw else subject.ask(stream=True))
        async for _ in answer:
            pass
        answer.close()
        assert answer.usage == NO_USAGE
        assert "stream_options" not in sent_by(subject)[-1]
