"""What comes back: chunks, ending in one Finish; and the result that they fold into."""

from enum import StrEnum

import msgspec

from inferd.core.errors import BackendFailed


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


MOST_TEXT_BYTES = 64 << 20
_PIECE_BYTES = 64
"""What keeping a piece costs, however short it is."""


class Room:
    """How much of one answer's text may still be kept."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_TEXT_BYTES

    def take(self, text: str) -> None:
        """Make room for one more piece.

        Raises:
            BackendFailed: There is none left.
        """
        self._left -= len(text) + _PIECE_BYTES
        if self._left < 0:
            raise BackendFailed(f"the answer's text is longer than {MOST_TEXT_BYTES >> 20} MiB")


class Texts:
    """Pieces of an answer's text, joined when it is over."""

    __slots__ = ("_room", "_texts")

    def __init__(self, room: Room | None = None) -> None:
        self._texts: list[str] = []
        self._room = room or Room()

    def add(self, text: str) -> None:
        """Keep one more.

        Raises:
            BackendFailed: They are more than a node holds.
        """
        self._room.take(text)
        self._texts.append(text)

    def __len__(self) -> int:
        return len(self._texts)

    def __str__(self) -> str:
        return "".join(self._texts)


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
