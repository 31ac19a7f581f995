"""Our HTTP/1.1 server: who comes in, who serves, and how it ends."""

import asyncio
import logging
import socket
from collections.abc import Callable, Hashable
from functools import partial

from inferd.core.hosts import is_loopback
from inferd.http1.server.connection import Connection
from inferd.http1.server.door import Door, Room, turn_away
from inferd.http1.server.head import Head
from inferd.http1.server.limits import Limits
from inferd.http1.server.lines import Today
from inferd.http1.server.memo import Memo
from inferd.http1.server.owner import Handler, Peer
from inferd.http1.server.refusal import Refusal
from inferd.http1.server.tls import Certificate, check_greeting
from inferd.http1.sweep import sweep

logger = logging.getLogger(__name__)

Router = Callable[[Head, Peer], Handler]
"""Says who serves requests with this head. Asked once for each kind of peer and head it keeps."""

Noting = Callable[[str, Head | None, Peer, Refusal], None]
"""Takes note of a refusal of the server's own: the request's id, its head if it could be read."""

_HANDSHAKE_SECONDS = 10.0
_LEAST_SECONDS = 0.1


class Server:
    """Serves connections on the running loop, from `listen` until `stop`.

    `kind_of` says what a router may decide by, of a peer: those of one of its few kinds share what
    is remembered. `is_proxy` tells addresses that stand for many callers: no limit counts them.
    `note` is told what the server refuses by itself.
    """

    def __init__(
        self,
        router: Router,
        limits: Limits | None = None,
        *,
        kind_of: Callable[[Peer], Hashable] = lambda peer: (peer.is_tls, peer.is_unix),
        is_proxy: Callable[[str], bool] = lambda _address: False,
        note: Noting = lambda _id, _head, _peer, _refusal: None,
    ) -> None:
        self.limits = limits or Limits()
        self.sweep = sweep()
        self.loop = asyncio.get_running_loop()
        self._today = Today(self.sweep)
        self._router = router
        self._kind_of = kind_of
        self._is_proxy = is_proxy
        self._note = note
        self._memos: dict[Hashable, Memo] = {}
        self._room = Room(self.limits.connections, self._most_from)
        self._doors: list[Door] = []
        self._arriving: set[asyncio.Task[None]] = set()
        self._shaking_hands: set[asyncio.Task[None]] = set()
        self._guests: dict[Connection, str] = {}
        """Whoever was let in, and from where: those that still shake hands too."""
        self._connections: set[Connection] = set()
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._grace_seconds = 0.0
        self._is_hurried = False

    @property
    def connections(self) -> int:
        """How many there are, those that still shake hands too."""
        return self._room.taken

    def listen(self, listener: socket.socket, certificate: Certificate | None = None) -> None:
        """Take connections from a socket that listens; with a certificate, over TLS only.

        The socket is closed by `close`, or as `stop` begins.
        """

        def admit(line: socket.socket, address: object) -> None:
            self._admit(line, _host_of(address), certificate)

        self._doors.append(Door(listener, admit))

    def _admit(self, line: socket.socket, host: str, certificate: Certificate | None) -> None:
        if not self._room.take(host):
            turn_away(line) if certificate is None else line.close()
            return
        line.setblocking(False)
        if line.family != socket.AF_UNIX:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self)
        self._guests[connection] = host
        task = self.loop.create_task(self._welcome(connection, line, certificate))
        arriving = self._arriving if certificate is None else self._shaking_hands
        arriving.add(task)
        task.add_done_callback(partial(self._arrived, connection, line))

    async def _welcome(
        self, connection: Connection, line: socket.socket, certificate: Certificate | None
    ) -> None:
        if certificate is None:
            await self.loop.connect_accepted_socket(lambda: connection, line)
        else:
            late = self.loop.time() + _HANDSHAKE_SECONDS
            async with asyncio.timeout_at(late):
                await check_greeting(line)
            await self.loop.connect_accepted_socket(
                lambda: connection,
                line,
                ssl=certificate.context,
                ssl_handshake_timeout=max(_LEAST_SECONDS, late - self.loop.time()),
                # Sooner, as a rule: the connection sees to that by itself.
                ssl_shutdown_timeout=self.limits.write_seconds,
            )

    def _arrived(
        self, connection: Connection, line: socket.socket, task: asyncio.Task[None]
    ) -> None:
        """Give the place of who didn't come in to others, even if its task never had a step."""
        self._arriving.discard(task)
        self._shaking_hands.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):
            logger.error("a connection couldn't be taken in", exc_info=error)
        if (error is not None or task.cancelled()) and connection not in self._connections:
            # No TLS, or not ours, or the server stops: there is nobody to tell.
            line.close()
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        host = self._guests.pop(connection, None)
        if host is not None:
            self._room.give(host)
        if not self._guests:
            self._wake.set()

    def _most_from(self, address: str) -> int:
        if not address or self._is_proxy(address):
            return 0
        return self.limits.most_from(is_local=is_loopback(address))

    def opened(self, connection: Connection) -> None:
        """Take a connection in."""
        if not self._connections:
            self._today.begin(self.loop.time())
        self._connections.add(connection)
        if self._is_stopping:
            connection.retire(self._grace_seconds)

    def closed(self, connection: Connection) -> None:
        """Forget it."""
        self._connections.discard(connection)
        if not self._connections:
            self._today.end()
        self._forget(connection)

    def route(self, head: Head, peer: Peer) -> Handler:
        """Say who serves requests with this head."""
        return self._router(head, peer)

    def memo_for(self, peer: Peer) -> Memo:
        """Return what is remembered for peers of this one's kind."""
        kind = self._kind_of(peer)
        memo = self._memos.get(kind)
        if memo is None:
            memo = self._memos[kind] = Memo()
        return memo

    def refused(self, request_id: str, head: Head | None, peer: Peer, refusal: Refusal) -> None:
        """Take note of a request that the server refused by itself."""
        self._note(request_id, head, peer, refusal)

    def failed(self, request_id: str, head: Head | None, error: Exception) -> None:
        """Write down that a handler, or the router, raised."""
        what = "" if head is None else f" on {head.method} {head.raw_path.decode()}"
        logger.error("%s: unexpected failure%s", request_id, what, exc_info=error)

    def hurry(self) -> None:
        """Once it stops, wait no longer for requests to end."""
        self._is_hurried = True
        self._wake.set()

    def close(self) -> None:
        """Accept no more: who comes from now on finds nobody, and tries another node."""
        for door in self._doors:
            door.close()

    async def stop(self, message: str, drain_seconds: float | None = None) -> None:
        """Accept no more, let requests end for a while, cancel the rest with `message`, and end.

        Connections between requests are served for a short grace, as a request may be on its way.
        A request that is cancelled may still say its last word; who doesn't take that in time is
        cut off.
        """
        self.close()
        drain = self.limits.drain_seconds if drain_seconds is None else drain_seconds
        seconds = 0.0 if self._is_hurried else drain
        self._is_stopping = True
        self._grace_seconds = min(self.limits.grace_seconds, seconds)
        for connection in [*self._connections]:
            connection.retire(self._grace_seconds)
        late = self.loop.call_later(self._grace_seconds, self._stop_welcoming)
        await self._until_empty(seconds)
        late.cancel()
        self._stop_welcoming()
        if self._guests:
            logger.warning("%d requests are cut short: %s", len(self._guests), message)
            for connection in [*self._connections]:
                connection.stop(message)
            await self._until_empty(self.limits.last_words_seconds)
        if self._guests:
            logger.warning("some callers didn't take the news that the node stops")
            for connection in [*self._connections]:
                connection.abort()
            await self._until_empty(self.limits.last_words_seconds)

    def _stop_welcoming(self) -> None:
        """Leave those who haven't shaken hands by now."""
        for task in self._shaking_hands:
            task.cancel()

    async def _until_empty(self, seconds: float) -> None:
        """Wait until nobody is left, for so long, or until told to hurry."""
        self._wake.clear()
        if self._guests:
            late = self.loop.call_later(seconds, self._wake.set)
            await self._wake.wait()
            late.cancel()


def _host_of(address: object) -> str:
    """Return an accepted connection's address; empty for a Unix socket's, which has none."""
    return str(address[0]) if isinstance(address, tuple) else ""
