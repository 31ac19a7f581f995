"""A server that does as a test tells it, byte by byte, and notices who leaves."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

CERTS = Path(__file__).parent / "certs"
BOUND = 10.0
"""Longer than anything here takes; a wait that reaches it has failed."""

BUFFER_BYTES = 64 << 10


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


class Wire:
    """The server's end of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> Received | None:
        """Read a request's head; None when the client left."""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        pairs = (line.partition(": ") for line in lines)
        return Received(
            method=method, path=path, headers={name.lower(): value for name, _, value in pairs}
        )

    async def body(self, head: Received) -> bytes:
        if head.headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(head.headers.get("content-length", 0)))
        pieces: list[bytes] = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(pieces)

    async def receive(self) -> Received | None:
        head = await self.head()
        if head is None:
            return None
        try:
            return msgspec.structs.replace(head, body=await self.body(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():
            return
        with suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def answer(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} Said",
            f"content-type: {content_type}",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def begin(
        self, *, content_type: str = "text/event-stream", headers: dict[str, str] | None = None
    ) -> None:
        """Open an answer in chunks."""
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{more}"
        await self.send(head.encode() + b"transfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    async def gone(self) -> None:
        """Wait until the client leaves."""
        with suppress(ConnectionError):
            while await self.reader.read(BUFFER_BYTES):
                pass

    def cut(self) -> None:
        """Break the connection off."""
        self.writer.transport.abort()

    def finish(self) -> None:
        """Close the connection in good order."""
        self.writer.close()


Handle = Callable[[Wire, Received], Awaitable[None]]


class Upstream:
    """What the server has seen."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.received: list[Received] = []
        self.connections = 0
        self.open = 0
        self._changed = asyncio.Condition()

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`."""
        async with asyncio.timeout(BOUND), self._changed:
            await self._changed.wait_for(holds)


@asynccontextmanager
async def serve(
    handle: Handle, *, tls: bool = False, reads_body: bool = True
) -> AsyncGenerator[Upstream]:
    """Answer every request with `handle`; leaving drops everyone and raises what went wrong."""
    upstreams: list[Upstream] = []
    writers: set[asyncio.StreamWriter] = set()
    faults: list[BaseException] = []
    running: set[asyncio.Task[None]] = set()

    async def converse(wire: Wire) -> None:
        upstream = upstreams[0]
        while request := await (wire.receive() if reads_body else wire.head()):
            upstream.received.append(request)
            await upstream.changed()
            await handle(wire, request)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = upstreams[0]
        upstream.connections += 1
        upstream.open += 1
        writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        await upstream.changed()
        try:
            await converse(Wire(reader, writer, upstream.connections))
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001  the test hears of it when it leaves
            faults.append(error)
        finally:
            writer.transport.abort()
            writers.discard(writer)
            running.discard(task)
            upstream.open -= 1
            await upstream.changed()

    context = server_context() if tls else None
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    upstreams.append(Upstream(port, "https" if tls else "http"))
    try:
        yield upstreams[0]
    finally:
        server.close()
        for writer in tuple(writers):
            writer.transport.abort()
        for task in tuple(running):
            task.cancel()
        if running:
            await asyncio.wait(tuple(running), timeout=BOUND)
    if faults:
        raise ExceptionGroup("the upstream's handler failed", list(map(_plain, faults)))


def _plain(error: BaseException) -> Exception:
    return error if isinstance(error, Exception) else RuntimeError(repr(error))


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "server.pem")
    return context


def client_context() -> ssl.SSLContext:
    """Trust the tests' own authority."""
    return ssl.create_default_context(cafile=str(CERTS / "ca.pem"))


async def dead_port() -> int:
    """Return a port where nobody listens."""
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
