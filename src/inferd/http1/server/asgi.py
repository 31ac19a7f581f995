"""Requests of our own connections, served by an ASGI 3 application."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Message, Scope

from inferd.http1.server.connection import Connection

LINGERS = "inferd.lingers"
"""The extension that says: an answer given before its request's end isn't destroyed by the rest."""

_ASGI = {"version": "3.0", "spec_version": "2.4"}
_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSAFE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# The connection's own to say.
_FRAMING = frozenset({b"transfer-encoding", b"connection", b"keep-alive", b"upgrade", b"date"})
_BODILESS = frozenset({204, 304})
_ENDLESS = 1 << 62


class AsgiHandler:
    """Serves one request at a time, within its connection's own coroutine.

    A caller that leaves, and a server that stops, cancel the application as they do any handler.
    Only who waits in `receive` as the caller leaves is told by an `http.disconnect` instead.
    """

    __slots__ = ("_app",)

    is_worth_keeping = False

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, connection: Connection) -> None:
        """Let the application answer the request in hand."""
        if connection.head.upgrade == b"websocket":
            # Loaded when the first comes: most nodes never see one.
            from inferd.http1.server.asgi_websocket import serve_websocket

            await serve_websocket(self._app, scope_of(connection), connection)
            return
        request = _Request(connection)
        try:
            await self._app(scope_of(connection), request.receive, request.send)
        finally:
            request.end()


def scope_of(connection: Connection) -> Scope:
    """Return the scope of the request in hand."""
    head, peer = connection.head, connection.peer
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": head.version,
        "method": head.method,
        "scheme": "https" if peer.is_tls else "http",
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "root_path": "",
        # The head is shared with other requests, and applications do change this list.
        "headers": list(head.headers),
        # Whoever can open the socket's file is on this machine.
        "client": ("127.0.0.1", 0) if peer.is_unix else (peer.host, peer.port),
        "server": None,
        "state": {},
        "extensions": {LINGERS: {}},
    }


class _Request:
    """One request's `receive` and `send`."""

    __slots__ = (
        "_block",
        "_connection",
        "_has_started",
        "_is_over",
        "_is_read",
        "_left",
        "_length",
        "_over",
        "_pieces",
        "_status",
        "_task",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._task = asyncio.current_task()
        self._pieces: AsyncIterator[bytes] | None = None
        self._is_read = False
        self._status = 0
        self._block = b""
        self._length: int | None = None
        self._left: int | None = None
        """What may still be written; None where no body may."""
        self._has_started = False
        self._is_over = False
        self._over: asyncio.Event | None = None

    async def receive(self) -> Message:
        """Return the body's next piece; after the last, wait until all is over."""
        if not self._is_read:
            return await self._piece()
        if not self._is_over:
            if self._over is None:
                self._over = asyncio.Event()
            await self._over.wait()
        return {"type": "http.disconnect"}

    async def _piece(self) -> Message:
        if self._pieces is None:
            if (whole := self._connection.body) is not None:
                self._is_read = True
                return {"type": "http.request", "body": whole, "more_body": False}
            self._pieces = self._connection.pieces()
        try:
            piece = await anext(self._pieces, b"")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._connection.is_left or task is not self._task or task is None:
                raise
            # Who waits for the caller's words is told that there will be none, in ASGI's manner.
            task.uncancel()
            self._is_read = True
            self.end()
            return {"type": "http.disconnect"}
        self._is_read = not piece
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    def end(self) -> None:
        """Tell who still waits that all is over."""
        self._is_over = True
        if self._over is not None:
            self._over.set()

    async def send(self, message: Message) -> None:
        """Take a part of the response.

        Raises:
            RuntimeError: It isn't the part that is due, or it can't be sent.
        """
        if self._connection.is_left:
            return
        kind = message["type"]
        if kind == "http.response.body" and self._status and not self._is_over:
            await self._body(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self._status:
            self._block, self._length = block_of(message.get("headers", ()))
            self._status = message["status"]
        else:
            raise RuntimeError(f"the application sent {kind!r} where none is due")

    async def _body(self, data: bytes, *, more: bool) -> None:
        connection = self._connection
        if not self._has_started:
            has_body = connection.head.method != "HEAD" and self._status not in _BODILESS
            if has_body and not more and self._length in (None, len(data)):
                self.end()
                connection.send(self._status, self._block, data)
                return
            # The specification lets the head wait for the body's first piece, as it does here.
            self._has_started = True
            self._left = (_ENDLESS if self._length is None else self._length) if has_body else None
            connection.start(self._status, self._block, self._length)
        if self._left is not None and data:
            self._left -= len(data)
            if self._left < 0:
                raise RuntimeError("the application sent more than its content-length")
            connection.write(data)
        if more:
            await connection.drained()
            return
        if self._left and self._length is not None:
            raise RuntimeError("the application sent less than its content-length")
        self.end()
        connection.end()


def block_of(headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, int | None]:
    """Return an application's headers as finished lines, and the length that they give.

    Raises:
        RuntimeError: One can't be sent: it would be another header, or a body, of its own.
    """
    lines: list[bytes] = []
    length = None
    for given, value in headers:
        name = _lower(given)
        if _UNSAFE.search(value):
            raise RuntimeError(f"the application's header {name!r} holds control characters")
        if name == b"content-length":
            length = int(value)
        elif name not in _FRAMING:
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines), length


@lru_cache(maxsize=256)
def _lower(name: bytes) -> bytes:
    if not _NAME.fullmatch(name):
        raise RuntimeError(f"the application's header name {name!r} is none")
    return name.lower()
