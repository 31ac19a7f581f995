"""A request within an ASGI server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send

from inferd.core.answer import Answer
from inferd.core.errors import CallerLeft
from inferd.core.request import Principal
from inferd.core.stopping import is_stopping
from inferd.frontends._http.context import Context
from inferd.frontends._http.directions import directions
from inferd.frontends._http.exchange import (
    PIECES_A_TURN,
    VISIT,
    Exchange,
    Visit,
    header_value,
    node_stopping,
    raw_chunk,
    turn,
)
from inferd.wire.context import Context as Asked


class AsgiExchange(Exchange):
    """An exchange over `receive` and `send`."""

    __slots__ = (
        "_answering",
        "_begun",
        "_complete",
        "_cookies",
        "_finished",
        "_left",
        "_pieces_sent",
        "_receive",
        "_send",
        "_watching",
        "csrf",
        "is_forgeable",
        "is_signed_in",
        "scope",
        "visit",
    )

    def __init__(
        self, context: Context, principal: Principal, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self.scope = scope
        self.visit: Visit = scope[VISIT]
        self.context = context
        self.principal = principal
        self.csrf = ""
        self.is_forgeable = True
        self.is_signed_in = False
        self.request_id = self.visit.request_id
        self.method = scope["method"]
        self.path = scope["path"]
        self.headers = Headers(scope=scope)
        self.query = QueryParams(scope["query_string"])
        self.parameters = scope.get("path_params", {})
        self._receive = receive
        self._send = send
        self._complete = False
        self._cookies: list[str] = []
        self._answering: asyncio.Task[object] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._left = False
        self._begun = False
        self._finished = False
        self._pieces_sent = 0

    @property
    def has_begun(self) -> bool:
        return self._begun

    def directions(self) -> Asked:
        return directions(self.headers, self.context.clock)

    def enters_gateway(self) -> None:
        self.visit.reached_gateway = True

    def pass_form(self) -> None:
        self.is_forgeable = False

    def set_cookie(self, line: str) -> None:
        self._cookies.append(line)

    async def pieces(self) -> AsyncIterator[bytes]:
        while not self._complete:
            message = await self._message()
            if not message.get("more_body", False):
                self._complete = True
                self._begin_watch()
            if piece := message.get("body", b""):
                yield piece

    async def run(self, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        self._answering = task = asyncio.current_task()
        try:
            await answer(self)
        except asyncio.CancelledError as error:
            if task is None or not (self._left or is_stopping(error)):
                raise
            while task.uncancel():
                pass
            raise (CallerLeft() if self._left else node_stopping()) from None
        finally:
            if self._watching is not None:
                self._watching.cancel()

    def _begin_watch(self) -> None:
        # A task group of its own would double what this costs each request. `run` ends it.
        if self._answering is not None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if self._answering is not None and not self._finished:
            self._left = True
            self._answering.cancel()

    async def _message(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.disconnect":
            return message
        if not self._finished:
            raise CallerLeft
        # The answer is out: whoever still listens is about to be cancelled.
        return await asyncio.get_running_loop().create_future()

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        await self._start(
            status, [(name.lower().encode(), header_value(text)) for name, text in headers]
        )

    async def begin_with(self, status: int, said: bytes, block: bytes) -> None:
        await self._start(status, _pairs(said + block))

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self._begun = True
        headers.extend((b"set-cookie", header_value(line)) for line in self._cookies)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def more(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._pieces_sent += 1
        if self._pieces_sent % PIECES_A_TURN == 0:
            # Where neither the backend nor the line ever makes us wait, nobody else would run,
            # and nobody would see that the caller has left.
            await turn()

    async def pour(self, answer: Answer) -> None:
        async for chunk in answer:
            await self.more(raw_chunk(chunk))

    async def finish(self, data: bytes = b"") -> None:
        self._finished = True
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def reply(
        self,
        body: bytes,
        *,
        content_type: str = "application/json",
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        length = ("Content-Length", str(len(body)))
        await self.begin(status, [("Content-Type", content_type), length, *headers])
        await self.finish(body)

    async def reply_with(self, status: int, said: bytes, block: bytes, body: bytes) -> None:
        length = (b"content-length", b"%d" % len(body))
        await self._start(status, [length, *_pairs(said + block)])
        await self.finish(body)


def _pairs(block: bytes) -> list[tuple[bytes, bytes]]:
    found = [line.partition(b":") for line in block.split(b"\r\n") if line]
    return [(name.lower(), value.strip()) for name, _, value in found]
