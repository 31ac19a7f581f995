"""One upstream connection; while lent, one request and its response."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

import httptools

from inferd.core.errors import BackendFailed, BackendTimeout, BackendUnavailable

_BUFFER_BYTES = 256 << 10
_HEADER_BYTES = 64 << 10
_HEADER_COUNT = 256


class Connection(asyncio.Protocol):
    """The asyncio protocol, and the response a caller reads.

    Reading stops while more than 256 KiB wait for the caller. `close` gives the connection back
    to the pool when the response was read to its end, and aborts it otherwise.
    """

    def __init__(
        self,
        upstream: str,
        *,
        give_back: Callable[["Connection"], None],
        gone: Callable[["Connection"], None],
    ) -> None:
        self._upstream = upstream
        self._give_back = give_back
        self._gone = gone
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.is_lent = False
        self._reset()

    def _reset(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.answered = False
        self.sent_bytes = 0
        self._header_bytes = 0
        self._fed_bytes = 0
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._has_head = False
        self._is_complete = False
        self._is_held = False
        self._head = 0.0
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._deadline: float | None = None
        self._end: float | None = None
        self._whole: float | None = None
        self._idle: float = 0.0
        self._framed = False
        self._reusable = True

    # The connection's life

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape alone.
        self.transport: asyncio.Transport = transport  # pyright: ignore[reportAttributeAccessIssue]
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone(self)
        self._reusable = False
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()
        if not self.is_lent or self._is_complete:
            return
        if self._has_head and not self._framed and exc is None:
            # A body that ends with the connection: its clean end is all we are told.
            self._is_complete = True
            self._wake()
        else:
            self._fail(BackendFailed(f"{self._upstream} broke off"))

    def begin(
        self,
        *,
        head: float,
        idle: float,
        expects_body: bool,
        end: float | None = None,
        whole: float | None = None,
    ) -> None:
        """Take the connection for one request; `end` is on the loop's clock.

        `whole` is the time for the answer from the moment that a streamed body is out.
        """
        self._reset()
        self.is_lent = True
        self._parser = httptools.HttpResponseParser(self)
        self._expects_body = expects_body
        self._head = head
        self._idle = idle
        self._end = end
        self._whole = whole
        self._watch(head)

    def close(self) -> None:
        """Free the connection: back to the pool if it is clean, gone if it isn't."""
        if not self.is_lent:
            return
        self.is_lent = False
        self._deadline = None
        self._fail(BackendUnavailable(f"{self._upstream}: the answer was given up"))
        if self._is_complete and self._reusable and self._error is None:
            self._let_read()
            self._give_back(self)
        else:
            self.transport.abort()

    def stop_reuse(self) -> None:
        """Drop the connection after this response: the request wasn't sent to its end."""
        self._reusable = False

    def hurry(self, seconds: float) -> None:
        """Give the rest of the answer no more than `seconds`."""
        if not self._is_complete:
            self._narrow(seconds)
            self._watch(seconds)

    def _narrow(self, seconds: float) -> None:
        end = self._loop.time() + seconds
        self._end = end if self._end is None else min(end, self._end)

    # Deadlines: a timestamp that data moves; the timer looks again when it fires

    def _watch(self, seconds: float) -> None:
        deadline = self._loop.time() + seconds
        self._deadline = deadline if self._end is None else min(deadline, self._end)
        if self._timer is None or self._timer.cancelled() or self._timer.when() > self._deadline:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        assert self._deadline is not None
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None or not self.is_lent:
            return
        if self._loop.time() < self._deadline - 0.001:
            self._arm()
            return
        if not self._has_head:
            what = "gave no answer in time"
        elif self._end is not None and self._deadline >= self._end:
            what = "gave no whole answer in time"
        else:
            what = "went silent"
        self._fail(BackendTimeout(f"{self._upstream} {what}"))
        self.transport.abort()

    # What arrives

    def data_received(self, data: bytes) -> None:
        if not self.is_lent:
            self.transport.abort()
            return
        self.answered = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:
            self._refuse("sends too many headers")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse("doesn't speak HTTP")
        if not self._has_head:
            # Bytes of an unfinished head don't count as an answer: its deadline stands. The
            # parser keeps a header to itself until it ends, which may be never.
            self._fed_bytes += len(data)
            if self._fed_bytes > _HEADER_BYTES:
                self._refuse("sends too many headers")
            return
        if self._is_complete or self._is_held or self.transport.is_closing():
            return
        if self._waiting_bytes <= _BUFFER_BYTES:
            self._watch(self._idle)
        else:
            # The caller is slow, not the upstream: only the whole exchange's end still counts.
            self._is_held = True
            self._deadline = self._end
            self.transport.pause_reading()

    def _refuse(self, what: str) -> None:
        self._fail(BackendFailed(f"{self._upstream} {what}"))
        self.transport.abort()

    def on_message_begin(self) -> None:
        if self._has_head:
            raise ValueError("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADER_BYTES or len(self.headers) >= _HEADER_COUNT:
            raise ValueError("too many headers")
        name = name.lower()
        if name == b"content-length" or (
            name == b"transfer-encoding" and b"chunked" in value.lower()
        ):
            self._framed = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
            self._framed = False
            return
        self.status = status
        self._reusable = self._reusable and self._parser.should_keep_alive()
        self._has_head = True
        if not self._expects_body:
            self._is_complete = True
        self._wake()

    def on_body(self, body: bytes) -> None:
        if self._is_complete:
            raise ValueError("a body where there can be none")
        self._pieces.append(body)
        self._waiting_bytes += len(body)
        self._wake()

    def on_message_complete(self) -> None:
        if self._has_head:
            self._is_complete = True
            self._deadline = None
            self._wake()

    # What leaves

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def say(self, data: bytes) -> None:
        """Send without waiting."""
        if not self.transport.is_closing():
            self.sent_bytes += len(data)
            self.transport.write(data)

    async def write(self, data: bytes) -> None:
        """Send, and wait while the upstream reads too slowly, but not for ever."""
        if self.transport.is_closing():
            return
        self._watch_upload(self._idle)
        self.say(data)
        await self._writable.wait()
        self._watch_upload(None)

    def sent(self) -> None:
        """Note that the whole request is out: from now on the upstream owes an answer."""
        self.owe()
        self._watch_upload(self._head)

    def owe(self) -> None:
        """Begin to count the time for a whole answer."""
        if self._whole is not None:
            self._narrow(self._whole)

    def _watch_upload(self, seconds: float | None) -> None:
        """Give the upstream `seconds`; without a number it is the caller's turn to send."""
        if self.is_over:
            return
        if seconds is None:
            self._deadline = self._end
        else:
            self._watch(seconds)

    @property
    def is_over(self) -> bool:
        """Whether sending more is pointless: an answer or a failure is in."""
        return self._has_head or self._error is not None or self.transport.is_closing()

    # What the caller reads

    def fail(self, error: BaseException) -> None:
        """End the exchange with the caller's own failure."""
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not self._is_complete:
            self._error = error
            self._reusable = False
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    async def head(self) -> None:
        """Wait for the status and headers.

        Raises:
            BackendError: They never came.
        """
        while not self._has_head:
            if self._error is not None:
                raise self._error
            if self.transport.is_closing():
                raise BackendUnavailable(f"{self._upstream} closed the connection")
            await self._wait()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                raise StopAsyncIteration
            await self._wait()
        piece = self._pieces.popleft()
        self._waiting_bytes -= len(piece)
        if self._is_held and self._waiting_bytes <= _BUFFER_BYTES // 2:
            if not self._is_complete:
                self._watch(self._idle)
            self._let_read()
        return piece

    def _let_read(self) -> None:
        if self._is_held and not self.transport.is_closing():
            self.transport.resume_reading()
        self._is_held = False
