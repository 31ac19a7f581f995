"""A clock turned by hand."""

import asyncio
import heapq
from itertools import count


class HandClock:
    """Time stands still until `turn` moves it; sleepers wake in order."""

    def __init__(self, wall: float = 1_000_000.0) -> None:
        self._now = 100.0
        self._wall = wall
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()
        self._slept = asyncio.Event()

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._wall

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), future))
        self._slept.set()
        await future

    async def has_sleepers(self) -> None:
        """Return once somebody sleeps."""
        while not self._sleepers:
            self._slept.clear()
            await self._slept.wait()

    def turn(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._now += seconds
        self._wall += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)
