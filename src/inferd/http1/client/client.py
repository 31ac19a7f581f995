"""HTTP/1.1, the client end: one pool an upstream, one response a request."""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import Awaitable, Iterable, Mapping

import msgspec

from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    NodeError,
)
from inferd.http1.client.connection import Connection
from inferd.http1.client.dialing import Allows, Way, dial
from inferd.http1.client.heads import LastHead
from inferd.http1.client.proxies import proxy_for
from inferd.http1.client.response import Response
from inferd.http1.client.upload import Body, upload
from inferd.http1.client.url import Url
from inferd.http1.sweep import FOREVER

MOST_CONNECTIONS = 1024
_COPIED_BYTES = 64 << 10
"""Up to here a body is joined to its head: one write is cheaper than two, and a copy is little."""

Headers = Iterable[tuple[str, str]]


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: to connect, until the head of the answer, between pieces of it.

    `stall` stands for `idle` once the first piece of a stream is there: an answer that isn't
    bound as a whole. `kept` is how long a connection that nobody uses is kept.
    """

    connect: float = 10.0
    head: float = 120.0
    idle: float = 120.0
    stall: float | None = None
    kept: float = 60.0


class Client:
    """Everything this node says to one upstream, in one loop. It never follows a redirect.

    At most `most` connections are open; who finds none free waits for one as long as for a new
    one. `environ` is where proxies are named. `allows` says to which addresses it may connect: a
    proxy would look them up by itself, so then none is used.

    Raises:
        ValueError: The proxy named there isn't one.
    """

    __slots__ = (
        "_idle",
        "_is_closed",
        "_most",
        "_open",
        "_proxy",
        "_stall",
        "_time",
        "_timeouts",
        "_url",
        "_waiting",
        "_way",
        "kept_seconds",
        "last_head",
        "name",
    )

    def __init__(
        self,
        name: str,
        url: Url,
        *,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
        most: int = MOST_CONNECTIONS,
        environ: Mapping[str, str] = os.environ,
        allows: Allows | None = None,
    ) -> None:
        self.name = name
        self._url = url
        self._timeouts = timeouts or Timeouts()
        self._stall = self._timeouts.stall or self._timeouts.idle
        self.kept_seconds = self._timeouts.kept
        self.last_head = LastHead()
        self._time = asyncio.get_running_loop().time
        self._most = most
        self._proxy = proxy_for(url, environ) if allows is None else None
        self._way = Way(name=name, url=url, proxy=self._proxy, tls=tls, allows=allows)
        self._idle: dict[Connection, None] = {}
        self._open: set[Connection] = set()
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._is_closed = False

    def head(self, method: str, path: str, headers: Headers = ()) -> bytes:
        """Write a request's head but for its end: what `post` may be given again and again.

        Raises:
            ValueError: Something in it would end a line.
        """
        if any(sign <= " " for sign in path):
            raise ValueError(f"the path {path!r} has a blank in it")
        place, plea = self._url.path, b""
        if self._proxy is not None and self._url.scheme == "http":
            place, plea = str(self._url), self._proxy.authorization
        lines = [f"{method} {place}{path} HTTP/1.1\r\nhost: {self._url.authority}\r\n"]
        for name, value in headers:
            if any(sign in name + value for sign in "\r\n\0"):
                raise ValueError(f"the header {name!r} has a line break in it")
            lines.append(f"{name}: {value}\r\n")
        return "".join(lines).encode("latin-1") + plea

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Headers = (),
        more: bytes = b"",
        body: bytes | Body = b"",
        seconds: float | None = None,
        whole: float | None = None,
    ) -> Response:
        """Send a request and return its response once the head is in.

        `more` are header lines that are finished already.

        `seconds` bounds the whole exchange; `whole` bounds it too, but not the time in which a
        body that is still being made goes out. A kept connection that turns out to be stale is
        replaced once, provided that not one byte of an answer came. Errors say in `sent_bytes`
        what had been written.

        Raises:
            BackendError: No connection, no answer, or nonsense.
            NodeError: Whatever reading the body raised.
        """
        head = self.head(method, path, headers) + more
        if isinstance(body, Body):
            message = b"%b%b\r\n" % (head, body.framing)
            end, stall = self._end(seconds), self._stall if whole is None else None
            return await self._exchange(message, end, stall=stall, body=body, whole=whole)
        if body or method == "POST":
            return await self.post(head, body, whole, seconds)
        end = self._end(seconds, whole)
        return await self._exchange(head + b"\r\n", end, expects_body=method != "HEAD")

    def post(
        self,
        head: bytes,
        body: bytes,
        whole: float | None = None,
        seconds: float | None = None,
    ) -> Awaitable[Response]:
        """As `send`, with a head that is made already."""
        stall = self._stall if whole is None else None
        if len(body) > _COPIED_BYTES:
            message = b"%bcontent-length: %d\r\n\r\n" % (head, len(body))
            return self._exchange(message, self._end(seconds, whole), stall=stall, rest=body)
        message = b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body)
        if seconds is None and whole is not None:
            return self._exchange(message, self._time() + whole)
        return self._exchange(message, self._end(seconds, whole), stall=stall)

    def close(self) -> None:
        """Abort every connection."""
        self._is_closed = True
        self._idle.clear()
        for connection in tuple(self._open):
            connection.abort()
        while self._waiting:
            self._call_next(None)

    @property
    def connections(self) -> frozenset[Connection]:
        """Those that are open, or about to be."""
        return frozenset(self._open)

    # The exchange

    def _end(self, seconds: float | None, whole: float | None = None) -> float:
        """Return when it must be over, on the loop's clock."""
        if seconds is None:
            if whole is None:
                return FOREVER
            seconds = whole
        elif seconds <= 0:
            raise BackendTimeout(f"no time was left to ask {self.name}")
        elif whole is not None and whole < seconds:
            seconds = whole
        return self._time() + seconds

    async def _exchange(
        self,
        message: bytes,
        end: float,
        *,
        stall: float | None = None,
        rest: bytes = b"",
        body: Body | None = None,
        whole: float | None = None,
        expects_body: bool = True,
    ) -> Response:
        if self._is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        kept = self._kept()
        connection = kept or await self._another(end)
        times = self._timeouts
        sent_bytes = 0
        while True:
            try:
                connection.begin(
                    message,
                    times.head,
                    times.idle,
                    end=end,
                    whole=whole,
                    expects_body=expects_body,
                    sent_bytes=sent_bytes,
                )
                if rest:
                    connection.say(rest)
                if body is None:
                    # Not `head`: nearly every request passes here, and each call is paid for.
                    while connection.answer is None:
                        await connection.progress()
                else:
                    await upload(connection, body)
                return Response(connection, stall)
            except BaseException as error:
                connection.close()
                sent_bytes = connection.sent_bytes
                if isinstance(error, NodeError):
                    error.sent_bytes = sent_bytes
                is_stale = connection is kept and not connection.answered
                if not is_stale or not isinstance(error, BackendUnavailable | BackendFailed):
                    raise
            connection = await self._another(end, sent_bytes)

    # The pool

    def _kept(self) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_open:
                return connection
        return None

    def give_back(self, connection: Connection) -> None:
        """Take a clean connection back, for whoever waits for one."""
        if self._is_closed:
            connection.abort()
        elif not self._call_next(connection):
            self._idle[connection] = None

    def gone(self, connection: Connection) -> None:
        """Forget a connection."""
        self._idle.pop(connection, None)
        if connection in self._open:
            self._open.discard(connection)
            self._call_next(None)

    def _call_next(self, connection: Connection | None) -> bool:
        """Let the first who waits have the connection, or make one; False when nobody waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    async def _another(self, end: float, sent_bytes: int = 0) -> Connection:
        """Return a new connection, or one that became free where there may be no more."""
        try:
            while len(self._open) >= self._most:
                freed = await self._freed(end)
                if freed is not None and freed.is_open:
                    return freed
            return await self._connect(end)
        except NodeError as error:
            error.sent_bytes = sent_bytes
            raise

    async def _freed(self, end: float) -> Connection | None:
        """Wait until a connection is free, or another may be made.

        Raises:
            BackendOverloaded: None is for as long as it may take to connect.
        """
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        left = end - self._time()
        try:
            async with asyncio.timeout(min(self._timeouts.connect, left)):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                self._pass_on(waiter.result())
            if not isinstance(error, TimeoutError):
                raise
            if left < self._timeouts.connect:
                raise BackendTimeout(f"{self.name} gave no answer in time") from error
            raise BackendOverloaded(
                f"{self.name} is busy: all {self._most} connections to it are in use"
            ) from error

    def _pass_on(self, connection: Connection | None) -> None:
        """Let the next have what came too late."""
        if connection is None:
            self._call_next(None)
        else:
            self.give_back(connection)

    async def _connect(self, end: float) -> Connection:
        if self._is_closed:
            raise BackendUnavailable(f"{self.name} is closed")
        connection = Connection(self)
        self._open.add(connection)
        try:
            await dial(
                self._way, connection, seconds=self._timeouts.connect, left=end - self._time()
            )
            if self._is_closed:
                raise BackendUnavailable(f"{self.name} is closed")
        except BaseException:
            connection.abort()
            self.gone(connection)
            raise
        return connection
