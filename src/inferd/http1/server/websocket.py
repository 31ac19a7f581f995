"""A WebSocket on a connection of ours: frames become messages, within limits.

The frames are read and written by `websockets`, which does no I/O of its own. No extension is
agreed on, so that what a message weighs is what its frames say.
"""

import asyncio
import logging
from collections import deque
from http import HTTPStatus

from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from inferd.http1.server.connection import Connection
from inferd.http1.server.head import Head
from inferd.http1.server.refusal import Refusal

NORMAL, GOING_AWAY, INVALID_DATA, POLICY, TOO_BIG, FAILED = 1000, 1001, 1007, 1008, 1009, 1011
"""Why a WebSocket is closed, by RFC 6455's numbers."""
CUT = 1006
"""Told to the application alone, where no reason came."""

_SLICE = 4 << 10
"""Bytes whose frames are read at a time: an empty frame has six, and others wait meanwhile."""
_MOST_WAITING = 16
"""Messages that wait to be received; and no more bytes of them than one message may have."""
_MOST_FRAGMENTS = 1024
_LONGEST_REASON = 123

# The library tells of every connection, and within DEBUG of every frame: of people's words.
_quiet = logging.getLogger(f"{__name__}.frames")
_quiet.setLevel(logging.WARNING)


class Closed(Exception):
    """The client said goodbye, or is gone: `code` says which."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed: {code} {reason}")
        self.code = code
        self.reason = reason


class Retiring(Exception):
    """The server stops: what is under way may end, and nothing new should begin. Raised once."""


class WebSocket:
    """The server's end. One reader, and writers that take turns.

    Pings are answered, and sent to a client that has been silent for `ping_seconds`; one that
    stays silent for as long again is cut off. Messages above `message_bytes` are refused by their
    first bytes (1009).
    """

    __slots__ = (
        "_connection",
        "_end",
        "_fragments",
        "_heard",
        "_is_pinged",
        "_is_retiring",
        "_is_text",
        "_loop",
        "_messages",
        "_news",
        "_protocol",
        "_unread",
        "_waiting_bytes",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        # Frames come once the handshake has been accepted.
        self._protocol = ServerProtocol(
            state=OPEN, max_size=connection.limits.message_bytes, logger=_quiet
        )
        self._messages: deque[tuple[bytes | str, int]] = deque()
        self._waiting_bytes = 0
        self._fragments: list[bytes | bytearray | memoryview] = []
        self._is_text = False
        self._unread = b""
        self._news: asyncio.Future[None] | None = None
        self._end: Closed | None = None
        self._heard = self._loop.time()
        self._is_pinged = False
        self._is_retiring = False

    # What the application does

    def check(self) -> bytes:
        """Read the handshake's request; return the response's own headers, finished.

        Raises:
            Refusal: It asks for no WebSocket that we have.
        """
        if self._connection.length != 0:
            raise Refusal(400, "a WebSocket's handshake has no body", "send it without one")
        handshake = ServerProtocol(logger=_quiet)
        response = handshake.accept(_request_of(self._connection.head))
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            return b"".join(
                b"%b: %b\r\n" % (name.encode(), value.encode())
                for name, value in response.headers.raw_items()
            )
        raise Refusal(
            response.status_code,
            f"the handshake isn't one of WebSocket: {handshake.handshake_exc}",
            "use a WebSocket client, of version 13",
        )

    def accept(self, own: bytes, more: bytes) -> None:
        """Let the client in: with what `check` returned, and `more` header lines."""
        due = self._loop.time() + self._connection.limits.ping_seconds
        self._connection.upgrade(
            b"HTTP/1.1 101 Switching Protocols\r\n%b%b\r\n" % (own, more), self, due
        )

    async def receive(self) -> bytes | str:
        """Return the next message.

        Raises:
            Closed: There will be none.
            Retiring: The server stops. The next call waits on.
        """
        while True:
            if self._messages:
                message, size = self._messages.popleft()
                self._waiting_bytes -= size
                if self._unread and self._takes_more:
                    self._read()
                elif not self._connection.is_reading:
                    self._connection.look_again()
                return message
            if self._end is not None:
                raise self._end
            if self._is_retiring:
                self._is_retiring = False
                raise Retiring
            self._news = self._loop.create_future()
            await self._news

    async def send(self, message: bytes | str) -> None:
        """Send a message; return when there is room for another. For one sender at a time.

        Raises:
            Closed: Nobody would get it.
        """
        if self._end is not None or self._protocol.state is not OPEN:
            raise self._end or Closed(CUT)
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._write()
        await self._connection.drained()

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say goodbye. What the client says from now on isn't heard."""
        if self._protocol.state is OPEN and not self._connection.is_left:
            self._protocol.send_close(code, _short(reason))
            self._write()
        self._finish(Closed(code, reason))

    # What the connection does

    @property
    def has_room(self) -> bool:
        """Whether more may be read."""
        return self._takes_more and not self._unread

    @property
    def _takes_more(self) -> bool:
        """Whether there is room for more messages."""
        most = self._connection.limits.message_bytes
        return len(self._messages) < _MOST_WAITING and self._waiting_bytes < most

    @property
    def is_over(self) -> bool:
        """Whether the client has said goodbye."""
        return self._protocol.close_rcvd is not None

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        self._heard = self._loop.time()
        self._is_pinged = False
        is_first = not self._unread
        self._unread += data
        if is_first:
            self._read()

    def late(self, now: float) -> float:
        """Ask a silent client whether it is there, or give it up."""
        patience = self._connection.limits.ping_seconds
        if self._heard + patience > now:
            return self._heard + patience
        if self._is_pinged or self._protocol.state is not OPEN:
            self._connection.abort()
        else:
            self._is_pinged = True
            self._protocol.send_ping(b"")
            self._write()
        return now + patience

    def retire(self) -> None:
        """Tell the application, when it has read what came before."""
        self._is_retiring = True
        self._wake()

    def left(self) -> None:
        """Take note that the client is gone."""
        self._unread = b""
        self._finish(Closed(CUT))

    # Frames

    def _read(self) -> None:
        """Read what waits, a slice at a time, while there is room for messages."""
        if not self._unread or not self._takes_more or self._connection.is_left:
            return
        piece, self._unread = self._unread[:_SLICE], self._unread[_SLICE:]
        self._protocol.receive_data(piece)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame) and self._end is None:
                self._take(frame)
        self._write()
        if self._protocol.state is not OPEN:
            self._unread = b""
            self._say_goodbye()
        elif self._unread and self._takes_more:
            self._loop.call_soon(self._read)
        self._connection.look_again()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
            self._is_text = frame.opcode is Opcode.TEXT
        elif frame.opcode is not Opcode.CONT:
            return
        self._fragments.append(frame.data)
        if not frame.fin:
            if len(self._fragments) > _MOST_FRAGMENTS:
                self._protocol.fail(POLICY, f"a message has at most {_MOST_FRAGMENTS} fragments")
            return
        fragments, self._fragments = self._fragments, []
        message = bytes(fragments[0]) if len(fragments) == 1 else b"".join(fragments)
        try:
            self._messages.append((message.decode() if self._is_text else message, len(message)))
        except UnicodeDecodeError:
            self._protocol.fail(INVALID_DATA, "a text message must be UTF-8")
            return
        self._waiting_bytes += len(message)
        self._wake()

    def _write(self) -> None:
        """Send what the protocol has to say: pongs and goodbyes too."""
        # The empty piece at the end says to close, which the connection does by itself.
        for data in self._protocol.data_to_send():
            if data:
                self._connection.write(data)

    def _say_goodbye(self) -> None:
        """End with what the client said, or with what was wrong with it."""
        said = self._protocol.close_rcvd or self._protocol.close_sent
        self._finish(Closed(CUT) if said is None else Closed(said.code, said.reason))

    def _finish(self, end: Closed) -> None:
        if self._end is not None:
            return
        self._end = end
        self._fragments.clear()
        if not self._connection.is_left:
            self._connection.end()
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)


def _request_of(head: Head) -> Request:
    headers = Headers()
    for name, value in head.headers:
        headers[name.decode("latin-1")] = value.decode("latin-1")
    return Request(head.path, headers, head.method, f"HTTP/{head.version}")


def _short(reason: str) -> str:
    """Return what a goodbye has room for."""
    return reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
