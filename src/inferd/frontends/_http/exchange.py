"""One HTTP request being answered: who asks, what came, and the line back."""

import asyncio
import hmac
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Sequence

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import Message, Receive, Scope, Send

from inferd.core.errors import BackendUnavailable, CallerLeft, PermissionDenied
from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.frontends._http.origins import Site
from inferd.frontends._http.settings import HttpSettings

VISIT = "inferd.visit"
STOPPING = "the node is stopping"
"""The word with which the server cancels what still runs when the time to end is over."""

_SHUTDOWNS = frozenset({STOPPING, "Task cancelled, timeout graceful shutdown exceeded"})
"""The second is uvicorn's own, for who starts the app without our server."""

_LONGEST_HEADER = 8192
_PIECES_A_TURN = 32


class Visit(msgspec.Struct):
    """What the guard found out about a request, left in its ASGI scope.

    `is_local`: it came over loopback, without a detour.
    """

    request_id: str
    settings: HttpSettings
    authority: str = ""
    site: Site = Site.FOREIGN
    is_local: bool = False
    is_secure: bool = False
    reached_gateway: bool = False
    """Whether its end is the gateway's to record."""

    @property
    def cookie(self) -> str:
        """The session's name: hosts share their cookies between ports, so it says which."""
        name, _, port = self.authority.rpartition(":")
        if not name or not port.isdigit():
            port = "443" if self.is_secure else "80"
        return f"{'__Host-' if self.is_secure else ''}inferd-{port}"


class Exchange:
    """The only reader of its request's body, and the only writer of its response."""

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
        "context",
        "csrf",
        "headers",
        "is_forgeable",
        "is_signed_in",
        "method",
        "parameters",
        "path",
        "principal",
        "query",
        "request_id",
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
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = Headers(scope=scope)
        self.query = QueryParams(scope["query_string"])
        self.parameters: dict[str, str] = scope.get("path_params", {})
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
        """Whether the response's status is out, and can't be another."""
        return self._begun

    @property
    def content_type(self) -> str:
        """The body's media type, in lower case and without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def check_csrf(self, value: str) -> None:
        """Let a form through whose hidden field `csrf` is this session's token.

        A bearer token needs none: no other site can make a browser send it.

        Raises:
            PermissionDenied: It isn't: the form may be another site's.
        """
        shown = value.encode(errors="replace")
        is_ours = bool(self.csrf) and hmac.compare_digest(shown, self.csrf.encode())
        if self.is_forgeable and not is_ours:
            raise PermissionDenied(
                "the form isn't this session's", hint="reload the page and send it again"
            )
        self.is_forgeable = False

    def set_cookie(self, line: str) -> None:
        """Send that `Set-Cookie` with the response."""
        self._cookies.append(line)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; once.

        Raises:
            CallerLeft: The caller broke off.
            PayloadTooLarge: It is longer than the node takes.
        """
        while not self._complete:
            message = await self._message()
            if not message.get("more_body", False):
                self._complete = True
                self._begin_watch()
            if piece := message.get("body", b""):
                yield piece

    async def body(self) -> bytes:
        """Return the whole body. Raises what `pieces` does."""
        return b"".join([piece async for piece in self.pieces()])

    async def run(self, answer: Callable[["Exchange"], Awaitable[None]]) -> None:
        """Answer; once the body has been read, be stopped as soon as the caller leaves.

        Raises:
            CallerLeft: It has, before the response was complete.
            BackendUnavailable: The node stops first.
        """
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
        """Send the status line and `headers`, made safe to send."""
        self._begun = True
        if self._cookies:
            headers = [*headers, *(("Set-Cookie", line) for line in self._cookies)]
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.lower().encode(), header_value(text)) for name, text in headers],
            }
        )

    async def more(self, data: bytes) -> None:
        """Send a piece of the body; returns when the line can take another."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._pieces_sent += 1
        if self._pieces_sent % _PIECES_A_TURN == 0:
            # Where neither the backend nor the line ever makes us wait, nobody else would run,
            # and nobody would see that the caller has left.
            await _turn()

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece. A response that is never finished is seen to be cut."""
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
        """Send a whole response."""
        length = ("Content-Length", str(len(body)))
        await self.begin(status, [("Content-Type", content_type), length, *headers])
        await self.finish(body)

    async def reply_json(self, value: object, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send `value` as JSON."""
        await self.reply(msgspec.json.encode(value), headers=headers)


def is_stopping(error: asyncio.CancelledError) -> bool:
    """Whether it was the server that cancelled, for want of time."""
    return bool(error.args) and error.args[0] in _SHUTDOWNS


def node_stopping() -> BackendUnavailable:
    """Return what a caller is told then."""
    return BackendUnavailable(STOPPING, hint="try again, or another node", retry_after=1)


@types.coroutine
def _turn() -> Generator[None]:
    """Let everything else that is ready run once."""
    yield


def header_value(text: str) -> bytes:
    """Return `text` as the bytes of a header: printable ASCII, one line, of bounded length."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_HEADER:
        return text.strip().encode()
    safe = "".join(
        c if " " <= c <= "~" else " " if c in "\r\n\t" else "?" for c in text[:_LONGEST_HEADER]
    )
    return safe.strip().encode()
