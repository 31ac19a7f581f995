"""HTTP/1.1, the client end: one pool an upstream, one response a request."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from functools import partial

import msgspec

from inferd.core.errors import (
    BackendFailed,
    BackendTimeout,
    BackendUnavailable,
    InvalidRequest,
    NodeError,
)
from inferd.http1.client.connection import Connection
from inferd.http1.client.response import Response
from inferd.http1.client.url import Url

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


class _Times(msgspec.Struct, frozen=True, kw_only=True):
    """One request's own: when it must be over, how long it may take once it is out."""

    end: float | None
    whole: float | None
    expects_body: bool


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
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._is_closed = False

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        body: bytes | Body = b"",
        seconds: float | None = None,
        whole: float | None = None,
    ) -> Response:
        """Send a request and return its response once the head is in.

        `seconds` bounds the whole exchange; `whole` bounds it too, but not the time in which a
        body that is still being made goes out. A kept connection that turns out to be stale is
        replaced once, provided that not one byte of an answer came. Errors say in `sent_bytes`
        what had been written.

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
        if whole is not None and not isinstance(body, Body):
            seconds = whole if seconds is None else min(seconds, whole)
        times = _Times(
            end=None if seconds is None else loop.time() + seconds,
            whole=whole,
            expects_body=method != "HEAD",
        )
        connection = self._kept()
        sent_bytes = 0
        if connection is not None:
            try:
                return await self._converse(connection, message, body, times)
            except (BackendUnavailable, BackendFailed):
                if connection.answered:
                    raise
                sent_bytes = connection.sent_bytes
        try:
            connection = await self._connect(times.end)
        except NodeError as error:
            error.sent_bytes = sent_bytes
            raise
        return await self._converse(connection, message, body, times, sent_bytes=sent_bytes)

    def close(self) -> None:
        """Abort every connection."""
        self._is_closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            connection.transport.abort()

    def _kept(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                return connection
        return None

    def _give_back(self, connection: Connection) -> None:
        if self._is_closed or len(self._idle) >= _IDLE_CONNECTIONS:
            connection.transport.abort()
        else:
            self._idle.append(connection)

    async def _connect(self, end: float | None) -> Connection:
        loop = asyncio.get_running_loop()
        left = self._timeouts.connect if end is None else end - loop.time()
        url = self._url
        try:
            async with asyncio.timeout(min(self._timeouts.connect, left)):
                transport, connection = await loop.create_connection(
                    lambda: Connection(
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
        except ValueError as error:
            # Names that no resolver is asked for: empty labels, or signs that IDNA doesn't have.
            raise BackendUnavailable(f"{self._name} can't be reached: no such host") from error
        if self._is_closed:
            transport.abort()
            raise BackendUnavailable(f"{self._name} is closed")
        if not transport.is_closing():
            self._open.add(connection)
        return connection

    def _context(self) -> ssl.SSLContext | None:
        if self._url.scheme != "https":
            return None
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    async def _converse(
        self,
        connection: Connection,
        message: bytes,
        body: bytes | Body,
        times: "_Times",
        *,
        sent_bytes: int = 0,
    ) -> Response:
        connection.begin(
            head=self._timeouts.head,
            idle=self._timeouts.idle,
            end=times.end,
            whole=times.whole,
            expects_body=times.expects_body,
        )
        connection.sent_bytes = sent_bytes
        try:
            connection.say(message)
            if isinstance(body, Body):
                await self._upload(connection, body)
            else:
                await connection.head()
            return Response(connection)
        except BaseException as error:
            connection.close()
            if isinstance(error, NodeError):
                error.sent_bytes = connection.sent_bytes
            raise

    async def _upload(self, connection: Connection, body: Body) -> None:
        """Send the body while waiting for the answer, which may come before its end."""
        sending = asyncio.get_running_loop().create_task(_send(connection, body))
        sending.add_done_callback(partial(_note_failure, connection))
        try:
            await connection.head()
        finally:
            if not sending.done():
                connection.stop_reuse()
                sending.cancel()
                await asyncio.wait((sending,))
                connection.owe()

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


async def _send(connection: Connection, body: Body) -> None:
    """Write the body's pieces until they end, or nobody wants them any more."""
    size, sent = body.size_bytes, 0
    pieces = body.pieces()
    try:
        async for piece in pieces:
            if connection.is_over:
                connection.stop_reuse()
                return
            sent += len(piece)
            if size is not None and sent > size:
                break
            if piece:
                await connection.write(
                    piece if size is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
                )
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    if size is None:
        await connection.write(b"0\r\n\r\n")
    elif sent != size:
        raise InvalidRequest(f"a body of {size} bytes had {'more' if sent > size else sent}")
    connection.sent()


def _note_failure(connection: Connection, sending: asyncio.Task[None]) -> None:
    """Let a failure to read the body end the exchange."""
    if not sending.cancelled() and (error := sending.exception()) is not None:
        connection.fail(error)


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
