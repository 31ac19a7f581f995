"""What is peculiar to other nodes: forms, directions, and who has seen the words."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from inferd.backends import Settings, open_kind
from inferd.core.answer import collect
from inferd.core.content import BytesFile, File
from inferd.core.errors import (
    BackendFailed,
    BackendUnavailable,
    InvalidRequest,
    LoopDetected,
    NodeError,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Media, Result
from inferd.core.tasks import TASKS
from inferd.wire import openai_chat, openai_embeddings, openai_text
from tests.backends.fakes import MODEL, SECRET, FakeNode, FakeUpstream, form_of
from tests.backends.subjects import NODE, Subject, remote
from tests.clocks import HandClock
from tests.http1.upstream import BOUND, Received, Wire, dead_port


@pytest.fixture
async def subject() -> AsyncGenerator[Subject]:
    async with asyncio.timeout(BOUND), remote("remote_node", FakeNode()) as subject:
        yield subject


def upstream_of(subject: Subject) -> FakeUpstream:
    assert subject.upstream is not None
    return subject.upstream


def task_request(task: str, prompt: str = "a b", **more: object) -> InferenceRequest:
    return InferenceRequest(id="r", task=task, model=MODEL, inputs={"prompt": prompt}, **more)  # pyright: ignore[reportArgumentType]


async def folded(subject: Subject, request: InferenceRequest) -> Result:
    answer = await subject.backend.infer(request)
    try:
        return await collect(answer)
    finally:
        answer.close()


async def test_a_task_is_asked_for_as_a_form(subject: Subject) -> None:
    request = task_request("text-classification", parameters={"top_k": 2, "use_remote": True})
    assert (await folded(subject, request)).value == [{"label": "a b", "score": 1.0}]
    sent = upstream_of(subject).received[-1]
    spec, files = form_of(sent)
    assert (sent.path, spec.task, spec.model_id) == ("/inference", "sentiment-analysis", MODEL)
    assert (spec.payload, spec.extra_args, files) == ({"prompt": "a b"}, {"top_k": 2}, {})
    assert b"use_remote" not in sent.body
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["authorization"] == f"Bearer {SECRET}"


async def test_the_request_says_whom_it_passed_and_how_far_it_may_go(subject: Subject) -> None:
    deadline = subject.clock.now() + 5
    request = task_request(
        "text-classification",
        hops=("node-a", "node-b"),
        tiers=frozenset({Tier.LOCAL, Tier.PEER, Tier.TEAM}),
        deadline=deadline,
    )
    await folded(subject, request)
    headers = upstream_of(subject).received[-1].headers
    assert headers["x-inference-hops"] == f"node-a,node-b,{NODE}"
    assert headers["x-inference-tier"] == "team"
    assert float(headers["x-inference-timeout"]) == 5
    assert headers["x-request-id"] == "r"
    assert "x-inference-use-remote" not in headers


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ({Tier.TEAM}, "local,team"),
        ({Tier.LOCAL}, "local"),
        ({Tier.LOCAL, Tier.CLOUD}, "local,cloud"),
        (set(Tier), "cloud"),
    ],
)
async def test_the_next_node_stays_within_the_callers_tiers(
    subject: Subject, tiers: set[Tier], said: str
) -> None:
    await folded(subject, subject.ask(tiers=frozenset(tiers)))
    assert upstream_of(subject).received[-1].headers["x-inference-tier"] == said


async def test_the_reply_says_who_has_seen_the_words(subject: Subject) -> None:
    upstream_of(subject).headers = {
        "x-inference-node": "node-gpu",
        "x-inference-nodes": "node-b, node-gpu",
        "x-inference-warning": "slow today",
    }
    for request in (subject.ask(), subject.ask(stream=True), task_request("text-generation")):
        answer = await subject.backend.infer(request)
        assert answer.served.node == "node-gpu"
        assert answer.served.nodes == ("node-b", "node-gpu")
        assert answer.served.warnings == ("slow today",)
        answer.close()


async def test_a_node_that_says_nothing_is_known_by_its_address(subject: Subject) -> None:
    answer = await subject.backend.infer(subject.ask())
    assert answer.served.node == f"127.0.0.1:{upstream_of(subject).server.port}"
    assert answer.served.nodes == (answer.served.node,)
    answer.close()


class Arriving:
    """A file whose length nobody knows yet; `error` breaks it off."""

    field = "image"
    name = 'a"b.png'
    content_type = "image/png"
    size_bytes = None

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    async def read(self) -> AsyncIterator[bytes]:
        yield b"x" * 1000
        if self._error is not None:
            raise self._error
        yield b"y" * 1000


@pytest.mark.parametrize("file", [BytesFile("image", b"z" * 2000, name="c.png"), Arriving()])
async def test_files_are_streamed_along(subject: Subject, file: File) -> None:
    request = InferenceRequest(id="r", task="image-classification", files=(file,))
    assert (await folded(subject, request)).value == [{"label": "2000 bytes", "score": 1.0}]
    headers = upstream_of(subject).received[-1].headers
    assert ("content-length" in headers) == (file.size_bytes is not None)


async def test_a_file_that_breaks_off_is_the_callers_failure(subject: Subject) -> None:
    file = Arriving(InvalidRequest("the caller left"))
    request = InferenceRequest(id="r", task="image-classification", files=(file,))
    with pytest.raises(InvalidRequest, match="the caller left"):
        await folded(subject, request)
    server = upstream_of(subject).server
    await server.until(lambda: server.open == 0)
    assert server.received == []


@pytest.mark.parametrize("task", ["chat", "text-classification", "text-generation"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_answer_says_how_much_was_sent(subject: Subject, task: str, stream: bool) -> None:
    request = subject.ask(stream=stream) if task == "chat" else task_request(task, stream=stream)
    answer = await subject.backend.infer(request)
    answer.close()
    sent = upstream_of(subject).received[-1]
    assert 0 < answer.sent_bytes - len(sent.body) < 1000


@pytest.mark.parametrize("mode", ["status", "page", "garbage", "cut", "hang"])
async def test_a_failed_attempt_says_how_much_was_sent(subject: Subject, mode: str) -> None:
    upstream_of(subject).mode = mode
    for request in (subject.ask(), task_request("text-classification")):
        with pytest.raises(NodeError) as failed:
            await folded(subject, request)
        sent = upstream_of(subject).received[-1]
        assert 0 < failed.value.sent_bytes - len(sent.body) < 1000


async def test_pictures_come_back_as_media(subject: Subject) -> None:
    result = await folded(subject, task_request("text-to-image"))
    assert result.media == Media(data=b"\x89PNG picture", content_type="image/png")


@pytest.mark.parametrize("stream", [False, True])
async def test_text_is_generated_in_one_piece_or_many(subject: Subject, stream: bool) -> None:
    result = await folded(subject, task_request("text-generation", "a b c", stream=stream))
    assert result.text == "a b c"
    accept = upstream_of(subject).received[-1].headers["accept"]
    assert accept == ("text/event-stream" if stream else "application/json")


async def test_a_cut_stream_of_a_task_is_a_failure(subject: Subject) -> None:
    upstream_of(subject).mode = "cut"
    with pytest.raises(BackendFailed):
        await folded(subject, task_request("text-generation", "a b c", stream=True))


@pytest.mark.parametrize(
    ("prompt", "path"), [("one", "/inference"), (("one", "two"), "/v1/embeddings")]
)
async def test_one_text_is_a_task_and_several_are_embeddings(
    subject: Subject, prompt: object, path: str
) -> None:
    request = InferenceRequest(
        id="r", task="feature-extraction", model=MODEL, inputs={"prompt": prompt}
    )
    result = await folded(subject, request)
    assert result.embeddings is not None
    assert result.embeddings.dimension == 2
    assert upstream_of(subject).received[-1].path == path


async def test_openai_bytes_pass_through(subject: Subject) -> None:
    chat = b'{"model": "%b", "odd": 1.0, "messages": [{"role": "user", "content": "a"}]}'
    vectors = b'{"model": "%b", "odd": 1.0, "input": "a", "encoding_format": "float"}'
    for request in (
        openai_chat.decode_request(chat % MODEL.encode(), id="r"),
        openai_embeddings.decode_request(vectors % MODEL.encode(), id="r"),
    ):
        answer = await subject.backend.infer(request)
        assert request.raw is not None
        assert answer.wire == request.raw.wire
        assert answer.whole is not None
        sent = upstream_of(subject).received[-1]
        assert sent.body == request.raw.body
        assert sent.headers["x-inference-hops"] == NODE
        answer.close()


async def test_it_lists_models_and_may_know_more_than_it_lists(subject: Subject) -> None:
    offered = await subject.backend.capabilities()
    (model,) = offered.models
    assert (model.id, model.aliases) == (MODEL, ("one",))
    assert model.tasks == {"chat", "text-classification"}
    assert offered.open_tasks == subject.backend.assumed.open_tasks == frozenset(TASKS)


async def test_models_may_be_renamed() -> None:
    fake = FakeNode()
    async with (
        asyncio.timeout(BOUND),
        remote("remote_node", fake, models={"ours": MODEL, "gone": "acme/gone"}) as subject,
    ):
        offered = await subject.backend.capabilities()
        assert [model.id for model in offered.models] == ["ours"]
        await folded(subject, subject.ask(model="ours"))
        assert json.loads(fake.received[-1].body)["model"] == MODEL


@pytest.mark.parametrize("path", ["", "/", "/inference", "/inference/"])
async def test_the_address_may_end_in_inference(path: str) -> None:
    fake = FakeNode()
    async with asyncio.timeout(BOUND), remote("remote_node", fake, path=path) as subject:
        await folded(subject, task_request("text-classification"))
    assert fake.received[-1].path == "/inference"


async def test_the_original_lists_tasks_and_takes_texts_as_tasks() -> None:
    fake = FakeNode()
    fake.is_original = True
    async with asyncio.timeout(BOUND), remote("remote_node", fake) as subject:
        offered = await subject.backend.capabilities()
        assert offered.models == ()
        assert offered.open_tasks == {"text-classification", "text-to-image"}
        await folded(subject, task_request("text-classification"))
        several = InferenceRequest(id="r", task="feature-extraction", inputs={"prompt": ("a", "b")})
        assert (await folded(subject, several)).embeddings is not None
        assert form_of(fake.received[-1])[0].payload == {"prompt": ["a", "b"]}
        assert fake.received[-1].path == "/inference"
        peeked = openai_embeddings.take_request(b'{"model": "", "input": ["a", "b"]}', {}, id="r")
        assert (await folded(subject, peeked)).embeddings is not None
        assert form_of(fake.received[-1])[0].payload == {"prompt": ["a", "b"]}
        peeked = openai_text.take_request(b'{"model": "", "prompt": "a b"}', {}, id="r")
        assert (await folded(subject, peeked)).text
        assert form_of(fake.received[-1])[0].payload == {"prompt": "a b"}
        assert fake.received[-1].path == "/inference"


@pytest.mark.parametrize("mode", ["page", "redirect"])
async def test_what_is_no_node_is_called_none(subject: Subject, mode: str) -> None:
    upstream_of(subject).mode = mode
    for request in (subject.ask(), task_request("text-classification")):
        with pytest.raises(BackendFailed, match=r"isn't an inferd|doesn't speak"):
            await folded(subject, request)


async def test_a_refused_token_says_where_to_look(subject: Subject) -> None:
    upstream = upstream_of(subject)
    upstream.mode, upstream.status = "status", 401
    with pytest.raises(BackendUnavailable) as refused:
        await folded(subject, task_request("text-classification"))
    assert "token" in refused.value.hint


class Looping(FakeNode):
    """Says that it has seen the request before."""

    async def fail(self, wire: Wire, status: int) -> None:
        body = {"error": "loop detected", "reason": "been here", "kind": "loop_detected"}
        await wire.answer(json.dumps(body).encode(), status=status)


async def test_a_loop_found_further_on_is_a_loop_here() -> None:
    fake = Looping()
    fake.mode, fake.status = "status", 508
    async with asyncio.timeout(BOUND), remote("remote_node", fake) as subject:
        with pytest.raises(LoopDetected):
            await folded(subject, task_request("text-classification"))


class CountingClock(HandClock):
    """Sleeps are over at once, and remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_a_connection_that_fails_is_tried_again_after_a_pause(retries: int) -> None:
    clock = CountingClock()
    settings = Settings(
        name="gpu",
        base_url=f"http://127.0.0.1:{await dead_port()}",
        options={"retries": retries},
    )
    async with (
        asyncio.timeout(BOUND),
        open_kind("remote_node", settings, node=NODE, clock=clock) as backend,
    ):
        with pytest.raises(BackendUnavailable, match="gpu can't be reached"):
            await backend.infer(task_request("text-classification"))
    assert clock.slept == [0.1, 0.2, 0.4][:retries]


class Dropping(FakeNode):
    """Reads a request and drops the connection."""

    async def route(self, wire: Wire, request: Received) -> None:
        wire.cut()


async def test_a_request_that_was_heard_is_not_sent_again() -> None:
    fake = Dropping()
    async with asyncio.timeout(BOUND), remote("remote_node", fake) as subject:
        with pytest.raises(BackendFailed):
            await folded(subject, task_request("text-classification"))
    assert len(fake.received) == 1


async def test_it_is_a_node_and_its_tier_is_the_teams(subject: Subject) -> None:
    assert subject.backend.is_node
    assert subject.backend.tier is Tier.TEAM


async def test_it_needs_an_address() -> None:
    with pytest.raises(ValueError, match="base_url"):
        async with open_kind("remote_node", Settings(name="x"), node=NODE, clock=HandClock()):
            pass
