"""HTTP/1.1, the client end: one pool an upstream, one response a request."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

import msgspec

from inferd.core.errors import (
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    InvalidRequest,
    NodeError,
)
from inferd.http1.exchange import Exchange
from inferd.http1.url import Url

_IDLE_CONNECTIONS = 64

Headers = Iterable[tuple[str, str]]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to connect, until the head of the answer, between pieces of it."""

    connect: float = 10.0
    head: float = 120.0
    idle: float = 120.0


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A request body made anew for each attempt. Without a length it goes out in chunks."""

    pieces: Callable[[], AsyncIterator[bytes]]
    size_bytes: int | None = None


class Response:
    """A response, lent: read it or not, then close it. Header names are lower case."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Exchange | None = exchange
        self.status = exchange.status
        self.headers = exchange.headers

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

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> Awaitable[bytes]:
        if self._exchange is None:
            raise BackendUnavailable("the answer was read after it had been given up")
        return self._exchange.__anext__()

    async def read(self, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            BackendFailed: It is longer than `limit` bytes, or breaks off.
        """
        pieces: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise BackendFailed(f"the answer is longer than {limit >> 20} MiB")
            pieces.append(piece)
        return b"".join(pieces)

    async def drain(self, seconds: float) -> None:
        """Read on to the end if it comes within `seconds`, so that the connection is kept."""
        if self._exchange is None:
            return
        self._exchange.hurry(seconds)
        with suppress(NodeError):
            async for _ in self:
                pass

    def close(self) -> None:
        """Free the connection. Synchronous and idempotent."""
        # Given back, the connection may be another response's by now.
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()


class Client:
    """Everything this node says to one upstream. It never follows a redirect."""

    def __init__(
        self,
        name: str,
        url: Url,
        *,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._timeouts = timeouts or Timeouts()
        self._tls = tls
        self._idle: list[Exchange] = []
        self._open: set[Exchange] = set()
        self._is_closed = False

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes | Body = b"",
        seconds: float | None = None,
    ) -> Response:
        """Send a request and return its response once the head is in.

        `seconds` bounds the whole exchange. A kept connection that turns out to be stale is
        replaced once, provided that not one byte of an answer came.

        Raises:
            BackendError: No connection, no answer, or nonsense.
            NodeError: Whatever reading the body raised.
        """
        if self._is_closed:
            raise BackendUnavailable(f"{self._name} is closed")
        if seconds is not None and seconds <= 0:
            raise BackendTimeout(f"no time was left to ask {self._name}")
        message = self._head(method, path, headers, body)
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        exchange = self._kept()
        if exchange is not None:
            try:
                return await self._exchange(exchange, method, message, body, end)
            except (BackendUnavailable, BackendFailed):
                if exchange.answered:
                    raise
        exchange = await self._connect(end)
        return await self._exchange(exchange, method, message, body, end)

    def close(self) -> None:
        """Abort every connection."""
        self._is_closed = True
        self._idle.clear()
        for exchange in tuple(self._open):
            exchange.transport.abort()

    def _kept(self) -> Exchange | None:
        while self._idle:
            exchange = self._idle.pop()
            if not exchange.transport.is_closing():
                return exchange
        return None

    def _give_back(self, exchange: Exchange) -> None:
        if self._is_closed or len(self._idle) >= _IDLE_CONNECTIONS:
            exchange.transport.abort()
        else:
            self._idle.append(exchange)

    async def _connect(self, end: float | None) -> Exchange:
        loop = asyncio.get_running_loop()
        left = self._timeouts.connect if end is None else end - loop.time()
        url = self._url
        try:
            async with asyncio.timeout(min(self._timeouts.connect, left)):
                transport, exchange = await loop.create_connection(
                    lambda: Exchange(
                        self._name, give_back=self._give_back, gone=self._open.discard
                    ),
                    url.host,
                    url.port,
                    ssl=self._context(),
                )
        except TimeoutError as error:
            if left < self._timeouts.connect:
                raise BackendTimeout(f"{self._name} gave no answer in time") from error
            raise BackendUnavailable(f"{self._name} can't be reached: no connection") from error
        except OSError as error:
            raise BackendUnavailable(f"{self._name} {_obstacle(error)}") from error
        if self._is_closed:
            transport.abort()
            raise BackendUnavailable(f"{self._name} is closed")
        if not transport.is_closing():
            self._open.add(exchange)
        return exchange

    def _context(self) -> ssl.SSLContext | None:
        if self._url.scheme != "https":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def _exchange(
        self, exchange: Exchange, method: str, message: bytes, body: bytes | Body, end: float | None
    ) -> Response:
        times = self._timeouts
        exchange.begin(head=times.head, idle=times.idle, end=end, expects_body=method != "HEAD")
        try:
            exchange.transport.write(message)
            if isinstance(body, Body):
                await self._upload(exchange, body)
            else:
                await exchange.head()
            return Response(exchange)
        except BaseException:
            exchange.close()
            raise

    async def _upload(self, exchange: Exchange, body: Body) -> None:
        """Send the body while waiting for the answer, which may come before its end."""
        sending = asyncio.get_running_loop().create_task(_send(exchange, body))
        sending.add_done_callback(partial(_note_failure, exchange))
        try:
            await exchange.head()
        finally:
            if not sending.done():
                exchange.stop_reuse()
                sending.cancel()
                await asyncio.wait((sending,))

    def _head(self, method: str, path: str, headers: Headers, body: bytes | Body) -> bytes:
        if any(sign <= " " for sign in path):
            raise ValueError(f"the path {path!r} has a blank in it")
        lines = [f"{method} {self._url.path}{path} HTTP/1.1", f"host: {self._url.authority}"]
        for name, value in headers:
            if any(sign in name + value for sign in "\r\n\0"):
                raise ValueError(f"the header {name!r} has a line break in it")
            lines.append(f"{name}: {value}")
        whole = b""
        if isinstance(body, Body):
            length = body.size_bytes
            lines.append(
                "transfer-encoding: chunked" if length is None else f"content-length: {length}"
            )
        elif body or method == "POST":
            whole = body
            lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + whole


async def _send(exchange: Exchange, body: Body) -> None:
    """Write the body's pieces until they end, or nobody wants them any more."""
    size, sent = body.size_bytes, 0
    pieces = body.pieces()
    try:
        async for piece in pieces:
            if exchange.is_over:
                exchange.stop_reuse()
                return
            sent += len(piece)
            if size is not None and sent > size:
                break
            if piece:
                await exchange.write(
                    piece if size is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
                )
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    if size is None:
        await exchange.write(b"0\r\n\r\n")
    elif sent != size:
        raise InvalidRequest(f"a body of {size} bytes had {'more' if sent > size else sent}")
    exchange.sent()


def _note_failure(exchange: Exchange, sending: asyncio.Task[None]) -> None:
    """Let a failure to read the body end the exchange."""
    if not sending.cancelled() and (error := sending.exception()) is not None:
        exchange.fail(error)


def _obstacle(error: OSError) -> str:
    """Say what stands between us and an upstream."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"has no certificate we trust: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "doesn't speak TLS as we do: is its address really https?"
    if isinstance(error, socket.gaierror):
        return "can't be reached: no such host"
    # Several addresses that all refuse come as one error without a number.
    return f"can't be reached: {os.strerror(error.errno) if error.errno else 'nobody answers'}"
