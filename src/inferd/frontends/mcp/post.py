"""The HTTP request that brought a message, as far as the protocol's methods need it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio

from inferd.wire.context import Context as Asked

POST = "inferd.mcp"
"""Its key in an ASGI scope."""


class Post:
    """One HTTP request: its id, what its headers say of the way, and who runs for it.

    A session's calls run in a task of the session's: `leave` ends those of this request.
    """

    def __init__(self, *, id: str, directions: Callable[[], Asked] = Asked) -> None:  # noqa: A002
        self.id = id
        self.directions = directions
        self._running: set[anyio.CancelScope] = set()

    @contextmanager
    def held(self) -> Generator[None]:
        """Run the block until it is done or the caller has left."""
        with anyio.CancelScope() as scope:
            self._running.add(scope)
            try:
                yield
            finally:
                self._running.discard(scope)

    def leave(self) -> None:
        """End whatever runs for this request: nobody waits for it any more."""
        for scope in self._running:
            scope.cancel()
