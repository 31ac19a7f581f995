"""How long a connection waits for what, and how it ends."""

import asyncio

from inferd.http1.server.head import Head
from inferd.http1.server.leaving import has_left, has_said, is_sent
from inferd.http1.server.lines import first_lines
from inferd.http1.server.owner import Owner
from inferd.http1.server.refusal import Refusal, encode_refusal, new_id
from inferd.http1.server.turn import ENDED, Turn
from inferd.http1.server.upgraded import Upgraded
from inferd.http1.sweep import FOREVER

_LINGERING_BYTES = 16 << 20
_LINGERING_SECONDS = 2.0
_QUIET_SECONDS = 0.5
_LOOK_SECONDS = 0.1


class Life(Turn):
    """Deadlines, back-pressure and the end of a `Connection`.

    It waits (the usual case: the next bytes begin a request that may be served at once), or has
    the beginning of a head, or is busy with a request, or reads a body's rest away, or closes.
    """

    __slots__ = (
        "_discarded",
        "_due",
        "_held",
        "_is_busy",
        "_is_closing",
        "_is_reading",
        "_is_retiring",
        "_is_sent",
        "_is_waiting",
        "_linger_ends",
        "_owner",
        "_patience",
        "_pending",
        "_task",
        "_unsent",
        "_upgraded",
        "_write_due",
        "deadline",
    )

    def __init__(self, owner: Owner) -> None:
        super().__init__()
        self._owner = owner
        self._loop = owner.loop
        self.limits = owner.limits
        self._task: asyncio.Task[None] | None = None
        self._held = b""
        # A request whose short body isn't all there: its head, its length, where the head ends.
        self._pending: tuple[Head, int, int] | None = None
        self._discarded = 0
        self._is_waiting = True
        self._is_busy = False
        self._is_reading = True
        self._is_retiring = False
        self._is_sent = False
        self._linger_ends = FOREVER
        # How long the next request may take to come.
        self._patience = owner.limits.idle_seconds
        self._is_closing = False
        # Who speaks here since the client left HTTP.
        self._upgraded: Upgraded | None = None
        self._unsent = 0
        # The least of three dues (this part's of the connection, the body's, the reader's).
        self.deadline = FOREVER
        self._due = FOREVER
        self._write_due = FOREVER

    # Deadlines and back-pressure

    def _balance(self) -> None:
        incoming = self._incoming
        if self._upgraded is not None:
            is_reading = self._upgraded.has_room and not self._is_full
        else:
            is_reading = not self._is_held_back() or (
                len(self._held) <= self.limits.pipelined
                and (incoming is None or incoming.buffered <= self.limits.buffered)
            )
        is_open = not (self.is_left or self._is_closing or self._transport.is_closing())
        if is_reading != self._is_reading and is_open:
            self._is_reading = is_reading
            if is_reading:
                self._transport.resume_reading()
                if incoming is not None and not incoming.awaits_continue:
                    incoming.run(self._loop.time())
            else:
                self._transport.pause_reading()
                if incoming is not None:
                    incoming.rest()
        self._set_deadline()

    def _set_deadline(self) -> None:
        deadline = min(self._due, self._write_due)
        if self._incoming is not None:
            deadline = min(deadline, self._incoming.due)
        if self._is_busy and not self._is_reading:
            # Then nobody tells us when the client leaves.
            deadline = min(deadline, self._loop.time() + _LOOK_SECONDS)
        self.deadline = deadline

    def expired(self) -> None:
        """Do what is due. Told by the sweep."""
        now = self._loop.time()
        incoming = self._incoming
        if self._write_due <= now and self._takes_nothing():
            self.abort()
        elif incoming is not None and incoming.due <= now:
            incoming.late(now)
            if incoming.fault is not None and not self._is_busy:
                self._let_go(linger=False)
        elif self._due <= now:
            self._give_up()
        elif self._is_busy and not self._is_reading and has_left(self._transport):
            self.abort()
        self._set_deadline()

    def _give_up(self) -> None:
        """End a part of the connection's life that took too long."""
        if self._is_closing and self._transport.is_closing():
            self._see_off()
        elif self._is_closing:
            self._hang_up()
        elif self._upgraded is not None:
            self._due = self._upgraded.late(self._loop.time())
        elif self._held and not self._is_held_back():
            part = "head" if self._pending is None else "body"
            self.refuse(
                Refusal(408, f"the request's {part} didn't come in time", "send it at once")
            )
        elif self._is_retiring and has_said(self._transport):
            # It comes just now, and is answered.
            self._due = self._loop.time() + _LOOK_SECONDS
        else:
            self._let_go(linger=False)

    def _await_reader(self) -> None:
        """Begin to count the time in which the client takes nothing."""
        self._unsent = self._transport.get_write_buffer_size()
        self._write_due = self._loop.time() + self.limits.write_seconds
        self._set_deadline()

    def _takes_nothing(self) -> bool:
        """Whether nothing went out since the time was set; else count anew."""
        if self._transport.get_write_buffer_size() >= self._unsent:
            return True
        self._await_reader()
        return False

    # The end

    def refuse(self, refusal: Refusal, request_id: str = "") -> None:
        """Answer with `refusal` and let the connection go; break it off if an answer has begun.

        Without a `request_id`, by which the log has it already, the owner is told of it.
        """
        if self.is_left or self._is_closing:
            return
        if self._is_busy and self.has_begun:
            self.abort()
            return
        if not request_id:
            request_id = new_id()
            head = self.head if self._is_busy else None
            self._owner.refused(request_id, head, self.peer, refusal)
        headers, body = encode_refusal(refusal, request_id)
        if not self._is_busy:
            self._transport.write(
                b"%b%bcontent-length: %d\r\nconnection: close\r\n\r\n%b"
                % (first_lines(refusal.status), headers, len(body), body)
            )
            self._let_go(linger=True)
        else:
            self.keep_alive = self._is_plain = False
            self.send(refusal.status, headers, body)

    def retire(self, grace_seconds: float) -> None:
        """Serve one more request at most, which tells the client that the connection closes.

        That is the one in hand, if its response's head isn't out; else one that is on its way
        already, or comes within `grace_seconds` after the response in hand. Then it closes.
        """
        self._is_retiring = True
        self._patience = grace_seconds
        if self._is_busy:
            if not self.has_begun:
                self.keep_alive = self._is_plain = False
            elif self._upgraded is not None:
                self._upgraded.retire()
        elif not self._held and self._pending is None and not self._is_closing:
            self._due = self._loop.time() + grace_seconds
            self._set_deadline()

    def stop(self, message: str) -> None:
        """Cancel the handler with `message`, let it have its last word, and close."""
        self.retire(0.0)
        self.keep_alive = self._is_plain = False
        if not self._is_busy:
            self._let_go(linger=False)
        elif self._task is not None:
            self._task.cancel(message)

    def abort(self) -> None:
        """Break the connection off: a response that isn't ended is seen to be cut."""
        self._leave()
        self._transport.abort()

    def _is_held_back(self) -> bool:
        """Whether the next request must wait."""
        return self._is_busy or self._is_full or self._incoming is not None

    def _leave(self) -> None:
        """Stop what is done for a client that is gone."""
        if self.is_left:
            return
        is_cut = self._is_busy and self._framing != ENDED
        self.is_left = True
        self._framing = ENDED
        self._is_waiting = self.keep_alive = self._is_plain = False
        self._held = b""
        self._due = self._write_due = FOREVER
        if self._incoming is not None:
            self._incoming.rest()
        self._wake_writer()
        if self._upgraded is not None:
            self._upgraded.left()
            return
        # A handler that breaks off by itself goes on to its own end.
        if is_cut and self._task is not None and self._task is not asyncio.current_task(self._loop):
            self._task.cancel()

    def _let_go(self, *, linger: bool) -> None:
        """Close, once the response is out.

        A client that may still be sending is heard (not listened to) for a while: closing at once
        could destroy the response on its way.
        """
        if self._is_closing or self.is_left:
            return
        self._is_closing = True
        self._is_waiting = self.keep_alive = self._is_plain = False
        self._held = b""
        self._pending = self._incoming = None
        self._discarded = 0
        if not linger:
            self._hang_up()
            return
        if not self._is_reading and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()
        now = self._loop.time()
        self._due = self._linger_ends = now + _LINGERING_SECONDS
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            # Over TLS the client isn't told that we wait, and so won't end it.
            self._due = now + _QUIET_SECONDS
        self._set_deadline()

    def _hang_up(self) -> None:
        self._due = FOREVER
        self._transport.close()
        if self.peer.is_tls:
            # It would wait for the client's goodbye, which many never say.
            self._due = self._loop.time() + _LOOK_SECONDS
        self._await_reader()

    def _see_off(self) -> None:
        """End a connection whose client has all that was sent: seen twice, as it may move on."""
        was_sent, self._is_sent = self._is_sent, is_sent(self._transport)
        if was_sent and self._is_sent:
            self.abort()
        else:
            self._due = self._loop.time() + _LOOK_SECONDS

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > _LINGERING_BYTES:
            self.abort()
        elif self._due < self._linger_ends and not self._transport.is_closing():
            self._due = min(self._loop.time() + _QUIET_SECONDS, self._linger_ends)
            self._set_deadline()
