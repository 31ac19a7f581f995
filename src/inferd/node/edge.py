"""uvicorn's HTTP protocol, with bounds on what may come before a request is whole.

The data plane's own server will have all of DESIGN's limits; until then this keeps strangers, who
need no credential to send a header, from filling memory or holding connections.
"""

import asyncio
import os
import resource

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 64 << 10
HEAD_SECONDS = 30.0
_OVERHEAD = 16
_SPARE_FILES = 128


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us; return how many connections that carries."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    # A forwarded upload needs a connection in, one out, and a spool.
    return max(16, (soft - _SPARE_FILES) // 3)


class GuardedHttp(HttpToolsProtocol):
    """One connection. A head is at most 64 KiB and comes within 30 s; connections are counted."""

    most_connections = 1024
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _unseen = 0
    _seen = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take the connection, if there is room for it."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, unless too much came that is neither head nor body."""
        self._unseen += len(data)
        super().data_received(data)
        if self._unseen > HEAD_BYTES + _OVERHEAD * self._seen and not self.transport.is_closing():
            # A head without end; or chunk sizes and trailers that are all wrapping and no body.
            self._refuse(431, "the request's head is too large", "send at most 64 KiB of headers")

    def on_message_begin(self) -> None:
        """Begin a request: its head is due."""
        super().on_message_begin()
        if not self._in_head:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """End the head."""
        self._stop_timer()
        self._in_head = False
        self._unseen = self._seen = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._unseen = max(0, self._unseen - len(body))
        self._seen += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request: what follows is the next one's."""
        self._unseen = self._seen = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP."""
        self._refuse(400, "the request isn't valid HTTP/1.1", "send one Host and one body length")

    def _expect_head(self) -> None:
        self._stop_timer()
        self._in_head = True
        self._unseen = self._seen = 0
        self._timer = self.loop.call_later(HEAD_SECONDS, self._late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if not self._unseen:
            self.transport.close()
        else:
            self._refuse(408, "the request's head didn't come in time", "send it at once")

    def _refuse(self, status: int, reason: str, hint: str) -> None:
        request_id = os.urandom(8).hex()
        told = {"error": "invalid request", "reason": reason, "hint": hint}
        body = msgspec.json.encode({**told, "kind": "invalid_request", "request_id": request_id})
        self.transport.write(
            b"HTTP/1.1 %d Refused\r\ncontent-type: application/json\r\nx-request-id: %b\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, request_id.encode(), len(body), body)
        )
        self.transport.close()
