"""The edge: everything that holds for every request, whichever frontend answers it."""

import asyncio
import logging
import os
import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inferd.core.errors import CallerLeft, ErrorKind, NodeError, PayloadTooLarge
from inferd.frontends._http.access import log_refusal
from inferd.frontends._http.context import EncodeError
from inferd.frontends._http.errors import Unexpected, headers_of, status_of
from inferd.frontends._http.exchange import VISIT, Visit, header_value
from inferd.frontends._http.handshakes import as_handshake
from inferd.frontends._http.origins import authority_of, is_local, is_secure, origin_of, site_of
from inferd.frontends._http.settings import HttpSettings
from inferd.http1.server.asgi import LINGERS

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TOKENS = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1000}")
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    # Nothing for other sites; a form of ours must still say that it is, in its Origin.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
)
_UNLESS_SAID = (
    (b"cache-control", b"no-store"),
    # A model's output opened in a browser must not run as a page of this node.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
)
_EXPOSED = (
    b"X-Request-Id, X-Inference-Source, X-Inference-Backend, X-Inference-Node, X-Inference-Nodes,"
    b" X-Inference-Seen-By,"
    b" X-Inference-Model, X-Inference-Usage, X-Inference-Warning, X-Inference-Cache, Retry-After,"
    b" Link, X-Total-Count, X-HF-Cache, X-HF-Error, X-HF-Age, X-HF-Retry-After, Mcp-Session-Id"
)


_LONGEST_KEPT = 4096
_LINGERING_BYTES = 16 * 1024 * 1024
_LINGERING_SECONDS = 2.0


class Shape(msgspec.Struct, frozen=True):
    """How errors are told under a path."""

    prefix: str
    encode_error: EncodeError

    def covers(self, path: str) -> bool:
        """Whether `path` is its own or below it."""
        return path == self.prefix or path.startswith(self.prefix.rstrip("/") + "/")


def shape_of(shapes: Sequence[Shape], path: str) -> Shape:
    """Return who tells of errors under `path`: the last that covers it; `*` is under none."""
    own = (shape for shape in reversed(shapes) if shape.covers(path))
    return next(own, shapes[0])


def told(shape: Shape, error: NodeError, request_id: str) -> bytes:
    """Return the body that tells of `error`."""
    return msgspec.json.encode(shape.encode_error(error, request_id))


def too_long(most: int) -> PayloadTooLarge:
    """Return the refusal of a body of more than `most` bytes."""
    return PayloadTooLarge(
        f"the body is longer than {most} bytes, the most this node takes",
        hint="send less, or raise server.max_body",
    )


