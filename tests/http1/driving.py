"""Feeds a connection of the server byte by byte, without a socket."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from inferd.http1.server.connection import Connection
from inferd.http1.server.limits import Limits
from tests.http1.house import House, Seen
from tests.http1.raw import Reply, replies

_TURNS = 40
"""More turns of the loop than any request here takes."""


class Line(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.written = bytearray()
        self._protocol = protocol
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self._is_closing, "written to a connection that is closed"
        self.written += data

    def write_eof(self) -> None: ...
    def can_write_eof(self) -> bool:
        return True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class Outcome(msgspec.Struct, frozen=True):
    """What became of some bytes."""

    replies: list[Reply]
    seen: list[Seen]


async def _turn() -> None:
    """Let everybody run who can."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


async def drive(pieces: Sequence[bytes], *, together: bool = False) -> Outcome:
    """Feed `pieces`, then an end; return what was answered and what the handlers saw.

    With `together`, they come within one turn of the loop. Nothing may be left behind.
    """
    house = House(Limits(), {})
    tasks = asyncio.all_tasks()
    connection = Connection(house)
    line = Line(connection)
    connection.connection_made(line)
    for piece in pieces:
        if line.is_closing():
            break
        connection.data_received(piece)
        if not together:
            await _turn()
    for _ in range(_TURNS):
        await _turn()
    if not line.is_closing() and not connection.eof_received():
        line.close()
    for _ in range(_TURNS):
        await _turn()
    assert not house.open, "the connection is still open"
    assert house.faults == []
    assert asyncio.all_tasks() == tasks, "a task is left"
    return Outcome(replies(line.written), house.seen)
