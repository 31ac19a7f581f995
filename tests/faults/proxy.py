"""A proxy on loopback that does one thing wrong to what passes: between a node and its backend.

It understands as much of HTTP as it takes to do it at a token: a response's head, and its chunks,
of which a stream has one for each event.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

import msgspec

_PIECE = 64 << 10
_METHODS = (b"POST ", b"GET ")
_HEAD_END = b"\r\n\r\n"
_GARBAGE = b"\x16\x03\x01 this was never HTTP \xff\xfe\r\n" * 4


class Kind(StrEnum):
    """What goes wrong."""

    NONE = "nothing"
    REFUSE = "connection refused"
    BLACK_HOLE = "black hole: nothing is ever said"
    DELAY = "a late answer"
    CUT_BEFORE = "cut before the head"
    CUT_IN_HEAD = "cut within the head"
    CUT_AT_BYTE = "cut at a byte, within an event"
    CUT_AT_TOKEN = "cut at a token"
    RESET = "reset at a token"
    STALL = "silence at a token"
    CORRUPT = "a corrupted line"
    JUNK = "a malformed line between two good ones"
    GARBAGE = "bytes that are no HTTP"
    KILL = "process killed with -9 at a token"


class Fault(msgspec.Struct, frozen=True):
    """One kind, where it strikes (a token of a stream, a share of a whole body), for how long."""

    kind: Kind = Kind.NONE
    at: int = 0
    seconds: float = 0.0


NO_FAULT = Fault()
Killer = Callable[[], None]


class FaultProxy:
    """Listens on `port`; what passes meets `fault`, until that is changed."""

    def __init__(self, target: int, kill: Killer | None = None) -> None:
        self.fault = NO_FAULT
        self.port = 0
        self.struck = 0
        """How often the fault has struck."""
        self._target = target
        self._kill = kill
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Take connections, on the same port as before."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take none, and break off those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._open):
            _reset(writer)

    async def close(self) -> None:
        """Take no more connections, and return when those that there were have ended."""
        await self.refuse()
        if self._lines:
            await asyncio.wait(self._lines)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        task.add_done_callback(self._lines.discard)
        self._open.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        self._open.add(far_writer)
        line = _Line(self, reader, writer, far_reader, far_writer)
        try:
            await line.run()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for each in (writer, far_writer):
                self._open.discard(each)
                each.close()

    def strike(self) -> None:
        """Note that the fault has struck."""
        self.struck += 1
        if self.fault.kind is Kind.KILL and self._kill is not None:
            self._kill()


class _Line:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: FaultProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy = proxy
        self._reader, self._writer = reader, writer
        self._far_reader, self._far_writer = far_reader, far_writer
        self._asks = False
        """Whether what is asked is a question, and not what the backend offers."""

    async def run(self) -> None:
        """Pass both ways until one side ends."""
        loop = asyncio.get_running_loop()
        up, down = loop.create_task(self._up()), loop.create_task(self._down())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.wait((up, down))
            for task in (up, down):
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error

    async def _up(self) -> None:
        while piece := await self._reader.read(_PIECE):
            if piece.startswith(_METHODS):
                self._asks = piece.startswith(b"POST ")
            self._far_writer.write(piece)
            await self._far_writer.drain()

    async def _down(self) -> None:
        while True:
            head = await self._far_reader.readuntil(_HEAD_END)
            fault = self._proxy.fault if self._asks else NO_FAULT
            early = _EARLY.get(fault.kind)
            if early is not None:
                self._proxy.strike()
                if not await early(self, head, fault):
                    return
            else:
                await self._pass(head)
            lower = head.lower()
            if b"transfer-encoding: chunked" in lower:
                if not await self._events(fault):
                    return
            else:
                length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
                if not await self._whole(length, fault):
                    return

    async def _pass(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def _events(self, fault: Fault) -> bool:
        """Pass a body in chunks; return whether another response may follow."""
        number = 0
        while True:
            line = await self._far_reader.readuntil(b"\r\n")
            size = int(line, 16)
            chunk = await self._far_reader.readexactly(size + 2)
            late = _LATE.get(fault.kind) if number == fault.at and size else None
            number += 1
            if late is None:
                await self._pass(line + chunk)
            else:
                self._proxy.strike()
                if not await late(self, line, chunk, fault):
                    return False
            if not size:
                return True

    async def _whole(self, length: int, fault: Fault) -> bool:
        """Pass a body of a known length, struck in its middle."""
        body = await self._far_reader.readexactly(length)
        late = _LATE.get(fault.kind)
        if late is None or not length:
            await self._pass(body)
            return True
        half = length // 2
        if fault.kind is not Kind.CORRUPT:
            await self._pass(body[:half])
            body = body[half:]
        self._proxy.strike()
        return await late(self, b"", body, fault)

    # The faults: each returns whether the line may go on.

    async def hold(self, _head: bytes, _fault: Fault) -> bool:
        await asyncio.Event().wait()
        return False

    async def delay(self, head: bytes, fault: Fault) -> bool:
        await _pause(fault.seconds)
        await self._pass(head)
        return True

    async def cut_before(self, _head: bytes, _fault: Fault) -> bool:
        return False

    async def cut_in_head(self, head: bytes, _fault: Fault) -> bool:
        await self._pass(head[: len(head) // 2])
        return False

    async def garbage(self, _head: bytes, _fault: Fault) -> bool:
        await self._pass(_GARBAGE)
        return False

    async def cut(self, _line: bytes, _chunk: bytes, _fault: Fault) -> bool:
        return False

    async def cut_within(self, line: bytes, chunk: bytes, _fault: Fault) -> bool:
        await self._pass(line + chunk[: len(chunk) // 2])
        return False

    async def reset(self, line: bytes, chunk: bytes, _fault: Fault) -> bool:
        await self._pass(line + chunk[:7])
        _reset(self._writer)
        return False

    async def stall(self, _line: bytes, _chunk: bytes, _fault: Fault) -> bool:
        await asyncio.Event().wait()
        return False

    async def corrupt(self, line: bytes, chunk: bytes, _fault: Fault) -> bool:
        await self._pass(line + chunk.replace(b'":', b"\x01:"))
        return True

    async def junk(self, line: bytes, chunk: bytes, _fault: Fault) -> bool:
        bad = b'data: {"id": "chatcmpl-1", "choices": [{"del\n\n'
        await self._pass(b"%x\r\n%b\r\n" % (len(bad), bad) if line else b"")
        await self._pass(line + chunk)
        return True

    async def killed(self, line: bytes, chunk: bytes, _fault: Fault) -> bool:
        # What the process had sent is on its way; then its end is seen.
        await self._far_reader.read()
        return False


_EARLY: dict[Kind, Callable[[_Line, bytes, Fault], Awaitable[bool]]] = {
    Kind.BLACK_HOLE: _Line.hold,
    Kind.DELAY: _Line.delay,
    Kind.CUT_BEFORE: _Line.cut_before,
    Kind.CUT_IN_HEAD: _Line.cut_in_head,
    Kind.GARBAGE: _Line.garbage,
}
_LATE: dict[Kind, Callable[[_Line, bytes, bytes, Fault], Awaitable[bool]]] = {
    Kind.CUT_AT_BYTE: _Line.cut_within,
    Kind.CUT_AT_TOKEN: _Line.cut,
    Kind.RESET: _Line.reset,
    Kind.STALL: _Line.stall,
    Kind.CORRUPT: _Line.corrupt,
    Kind.JUNK: _Line.junk,
    Kind.KILL: _Line.killed,
}


async def _pause(seconds: float) -> None:
    """Wait: a late answer is the fault itself."""
    never = asyncio.get_running_loop().create_future()
    await asyncio.wait([never], timeout=seconds)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection off with a reset instead of an end."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


@asynccontextmanager
async def fault_proxy(target: int, kill: Killer | None = None) -> AsyncGenerator[FaultProxy]:
    """Lend a proxy to the port `target`; `kill` ends what listens there."""
    proxy = FaultProxy(target, kill)
    await proxy.listen()
    try:
        yield proxy
    finally:
        await proxy.close()
