"""What streams of OpenAI's API took: asked for, booked, and kept from callers who didn't ask."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from inferd.backends._http.asking import UsageQuestion
from inferd.core.answer import Answer, collect
from inferd.core.errors import BackendRefused, NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import NO_USAGE, Usage
from inferd.wire import openai_chat
from tests.backends.fakes import MODEL, FakeNode, FakeOpenAI, FakeUpstream
from tests.backends.subjects import Subject, remote
from tests.clocks import HandClock
from tests.http1.upstream import BOUND, Wire

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
    return openai_chat.take_request(json.dumps(body).encode(), {}, id="r")


async def text_of(answer: Answer) -> str:
    pieces: list[bytes] = []
    async for chunk in answer:
        assert isinstance(chunk, bytes)
        assert chunk
        pieces.append(chunk)
    answer.close()
    return b"".join(pieces).decode()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stream_options": {"include_usage": False, "x": 1.0}},
        {"stream_options": {"include_usage": 0, "x": 1.0}},
        {"stream_options": {"include_usage": "no", "x": 1.0}},
    ],
)
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


async def test_after_an_hour_it_is_asked_again(subject: Subject) -> None:
    upstream_of(subject).mode = "strict"
    await text_of(await subject.backend.infer(asking()))
    upstream_of(subject).mode = "ok"
    for seconds, took in ((3599.0, NO_USAGE), (1.0, TOOK)):
        subject.clock.turn(seconds)
        answer = await subject.backend.infer(asking())
        await text_of(answer)
        assert answer.usage == took


async def test_only_the_model_that_refused_it_is_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = {"old": MODEL, "new": ""}
    opened = remote("openai", FakeOpenAI(), path="/v1", models=models)
    async with asyncio.timeout(BOUND), opened as subject:
        upstream_of(subject).mode = "strict"
        for _ in range(2):
            await text_of(await subject.backend.infer(asking(model="old")))
        upstream_of(subject).mode = "ok"
        for model, took in (("old", NO_USAGE), ("new", TOOK)):
            answer = await subject.backend.infer(asking(model=model))
            await text_of(answer)
            assert answer.usage == took
    assert len(caplog.records) == 1


def test_few_models_are_remembered() -> None:
    question = UsageQuestion("acme", HandClock())
    for number in range(300):
        question.refused(f"m{number}")
    assert [question.suits(f"m{number}") for number in (0, 43, 44, 299)] == [
        True,
        True,
        False,
        False,
    ]


async def test_what_was_sent_twice_is_counted_twice(subject: Subject) -> None:
    once = await subject.backend.infer(asking())
    await text_of(once)
    upstream_of(subject).mode = "strict"
    twice = await subject.backend.infer(asking())
    await text_of(twice)
    assert once.sent_bytes < twice.sent_bytes < 2 * once.sent_bytes
    assert twice.sent_bytes > 1.5 * once.sent_bytes


class Refusing(FakeOpenAI):
    """Refuses, naming a field where it has one to name."""

    param: str | None = None

    async def fail(self, wire: Wire, status: int) -> None:
        error = {"error": {"message": "no", "param": self.param}}
        await wire.answer(json.dumps(error).encode(), status=status)


@pytest.mark.parametrize(
    ("status", "param", "times"),
    [
        (400, None, 2),
        (422, None, 2),
        (400, "stream_options.include_usage", 2),
        (400, "messages", 1),
        (401, None, 1),
        (402, None, 1),
        (403, None, 1),
        (404, None, 1),
        (409, None, 1),
        (413, None, 1),
        (429, None, 1),
        (500, None, 1),
    ],
)
async def test_a_stream_is_sent_again_only_where_that_may_help(
    status: int, param: str | None, times: int
) -> None:
    fake = Refusing()
    fake.mode, fake.status, fake.param = "status", status, param
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1") as subject:
        with pytest.raises(NodeError) as failed:
            await subject.backend.infer(asking())
        assert len(sent_by(subject)) == times
        assert failed.value.sent_bytes > 200 * times


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
