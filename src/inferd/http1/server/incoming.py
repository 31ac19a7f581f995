"""A body that didn't come whole with its head: what has arrived of it, and how fast."""

import asyncio

from inferd.http1.server.chunks import Chunks
from inferd.http1.server.limits import Limits
from inferd.http1.server.refusal import Refusal
from inferd.http1.sweep import FOREVER

_MINUTE = 60.0


class Incoming:
    """Filled by the connection, emptied by the request's handler.

    `due` is on the loop's clock: by then another piece must have come, and enough of them.
    """

    __slots__ = (
        "_chunks",
        "_limits",
        "_minute_bytes",
        "_minute_ends",
        "_owed",
        "_pieces",
        "_waiter",
        "awaits_continue",
        "buffered",
        "due",
        "fault",
        "is_complete",
    )

    def __init__(self, length: int | None, limits: Limits, *, awaits_continue: bool) -> None:
        self._limits = limits
        self._chunks = Chunks() if length is None else None
        self._owed = length or 0
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._minute_bytes = 0
        self._minute_ends = FOREVER
        self.awaits_continue = awaits_continue
        """The client sends nothing until it is told to go on."""
        self.buffered = 0
        self.due = FOREVER
        self.fault: Refusal | None = None
        self.is_complete = False

    def feed(self, data: bytes, now: float) -> bytes:
        """Take what arrived; return what came after the body's end."""
        self.awaits_continue = False
        if self.fault is not None:
            return b""
        try:
            piece, rest = self._split(data)
        except Refusal as refusal:
            self.fail(refusal)
            return b""
        if piece:
            self._pieces.append(piece)
            self.buffered += len(piece)
        if self.is_complete:
            self.due = FOREVER
        else:
            self._minute_bytes += len(data)
            self.due = min(now + self._limits.body_seconds, self._minute_ends)
        self._wake()
        return rest

    def _split(self, data: bytes) -> tuple[bytes, bytes]:
        if self._chunks is not None:
            split = self._chunks.feed(data)
            self.is_complete = self._chunks.is_complete
            return split
        piece, rest = (
            (data, b"") if len(data) <= self._owed else (data[: self._owed], data[self._owed :])
        )
        self._owed -= len(piece)
        self.is_complete = not self._owed
        return piece, rest

    def take(self) -> bytes:
        """Return all that has arrived and wasn't taken."""
        pieces, self._pieces = self._pieces, []
        self.buffered = 0
        return b"".join(pieces)

    async def more(self, loop: asyncio.AbstractEventLoop) -> None:
        """Return when something happened."""
        self._waiter = waiter = loop.create_future()
        await waiter

    def run(self, now: float) -> None:
        """Begin to count the client's time."""
        self._minute_bytes = 0
        self._minute_ends = now + _MINUTE
        self.due = min(now + self._limits.body_seconds, self._minute_ends)

    def rest(self) -> None:
        """Stop counting the client's time: it is we who don't read."""
        self.due = FOREVER

    def late(self, now: float) -> None:
        """See, once `due` has passed, whether the client is too slow: then it has failed."""
        if self._minute_ends > now:
            self.fail(Refusal(408, "the request's body didn't come in time", "send it at once"))
        elif self._minute_bytes < self._limits.body_rate * _MINUTE:
            self.fail(Refusal(408, "the request's body came too slowly", "send it faster"))
        else:
            self.run(now)

    def fail(self, fault: Refusal) -> None:
        """Let the handler have `fault` when it reads."""
        self.fault = fault
        self.due = FOREVER
        self._wake()

    def can_be_read_away(self) -> bool:
        """Whether the rest is worth reading for the next request's sake."""
        if self.fault is not None or self.awaits_continue:
            return False
        return self._owed <= self._limits.unread

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
