"""Bodies that are made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.http1.client.connection import Connection


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A request body made anew for each attempt. Without a length it goes out in chunks."""

    pieces: Callable[[], AsyncIterator[bytes]]
    size_bytes: int | None = None

    @property
    def framing(self) -> bytes:
        """The header line that says how it is framed."""
        if self.size_bytes is None:
            return b"transfer-encoding: chunked\r\n"
        return b"content-length: %d\r\n" % self.size_bytes


async def upload(connection: Connection, body: Body) -> None:
    """Send the body while waiting for the answer's head, which may come before its end.

    Raises:
        NodeError: No head came, or whatever reading the body raised.
    """
    sending = asyncio.get_running_loop().create_task(_send(connection, body))
    sending.add_done_callback(partial(_note_failure, connection))
    try:
        await connection.head()
    finally:
        if not sending.done():
            connection.stop_reuse()
            sending.cancel()
            await asyncio.wait((sending,))
            connection.owe()


async def _send(connection: Connection, body: Body) -> None:
    """Write the body's pieces until they end, or nobody wants them any more."""
    size, sent = body.size_bytes, 0
    pieces = body.pieces()
    try:
        async for piece in pieces:
            if connection.is_over:
                connection.stop_reuse()
                return
            sent += len(piece)
            if size is not None and sent > size:
                break
            if piece:
                await connection.write(
                    piece if size is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
                )
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    if size is None:
        await connection.write(b"0\r\n\r\n")
    elif sent != size:
        raise InvalidRequest(f"a body of {size} bytes had {'more' if sent > size else sent}")
    connection.sent()


def _note_failure(connection: Connection, sending: asyncio.Task[None]) -> None:
    """Let a failure to read the body end the exchange."""
    if not sending.cancelled() and (error := sending.exception()) is not None:
        connection.fail(error)
