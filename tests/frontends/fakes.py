"""Backends that do as a test says, and note what they were asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from inferd.core.answer import Answer, Served
from inferd.core.backend import BackendType, Capabilities, Model, Traits
from inferd.core.errors import NodeError
from inferd.core.records import Forward, Row
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, Finish, TextDelta, Usage

Behaviour = Callable[["FakeBackend", InferenceRequest], Awaitable[Answer]]

HELLO = (
    TextDelta("Hel"),
    TextDelta("lo"),
    Finish(usage=Usage(input_tokens=3, output_tokens=2), model="tiny"),
)
TINY = Model(
    id="tiny",
    tasks=frozenset({"text-generation", "chat", "feature-extraction", "image-classification"}),
    aliases=("small",),
)


def says(*chunks: Chunk, warnings: tuple[str, ...] = ()) -> Behaviour:
    """Answer with `chunks`."""

    async def infer(backend: "FakeBackend", request: InferenceRequest) -> Answer:
        return backend.answer(iterate(*chunks), warnings=warnings)

    return infer


def fails(error: NodeError | Exception) -> Behaviour:
    """Refuse, before anything was answered."""

    async def infer(backend: "FakeBackend", request: InferenceRequest) -> Answer:
        raise error

    return infer


def breaks_after(chunk: Chunk, error: Exception) -> Behaviour:
    """Answer with one chunk, and fail."""

    async def chunks() -> AsyncIterator[Chunk]:
        yield chunk
        raise error

    async def infer(backend: "FakeBackend", request: InferenceRequest) -> Answer:
        return backend.answer(chunks())

    return infer


async def hangs(backend: "FakeBackend", request: InferenceRequest) -> Answer:
    """Never answer; note being freed."""
    backend.entered.set()
    try:
        await asyncio.Event().wait()
    finally:
        backend.freed.set()
    raise AssertionError


async def hangs_mid_stream(backend: "FakeBackend", request: InferenceRequest) -> Answer:
    """Answer with one chunk, then no more."""

    async def chunks() -> AsyncIterator[Chunk]:
        yield TextDelta("Hel")
        await asyncio.Event().wait()

    return backend.answer(chunks())


def passes(data: bytes | None, *pieces: bytes, content_type: str, status: int = 200) -> Behaviour:
    """Answer with bytes of the caller's own wire: whole, or in pieces."""

    async def infer(backend: "FakeBackend", request: InferenceRequest) -> Answer:
        assert request.raw is not None
        answer = backend.answer(iterate(*pieces))
        answer.wire = request.raw.wire
        answer.whole = data
        answer.status = status
        answer.content_type = content_type
        answer.block = b"content-type: %b\r\nx-upstream: yes\r\n" % content_type.encode()
        return answer

    return infer


async def iterate(*chunks: Chunk) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


class FakeBackend:
    """A backend by shape."""

    kind = "fake"

    def __init__(
        self,
        behaviour: Behaviour,
        name: str = "fake",
        *,
        tier: Tier = Tier.LOCAL,
        is_node: bool = False,
        models: tuple[Model, ...] = (TINY,),
        open_tasks: frozenset[str] = frozenset(),
    ) -> None:
        self.name = name
        self.tier = tier
        self.is_node = is_node
        self.traits = Traits(type=BackendType.HYBRID if is_node else BackendType.API)
        self.wires: frozenset[str] = frozenset()
        self.requests: list[InferenceRequest] = []
        self.entered = asyncio.Event()
        self.freed = asyncio.Event()
        self._behaviour = behaviour
        self.assumed = Capabilities(models=models, open_tasks=open_tasks)

    async def capabilities(self) -> Capabilities:
        return self.assumed

    async def infer(self, request: InferenceRequest) -> Answer:
        self.requests.append(request)
        return await self._behaviour(self, request)

    def answer(self, chunks: AsyncIterator[Chunk], *, warnings: tuple[str, ...] = ()) -> Answer:
        return Answer(chunks, free=self.freed.set, served=Served(warnings=warnings))


class Ledger:
    """A recorder that keeps everything."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.forwards: list[Forward] = []
        self.news = asyncio.Event()

    def settled(self, row: Row) -> None:
        self.rows.append(row)
        self.news.set()

    def forwarded(self, line: Forward) -> None:
        self.forwards.append(line)

    @property
    def outcomes(self) -> list[str]:
        return [row.outcome for row in self.rows]
