"""A bounded set of threads for work that would hold up the event loop.

At most as many calls run as there are threads; the rest wait their turn, up to a limit. A call
that is cancelled while it waits is forgotten; one that already runs keeps its thread until it
returns, and its result is dropped.
"""

import asyncio
import math
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from inferd.core.errors import BackendOverloaded, BackendUnavailable

P = ParamSpec("P")
T = TypeVar("T")

QUEUE_LIMIT = 256


class DeviceBusy(BackendOverloaded):
    """As many calls wait as may."""


class DeviceClosed(BackendUnavailable):
    """The node is stopping."""


class Device:
    """Threads that share one piece of hardware. Used from one event loop."""

    def __init__(
        self, threads: int | None = None, *, queue_limit: int = QUEUE_LIMIT, name: str = "cpu"
    ) -> None:
        self.threads = threads or usable_cores()
        self.queue_limit = queue_limit
        self.name = name
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix=f"inferd-{name}")
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._running = 0
        self._closed = False
        self._idle: asyncio.Event | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{self.running} running, {self.queued} queued"
        return f"<Device {self.name} [{self.threads} threads: {state}]>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def running(self) -> int:
        """Calls that hold a thread."""
        return self._running

    @property
    def queued(self) -> int:
        """Calls that wait for one."""
        return sum(not place.done() for place in self._waiting)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in a thread and return what it returns.

        Raises:
            DeviceBusy: Too many calls wait already.
            DeviceClosed: The device is closed, or was closed while the call waited.
        """
        await self._take_place()
        loop = asyncio.get_running_loop()
        returned: asyncio.Future[None] = loop.create_future()

        def notify(_: Future[T]) -> None:
            # The loop may be gone if nobody waited for us; then nobody needs to know.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._settle, returned)

        work = self._executor.submit(function, *args, **kwargs)
        work.add_done_callback(notify)
        try:
            await returned
        except asyncio.CancelledError:
            work.cancel()
            raise
        return work.result()

    async def close(self) -> None:
        """Refuse new calls, fail those that wait, and join the threads of those that run."""
        self._closed = True
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(_closed())
        if self._running:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()
        self._executor.shutdown(wait=True)

    async def _take_place(self) -> None:
        if self._closed:
            raise _closed()
        if self._running < self.threads:
            self._running += 1
            return
        if self.queued >= self.queue_limit:
            raise DeviceBusy(f"{self.queued} calls already wait for {self.name}", retry_after=1)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give_place()  # it was ours for a moment
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def _settle(self, returned: asyncio.Future[None]) -> None:
        self._give_place()
        if not returned.done():
            returned.set_result(None)

    def _give_place(self) -> None:
        """Pass the thread to whoever has waited longest."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._running -= 1
        if not self._running and self._idle is not None:
            self._idle.set()


def _closed() -> DeviceClosed:
    return DeviceClosed("the node is stopping")


def usable_cores(cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """Count the cores that this process may use: by affinity, and by its container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(cores, math.ceil(quota))) if quota else max(1, cores)


def _quota(cgroup: Path) -> float | None:
    """Read cgroup v2's `cpu.max`, or v1's pair of files; None if there is no limit."""
    with suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    with suppress(OSError, ValueError):
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        return quota / period if quota > 0 else None
    return None
