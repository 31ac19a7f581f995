"""What an upstream answered, lent to whoever asked."""

from collections.abc import AsyncIterator
from contextlib import suppress

from inferd.core.answer import Sink
from inferd.core.errors import BackendFailed, BackendUnavailable, NodeError
from inferd.http1.client.connection import Connection, Mend


class Response:
    """A response, lent: read it or not, then close it. Header names are lower case.

    `sent_bytes` is what was written for it, head and body, on every connection it took. `stall` is
    how long it may be silent, in seconds, once the first piece of its body is there.
    """

    __slots__ = ("_connection", "_stall", "head", "sent_bytes", "status")

    def __init__(self, connection: Connection, stall: float | None = None) -> None:
        assert connection.answer is not None
        self._connection: Connection | None = connection
        self._stall = stall
        self.head = connection.answer
        self.status = self.head.status
        self.sent_bytes = connection.sent_bytes

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        return self.head.headers

    @property
    def content_type(self) -> str:
        """What the body is, as the upstream says it; empty where it doesn't."""
        return self.head.content_type

    @property
    def block(self) -> bytes:
        """The headers that describe the body, as finished lines, for whoever passes it on."""
        return self.head.block

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is absent."""
        return self.head.first(name.lower().encode())

    def values(self, name: str) -> list[str]:
        """Return every value of a header that may come several times."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key == wanted]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        connection = self._lent()
        if piece := await connection.read():
            if self._stall is not None:
                self._flows(connection, self._stall)
            return piece
        raise StopAsyncIteration

    def whole(self) -> bytes | None:
        """Return the body if all of it is here already, as that of a short answer is."""
        return self._lent().whole()

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            BackendFailed: It is longer than `limit` bytes, or breaks off.
        """
        connection = self._lent()
        whole = connection.whole()
        if whole is not None and len(whole) <= limit:
            return whole
        stated = self.header("content-length")
        size = len(whole) if whole is not None else int(stated) if stated.isdecimal() else 0
        pieces: list[bytes] = []
        whole = None
        if size <= limit:
            size = 0
            while piece := await connection.read():
                size += len(piece)
                if size > limit:
                    break
                pieces.append(piece)
            else:
                return b"".join(pieces)
        # Whoever keeps the error must not keep what was read.
        pieces, piece = [], b""
        raise BackendFailed(f"the answer is longer than {limit >> 20} MiB")

    async def pipe(self, sink: Sink, mend: Mend | None = None) -> None:
        """Pour the body into `sink` as it comes, each piece as `mend` returns it.

        While the sink is full the upstream is held back.

        Raises:
            NodeError: It broke off.
        """
        connection = self._lent()
        if self._stall is not None:
            self._flows(connection, self._stall)
        await connection.pipe(sink, mend)

    def _flows(self, connection: Connection, stall: float) -> None:
        connection.bound_silence(stall)
        self._stall = None

    async def drain(self, seconds: float) -> None:
        """Read on to the end if it comes within `seconds`, so that the connection is kept."""
        connection = self._connection
        if connection is None:
            return
        connection.hurry(seconds)
        with suppress(NodeError):
            while await connection.read():
                pass

    def close(self) -> None:
        """Free the connection. Synchronous and idempotent."""
        # Given back, the connection may be another response's by now.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _lent(self) -> Connection:
        if self._connection is None:
            raise BackendUnavailable("the answer was read after it had been given up")
        return self._connection
