"""A server of ours in the test's own loop, and raw clients that say what the test tells them."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.limits import Limits
from inferd.http1.server.server import Server
from inferd.http1.server.tls import Certificate

BOUND = 10.0
"""Longer than anything here takes; a wait that reaches it has failed."""

HELLO = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not is_so():
            await asyncio.get_running_loop().run_in_executor(None, list)


class Served:
    """A server that listens, and where."""

    def __init__(self, server: Server, listener: socket.socket) -> None:
        self.server = server
        self.listener = listener

    @property
    def port(self) -> int:
        return self.listener.getsockname()[1]

    @asynccontextmanager
    async def line(self, tls: ssl.SSLContext | None = None) -> AsyncGenerator["Line"]:
        """Connect."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname=name
        )
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


class Line:
    """A client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def until_closed(self) -> bytes:
        """Read all there is; a reset is an end too."""
        pieces: list[bytes] = []
        async with asyncio.timeout(BOUND):
            with suppress(ConnectionError):
                while piece := await self.reader.read(1 << 20):
                    pieces.append(piece)
        return b"".join(pieces)

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(BOUND):
            return await self.reader.readuntil(mark)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Read one whole response that says how long it is."""
        async with asyncio.timeout(BOUND):
            raw = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
            pairs = (line.partition(": ") for line in lines)
            headers = {name.lower(): value for name, _, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body


@asynccontextmanager
async def serving(
    app: ASGIApp,
    limits: Limits | None = None,
    *,
    certificate: Certificate | None = None,
    is_proxy: Callable[[str], bool] = lambda _address: False,
) -> AsyncGenerator[Served]:
    """Serve `app` on a free port; leaving stops it at once."""
    handler = AsgiHandler(app)
    server = Server(lambda _head, _peer: handler, limits, is_proxy=is_proxy)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.listen(listener, certificate)
        try:
            yield Served(server, listener)
        finally:
            server.hurry()
            async with asyncio.timeout(BOUND):
                await server.stop("the test is over")
