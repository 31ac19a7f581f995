"""What comes back: chunks, ending in one Finish; and the result that they fold into."""

from enum import StrEnum

import msgspec


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
