"""A WebSocket client that says exactly what a test tells it, and applications to talk to."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from starlette.types import Message, Receive, Scope, Send
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from tests.http1.serving import BOUND, Line, Served

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""What RFC 6455 says to that very key."""


def handshake(*more: bytes, key: bytes = KEY, version: bytes = b"13") -> bytes:
    lines = [b"GET /ws HTTP/1.1", b"Host: localhost", b"Connection: Upgrade", b"Upgrade: websocket"]
    lines += [b"Sec-WebSocket-Version: " + version, b"Sec-WebSocket-Key: " + key, *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def frame(opcode: Opcode, data: bytes = b"", *, fin: bool = True, mask: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=mask)


def text(data: bytes, *, fin: bool = True) -> bytes:
    return frame(Opcode.TEXT, data, fin=fin)


def goodbye(code: int = 1000) -> bytes:
    return frame(Opcode.CLOSE, Close(code, "").serialize())


class Peer:
    """What a client has read of the server's frames."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._reading = ClientProtocol(parse_uri("ws://localhost/ws"), state=OPEN, max_size=None)
        self._frames: list[Frame] = []

    async def frame(self) -> Frame:
        """Return the server's next frame.

        Raises:
            EOFError: It closed the connection, or cut it.
        """
        async with asyncio.timeout(BOUND):
            while not self._frames:
                data = await self.line.reader.read(1 << 16)
                if not data:
                    raise EOFError
                self._reading.receive_data(data)
                events = self._reading.events_received()
                self._frames += [event for event in events if isinstance(event, Frame)]
        return self._frames.pop(0)

    async def message(self) -> bytes:
        found = await self.frame()
        assert found.opcode in (Opcode.TEXT, Opcode.BINARY)
        return bytes(found.data)

    async def goodbye(self) -> Close:
        """Pass over what comes before it."""
        while (found := await self.frame()).opcode is not Opcode.CLOSE:
            pass
        return Close.parse(bytes(found.data))


@asynccontextmanager
async def shaken(served: Served) -> AsyncGenerator[Peer]:
    """Connect, and be let in."""
    async with served.line() as line:
        line.say(handshake())
        head = await line.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert ACCEPT in head
        yield Peer(line)


class Echo:
    """An application that says what it hears, and notes how each WebSocket ended."""

    def __init__(self) -> None:
        self.ends: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept", "headers": [(b"x-own", b"yes")]})
        while (message := await receive())["type"] == "websocket.receive":
            # Who has left meanwhile doesn't hear it.
            with suppress(OSError):
                await send({**message, "type": "websocket.send"})
        await self.ends.put(message)

    async def end(self) -> Message:
        async with asyncio.timeout(BOUND):
            return await self.ends.get()
