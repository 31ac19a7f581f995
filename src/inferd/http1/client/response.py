"""What an upstream answered, lent to whoever asked."""

from collections.abc import AsyncIterator
from contextlib import suppress

from inferd.core.answer import Sink
from inferd.core.errors import BackendFailed, BackendUnavailable, NodeError
from inferd.http1.client.connection import Connection, Mend

_LEFT_OUT = frozenset(
    b"""connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
    transfer-encoding upgrade content-length date server set-cookie set-cookie2 alt-svc via
    x-request-id strict-transport-security content-security-policy clear-site-data nel report-to
    reporting-endpoints www-authenticate""".split()
)
"""What is said hop by hop, to this node alone, or in the name of the origin, which is us."""

_OURS = (b"x-inference-", b"access-control-")


class Response:
    """A response, lent: read it or not, then close it. Header names are lower case.

    `sent_bytes` is what was written for it, head and body, on every connection it took.
    """

    __slots__ = ("_connection", "headers", "sent_bytes", "status")

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

    @property
    def content_type(self) -> str:
        """What the body is, as the upstream says it; empty where it doesn't."""
        for name, value in self.headers:
            if name == b"content-type":
                return value.decode("latin-1")
        return ""

    @property
    def block(self) -> bytes:
        """Its end-to-end headers as finished lines, for whoever passes it on as it is.

        What is for this hop, for this node or in the origin's own name is left out, and so are
        the request id and `X-Inference-…`, which the node says itself.
        """
        named: frozenset[bytes] = frozenset()
        for name, value in self.headers:
            if name == b"connection":
                named |= frozenset(each.strip() for each in value.lower().split(b","))
        return b"".join(
            [
                b"%b: %b\r\n" % (name, value)
                for name, value in self.headers
                if name not in _LEFT_OUT and name not in named and not name.startswith(_OURS)
            ]
        )

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if piece := await self._lent().read():
            return piece
        raise StopAsyncIteration

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
        await self._lent().pipe(sink, mend)

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
