"""A house that tells what happens inside its connections, for tests that wait for it."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from inferd.http1.server.connection import Connection
from inferd.http1.server.limits import Limits
from tests.http1.house import House
from tests.http1.raw import BOUND

Act = Callable[[Connection], Coroutine[Any, Any, None]]


class Watched(House):
    """Whatever its connections read, and whatever they then do, `until` looks again."""

    def __init__(self, limits: Limits, acts: Mapping[str, Act]) -> None:
        super().__init__(limits, dict(acts))
        self.read_bytes = 0

    @property
    def only(self) -> "Line":
        (connection,) = self.open
        assert isinstance(connection, Line)
        return connection

    async def read(self, number: int) -> None:
        """Wait until as many bytes were read in all."""
        await self.until(lambda: self.read_bytes >= number)


class Line(Connection):
    """A connection that says what happens to it."""

    def __init__(self, house: Watched) -> None:
        super().__init__(house)
        self._house = house

    @property
    def is_reading(self) -> bool:
        return self._is_reading

    @property
    def is_full(self) -> bool:
        return self._is_full

    @property
    def is_busy(self) -> bool:
        return self._is_busy

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    @property
    def buffered_bytes(self) -> int:
        return self._incoming.buffered if self._incoming is not None else 0

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._house.read_bytes += len(data)
        self._house.changed()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._house.changed()

    def eof_received(self) -> bool:
        stays = super().eof_received()
        self._house.changed()
        return stays

    def pause_writing(self) -> None:
        super().pause_writing()
        self._house.changed()

    def _end_request(self) -> None:
        super()._end_request()
        self._house.changed()


@asynccontextmanager
async def watching(
    acts: Mapping[str, Act] | None = None,
    limits: Limits | None = None,
    *,
    house: type[Watched] = Watched,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Watched]:
    """Serve on a free port; leaving breaks off who is still there."""
    one = house(limits or Limits(), acts or {})
    server = await one.loop.create_server(lambda: Line(one), "127.0.0.1", 0, ssl=tls)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for connection in tuple(one.open):
            connection.abort()
        await one.until(lambda: not one.open)
        await server.wait_closed()


def request(path: bytes = b"/act", body: bytes = b"", headers: bytes = b"") -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n"
    return head % (path, len(body), headers) + body


class Acting:
    """A handler that can be waited for, and says how it ended."""

    def __init__(self, act: Act) -> None:
        self._act = act
        self._begun = asyncio.Event()
        self._ended = asyncio.Event()
        self.was_left: bool | None = None
        self.message: object = None

    async def __call__(self, connection: Connection) -> None:
        self._begun.set()
        try:
            await self._act(connection)
        except asyncio.CancelledError as error:
            self.was_left = connection.is_left
            self.message = error.args[0] if error.args else None
            raise
        finally:
            self._ended.set()

    async def begun(self) -> None:
        async with asyncio.timeout(BOUND):
            await self._begun.wait()

    async def ended(self) -> None:
        async with asyncio.timeout(BOUND):
            await self._ended.wait()
