"""A request on a connection of our own: nothing between its answerer and the socket."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from starlette.datastructures import Headers, QueryParams

from inferd.core.answer import Answer
from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.frontends._http.exchange import PIECES_A_TURN, Exchange, header_lines, turn
from inferd.frontends._http.guard import too_long, usual_lines
from inferd.http1.server.connection import Connection
from inferd.http1.server.refusal import TooLong
from inferd.wire.context import Context as Asked

_NO_QUERY = QueryParams("")


class Decided(Protocol):
    """What was decided from a head, for every request that has it. Shared: nobody writes to it."""

    context: Context
    headers: Headers
    method: str
    most_bytes: int
    parameters: Mapping[str, str]
    path: str
    principal: Principal

    def directions(self) -> Asked: ...


class NativeExchange(Exchange):
    """An exchange over a connection. Its handler is cancelled when the caller leaves."""

    __slots__ = ("_connection", "_decided", "_pieces_sent", "has_reached_gateway")

    def __init__(self, decided: Decided, connection: Connection, request_id: str) -> None:
        self.context = decided.context
        self.headers = decided.headers
        self.method = decided.method
        self.parameters = decided.parameters
        self.path = decided.path
        self.principal = decided.principal
        self.query = _NO_QUERY
        self.request_id = request_id
        self.has_reached_gateway = False
        self._connection = connection
        self._decided = decided
        self._pieces_sent = 0

    @property
    def has_begun(self) -> bool:
        return self._connection.has_begun

    @property
    def at_hand(self) -> bytes | None:
        return self._connection.body

    def directions(self) -> Asked:
        return self._decided.directions()

    def enters_gateway(self) -> None:
        self.has_reached_gateway = True

    async def pieces(self) -> AsyncIterator[bytes]:
        connection, most = self._connection, self._decided.most_bytes
        whole = connection.body
        if whole is not None:
            yield whole
            return
        size = 0
        async for piece in connection.pieces():
            size += len(piece)
            if size > most:
                raise too_long(most)
            yield piece

    async def body(self) -> bytes:
        connection = self._connection
        whole = connection.body
        if whole is not None:
            return whole
        most = self._decided.most_bytes
        try:
            return await connection.read(most)
        except TooLong:
            raise too_long(most) from None

    async def run(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        await answer(self)

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        await self.begin_with(status, b"", header_lines(headers))

    async def begin_with(self, status: int, said: bytes, block: bytes) -> None:
        self._connection.start(status, self._lines(said, block))

    def _lines(self, said: bytes, block: bytes) -> bytes:
        usual = usual_lines(block)
        return b"x-request-id: %b%b%b%b" % (self.request_id.encode(), usual, said, block)

    async def more(self, data: bytes) -> None:
        self._connection.write(data)
        await self._connection.drained()
        self._pieces_sent += 1
        if self._pieces_sent % PIECES_A_TURN == 0:
            await turn()

    async def pour(self, answer: Answer) -> None:
        await answer.pipe(self._connection)

    async def finish(self, data: bytes = b"") -> None:
        if data:
            self._connection.write(data)
        self._connection.end()

    async def reply(
        self,
        body: bytes,
        *,
        content_type: str = "application/json",
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        block = header_lines([("content-type", content_type), *headers])
        self._connection.send(status, self._lines(b"", block), body)

    async def reply_with(self, status: int, said: bytes, block: bytes, body: bytes) -> None:
        # As `_lines`, which nearly every request would have to call.
        request_id, usual = self.request_id.encode(), usual_lines(block)
        lines = b"x-request-id: %b%b%b%b" % (request_id, usual, said, block)
        self._connection.send(status, lines, body)

    def tell(self, status: int, block: bytes, body: bytes) -> None:
        """Send a whole response at once."""
        self._connection.send(status, self._lines(b"", block), body)
