"""The three parts around a connection: who is at its other end, who serves, whose it is."""

import asyncio
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from inferd.http1.server.head import Head
from inferd.http1.server.limits import Limits
from inferd.http1.server.memo import Memo
from inferd.http1.server.refusal import Refusal
from inferd.http1.sweep import Sweep

if TYPE_CHECKING:
    from inferd.http1.server.connection import Connection


class Peer:
    """The client's end of a connection."""

    __slots__ = ("host", "is_tls", "is_unix", "port")

    def __init__(
        self, host: str = "", port: int = 0, *, is_tls: bool = False, is_unix: bool = False
    ) -> None:
        self.host = host
        self.port = port
        self.is_tls = is_tls
        self.is_unix = is_unix


def peer_of(transport: asyncio.BaseTransport) -> Peer:
    """Return who is at the other end of `transport`."""
    name: object = transport.get_extra_info("peername")
    is_tls = transport.get_extra_info("ssl_object") is not None
    if isinstance(name, tuple):
        return Peer(sys.intern(str(name[0])), int(name[1]), is_tls=is_tls)
    return Peer(is_tls=is_tls, is_unix=True)


class Handler(Protocol):
    """What serves a request. The connection's own task runs it, one request after another.

    It must end its response (`send`, or `start` … `end`); one that returns or raises within a
    response has cut it, and the client sees that. It is cancelled when the client leaves.
    """

    @property
    def is_worth_keeping(self) -> bool:
        """Whether the same head may be served by it again without being read or routed."""
        ...

    def __call__(self, connection: "Connection", /) -> Coroutine[Any, Any, None]: ...


class Owner(Protocol):
    """What a connection needs of its server."""

    limits: Limits
    sweep: Sweep
    loop: asyncio.AbstractEventLoop

    def opened(self, connection: "Connection") -> None:
        """Take it in; or `connection.refuse(...)` it, and it will be `closed` all the same."""
        ...

    def closed(self, connection: "Connection") -> None:
        """Forget it. Told once for each that was opened."""
        ...

    def memo_for(self, peer: Peer) -> Memo:
        """Return what is remembered for peers of this one's kind. Asked once a connection."""
        ...

    def route(self, head: Head, peer: Peer) -> Handler:
        """Say who serves requests with this head from peers of this kind.

        Raises:
            Refusal: Nobody.
        """
        ...

    def refused(self, request_id: str, head: Head | None, peer: Peer, refusal: Refusal) -> None:
        """Take note that the server itself refused a request; None: its head couldn't be read."""
        ...

    def failed(self, request_id: str, head: Head | None, error: Exception) -> None:
        """Write down that the handler, or the router, raised on a request with this head.

        None: its head couldn't even be read. The client is answered 500, with that id, or cut off.
        """
        ...
