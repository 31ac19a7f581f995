"""What comes back: chunks, ending in one Finish; and their fold."""

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from inferd.core.errors import BackendFailed

if TYPE_CHECKING:
    from inferd.core.backend import Answer


class FinishReason(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What it took: tokens where a model counts them, units (texts, rows, images) elsewhere."""

    input_tokens: int = 0
    output_tokens: int = 0
    units: int = 0


NO_USAGE = Usage()


class TextDelta(msgspec.Struct, frozen=True, tag=True):
    """More text."""

    text: str
    index: int = 0


class ToolCallDelta(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """More of a tool call, in the field's own shape."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class Value(msgspec.Struct, frozen=True, tag=True):
    """A structured result in the task's shape: labels, spans, a table, a mask."""

    value: object


class Embeddings(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """One vector a text, packed: little-endian float32, `dimension` a row."""

    data: bytes
    dimension: int

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return len(self.data) // (4 * self.dimension) if self.dimension else 0


class Media(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """An image, sound or film."""

    data: bytes
    content_type: str
    name: str = ""


class Finish(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """The last chunk."""

    reason: FinishReason = FinishReason.STOP
    usage: Usage = NO_USAGE
    model: str = ""
    """The model that really answered, by its full id."""


Chunk = bytes | TextDelta | ToolCallDelta | Value | Embeddings | Media | Finish
"""`bytes` only from an answer whose `wire` is the request's own."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    finish: Finish
    text: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    value: object = None
    embeddings: Embeddings | None = None
    media: Media | None = None

    @property
    def usage(self) -> Usage:
        """What it took."""
        return self.finish.usage


async def collect(answer: "Answer") -> Result:
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
        self._texts: list[str] = []
        self._calls: dict[int, ToolCallDelta] = {}
        self._value: object = None
        self._embeddings: Embeddings | None = None
        self._media: Media | None = None
        self._finish: Finish | None = None

    def add(self, chunk: Chunk) -> None:
        match chunk:
            case TextDelta(text):
                self._texts.append(text)
            case ToolCallDelta():
                self._calls[chunk.index] = _merged(self._calls.get(chunk.index), chunk)
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

    def result(self) -> Result:
        if self._finish is None:
            raise BackendFailed("the answer ended without saying that it was complete")
        return Result(
            finish=self._finish,
            text="".join(self._texts),
            tool_calls=tuple(self._calls[index] for index in sorted(self._calls)),
            value=self._value,
            embeddings=self._embeddings,
            media=self._media,
        )


def _merged(before: ToolCallDelta | None, more: ToolCallDelta) -> ToolCallDelta:
    if before is None:
        return more
    return ToolCallDelta(
        index=more.index,
        id=before.id or more.id,
        name=before.name or more.name,
        arguments=before.arguments + more.arguments,
    )
