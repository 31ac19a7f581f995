"""One client's connection: its requests in turn, and what their handlers are given."""

import asyncio
from collections.abc import AsyncIterator

from inferd.core.answer import Source
from inferd.http1.server.head import Head
from inferd.http1.server.owner import Owner, Peer
from inferd.http1.server.refusal import Refusal
from inferd.http1.sweep import FOREVER


class Connection(asyncio.Protocol):
    """The asyncio protocol of a connection, and a request with its response in one.

    A client that closes its end while a request is served is gone: the handler is cancelled and
    nothing more is sent. That it still listens can't be known, and isn't worth a model's time.
    """

    head: Head
    peer: Peer
    length: int | None
    """The body's bytes; None where it comes in chunks."""
    body: bytes | None
    """The whole body, where it came together with its head; else None: `read` or `pieces` it."""
    is_left: bool
    """The client is gone (or was let go). The handler is cancelled then."""
    has_begun: bool
    """A status line is out."""
    deadline: float

    def __init__(self, owner: Owner) -> None:
        self.deadline = FOREVER

    async def read(self, most: int) -> bytes:
        """Return the whole body.

        Raises:
            TooLong: It has more than `most` bytes.
            Refusal: It is malformed, or came too slowly.
        """
        raise NotImplementedError

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives; once. Above 256 KiB that nobody took, reading pauses.

        Raises:
            Refusal: It is malformed, or came too slowly.
        """
        raise NotImplementedError

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        r"""Send a whole response.

        `headers` are finished lines (`name: value\r\n`…); content-length and connection are added.
        """
        raise NotImplementedError

    def start(self, status: int, headers: bytes, length: int | None = None) -> None:
        """Begin a response; `write` and `end` follow. Without a `length` it goes in chunks."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        """Send a piece of the body. Never waits."""
        raise NotImplementedError

    async def drained(self) -> None:
        """Return when there is room for more: at once, as a rule."""
        raise NotImplementedError

    def feed(self, source: Source | None) -> None:
        """Name who writes here, to be held while the client is slow; None, nobody any more."""
        raise NotImplementedError

    def end(self) -> None:
        """End the response."""
        raise NotImplementedError

    def refuse(self, refusal: Refusal, request_id: str = "") -> None:
        """Answer with `refusal`, if nothing is out yet, and let the connection go."""
        raise NotImplementedError

    def retire(self) -> None:
        """Serve no further request: close now if none is being served, else after it."""
        raise NotImplementedError

    def stop(self, message: str) -> None:
        """Cancel the handler with `message`, let it have its last word, and close."""
        raise NotImplementedError

    def abort(self) -> None:
        """Break the connection off: a response that isn't ended is seen to be cut."""
        raise NotImplementedError

    def expired(self) -> None:
        """Do what is due: the sweep says that `deadline` has passed."""
        raise NotImplementedError
