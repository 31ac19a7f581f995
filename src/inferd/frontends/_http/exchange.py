"""One HTTP request being answered: who asks, what came, and the line back.

Two makers serve the same answerers: `asgi_exchange` within any ASGI server, and `native` on a
connection of our own.
"""

import hmac
import types
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Mapping,
    Sequence,
)

import msgspec
from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope

from inferd.core.answer import Answer
from inferd.core.errors import BackendFailed, BackendUnavailable, PermissionDenied
from inferd.core.request import Principal
from inferd.core.stopping import STOPPING
from inferd.frontends._http.context import Context
from inferd.frontends._http.origins import Site
from inferd.frontends._http.settings import HttpSettings
from inferd.wire.context import Context as Asked

VISIT = "inferd.visit"
PIECES_A_TURN = 32
"""After so many pieces sent without a wait, everybody else has a turn."""

_LONGEST_HEADER = 8192


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
    """The only reader of its request's body, and the only writer of its response.

    Pages and their forms are served within ASGI alone: what only they have is empty elsewhere.
    """

    __slots__ = (
        "context",
        "headers",
        "method",
        "parameters",
        "path",
        "principal",
        "query",
        "request_id",
    )

    context: Context
    headers: Headers
    method: str
    parameters: Mapping[str, str]
    path: str
    principal: Principal
    query: QueryParams
    request_id: str

    scope: Scope
    visit: Visit
    csrf: str = ""
    is_forgeable: bool = True
    is_signed_in: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether the response's status is out, and can't be another."""
        raise NotImplementedError

    @property
    def content_type(self) -> str:
        """The body's media type, in lower case and without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def at_hand(self) -> bytes | None:
        """The whole body, if it is here already and of a type that its route reads; else None."""
        return None

    def directions(self) -> Asked:
        """Return what the X-Inference headers say; the caller may add to it.

        Raises:
            InvalidRequest: One of them can't be meant.
            LoopDetected: The request lists more nodes than any honest chain has.
        """
        raise NotImplementedError

    def enters_gateway(self) -> None:
        """Take note that the request's end is the gateway's to record."""
        raise NotImplementedError

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
        self.pass_form()

    def pass_form(self) -> None:
        """Take note that what was sent is no other site's doing."""
        raise NotImplementedError

    def set_cookie(self, line: str) -> None:
        """Send that `Set-Cookie` with the response."""
        raise NotImplementedError

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; once.

        Raises:
            CallerLeft: The caller broke off.
            PayloadTooLarge: It is longer than the node takes.
        """
        raise NotImplementedError

    async def body(self) -> bytes:
        """Return the whole body. Raises what `pieces` does."""
        return b"".join([piece async for piece in self.pieces()])

    async def run(self, answer: Callable[["Exchange"], Awaitable[None]]) -> None:
        """Answer; once the body has been read, be stopped as soon as the caller leaves.

        Raises:
            CallerLeft: It has, before the response was complete.
            BackendUnavailable: The node stops first.
        """
        raise NotImplementedError

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the status line and `headers`, made safe to send."""
        raise NotImplementedError

    async def begin_with(self, status: int, said: bytes, block: bytes) -> None:
        """Send the status line and header lines that are finished: the node's own, and others."""
        raise NotImplementedError

    async def more(self, data: bytes) -> None:
        """Send a piece of the body; returns when the line can take another."""
        raise NotImplementedError

    async def pour(self, answer: Answer) -> None:
        """Send the rest of a raw answer, a piece as it comes.

        Raises:
            NodeError: It broke off.
        """
        raise NotImplementedError

    async def finish(self, data: bytes = b"") -> None:
        """Send the last piece. A response that is never finished is seen to be cut."""
        raise NotImplementedError

    async def reply(
        self,
        body: bytes,
        *,
        content_type: str = "application/json",
        status: int = 200,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Send a whole response."""
        raise NotImplementedError

    async def reply_with(self, status: int, said: bytes, block: bytes, body: bytes) -> None:
        """Send a whole response with header lines that are finished, as `begin_with` does."""
        raise NotImplementedError

    async def reply_json(self, value: object, *, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Send `value` as JSON."""
        await self.reply(msgspec.json.encode(value), headers=headers)


def node_stopping() -> BackendUnavailable:
    """Return what a caller is told then."""
    return BackendUnavailable(STOPPING, hint="try again, or another node", retry_after=1)


def header_value(text: str) -> bytes:
    """Return `text` as the bytes of a header: printable ASCII, one line, of bounded length."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_HEADER:
        return text.strip().encode()
    safe = "".join(
        c if " " <= c <= "~" else " " if c in "\r\n\t" else "?" for c in text[:_LONGEST_HEADER]
    )
    return safe.strip().encode()


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return headers as finished lines."""
    return b"".join(
        [b"%b: %b\r\n" % (name.lower().encode(), header_value(text)) for name, text in headers]
    )


def raw_chunk(chunk: object) -> bytes:
    """Return a raw answer's chunk.

    Raises:
        BackendFailed: It isn't bytes.
    """
    if not isinstance(chunk, bytes):
        raise BackendFailed("a raw answer held a chunk that isn't bytes")
    return chunk


@types.coroutine
def turn() -> Generator[None]:
    """Let everything else that is ready run once."""
    yield
