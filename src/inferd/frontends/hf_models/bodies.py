"""A body whose type nobody need say: JSON, or a file that may still be arriving."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from inferd.core.errors import InvalidRequest
from inferd.frontends._http.alongside import alongside
from inferd.frontends._http.bodies import read_json, wrong_content_type
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.spool import ArrivingFile
from inferd.wire import file_kinds

_SAYS_NOTHING = frozenset(
    {"", "application/octet-stream", "application/x-www-form-urlencoded", "text/plain"}
)
"""What senders of bytes put there when nobody told them what the bytes are."""


class Begun:
    """A body of which only the beginning is here."""

    def __init__(self, content_type: str, head: bytes, pieces: AsyncIterator[bytes]) -> None:
        self.content_type = content_type
        self._head = head
        self._pieces = pieces

    @asynccontextmanager
    async def open(self, field: str) -> AsyncGenerator[ArrivingFile]:
        """Lend the file, under a task's name for it, while the rest of it arrives.

        Raises:
            PayloadTooLarge: It is too long.
            CallerLeft: It broke off.
        """
        name = file_kinds.file_name(field, self.content_type)
        file = ArrivingFile(field, name=name, content_type=self.content_type)
        try:
            async with alongside(self._fill(file)):
                yield file
        finally:
            file.close()

    async def _fill(self, file: ArrivingFile) -> None:
        file.add(self._head)
        async for piece in self._pieces:
            file.add(piece)
        file.complete()


async def read_body(exchange: Exchange) -> bytes | Begun:
    """Return a body of JSON, whole, or the beginning of a file.

    Raises:
        HttpRefusal: It says that it is neither.
        InvalidRequest: It is empty, or isn't what its sender says, or is no file we know.
        PayloadTooLarge: It is JSON, and too long for that.
    """
    said = exchange.content_type
    if said == "application/json" or said.endswith("+json"):
        return await read_json(exchange)
    says_file = bool(file_kinds.fields_of(said))
    if not says_file and said not in _SAYS_NOTHING:
        raise wrong_content_type(exchange, "application/json", "a file's own type, or none")
    pieces = exchange.pieces()
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) >= file_kinds.HEAD_BYTES:
            break
    if not says_file and head.lstrip()[:1] in (b"{", b"[", b'"'):
        return await read_json(exchange, begun=head)
    if not head:
        raise InvalidRequest("the body is empty", hint='send a file, or JSON: {"inputs": …}')
    kind = file_kinds.settled_type(said if says_file else "", head)
    if not kind:
        raise file_kinds.unknown_file("the body")
    return Begun(kind, head, pieces)
