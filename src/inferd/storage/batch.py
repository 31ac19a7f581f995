"""Records taken at once, written later: a batch at a time, in a thread of their own."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeVar

from inferd.core.clock import Clock
from inferd.core.errors import NodeError

logger = logging.getLogger(__name__)

_INTERVAL = 0.25
_MOST_WAITING = 50_000

T = TypeVar("T")


class Batch(Generic[T]):
    """Keeps records until `write` has taken them; while it fails they wait, the oldest dropped.

    Everything but `write` happens on the event loop; `thread` runs one write at a time.
    """

    def __init__(
        self, what: str, write: Callable[[list[T]], None], clock: Clock, thread: Executor
    ) -> None:
        self._what = what
        self._write = write
        self._clock = clock
        self._thread = thread
        self._waiting: deque[T] = deque(maxlen=_MOST_WAITING)
        self._room = _MOST_WAITING
        self.dropped = 0
        """How many records were lost: too many waited, or they came after the end."""
        self._writing: asyncio.Future[None] | None = None
        self._is_failing = False

    def add(self, record: T) -> None:
        """Take a record. Never waits."""
        waiting = self._waiting
        if len(waiting) >= self._room:
            self._lose()
        waiting.append(record)

    def close(self) -> None:
        """Take nothing more. What still waits, or comes, is told of: it is lost."""
        self._room = 0
        if self._waiting:
            self.dropped += len(self._waiting)
            logger.error("%d records for the %s are lost", len(self._waiting), self._what)

    def _lose(self) -> None:
        self.dropped += 1
        if not self._room:
            logger.warning("a record for the %s came after its end, and is lost", self._what)

    async def run(self) -> None:
        """Write for ever; when cancelled, write what is left."""
        try:
            while True:
                await self._clock.sleep(_INTERVAL)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what is waiting, after what is being written."""
        await self._settled()
        if self._waiting:
            records = list(self._waiting)
            self._waiting.clear()
            loop = asyncio.get_running_loop()
            self._writing = loop.run_in_executor(self._thread, self._write, records)
            self._writing.add_done_callback(partial(self._written, records))
            await self._settled()

    async def _settled(self) -> None:
        """Wait for the write under way; cancelling the wait doesn't stop it."""
        if self._writing is not None:
            await asyncio.wait((self._writing,))

    def _written(self, records: list[T], writing: asyncio.Future[None]) -> None:
        self._writing = None
        error = None if writing.cancelled() else writing.exception()
        # A full disk or a locked file must not end the node: the records wait.
        if error is not None:
            if not self._is_failing:
                what = "the %s can't be written; its records wait in memory: %s"
                trace = None if isinstance(error, NodeError) else error
                logger.error(what, self._what, error, exc_info=trace)
            waiting = [*records, *self._waiting]
            self.dropped += max(0, len(waiting) - _MOST_WAITING)
            self._waiting.clear()
            self._waiting.extend(waiting)
        elif self._is_failing:
            logger.warning("the %s is written again", self._what)
        self._is_failing = error is not None
