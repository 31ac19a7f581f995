"""A backend's answer, lent; who gave it; and its fold into a whole result."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from inferd.core.errors import BackendFailed
from inferd.core.kept import Kept
from inferd.core.result import (
    NO_USAGE,
    Chunk,
    Embeddings,
    Finish,
    Media,
    Result,
    Room,
    TextDelta,
    Texts,
    ToolCallDelta,
    Usage,
    Value,
)


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """Who answered: the node, and every node that saw the words on the way, nearest first."""

    source: str = ""
    """`local`, or `remote` when the words left this machine."""
    node: str = ""
    nodes: tuple[str, ...] = ()
    backend: str = ""
    model: str = ""
    """The model that was asked, by its full id."""
    seen: tuple[str, ...] = ()
    """The places beyond the first node that the words reached, in turn, those that failed too."""
    warnings: tuple[str, ...] = ()
    age: float | None = None
    """Since how many seconds the answer is kept; None where it was made for this request."""


UNTOLD = Served()
"""What a backend says that knows nothing of it."""


class Source(Protocol):
    """What pours into a sink, and can be held while the sink is full."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Sink(Protocol):
    """Where a raw stream's bytes go, without a coroutine being woken for each piece."""

    def write(self, data: bytes) -> object:
        """Take a piece. Never waits."""
        ...

    def feed(self, source: Source | None) -> None:
        """Name who is to be held while this is full; None, nobody any more."""
        ...

    async def drained(self) -> None:
        """Return when there is room again."""
        ...


class Pipe(Protocol):
    """A raw stream that can pour itself out."""

    async def pipe(self, sink: Sink, /) -> None: ...

    def keep(self, kept: Kept, /) -> None:
        """Note from now on what is passed on. Nothing has been, yet."""
        ...

    @property
    def told_failure(self) -> bool:
        """Whether what was passed on ends in the upstream's own word of its failure."""
        ...

    @property
    def events_passed(self) -> int:
        """About how many events with content were passed on."""
        ...


class Answer:
    """A backend's answer, lent: whoever called `infer` closes it.

    `wire` is the request's own wire when the chunks (or `whole`) are its bytes, untouched; then
    `status`, `content_type` and `block` (header lines, finished, the content type's among them)
    are what that wire passes on. Otherwise chunks are typed.
    `usage` is final after `close`; `sent_bytes` is what went upstream for it; `skipped` is how
    many of a stream's events were left out, because they couldn't be read.
    """

    __slots__ = (
        "_chunks",
        "_free",
        "_pipe",
        "_words",
        "block",
        "content_type",
        "finish",
        "kept",
        "sent_bytes",
        "served",
        "skipped",
        "status",
        "usage",
        "whole",
        "wire",
    )

    def __init__(
        self,
        chunks: AsyncIterator[Chunk] | None = None,
        *,
        free: Callable[[], None] | None = None,
        pipe: Pipe | None = None,
        served: Served | None = None,
    ) -> None:
        self._chunks = chunks
        self._pipe = pipe
        self._free = free
        self._words = 0
        self.served = served or UNTOLD
        self.status = 200
        self.wire = ""
        self.content_type = ""
        self.block = b""
        self.whole: bytes | None = None
        self.sent_bytes = self.skipped = 0
        self.kept: Kept | None = None
        self.usage: Usage = NO_USAGE
        self.finish: Finish | None = None

    def __aiter__(self) -> AsyncIterator[Chunk]:
        return self

    async def __anext__(self) -> Chunk:
        if self._chunks is None:
            raise StopAsyncIteration
        chunk = await anext(self._chunks)
        if type(chunk) is TextDelta or type(chunk) is ToolCallDelta:
            self._words += 1
        elif type(chunk) is Finish:
            self.finish = chunk
            self.usage = chunk.usage
        return chunk

    async def pipe(self, sink: Sink) -> None:
        """Pour a raw answer's bytes into `sink` until it ends; what is read already goes first.

        Raises:
            NodeError: It broke off.
        """
        if self._pipe is not None:
            await self._pipe.pipe(sink)
            return
        async for chunk in self:
            if not isinstance(chunk, bytes):
                raise BackendFailed("a raw answer held a chunk that isn't bytes")
            sink.write(chunk)
            await sink.drained()

    def keep(self, kept: Kept) -> bool:
        """Have it noted from now on what is passed on; say whether the stream does so by itself.

        A raw one does where it can; typed chunks are noted by whoever passes them on.
        """
        self.kept = kept
        if self._pipe is not None:
            self._pipe.keep(kept)
        return self._pipe is not None

    @property
    def told_failure(self) -> bool:
        """Whether its raw bytes have told of a failure: then the caller knows already."""
        return self._pipe is not None and self._pipe.told_failure

    @property
    def events_passed(self) -> int:
        """About how many pieces of text it has given; each is about a token."""
        return self._words if self._pipe is None else self._pipe.events_passed

    def close(self) -> None:
        """Free whatever it holds upstream. Synchronous and idempotent."""
        free, self._free = self._free, None
        if free is not None:
            free()


_MOST_CALLS = 1024


async def collect(answer: Answer) -> Result:
    """Fold an answer's typed chunks into one result.

    Raises:
        NodeError: The answer broke off; a cut answer is never a short one.
    """
    fold = _Fold()
    async for chunk in answer:
        fold.add(chunk)
    return fold.result()


class _Fold:
    """What has arrived so far."""

    def __init__(self) -> None:
        self._room = Room()
        self._text = Texts(self._room)
        self._calls: dict[int, _Call] = {}
        self._value: object = None
        self._embeddings: Embeddings | None = None
        self._media: Media | None = None
        self._finish: Finish | None = None

    def add(self, chunk: Chunk) -> None:
        match chunk:
            case TextDelta(text):
                self._text.add(text)
            case ToolCallDelta():
                self._add_call(chunk)
            case Value(value):
                self._value = value
            case Embeddings():
                self._embeddings = chunk
            case Media():
                self._media = chunk
            case Finish():
                self._finish = chunk
            case bytes():
                raise TypeError("a raw answer is relayed, not folded")

    def _add_call(self, more: ToolCallDelta) -> None:
        call = self._calls.get(more.index)
        if call is None:
            if len(self._calls) >= _MOST_CALLS:
                raise BackendFailed(f"the answer calls more than {_MOST_CALLS} tools")
            call = self._calls[more.index] = _Call(self._room)
        call.add(more)

    def result(self) -> Result:
        if self._finish is None:
            raise BackendFailed("the answer ended without saying that it was complete")
        return Result(
            finish=self._finish,
            text=str(self._text),
            tool_calls=tuple(self._calls[index].whole(index) for index in sorted(self._calls)),
            value=self._value,
            embeddings=self._embeddings,
            media=self._media,
        )


class _Call:
    """A tool call as it comes."""

    __slots__ = ("_arguments", "_id", "_name")

    def __init__(self, room: Room) -> None:
        self._id = self._name = ""
        self._arguments = Texts(room)

    def add(self, more: ToolCallDelta) -> None:
        self._id = self._id or more.id
        self._name = self._name or more.name
        self._arguments.add(more.arguments)

    def whole(self, index: int) -> ToolCallDelta:
        return ToolCallDelta(
            index=index, id=self._id, name=self._name, arguments=str(self._arguments)
        )
