"""What serves the requests of one head, natively."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from starlette.datastructures import Headers
from starlette.types import Scope

from inferd.core.errors import CallerLeft, NodeError
from inferd.core.request import Principal
from inferd.core.stopping import is_stopping
from inferd.frontends._http.access import log_refusal
from inferd.frontends._http.context import Context
from inferd.frontends._http.errors import Unexpected, headers_of, status_of
from inferd.frontends._http.exchange import Exchange, header_lines, node_stopping
from inferd.frontends._http.guard import Shape, told
from inferd.frontends._http.native_exchange import NativeExchange
from inferd.frontends._http.origins import client_of
from inferd.frontends._http.settings import HttpSettings
from inferd.http1.server.connection import Connection
from inferd.http1.server.head import Head
from inferd.http1.server.owner import Handler, Peer
from inferd.wire.context import Context as Asked

logger = logging.getLogger(__name__)

_AT_ONCE = 64
_ID_DIGITS = 16


def new_id(ready: list[str]) -> str:
    """Return an id for a request, of which nobody can tell the next; leave more in `ready`."""
    many = os.urandom(_AT_ONCE * _ID_DIGITS // 2).hex()
    ready.extend(many[at : at + _ID_DIGITS] for at in range(0, len(many), _ID_DIGITS))
    return ready.pop()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every request with one head."""

    answer: Callable[[Exchange], Awaitable[None]]
    context: Context
    settings: HttpSettings
    shape: Shape
    other: Handler
    """Who serves what turns out to be out of the ordinary."""
    ids: list[str]
    """Ready to be given to requests."""
    scope: Scope
    headers: Headers
    parameters: Mapping[str, str]
    principal: Principal
    is_ambient: bool
    version: int
    """The credentials' when the principal was recognised."""
    asked: Asked
    seconds: float | None
    """How long each request has, where its head says so."""
    request_id: str
    """The caller's own; empty, and each gets a new one."""
    is_common: bool
    """Whether the same head may well come again."""


def scope_of(head: Head, peer: Peer) -> Scope:
    """Return of a request's ASGI scope what decisions about it read."""
    return {
        "type": "http",
        "method": head.method,
        "path": head.path,
        "query_string": head.query,
        "scheme": "https" if peer.is_tls else "http",
        "client": address_of(peer),
        "headers": head.headers,
    }


def address_of(peer: Peer) -> tuple[str, int]:
    """Return the client's address; whoever can open our Unix socket is of this machine."""
    return ("127.0.0.1", 0) if peer.is_unix else (peer.host, peer.port)


class NativeHandler:
    """Serves requests of one head, one at a time on each connection."""

    __slots__ = (
        "_answer",
        "_asked",
        "_credentials",
        "_decision",
        "_ids",
        "_request_id",
        "_version",
        "context",
        "headers",
        "is_worth_keeping",
        "method",
        "most_bytes",
        "parameters",
        "path",
        "principal",
    )

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._answer = decision.answer
        self._asked = decision.asked
        self._credentials = decision.context.credentials
        self._ids = decision.ids
        self._request_id = decision.request_id
        self._version = decision.version
        self.context = decision.context
        self.headers = decision.headers
        self.is_worth_keeping = decision.is_common
        self.method: str = decision.scope["method"]
        self.most_bytes = decision.settings.max_body_bytes
        self.parameters = decision.parameters
        self.path: str = decision.scope["path"]
        self.principal = decision.principal

    async def __call__(self, connection: Connection) -> None:
        """Answer one request."""
        length, credentials = connection.length, self._credentials
        if length is None:
            # In chunks: of those that are here already, nobody else counts the bytes.
            length = len(connection.body or b"")
        if (
            self._version != credentials.version
            or length > self.most_bytes
            or (credentials.guessers and not self._may_ask(connection))
        ):
            await self._decision.other(connection)
            return
        request_id = self._request_id or (self._ids.pop() if self._ids else new_id(self._ids))
        exchange = NativeExchange(self, connection, request_id)
        try:
            await self._answer(exchange)
        except asyncio.CancelledError as error:
            self._cancelled(connection, exchange, error)
        except CallerLeft:
            self._note(connection, exchange, 0, "aborted")
        except NodeError as error:
            self._refuse(connection, exchange, error)
        except Exception:
            logger.exception("%s: unexpected failure", exchange.request_id)
            self._refuse(connection, exchange, Unexpected())

    def directions(self) -> Asked:
        """Return what the head says of a request's way, and by when it is to be answered."""
        asked = self._asked.copy()
        if self._decision.seconds is not None:
            asked["deadline"] = self.context.clock.now() + self._decision.seconds
        return asked

    def _may_ask(self, connection: Connection) -> bool:
        """Whether the caller isn't kept out for its wrong guesses."""
        decision = self._decision
        client = client_of(self._scope(connection), decision.settings)
        return self._credentials.may_ask(self.principal, ambient=decision.is_ambient, client=client)

    def _scope(self, connection: Connection) -> Scope:
        return {**self._decision.scope, "client": address_of(connection.peer)}

    def _cancelled(
        self, connection: Connection, exchange: NativeExchange, error: asyncio.CancelledError
    ) -> None:
        task = asyncio.current_task()
        if connection.is_left or task is None or not is_stopping(error):
            self._note(connection, exchange, 0, "aborted")
            raise error
        while task.uncancel():
            pass
        self._refuse(connection, exchange, node_stopping())

    def _refuse(self, connection: Connection, exchange: NativeExchange, error: NodeError) -> None:
        status = status_of(error)
        self._note(connection, exchange, status, error.kind.value)
        if connection.has_begun:
            # Returning without an end makes the server cut the connection.
            logger.warning("%s: cut short: %s", exchange.request_id, error.message)
            return
        exchange.tell(
            status,
            header_lines([("content-type", "application/json"), *headers_of(error)]),
            told(self._decision.shape, error, exchange.request_id),
        )

    def _note(
        self, connection: Connection, exchange: NativeExchange, status: int, kind: str
    ) -> None:
        if self._decision.settings.access_log and not exchange.has_reached_gateway:
            log_refusal(self._scope(connection), exchange.request_id, status, kind)
