"""The HTTP request that brought a message, as far as the protocol's methods need it."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio

from inferd.wire.context import Context as Asked

POST = "inferd.mcp"
"""Its key in an ASGI scope."""


class Post:
    """One HTTP request: its id, what its headers say of the way, and who runs for it.

    A session's calls run in a task of the session's: `leave` ends those of this request, and `done`
    is called as soon as it is left and none runs.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        directions: Callable[[], Asked] = Asked,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = id
        self.directions = directions
        self._done = done
        self._is_left = False
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
                self._settle()

    def leave(self) -> None:
        """End whatever runs for this request: nobody waits for it any more."""
        self._is_left = True
        for scope in self._running:
            scope.cancel()
        self._settle()

    def _settle(self) -> None:
        if self._is_left and not self._running:
            self._done()
