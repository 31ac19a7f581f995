"""What a request carries besides plain values: messages and files."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import msgspec


class File(Protocol):
    """Bytes that came with a request; read as often as there are backends to try.

    A file may still be arriving while it is read. It is lent: whoever made it removes it.
    """

    @property
    def field(self) -> str:
        """The task's name for it: `image`, `audio` or `video`."""
        ...

    @property
    def name(self) -> str:
        """The caller's file name: a label, never a path."""
        ...

    @property
    def content_type(self) -> str: ...

    @property
    def size_bytes(self) -> int | None:
        """Its length, or None while it is still arriving."""
        ...

    def read(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the start, in pieces of bounded size.

        Raises:
            InvalidRequest: The caller broke off before the end.
        """
        ...


class BytesFile:
    """A file held in memory."""

    __slots__ = ("_data", "content_type", "field", "name")

    def __init__(
        self,
        field: str,
        data: bytes,
        *,
        name: str = "",
        content_type: str = "application/octet-stream",
    ) -> None:
        self.field = field
        self.name = name or field
        self.content_type = content_type
        self._data = data

    @property
    def size_bytes(self) -> int | None:
        return len(self._data)

    async def read(self) -> AsyncIterator[bytes]:
        yield self._data


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn of a conversation.

    `parts` are the non-text pieces (images, audio) exactly as they came; `tool_calls` likewise.
    """

    role: str
    text: str = ""
    parts: tuple[Mapping[str, object], ...] = ()
    name: str = ""
    tool_calls: tuple[Mapping[str, object], ...] = ()
    tool_call_id: str = ""
