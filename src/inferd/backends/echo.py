"""A backend that makes nothing up: it repeats words and marks every other result as fake.

For demonstrations, for work on the pages, and for tests of everything above it.
"""

import hashlib
import struct
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec

from inferd.backends import Settings, read_options
from inferd.core.answer import Answer, Served
from inferd.core.backend import Backend, BackendType, Capabilities, Model, Traits
from inferd.core.clock import Clock
from inferd.core.content import Message
from inferd.core.errors import (
    ALL_KINDS,
    BackendTimeout,
    BackendUnavailable,
    ErrorKind,
    ModelNotFound,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest, Tier
from inferd.core.result import Chunk, Embeddings, Finish, Media, TextDelta, Usage, Value
from inferd.core.tasks import TASKS, Output, Task

_DIMENSION = 8


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay` is in seconds, before each chunk; `fail_with` names an error to answer with."""

    delay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    fail_with: ErrorKind | None = None


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend an echo."""
    backend = EchoBackend(settings, read_options(settings, Options), clock)
    try:
        yield backend
    finally:
        backend.is_closed = True


class EchoBackend:
    """Says what it was told."""

    kind = "echo"
    traits = Traits(
        type=BackendType.HYBRID,
        protocols=frozenset({"in-process"}),
        continues=frozenset(task.name for task in TASKS.values() if task.text_key),
    )
    is_node = False
    wires = frozenset[str]()

    def __init__(self, settings: Settings, options: Options, clock: Clock) -> None:
        self.name = settings.name
        self.tier = Tier.LOCAL if settings.tier is None else settings.tier
        self.is_closed = False
        self._options = options
        self._clock = clock
        self.assumed = Capabilities(
            models=tuple(
                Model(id=name, tasks=frozenset(TASKS), detail={"about": "Repeats what it is told."})
                for name in settings.models or ("echo",)
            )
        )

    def __repr__(self) -> str:
        return f"<EchoBackend {self.name} {'closed' if self.is_closed else 'open'}>"

    async def capabilities(self) -> Capabilities:
        if self.is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        return self.assumed

    async def infer(self, request: InferenceRequest) -> Answer:
        if self.is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        if request.deadline is not None and request.deadline <= self._clock.now():
            raise BackendTimeout(f"no time was left to ask {self.name}")
        task = TASKS.get(request.task)
        if task is None:
            raise UnsupportedTask(f"{self.name} doesn't do {request.task}")
        model = self.assumed.find(request.task, request.model)
        if model is None:
            raise ModelNotFound(f"{self.name} has no model called {request.model}")
        kind = ALL_KINDS.get(self._options.fail_with) if self._options.fail_with else None
        if kind is not None:
            raise kind(f"{self.name} was told to fail")
        ignored = ", ".join(sorted(request.parameters))
        warnings = (f"ignored: {ignored} (echo repeats, it computes nothing)",) if ignored else ()
        result = _result(task, request)
        if request.files and isinstance(result, Value):
            result = await _with_files(result, request)
        return Answer(
            self._chunks(result, task, request, model),
            served=Served(warnings=warnings),
        )

    async def _chunks(
        self, result: Chunk, task: Task, request: InferenceRequest, model: str
    ) -> AsyncIterator[Chunk]:
        text = result.text if isinstance(result, TextDelta) else ""
        if request.continued and text:
            text = text.removeprefix(request.continued)
            result = TextDelta(text)
        words = text.split(" ")
        pieces = [f"{word} " for word in words[:-1]] + words[-1:]
        chunks = [TextDelta(piece) for piece in pieces] if text and request.stream else [result]
        for chunk in chunks:
            if self._options.delay:
                await self._clock.sleep(self._options.delay)
            if self.is_closed:
                raise BackendUnavailable(f"{self.name} is closed")
            yield chunk
        said = len(_words(request).split())
        written = len(text.split())
        usage = Usage(input_tokens=said, output_tokens=written, units=0 if task.text_key else 1)
        yield Finish(usage=usage, model=model)


def _words(request: InferenceRequest) -> str:
    """Return what was said last: of a conversation the last turn, else every text there is."""
    found: list[str] = []
    for value in request.inputs.values():
        match value:
            case str():
                found.append(value)
            case [*_, Message(text=text)]:
                found.append(text)
            case list() | tuple():
                found.extend(item for item in value if isinstance(item, str))
            case _:
                pass
    return " ".join(found)


def _result(task: Task, request: InferenceRequest) -> Chunk:
    words = _words(request)
    make = _RESULTS.get(task.output)
    if task.text_key:
        return TextDelta(words)
    return Value({"echo": True, "said": words}) if make is None else make(words, request.inputs)


async def _with_files(result: Value, request: InferenceRequest) -> Value:
    """Say what each file was, so that whoever sent it can see that it arrived whole."""
    arrived: list[dict[str, object]] = []
    for file in request.files:
        digest, size = hashlib.sha256(), 0
        async for piece in file.read():
            digest.update(piece)
            size += len(piece)
        arrived.append({"field": file.field, "bytes": size, "sha256": digest.hexdigest()})
    match result.value:
        case [dict() as first, *rest]:
            return Value([{**first, "files": arrived}, *rest])
        case dict() as said:
            return Value({**said, "files": arrived})
        case other:
            return Value(other)


def _labels(words: str, inputs: Mapping[str, object]) -> Chunk:
    given = inputs.get("candidate_labels")
    labels = list(given) if isinstance(given, list | tuple) else [words or "echo"]
    return Value([{"label": label, "score": 1 / len(labels), "echo": True} for label in labels])


def _scores(words: str, inputs: Mapping[str, object]) -> Chunk:
    sentences = inputs.get("sentences")
    if isinstance(sentences, list | tuple):
        return Value([1.0 for _ in sentences])
    texts = inputs.get("texts")
    count = len(texts) if isinstance(texts, list | tuple) else 1
    return Value([{"index": index, "score": 1.0, "echo": True} for index in range(count)])


def _embedding(words: str, inputs: Mapping[str, object]) -> Chunk:
    prompt = inputs.get("prompt")
    texts = [prompt] if isinstance(prompt, str) else prompt
    texts = texts if isinstance(texts, list | tuple) else [words]
    rows = [
        struct.pack(
            f"<{_DIMENSION}f",
            *(byte / 255 for byte in hashlib.sha256(str(text).encode()).digest()[:_DIMENSION]),
        )
        for text in texts
    ]
    return Embeddings(data=b"".join(rows), dimension=_DIMENSION)


def _image(words: str, inputs: Mapping[str, object]) -> Chunk:
    """Return one grey pixel."""

    def part(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\x00\x80")
    data = b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", pixel) + part(b"IEND", b"")
    return Media(data=data, content_type="image/png", name="echo.png")


def _audio(words: str, inputs: Mapping[str, object]) -> Chunk:
    """Return a tenth of a second of silence."""
    rate, samples = 8000, bytes(1600)
    form = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = form + b"data" + struct.pack("<I", len(samples)) + samples
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    return Media(data=data, content_type="audio/wav", name="echo.wav")


_RESULTS: Mapping[Output, Callable[[str, Mapping[str, object]], Chunk]] = {
    Output.LABELS: _labels,
    Output.SCORES: _scores,
    Output.EMBEDDING: _embedding,
    Output.IMAGE: _image,
    Output.AUDIO: _audio,
}
