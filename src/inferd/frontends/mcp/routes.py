"""`/mcp`: streamable HTTP, in both generations of the protocol."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.types import Message, Scope

from inferd.core.errors import BackendUnavailable, ErrorKind, NodeError
from inferd.core.request import Principal
from inferd.frontends._http.bodies import read_json, take_apart, wrong_content_type
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.mcp.description import PATHS
from inferd.frontends.mcp.messages import INVALID_REQUEST, Envelope, NotAMessage, read_message
from inferd.frontends.mcp.post import POST, Post
from inferd.gateway.events import Topic

if TYPE_CHECKING:
    from inferd.frontends.mcp.rooms import Rooms

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})
_INTERNAL = -32603
_OURS = frozenset({ErrorKind.INTERNAL})
_JSON = "application/json"
_Asked = tuple[Principal, str, str]


class Mcp:
    """The way in. The `mcp` package is read when somebody first comes: most nodes never need it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[Rooms] | None = None
        self._listening: set[Post] = set()
        self._running: set[_Asked] = set()

    def frontend(self) -> Frontend:
        """Return the route."""
        methods = {"POST": self.answer, "GET": self.answer, "DELETE": self.answer}
        return Frontend(
            routes=[resource(self._context, "/mcp", methods)],
            paths=PATHS,
            prefix="/mcp",
            encode_error=encode_error,
        )

    async def keep(self) -> None:
        """Serve whoever comes, until cancelled: one of the node's loops."""
        self._opened = asyncio.get_running_loop().create_future()
        await self._wanted.wait()
        # The loop goes on meanwhile: reading the package takes more than half a second.
        rooms = await asyncio.to_thread(import_module, "inferd.frontends.mcp.rooms")
        logging.getLogger("mcp").setLevel(logging.ERROR)
        async with asyncio.TaskGroup() as tasks:
            opened: Rooms = rooms.Rooms(self._context, tasks)
            self._opened.set_result(opened)
            tasks.create_task(opened.watch())
            await self._end_of_news()
            opened.close()
            for post in self._listening:
                post.leave()

    async def _end_of_news(self) -> None:
        """Return when the node begins to stop: who only listens holds up nothing."""
        events = self._context.gateway.pool.events
        with events.subscribe("mcp", [Topic.STATUS], lambda _: None) as news:
            async for _ in news:
                pass

    async def serve(self, token: str, read: object, write: object) -> None:
        """Serve whoever shows `token` on another line than HTTP's, a pair of the package's streams.

        Returns when `read` ends.

        Raises:
            Unauthenticated: Nobody here knows the token.
        """
        shown = f"Bearer {token}".encode()
        principal = self._context.credentials.identify(shown, ambient=False)
        rooms = await asyncio.to_thread(import_module, "inferd.frontends.mcp.rooms")
        await rooms.serve_line(self._context, principal, read, write)

    async def answer(self, exchange: Exchange) -> None:
        """Answer one HTTP request."""
        body = await read_json(exchange)
        message = await _read(exchange, body) if exchange.method == "POST" else Envelope()
        if self._opened is None:
            raise BackendUnavailable("MCP isn't served here", hint="use POST /inference")
        self._wanted.set()
        rooms = await asyncio.shield(self._opened)
        rooms.check_version(exchange.headers.get("mcp-protocol-version"), message)
        asked = self._ask(exchange, message)
        post = Post(
            id=exchange.request_id,
            directions=exchange.directions,
            done=lambda: self._running.discard(asked),
        )
        # From here on what is refused is refused in the protocol's own words.
        exchange.enters_gateway()
        scope: Scope = {**exchange.scope, POST: post}
        line = _Line(exchange, body)
        if exchange.method == "GET":
            self._listening.add(post)
        try:
            with post.held() if exchange.method == "GET" else nullcontext():
                if message.method == "initialize":
                    await rooms.open(
                        exchange.principal, scope, line.receive, line.send, lambda: line.is_told
                    )
                else:
                    await rooms.serve(exchange.principal, scope, line.receive, line.send)
        finally:
            line.is_left = True
            self._listening.discard(post)
            post.leave()
        if not line.is_over:
            await exchange.finish()

    def _ask(self, exchange: Exchange, message: Envelope) -> _Asked | None:
        """Take note of a session's request until its post is done: its answer bears this id.

        Raises:
            NotAMessage: Another of this id is still running.
        """
        session = exchange.headers.get("mcp-session-id")
        if session is None or message.id is None:
            return None
        # The package tells 5 from "5" nowhere.
        shown = str(message.id)
        asked = (exchange.principal, session, shown)
        if asked in self._running:
            raise NotAMessage(
                f"id {shown[:100]} is running",
                id=message.id,
                hint="give every request of a session an id of its own",
            )
        self._running.add(asked)
        return asked


async def _read(exchange: Exchange, body: bytes) -> Envelope:
    """Return the envelope of a message.

    Raises:
        NotAMessage: It isn't one.
        PayloadTooLarge: It has too many values.
        HttpRefusal: It is said to be something else.
    """
    message = await take_apart(body, lambda: read_message(body))
    if exchange.content_type != _JSON:
        raise wrong_content_type(exchange, _JSON)
    return message


class _Line:
    """An exchange as an ASGI application sees it; the body is read already."""

    def __init__(self, exchange: Exchange, body: bytes) -> None:
        self._exchange = exchange
        self._body: bytes | None = body
        self.is_told = False
        self.is_over = False
        self.is_left = False

    async def receive(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            # The exchange cancels all this as soon as the caller leaves.
            return await asyncio.get_running_loop().create_future()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        if self.is_left:
            return
        if message["type"] == "http.response.start":
            said = [(name.decode(), value.decode("latin-1")) for name, value in message["headers"]]
            headers = [(name, text) for name, text in said if name.lower() not in _HOP_BY_HOP]
            await self._exchange.begin(message["status"], headers)
            if self._exchange.method == "GET" and message["status"] == 200:
                # A head leaves with what follows it, and here nothing may for long.
                await self._exchange.more(b": listening\n\n")
        elif message.get("more_body", False):
            await self._exchange.more(message.get("body", b""))
            self.is_told = True
        else:
            self.is_over = True
            await self._exchange.finish(message.get("body", b""))


def encode_error(error: NodeError, request_id: str) -> Mapping[str, object]:
    """Return what a caller is told whose message never reached the protocol."""
    data: dict[str, object] = {"kind": error.kind.value, "request_id": request_id}
    if error.hint:
        data["hint"] = error.hint
    if error.details and not isinstance(error, NotAMessage):
        data["details"] = dict(error.details)
    code, id_ = _INTERNAL if error.kind in _OURS else INVALID_REQUEST, None
    if isinstance(error, NotAMessage):
        code, id_ = error.code, error.id
        data.update(error.details)
    told = {"code": code, "message": error.message, "data": data}
    return {"jsonrpc": "2.0", "id": id_, "error": told}
