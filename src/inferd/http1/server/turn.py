"""One turn of a connection: a request's body that comes, and its response that goes."""

import asyncio
from collections.abc import AsyncIterator

from inferd.core.answer import Source
from inferd.http1.server.head import Head
from inferd.http1.server.incoming import Incoming
from inferd.http1.server.limits import Limits
from inferd.http1.server.lines import BODILESS, WITH_BODY, first_lines
from inferd.http1.server.owner import Peer
from inferd.http1.server.refusal import TooLong

NOT_BEGUN, CHUNKS, COUNTED, UNTIL_CLOSE, NO_BODY, ENDED = range(6)
"""How far a response is, and what frames it."""

# Joining a longer body to its head would cost more than a second write.
_LONG = 64 << 10


class Turn(asyncio.Protocol):
    """What handlers are given, by the name of `Connection`, which has the connection's life.

    A client that closes its end before the response is complete is gone: the handler is cancelled
    and nothing more is sent. That it still listens can't be known, and isn't worth a model's time.
    """

    __slots__ = (
        "_drain",
        "_framing",
        "_incoming",
        "_is_full",
        "_is_plain",
        "_loop",
        "_owed",
        "_source",
        "_transport",
        "body",
        "head",
        "is_left",
        "keep_alive",
        "length",
        "limits",
        "peer",
    )

    head: Head
    peer: Peer
    length: int | None
    """The body's bytes; None where it comes in chunks."""
    body: bytes | None
    """The whole body, where it came together with its head; else None: `read` or `pieces` it."""
    is_left: bool
    """The client is gone. The handler is cancelled then."""
    keep_alive: bool
    """Whether another request may follow this one's response."""
    limits: Limits
    _loop: asyncio.AbstractEventLoop
    _transport: asyncio.Transport

    def __init__(self) -> None:
        self.length = 0
        self.body = None
        self.is_left = False
        self.keep_alive = True
        self._incoming: Incoming | None = None
        self._framing = NOT_BEGUN
        self._owed = 0
        # Whether a response to this request is framed in the usual way.
        self._is_plain = False
        self._is_full = False
        self._source: Source | None = None
        self._drain: asyncio.Future[None] | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a status line is out."""
        return self._framing != NOT_BEGUN

    # The body

    async def read(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            TooLong: It has more than `most` bytes.
            Refusal: It is malformed, or came too slowly.
        """
        body = self.body
        if body is not None:
            if len(body) > most:
                raise TooLong(most)
            return body
        if self.length is not None and self.length > most:
            raise TooLong(most)
        pieces: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > most:
                raise TooLong(most)
            pieces.append(piece)
        return b"".join(pieces)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; once. Above 256 KiB that nobody took, reading pauses.

        Raises:
            Refusal: It is malformed, or came too slowly.
        """
        if self.body is not None:
            if self.body:
                yield self.body
            return
        incoming = self._incoming
        if incoming is None:
            raise RuntimeError("the body of a request that is over")
        self._ask(incoming)
        while True:
            if incoming.buffered:
                piece = incoming.take()
                self._balance()
                yield piece
            elif incoming.fault is not None:
                raise incoming.fault
            elif incoming.is_complete:
                return
            else:
                await incoming.more(self._loop)

    def _ask(self, incoming: Incoming) -> None:
        """Tell a client that waits for it to go on."""
        if incoming.awaits_continue and not self.has_begun and not self.is_left:
            incoming.awaits_continue = False
            incoming.run(self._loop.time())
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._balance()

    def _balance(self) -> None:
        """Read on or pause, by what waits to be taken."""
        raise NotImplementedError

    # The response

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        r"""Send a whole response.

        `headers` are finished lines (`name: value\r\n`…); date, content-length and connection are
        added.
        """
        lines = WITH_BODY.get(status)
        if self._is_plain and lines is not None and self._framing == NOT_BEGUN:
            self._framing = ENDED
            size = len(body)
            if size < _LONG:
                self._transport.write(
                    b"%b%bcontent-length: %d\r\n\r\n%b" % (lines, headers, size, body)
                )
                return
            self._transport.write(b"%b%bcontent-length: %d\r\n\r\n" % (lines, headers, size))
            self._transport.write(body)
        elif self._may_begin():
            has_body = self._begin(status, headers, len(body))
            self._framing = ENDED
            if has_body and body:
                self._transport.write(body)

    def start(self, status: int, headers: bytes, length: int | None = None) -> None:
        """Begin a response; `write` and `end` follow. Without a `length` it goes in chunks."""
        if not self._may_begin():
            return
        if not self._begin(status, headers, length):
            self._framing = NO_BODY
        elif length is not None:
            self._framing = COUNTED
            self._owed = length
        else:
            self._framing = CHUNKS if self.head.version == "1.1" else UNTIL_CLOSE

    def write(self, data: bytes) -> None:
        """Send a piece of the body. Never waits."""
        if self._framing == CHUNKS:
            if data:  # An empty chunk would be the last.
                self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        elif self._framing == COUNTED:
            self._owed -= len(data)
            if self._owed < 0:
                self.abort()
                raise RuntimeError("the response has more bytes than it said")
            self._transport.write(data)
        elif self._framing == UNTIL_CLOSE:
            self._transport.write(data)
        elif self._framing != NO_BODY and not self.is_left:
            raise RuntimeError("a piece of a response that isn't under way")

    def end(self) -> None:
        """End the response. One with fewer bytes than it said breaks off instead."""
        if self._framing == CHUNKS:
            self._transport.write(b"0\r\n\r\n")
        elif self._framing == COUNTED and self._owed:
            self.abort()
        elif self._framing in (NOT_BEGUN, ENDED) and not self.is_left:
            raise RuntimeError("the end of a response that isn't under way")
        self._framing = ENDED

    async def drained(self) -> None:
        """Return when there is room for more: at once, as a rule. For one waiter at a time."""
        while self._is_full and not self.is_left:
            self._drain = waiter = self._loop.create_future()
            await waiter

    def feed(self, source: Source | None) -> None:
        """Name who writes here, to be held while the client is slow; None, nobody any more."""
        self._source = source
        if source is not None and self._is_full:
            source.pause_reading()

    def abort(self) -> None:
        """Break the connection off: a response that isn't ended is seen to be cut."""
        raise NotImplementedError

    def _may_begin(self) -> bool:
        if self.is_left:
            return False
        if self._framing != NOT_BEGUN:
            raise RuntimeError("a second response to one request")
        return True

    def _begin(self, status: int, headers: bytes, length: int | None) -> bool:
        """Send the head of a response; return whether a body may follow."""
        is_bodiless = status in BODILESS
        has_body = not is_bodiless and self.head.method != "HEAD"
        if self._incoming is not None and not self._incoming.can_be_read_away():
            self.keep_alive = False
        framing = b""
        if length is not None and not is_bodiless:
            framing = b"content-length: %d\r\n" % length
        elif length is None and has_body and self.head.version == "1.1":
            framing = b"transfer-encoding: chunked\r\n"
        close = b"" if self.keep_alive else b"connection: close\r\n"
        self._transport.write(b"%b%b%b%b\r\n" % (first_lines(status), headers, framing, close))
        return has_body

    def _wake_writer(self) -> None:
        waiter, self._drain = self._drain, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