class Guard:
    """ASGI middleware around the whole app.

    The last of `shapes` that covers a path tells of its errors; the first, of all others.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings, shapes: Sequence[Shape]) -> None:
        self._app = app
        self._settings = settings
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # A handshake is a GET until it is accepted, and is judged and refused as one.
            scope["method"] = "GET"
            await self._serve(scope, receive, as_handshake(scope, send))
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = _request_id(scope)
        line = _Line(scope, receive, send, request_id, self._settings.max_body_bytes)
        visit = Visit(request_id, self._settings)
        scope[VISIT] = visit
        try:
            authority = visit.authority = authority_of(scope, self._settings)
            line.allow(origin_of(scope, authority, self._settings))
            if await line.answered_preflight():
                return
            line.check_length()
            visit.site = site_of(scope, authority)
            visit.is_local = is_local(scope, authority, self._settings)
            visit.is_secure = is_secure(scope, self._settings)
            await self._app(scope, line.receive, line.send)
        except CallerLeft:
            self._log(scope, visit, 0, "aborted")
        except NodeError as error:
            await self._refuse(scope, visit, line, error)
        except Exception:
            logger.exception("%s: unexpected failure", request_id)
            await self._refuse(scope, visit, line, Unexpected())

    def _log(self, scope: Scope, visit: Visit, status: int, kind: str) -> None:
        if self._settings.access_log and not visit.reached_gateway:
            log_refusal(scope, visit.request_id, status, kind)

    async def _refuse(self, scope: Scope, visit: Visit, line: "_Line", error: NodeError) -> None:
        status = status_of(error)
        self._log(scope, visit, status, error.kind.value)
        if line.started:
            # Returning without a last piece makes the server cut the connection.
            logger.warning("%s: cut short: %s", line.request_id, error.message)
            return
        body = told(shape_of(self._shapes, scope["path"]), error, line.request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), header_value(text)) for name, text in headers_of(error)),
        ]
        await line.send({"type": "http.response.start", "status": status, "headers": headers})
        # Our own server lets a caller that is still sending find its answer; uvicorn doesn't.
        lingers = LINGERS in scope.get("extensions", {})
        if error.kind is ErrorKind.PAYLOAD_TOO_LARGE and not lingers:
            await line.send({"type": "http.response.body", "body": body, "more_body": True})
            await line.linger()
            body = b""
        await line.send({"type": "http.response.body", "body": body, "more_body": False})


class _Line:
    """A request's two directions: the body counted, the response's headers completed."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, most: int
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._most = most
        self._received = 0
        self._cors: list[tuple[bytes, bytes]] = []
        self.request_id = request_id
        self.started = False

    def allow(self, origin: str) -> None:
        """Let pages of this listed `origin`, if it is any, read the response."""
        if origin:
            self._cors = [
                (b"access-control-allow-origin", origin.encode("latin-1")),
                (b"access-control-expose-headers", _EXPOSED),
                (b"vary", b"Origin"),
            ]

    async def answered_preflight(self) -> bool:
        """Answer a listed origin's question whether it may ask; False if this isn't one."""
        wanted = self._header(b"access-control-request-method")
        if self._scope["method"] != "OPTIONS" or not wanted or not self._cors:
            return False
        headers = [
            (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE"),
            (b"access-control-max-age", b"600"),
        ]
        asked = self._header(b"access-control-request-headers")
        if asked and _TOKENS.fullmatch(asked):
            headers.append((b"access-control-allow-headers", asked))
        if self._header(b"access-control-request-private-network") == b"true":
            headers.append((b"access-control-allow-private-network", b"true"))
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})
        return True

    def check_length(self) -> None:
        """Refuse a body that says it is too long, before any of it is read.

        Raises:
            PayloadTooLarge: It does.
        """
        declared = self._header(b"content-length")
        if declared.isdigit() and int(declared) > self._most:
            raise too_long(self._most)

    async def receive(self) -> Message:
        """Receive for the app, up to the limit."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise too_long(self._most)
        return message

    async def linger(self) -> None:
        """Let a caller that is still sending find the answer: closing at once may destroy it.

        For servers that close at once, as uvicorn does.
        """
        left = _LINGERING_BYTES
        try:
            async with asyncio.timeout(_LINGERING_SECONDS):
                while left > 0:
                    message = await self._receive()
                    if not message.get("more_body", False):
                        return
                    left -= len(message.get("body", b""))
        except TimeoutError:
            return

    async def send(self, message: Message) -> None:
        """Send for the app, with the headers that every response has."""
        if message["type"] == "websocket.accept":
            self.started = True
            own = (b"x-request-id", self.request_id.encode())
            message["headers"] = [*message.get("headers", ()), own]
        elif message["type"] == "http.response.start":
            self.started = True
            said = {name for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self.request_id.encode()),
                *_ALWAYS,
                *(pair for pair in _UNLESS_SAID if pair[0] not in said),
                *self._cors,
            ]
        await self._send(message)

    def _header(self, wanted: bytes) -> bytes:
        return next((value for name, value in self._scope["headers"] if name == wanted), b"")


def _request_id(scope: Scope) -> str:
    shown = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given_id(shown) or os.urandom(8).hex()


def given_id(shown: bytes) -> str:
    """Return the caller's own id for the request where it is harmless; else nothing."""
    return shown.decode() if _REQUEST_ID.fullmatch(shown) else ""


_PLAIN = b"\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in _ALWAYS)
_USUAL = _PLAIN + b"".join(b"%b: %b\r\n" % pair for pair in _UNLESS_SAID)


def usual_lines(block: bytes) -> bytes:
    """Return what follows the request's id in every response, unless `block` says otherwise."""
    # Upstreams write some of these: what is long is made anew, and not remembered.
    return _kept_lines(block) if len(block) <= _LONGEST_KEPT else _made_lines(block)


def _made_lines(block: bytes) -> bytes:
    if b"cache-control:" not in block and b"content-security-policy:" not in block:
        return _USUAL
    said = {line.partition(b":")[0] for line in block.split(b"\r\n")}
    return _PLAIN + b"".join(b"%b: %b\r\n" % pair for pair in _UNLESS_SAID if pair[0] not in said)


_kept_lines = lru_cache(maxsize=256)(_made_lines)
