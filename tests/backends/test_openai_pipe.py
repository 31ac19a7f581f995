"""Raw streams that pour themselves out: the bytes that are read, and never a false end."""

import asyncio

import pytest

from inferd.core.answer import Answer, Source
from inferd.core.errors import BackendFailed, BackendTimeout, NodeError
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import NO_USAGE, Usage
from tests.backends.fakes import MODEL, FakeOpenAI
from tests.backends.subjects import Subject, remote
from tests.http1.upstream import BOUND, Wire

TOOK = Usage(input_tokens=2, output_tokens=2)


class Sink:
    def __init__(self) -> None:
        self.said = b""
        self.came = asyncio.Event()

    def write(self, data: bytes) -> None:
        assert data
        self.said += data
        self.came.set()

    def feed(self, source: Source | None) -> None: ...
    async def drained(self) -> None: ...


def asking(*, usage: bool) -> InferenceRequest:
    options = b',"stream_options":{"include_usage":true}' if usage else b""
    body = b'{"model":"%b","stream":true,"messages":[{"role":"user","content":"a b"}]%b}'
    raw = Raw(
        wire="openai.chat", body=body % (MODEL.encode(), options), model=MODEL, wants_usage=usage
    )
    return InferenceRequest(id="r", task="chat", model=MODEL, stream=True, raw=raw)


async def read(answer: Answer) -> bytes:
    said = b"".join([chunk async for chunk in answer if isinstance(chunk, bytes)])
    answer.close()
    return said


@pytest.mark.parametrize("usage", [True, False])
async def test_it_pours_what_it_reads(usage: bool) -> None:
    async with asyncio.timeout(BOUND), remote("openai", FakeOpenAI(), path="/v1") as subject:
        expected = await read(await subject.backend.infer(asking(usage=usage)))
        answer = await subject.backend.infer(asking(usage=usage))
        sink = Sink()
        await answer.pipe(sink)
        answer.close()
        assert sink.said == expected
        assert answer.usage == TOOK
        assert (b"prompt_tokens" in sink.said) == usage
        assert subject.upstream is not None
        assert subject.upstream.server.connections == 1


class Crumbs(FakeOpenAI):
    """Sends its events cut anywhere, in pieces of `size` bytes."""

    size = 1

    async def events(self, wire: Wire, events: list[str]) -> None:
        stream = "".join(f"data: {event}\n\n" for event in events).encode()
        await wire.begin(headers=self.headers)
        for at in range(0, len(stream), self.size):
            await wire.chunk(stream[at : at + self.size])
        await wire.end()


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
@pytest.mark.parametrize("usage", [True, False])
async def test_any_cut_pours_the_same(size: int, usage: bool) -> None:
    async with asyncio.timeout(BOUND), remote("openai", FakeOpenAI(), path="/v1") as subject:
        expected = await read(await subject.backend.infer(asking(usage=usage)))
    fake = Crumbs()
    fake.size = size
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1", timeout=5.0) as subject:
        answer = await subject.backend.infer(asking(usage=usage))
        sink = Sink()
        await answer.pipe(sink)
        answer.close()
    assert (sink.said, answer.usage) == (expected, TOOK)


class Ending(FakeOpenAI):
    """Ends its streams in good order after `count` events, whatever is missing."""

    count = 1

    async def events(self, wire: Wire, events: list[str]) -> None:
        await super().events(wire, events[: self.count])


@pytest.mark.parametrize(("count", "is_whole"), [(1, False), (2, False), (3, True), (4, True)])
async def test_an_end_without_a_reason_is_a_failure(count: int, is_whole: bool) -> None:
    fake = Ending()
    fake.count = count
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1") as subject:
        answer = await subject.backend.infer(asking(usage=True))
        if is_whole:
            await answer.pipe(Sink())
        else:
            with pytest.raises(BackendFailed, match="broke off"):
                await answer.pipe(Sink())
        answer.close()
        assert answer.usage == (TOOK if count == 4 else NO_USAGE)


@pytest.mark.parametrize(("mode", "error"), [("cut", BackendFailed), ("stall", BackendTimeout)])
async def test_an_upstream_that_dies_or_stalls_within_is_a_failure_after_what_came(
    mode: str, error: type[NodeError]
) -> None:
    fake = FakeOpenAI()
    fake.mode = mode
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1") as subject:
        answer = await subject.backend.infer(asking(usage=True))
        sink = Sink()
        with pytest.raises(error):
            await answer.pipe(sink)
        answer.close()
        assert sink.said.count(b"data: ") == 1
        assert not answer.told_failure
        assert (answer.usage, answer.events_passed) == (NO_USAGE, 1)


class Failing(FakeOpenAI):
    """Tells of a failure of its own after the first event, and then breaks off, or ends."""

    word = '{"error": {"message": "out of memory"}}'

    async def events(self, wire: Wire, events: list[str]) -> None:
        await super().events(wire, [events[0], self.word])

    async def middle(self, wire: Wire) -> None:
        if self.mode == "cut":
            await wire.chunk(f"data: {self.word}\n\n".encode())
        await super().middle(wire)


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("mode", ["ok", "cut"])
async def test_an_upstreams_own_word_of_its_failure_is_known(mode: str, usage: bool) -> None:
    fake = Failing()
    fake.mode = mode
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1") as subject:
        answer = await subject.backend.infer(asking(usage=usage))
        assert not answer.told_failure
        sink = Sink()
        with pytest.raises(BackendFailed):
            await answer.pipe(sink)
        answer.close()
        assert answer.told_failure
        assert b"out of memory" in sink.said


async def test_closing_the_answer_frees_the_upstream_at_once() -> None:
    fake = FakeOpenAI()
    fake.mode = "stall"
    async with asyncio.timeout(BOUND), remote("openai", fake, path="/v1", timeout=5.0) as subject:
        await _leave(subject)
        await fake.server.until(lambda: fake.server.open == 0)


async def _leave(subject: Subject) -> None:
    answer = await subject.backend.infer(asking(usage=True))
    sink = Sink()
    piping = asyncio.ensure_future(answer.pipe(sink))
    await sink.came.wait()
    piping.cancel()
    await asyncio.wait((piping,))
    answer.close()
