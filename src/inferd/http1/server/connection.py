"""A client's connection: its bytes become requests, which are served in turn."""

import asyncio

from inferd.core.errors import CallerLeft
from inferd.http1.server.head import Head, check_beginning, parse_head
from inferd.http1.server.incoming import Incoming
from inferd.http1.server.life import Life
from inferd.http1.server.memo import Known
from inferd.http1.server.owner import Owner, peer_of
from inferd.http1.server.refusal import (
    HandlerFailed,
    Refusal,
    Unavailable,
    new_id,
)
from inferd.http1.server.turn import ENDED, NOT_BEGUN, UNTIL_CLOSE
from inferd.http1.server.upgraded import Upgraded
from inferd.http1.sweep import FOREVER

# Bytes of a body that many clients send right after its head, in a segment of its own.
_SHORT = 64 << 10


class Connection(Life):
    """The asyncio protocol of a connection, and a request with its response in one.

    One task serves its requests, in turn; it is made when the first one comes.
    """

    __slots__ = ("__weakref__", "_known", "_memo", "_waiter")

    def __init__(self, owner: Owner) -> None:
        super().__init__(owner)
        self._known: Known | None = None
        self._waiter: asyncio.Future[None] | None = None

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape alone.
        self._transport = transport  # pyright: ignore[reportAttributeAccessIssue]
        self.peer = peer_of(transport)
        self._memo = self._owner.memo_for(self.peer)
        self._due = self.deadline = self._loop.time() + self.limits.head_seconds
        self._owner.sweep.watch(self)
        self._owner.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._owner.sweep.forget(self)
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._task is None or self._task.done():
            self._owner.closed(self)
        else:
            # A server isn't empty before the last handler has put its books in order.
            self._task.add_done_callback(lambda _: self._owner.closed(self))

    def data_received(self, data: bytes) -> None:
        if not self._is_waiting:
            self._take(data)
            return
        found = self._memo.find(data, self._known)
        if found is None:
            self._read_head(data)
        else:
            self._known, length, end = found
            self._begin_request(self._known.head, length, data, end)

    def eof_received(self) -> bool:
        if self._is_busy:
            if self._framing == ENDED:
                self.keep_alive = self._is_plain = False
            else:
                self.abort()
        elif not self._is_closing:
            if self._held and self._incoming is None:
                self.refuse(Refusal(400, "the request broke off", "send it to its end"))
            else:
                self._let_go(linger=False)
        # Over TLS the transport closes, whatever is answered.
        return not (self._is_closing or self.peer.is_tls)

    def pause_writing(self) -> None:
        self._is_full = True
        self._is_waiting = False
        self._await_reader()
        if self._source is not None:
            self._source.pause_reading()
        if self._upgraded is not None:
            self._balance()

    def resume_writing(self) -> None:
        self._is_full = False
        self._write_due = FOREVER
        if self._source is not None:
            self._source.resume_reading()
        self._wake_writer()
        self._go_on()

    # A request

    def _begin_request(self, head: Head, length: int | None, data: bytes, end: int) -> None:
        """Have the request served whose head is the first `end` bytes of `data`."""
        is_exact = length is not None and len(data) == end + length
        if not is_exact and self._awaits_body(head, length, data, end):
            return
        self.head = head
        self.length = length
        self.keep_alive = head.keep_alive
        self._is_plain = head.is_plain
        self._framing = NOT_BEGUN
        self._is_busy = True
        self._is_waiting = False
        self._due = self.deadline = FOREVER
        if is_exact:
            self.body = data[end:]
        else:
            self._begin_body(length, data[end:])
        if self._is_retiring:
            self.keep_alive = self._is_plain = False
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        elif self._task is None:
            self._task = self._loop.create_task(self._serve(), name="connection")
        # Else it is the task itself that is here, and goes on.

    def _awaits_body(self, head: Head, length: int | None, data: bytes, end: int) -> bool:
        """Whether the body is so short that its handler is better woken when all of it is here."""
        if length is None or not len(data) - end < length <= _SHORT or head.expects_continue:
            return False
        self._held = data
        self._pending = (head, length, end)
        self._is_waiting = False
        self._due = self._loop.time() + self.limits.body_seconds
        self._set_deadline()
        return True

    def _begin_body(self, length: int | None, rest: bytes) -> None:
        """Take what came after a head: the body and more, or a part of it."""
        if length is not None and len(rest) >= length:
            self.body, self._held = rest[:length], rest[length:]
            self._balance()
            return
        now = self._loop.time()
        awaits = self.head.expects_continue and not rest
        incoming = Incoming(length, self.limits, awaits_continue=awaits)
        if not awaits:
            incoming.run(now)
        if rest:
            self._held = incoming.feed(rest, now)
        if incoming.is_complete:
            self.body = incoming.take()
            self._balance()
            return
        self.body = None
        self._incoming = incoming
        self._is_plain = False
        self._balance()

    def _read_head(self, data: bytes) -> None:
        """Read the head that `data` begins with, or hold it until the rest comes."""
        if data.startswith(b"\r\n"):
            data = data[2:]  # Some clients end a body with an empty line.
        end = data.find(b"\r\n\r\n") + 4
        head = None
        try:
            if max(end, len(data) if end < 4 else 0) > self.limits.head_bytes:
                raise Refusal(
                    431,
                    "the request's head is too large",
                    f"send at most {self.limits.head_bytes} bytes of headers",
                )
            if end < 4:
                self._hold_head(data)
                return
            head = parse_head(
                data[:end], most_headers=self.limits.headers, most_target=self.limits.target
            )
            head.handler = self._owner.route(head, self.peer)
        except Refusal as refusal:
            self.refuse(refusal)
            return
        except Exception as error:  # noqa: BLE001  a router's fault is no reason to go silent
            self._failed(head, error)
            return
        self._held = b""
        if head.handler.is_worth_keeping:
            self._known = self._memo.keep(data[:end], head)
        self._begin_request(head, head.length, data, end)

    def _hold_head(self, data: bytes) -> None:
        """Wait for the rest of a head, unless it can't become one."""
        self._held = data
        if self._is_waiting:
            self._is_waiting = False
            self._due = self._loop.time() + self.limits.head_seconds
            self._set_deadline()
        check_beginning(data, most_target=self.limits.target)

    def _take(self, data: bytes) -> None:
        """Take bytes in any part of the connection's life but the usual one."""
        incoming = self._incoming
        if self._is_closing or self.is_left:
            self._discard(len(data))
            return
        if self._upgraded is not None:
            self._upgraded.feed(data)
            self._balance()
            return
        if incoming is not None and not incoming.is_complete:
            data = incoming.feed(data, self._loop.time())
        if not self._is_held_back():
            self._complete(self._held + data)
            return
        self._held += data
        if incoming is not None and not self._is_busy:
            self._read_away(incoming)
        else:
            self._balance()

    def _complete(self, data: bytes) -> None:
        """See whether what was held is a request, now that there is more of it."""
        if self._pending is None:
            found = self._memo.find(data, self._known)
            if found is None:
                self._read_head(data)
                return
            self._held = b""
            self._known, length, end = found
            self._begin_request(self._known.head, length, data, end)
            return
        head, length, end = self._pending
        if len(data) < end + length:
            self._held = data
            return
        self._held = b""
        self._pending = None
        self._begin_request(head, length, data, end)

    def _go_on(self) -> None:
        """Begin the next request if there is one, and it may be served now."""
        if not (self._is_closing or self.is_left or self._is_held_back()):
            data, self._held = self._held, b""
            self._pending = None
            self._is_waiting = True
            if data:
                self.data_received(data)
        self._balance()

    def upgrade(self, response: bytes, upgraded: Upgraded, due: float) -> None:
        """Send the response that lets the client leave HTTP, and give its bytes to `upgraded`.

        From here on `write` sends bytes as they are, until `end`; what is `late` is asked at `due`.
        Another request never follows.

        Raises:
            RuntimeError: The request has been answered, or its body isn't all here.
        """
        if not self._may_begin():
            return
        if self._incoming is not None:
            raise RuntimeError("an upgrade within a request's body")
        self.keep_alive = self._is_plain = False
        self._framing = UNTIL_CLOSE
        self._upgraded = upgraded
        self._due = due
        self._transport.write(response)
        data, self._held = self._held, b""
        if data:
            upgraded.feed(data)
        self._balance()

    @property
    def is_reading(self) -> bool:
        """Whether what the client sends is taken."""
        return self._is_reading

    def look_again(self) -> None:
        """Read on or pause: whoever was given the client's bytes has room now, or has none."""
        self._balance()

    # The task

    async def _serve(self) -> None:
        """Serve one request after another, as long as the connection lives."""
        try:
            while True:
                try:
                    await self.head.handler(self)
                except Exception as error:  # noqa: BLE001  whatever it is, the client is told
                    self._fail(error)
                self._end_request()
                if not self._is_busy:
                    if self._is_closing or self.is_left:
                        return
                    self._waiter = waiter = self._loop.create_future()
                    await waiter
                    if not self._is_busy:
                        return
        except asyncio.CancelledError as error:
            self._cut(str(error.args[0]) if error.args else "the request was cancelled")

    def _end_request(self) -> None:
        """Be ready for the next request, or let the connection go."""
        self._is_busy = False
        self.body = None
        self._source = None
        if self._framing != ENDED:
            self.abort()
        if self.is_left:
            return
        incoming = self._incoming
        if not self.keep_alive:
            is_sending = incoming is not None and not incoming.is_complete
            may_say_more = self._upgraded is not None and not self._upgraded.is_over
            self._let_go(linger=is_sending or may_say_more or bool(self._held))
        elif incoming is not None:
            self._due = self._loop.time() + self._patience
            incoming.take()
            self._read_away(incoming)
        else:
            self._due = self.deadline = self._loop.time() + self._patience
            if self._held or self._is_full or not self._is_reading:
                self._go_on()
            else:
                self._is_waiting = True

    def _fail(self, error: Exception) -> None:
        """Tell the client, if it isn't too late, that its handler raised."""
        if isinstance(error, Refusal):
            self.refuse(error)
        elif not (self.is_left and isinstance(error, CallerLeft)):
            self._failed(self.head, error)

    def _failed(self, head: Head | None, error: Exception) -> None:
        """Tell the client and the log, by one id, that something raised that never should."""
        request_id = new_id()
        self._owner.failed(request_id, head, error)
        self.refuse(HandlerFailed(), request_id)

    def _cut(self, message: str) -> None:
        """End a request whose handler was cancelled."""
        if not self._is_busy:
            self.abort()
        elif not self.is_left:
            self.refuse(Unavailable(message))
            self.keep_alive = False
            self._end_request()

    def _read_away(self, incoming: Incoming) -> None:
        """Have the rest of a body that no handler wants, if it is short, for the next request."""
        self._discarded += len(incoming.take())
        if incoming.is_complete:
            self._incoming = None
            self._discarded = 0
            self._go_on()
        elif incoming.fault is not None or self._discarded > self.limits.unread:
            self._let_go(linger=True)
        else:
            self._balance()
