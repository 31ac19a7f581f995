"""One upstream connection; while lent, one request and its response."""

import asyncio
from collections.abc import Callable

from inferd.core.answer import Sink
from inferd.core.errors import BackendFailed, BackendTimeout, BackendUnavailable
from inferd.http1.client.incoming import Incoming
from inferd.http1.client.owner import Owner
from inferd.http1.sweep import FOREVER, sweep

_BUFFER_BYTES = 256 << 10

Mend = Callable[[bytes], bytes]
"""Rewrites a piece on its way through; an empty one isn't passed on."""


class Connection(Incoming):
    """The asyncio protocol, and the response a caller reads.

    Reading stops while more than 256 KiB wait for the caller. `close` gives the connection back
    to the pool when the response was read to its end, and aborts it otherwise. `deadline` is the
    sweep's: data only notes when it came.
    """

    __slots__ = (
        "_end",
        "_error",
        "_heard",
        "_idle",
        "_is_held",
        "_is_spoilt",
        "_loop",
        "_mend",
        "_owner",
        "_room",
        "_sink",
        "_time",
        "_waiter",
        "_whole",
        "_wish",
        "answered",
        "deadline",
        "is_lent",
        "sent_bytes",
        "transport",
    )

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._time = self._loop.time
        self._room: asyncio.Future[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Sink | None = None
        self._mend: Mend | None = None
        self._error: BaseException | None = None
        self._is_held = self._is_spoilt = False
        self.is_lent = False
        self.transport: asyncio.Transport | None = None
        self.deadline = FOREVER

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape alone.
        self.transport = transport  # pyright: ignore[reportAttributeAccessIssue]
        sweep().watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        sweep().forget(self)
        self._owner.gone(self)
        self._forget_parser()
        self._is_spoilt = True
        self.resume_writing()
        if not self.is_lent or self._is_complete:
            return
        if self.answer is not None and not self.answer.is_framed and exc is None:
            # A body that ends with the connection: its clean end is all we are told.
            self._is_complete = True
            self._wake()
        else:
            self._fail(BackendFailed(f"{self._owner.name} broke off"))

    @property
    def is_open(self) -> bool:
        """Whether something can still be sent."""
        return self.transport is not None and not self.transport.is_closing()

    def begin(
        self,
        message: bytes,
        head: float,
        idle: float,
        *,
        end: float = FOREVER,
        whole: float | None = None,
        expects_body: bool = True,
        sent_bytes: int = 0,
    ) -> None:
        """Take the connection for one request, and send its `message`.

        `end` is on the loop's clock; `whole` is the time for the answer from the moment that a
        streamed body is out; `sent_bytes` what had been sent for the same request elsewhere.
        """
        self._expect(is_body=expects_body)
        self.is_lent = True
        self.answered = self._is_spoilt = False
        self.sent_bytes = sent_bytes
        self._error = None
        self._idle = idle
        self._wish = head
        self._end = end
        self._whole = whole
        due = self._time() + head
        self.deadline = due if due < end else end
        self.say(message)

    def close(self) -> None:
        """Free the connection: back to the pool if it is clean, gone if it isn't."""
        if not self.is_lent:
            return
        if self._is_clean():
            self.is_lent = False
            self._let_read()
            if not self._expects_body:
                # It still waits for the body that an answer to HEAD only speaks of.
                self._forget_parser()
            self._pieces = []
            self.deadline = self._time() + self._owner.kept_seconds
            self._owner.give_back(self)
        else:
            self._fail(BackendUnavailable(f"{self._owner.name}: the answer was given up"))
            self.is_lent = False
            self.abort()

    def _is_clean(self) -> bool:
        if not self._is_complete or self._is_spoilt or self._error is not None:
            return False
        return self.answer is not None and self.answer.is_reusable and self.is_open

    def abort(self) -> None:
        """Cut the connection."""
        self.deadline = FOREVER
        if self.transport is not None:
            self.transport.abort()

    def stop_reuse(self) -> None:
        """Drop the connection after this response: the request wasn't sent to its end."""
        self._is_spoilt = True

    # Deadlines

    def hurry(self, seconds: float) -> None:
        """Give the rest of the answer no more than `seconds`."""
        if not self._is_complete:
            self._narrow(seconds)
            self.deadline = min(self.deadline, self._end)

    def bound_silence(self, seconds: float) -> None:
        """Let no silence last longer than `seconds` from now on: the first piece is there."""
        self._idle = seconds
        if not self._is_complete and not self._is_held and self._error is None:
            self._watch(self._heard, seconds)

    def expired(self) -> None:
        """Give up, unless something came since the deadline was set."""
        if not self.is_lent:
            self.abort()
            return
        now = self._time()
        if self.answer is not None and now < self._end:
            self._watch(self._heard, self._idle)
            if self.deadline > now:
                return
        if self.answer is None:
            what = "gave no answer in time"
        elif now >= self._end:
            what = "gave no whole answer in time"
        else:
            what = "went silent"
        self._fail(BackendTimeout(f"{self._owner.name} {what}"))
        self.abort()

    def _narrow(self, seconds: float) -> None:
        self._end = min(self._time() + seconds, self._end)

    def _watch(self, since: float, seconds: float) -> None:
        due = since + seconds
        self.deadline = due if due < self._end else self._end

    # What arrives

    def data_received(self, data: bytes) -> None:
        if not self.is_lent:
            self.abort()
            return
        self._heard = self._time()
        if not self.answered:
            self.answered = True
            self._begin_with(data)
        elif wrong := self._parse(data):
            self._refuse(wrong)
        sink = self._sink
        if sink is not None and self._pieces:
            self._pour(sink)
        if sink is None or self._is_complete or self._error is not None:
            self._tell_reader()

    def _tell_reader(self) -> None:
        """Wake whoever waits for a head, for a piece, or for the end of what is poured."""
        if self.answer is None:
            return
        self._wake()
        if self._is_complete:
            self.deadline = FOREVER
        elif not self._is_held:
            self._watch(self._heard, self._idle)
            if self._waiting_bytes > _BUFFER_BYTES:
                self.pause_reading()

    def _begin_with(self, data: bytes) -> None:
        """Take the first bytes, which nearly always are a head that came before, and its body."""
        last = self._owner.last_head
        found = last.find(data) if self._expects_body else None
        if found is not None:
            self.answer, body = found
            self._pieces.append(body)
            self._is_complete = True
        elif wrong := self._parse(data):
            self._refuse(wrong)
        elif self._is_complete and self._expects_body and self.answer is not None:
            last.keep(data, self.answer)

    def _refuse(self, wrong: str) -> None:
        self._fail(BackendFailed(f"{self._owner.name} {wrong}"))
        self.abort()

    # What leaves

    def pause_writing(self) -> None:
        if self._room is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    def say(self, data: bytes) -> None:
        """Send without waiting."""
        if self.transport is not None and not self.transport.is_closing():
            self.sent_bytes += len(data)
            self.transport.write(data)

    async def write(self, data: bytes) -> None:
        """Send, and wait while the upstream reads too slowly, but not for ever."""
        if not self.is_open:
            return
        if not self.is_over:
            self._watch(self._time(), self._idle)
        self.say(data)
        if self._room is not None:
            await self._room
        if not self.is_over:
            # It is the caller's turn to send.
            self.deadline = self._end

    def sent(self) -> None:
        """Note that the whole request is out: from now on the upstream owes an answer."""
        self.owe()
        if not self.is_over:
            self._watch(self._time(), self._wish)

    def owe(self) -> None:
        """Begin to count the time for a whole answer."""
        if self._whole is not None:
            self._narrow(self._whole)
            self.deadline = min(self.deadline, self._end)

    @property
    def is_over(self) -> bool:
        """Whether sending more is pointless: an answer or a failure is in."""
        return self.answer is not None or self._error is not None or not self.is_open

    # What the caller reads

    def fail(self, error: BaseException) -> None:
        """End the exchange with the caller's own failure."""
        self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._error is None and not self._is_complete:
            self._error = error
            self._is_spoilt = True
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _wait(self) -> "asyncio.Future[None]":
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def progress(self) -> "asyncio.Future[None]":
        """Return what is done when more is known of the answer, whose head isn't in.

        Raises:
            BackendError: It never will be.
        """
        if self._error is not None:
            raise self._error
        if not self.is_open:
            raise BackendUnavailable(f"{self._owner.name} closed the connection")
        return self._wait()

    async def head(self) -> None:
        """Wait for the status and headers; raise a BackendError if they never come."""
        while self.answer is None:
            await self.progress()

    def whole(self) -> bytes | None:
        """Return the body if all of it is here, and nobody has to wait."""
        return self._taken() if self._is_complete and self._error is None else None

    async def read(self) -> bytes:
        """Return what has come of the body since the last look, waiting for it; empty at its end.

        Raises:
            NodeError: It broke off.
        """
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self._is_complete:
                return b""
            await self._wait()
        data = self._taken()
        self.resume_reading()
        return data

    async def pipe(self, sink: Sink, mend: Mend | None) -> None:
        """Pass each arrival straight to `sink`, without waking this coroutine.

        Raises:
            NodeError: It broke off.
        """
        self._mend = mend
        if self._pieces:
            self._pour(sink)
            self.resume_reading()
        self._sink = sink
        sink.feed(self)
        try:
            while self._error is not None or not self._is_complete:
                if self._error is not None:
                    raise self._error
                await self._wait()
        finally:
            self._sink = self._mend = None
            sink.feed(None)

    def _pour(self, sink: Sink) -> None:
        data = self._taken()
        try:
            if self._mend is not None:
                data = self._mend(data)
            if data:
                sink.write(data)
        except Exception as error:  # noqa: BLE001  not the upstream's: for whoever waits in pipe
            self._error = self._error or error

    # Held while whoever reads is slow, which isn't the upstream's fault

    def pause_reading(self) -> None:
        """Read no more; only the whole exchange's end still counts."""
        if self._is_held or not self.is_lent or self._is_complete or not self.is_open:
            return
        self._is_held = True
        self.deadline = self._end
        assert self.transport is not None
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self._is_held:
            return
        self._let_read()
        if not self._is_complete:
            self._heard = self._time()
            self._watch(self._heard, self._idle)

    def _let_read(self) -> None:
        if self._is_held and self.is_open:
            assert self.transport is not None
            self.transport.resume_reading()
        self._is_held = False
