"""Records taken at once, written later: a batch at a time, in a thread."""

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from inferd.core.clock import Clock

logger = logging.getLogger(__name__)

_INTERVAL = 0.25
_MOST_WAITING = 50_000

T = TypeVar("T")


class Batch(Generic[T]):
    """Keeps records until `write` has taken them; while it fails they wait, the oldest dropped."""

    def __init__(self, what: str, write: Callable[[list[T]], None], clock: Clock) -> None:
        self._what = what
        self._write = write
        self._clock = clock
        self._waiting: list[T] = []
        self._is_failing = False

    def add(self, record: T) -> None:
        """Take a record. Never waits."""
        self._waiting.append(record)

    async def run(self) -> None:
        """Write for ever; when cancelled, write what is left."""
        try:
            while True:
                await self._clock.sleep(_INTERVAL)
                await self.flush()
        finally:
            self._flush(self._take())

    async def flush(self) -> None:
        """Write what is waiting."""
        if self._waiting:
            await asyncio.to_thread(self._flush, self._take())

    def _take(self) -> list[T]:
        records, self._waiting = self._waiting, []
        return records

    def _flush(self, records: list[T]) -> None:
        if not records:
            return
        try:
            self._write(records)
        # A full disk or a locked file must not end the node: the records wait.
        except Exception:
            if not self._is_failing:
                logger.exception("the %s can't be written; its records wait in memory", self._what)
            self._is_failing = True
            self._waiting = [*records, *self._waiting][-_MOST_WAITING:]
        else:
            if self._is_failing:
                logger.warning("the %s is written again", self._what)
            self._is_failing = False
