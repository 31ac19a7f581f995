"""What an upstream answered, lent to whoever asked."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress

from inferd.core.errors import BackendFailed, BackendUnavailable, NodeError
from inferd.http1.client.connection import Connection


class Response:
    """A response, lent: read it or not, then close it. Header names are lower case.

    `sent_bytes` is what was written for it, head and body, on every connection it took.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self.status = connection.status
        self.sent_bytes = connection.sent_bytes
        self.headers = connection.headers

    def header(self, name: str) -> str:
        """Return a header's value, empty when it is absent."""
        wanted = name.lower().encode()
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return ""

    def values(self, name: str) -> list[str]:
        """Return every value of a header that may come several times."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key == wanted]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        if self._connection is None:
            raise BackendUnavailable("the answer was read after it had been given up")
        return self._connection.__anext__()

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            BackendFailed: It is longer than `limit` bytes, or breaks off.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                # Whoever keeps the error must not keep what was read.
                pieces.clear()
                raise BackendFailed(f"the answer is longer than {limit >> 20} MiB")
            pieces.append(piece)
        return b"".join(pieces)

    async def drain(self, seconds: float) -> None:
        """Read on to the end if it comes within `seconds`, so that the connection is kept."""
        if self._connection is None:
            return
        self._connection.hurry(seconds)
        with suppress(NodeError):
            async for _ in self:
                pass

    def close(self) -> None:
        """Free the connection. Synchronous and idempotent."""
        # Given back, the connection may be another response's by now.
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
