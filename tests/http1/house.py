"""The least that a connection needs of its server, with handlers that write down what they see."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.types import Message, Receive, Scope, Send

from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.connection import Connection
from inferd.http1.server.head import Head
from inferd.http1.server.limits import Limits
from inferd.http1.server.memo import Memo
from inferd.http1.server.owner import Handler, Peer
from inferd.http1.server.refusal import Refusal
from inferd.http1.sweep import sweep
from tests.http1.raw import BOUND

MOST_BODY = 1 << 20


class Seen(msgspec.Struct, frozen=True):
    """A request whose body came whole."""

    id: str
    method: str
    target: str
    body: bytes


class Native:
    """A handler of the kind that inference has."""

    def __init__(
        self, serve: Callable[[Connection], Coroutine[Any, Any, None]], *, is_worth_keeping: bool
    ) -> None:
        self._serve = serve
        self.is_worth_keeping = is_worth_keeping

    def __call__(self, connection: Connection, /) -> Coroutine[Any, Any, None]:
        return self._serve(connection)


class House:
    """Serves paths under /v1 natively, all others by an ASGI application; both echo.

    `acts` serve other paths, as a test wants.
    """

    def __init__(
        self, limits: Limits, acts: dict[str, Callable[[Connection], Coroutine[Any, Any, None]]]
    ) -> None:
        self.limits = limits
        self.sweep = sweep()
        self.loop = asyncio.get_running_loop()
        self.port = 0
        self.seen: list[Seen] = []
        self.open: set[Connection] = set()
        self.faults: list[Exception] = []
        self.refusals: list[Refusal] = []
        self._acts = {path: Native(act, is_worth_keeping=False) for path, act in acts.items()}
        self._memo = Memo()
        self._native = Native(self._echo, is_worth_keeping=True)
        self._asgi = AsgiHandler(self._app)
        self._changed = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds`, which connections that come and go may change."""
        async with asyncio.timeout(BOUND):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def changed(self) -> None:
        self._changed.set()

    def opened(self, connection: Connection) -> None:
        self.open.add(connection)
        self.changed()

    def closed(self, connection: Connection) -> None:
        self.open.remove(connection)
        self.changed()

    def memo_for(self, peer: Peer) -> Memo:
        return self._memo

    def route(self, head: Head, peer: Peer) -> Handler:
        if act := self._acts.get(head.path):
            return act
        return self._native if head.path.startswith("/v1") else self._asgi

    def refused(self, request_id: str, head: Head | None, peer: Peer, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def failed(self, request_id: str, head: Head | None, error: Exception) -> None:
        self.faults.append(error)

    async def _echo(self, connection: Connection) -> None:
        head = connection.head
        body = await connection.read(MOST_BODY)
        own = head.get(b"x-request-id")
        self.seen.append(
            Seen(own.decode("latin-1"), head.method, head.target.decode("latin-1"), body)
        )
        connection.send(200, b"x-request-id: %b\r\n" % own, body)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = dict(scope["headers"]).get(b"x-request-id", b"")
        length = int(dict(scope["headers"]).get(b"content-length", b"0"))
        if length > MOST_BODY:
            await _reply(send, 413, own, b"")
            return
        body = b""
        more = True
        while more:
            message: Message = await receive()
            if message["type"] != "http.request":
                return
            body += message["body"]
            more = message["more_body"]
        target = scope["raw_path"] + (b"?" + scope["query_string"]) * bool(scope["query_string"])
        self.seen.append(
            Seen(own.decode("latin-1"), scope["method"], target.decode("latin-1"), body)
        )
        await _reply(send, 200, own, body)


async def _reply(send: Send, status: int, own: bytes, body: bytes) -> None:
    headers = [(b"x-request-id", own), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def house(
    limits: Limits | None = None,
    acts: dict[str, Callable[[Connection], Coroutine[Any, Any, None]]] | None = None,
) -> AsyncGenerator[House]:
    """Serve on a free port; leaving breaks off who is still there."""
    one = House(limits or Limits(), acts or {})
    server = await one.loop.create_server(lambda: Connection(one), "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for connection in tuple(one.open):
            connection.abort()
        await one.until(lambda: not one.open)
        await server.wait_closed()
