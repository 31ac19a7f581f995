"""A client that sends what it is told, byte by byte, and reads strictly what comes back."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import msgspec

BOUND = 20.0
"""Longer than anything here takes; a wait that reaches it has failed."""

_BODILESS = frozenset({204, 304})


class Reply(msgspec.Struct, frozen=True):
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_whole: bool
    """False if the connection ended before it did."""

    @property
    def id(self) -> str:
        return self.headers.get("x-request-id", "")


class Broken(AssertionError):
    """What came back is no row of answers."""


class Talk(asyncio.Protocol):
    """One connection: all that came over it is in `came`, however it ended."""

    def __init__(self) -> None:
        self.came = bytearray()
        self.is_closed = False
        self._changed = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.came += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        self._changed.set()

    def send(self, data: bytes) -> None:
        if not self.is_closed:
            self.transport.write(data)

    def replies(self) -> list[Reply]:
        return replies(self.came)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, or the connection has ended."""
        try:
            async with asyncio.timeout(BOUND):
                while not self.is_closed and not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise Broken(f"still open after {bytes(self.came[:500])!r}") from error

    async def rests(self, seconds: float) -> bool:
        """Let a moment pass; return whether the connection has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self.until(lambda: False)
        except TimeoutError:
            return False
        return True

    async def answered(self, number: int) -> list[Reply]:
        """Wait for as many whole answers."""
        await self.until(lambda: sum(each.is_whole for each in self.replies()) >= number)
        return self.replies()

    async def ended(self) -> list[Reply]:
        """Wait until the other side has closed; return its answers."""
        await self.until(lambda: False)
        return self.replies()


@asynccontextmanager
async def talk(port: int) -> AsyncGenerator[Talk]:
    """Connect to this machine's `port`; leaving breaks off what is left."""
    loop = asyncio.get_running_loop()
    _, each = await loop.create_connection(Talk, "127.0.0.1", port)
    try:
        yield each
    finally:
        each.transport.abort()
        await each.until(lambda: False)


def replies(data: bytes | bytearray) -> list[Reply]:
    """Take apart all that came on one connection; interim answers (100) are left out.

    Raises:
        Broken: Something is neither an answer nor the beginning of one.
    """
    found: list[Reply] = []
    came = bytes(data)
    while came:
        reply, came = _take(came)
        if reply.status >= 200:
            found.append(reply)
    return found


def _take(came: bytes) -> tuple[Reply, bytes]:
    head, blank, rest = came.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    if not version.startswith("HTTP/1.") or not status[:3].isdigit():
        raise Broken(f"no status line: {came[:200]!r}")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    reply = Reply(int(status[:3]), headers, b"", bool(blank))
    if reply.status < 200 or reply.status in _BODILESS:
        return reply, rest
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, rest, ended = _chunks(rest)
    elif "content-length" in headers:
        length = int(headers["content-length"])
        body, rest, ended = rest[:length], rest[length:], len(rest) >= length
    else:
        body, rest, ended = rest, b"", True
    return Reply(reply.status, headers, body, reply.is_whole and ended), rest


def _chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = bytearray()
    while True:
        size, line_end, rest = data.partition(b"\r\n")
        if not line_end:
            return bytes(body), b"", False
        length = int(size, 16)
        body += rest[:length]
        if len(rest) < length + 2:
            return bytes(body), b"", False
        if rest[length : length + 2] != b"\r\n":
            raise Broken(f"a chunk isn't as long as it says: {data[:200]!r}")
        data = rest[length + 2 :]
        if not length:
            return bytes(body), data, True
