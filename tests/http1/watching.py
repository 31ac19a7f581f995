"""A house that tells what happens inside its connections, for tests that wait for it."""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from inferd.http1.server.connection import Connection
from inferd.http1.server.limits import Limits
from tests.http1.house import House

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

    def pause_writing(self) -> None:
        super().pause_writing()
        self._house.changed()

    def _end_request(self) -> None:
        super()._end_request()
        self._house.changed()


@asynccontextmanager
async def watching(
    acts: Mapping[str, Act] | None = None, limits: Limits | None = None
) -> AsyncGenerator[Watched]:
    """Serve on a free port; leaving breaks off who is still there."""
    one = Watched(limits or Limits(), acts or {})
    server = await one.loop.create_server(lambda: Line(one), "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for connection in tuple(one.open):
            connection.abort()
        await one.until(lambda: not one.open)
        await server.wait_closed()
