"""A bounded set of threads for work that would hold up the event loop.

At most as many calls run as there are threads; the rest wait their turn, up to a limit. A call
that is cancelled while it waits is forgotten. Work in steps gives its thread to who waits longest
after each step, and waits again behind the others; cancelled, it ends with the step that runs. A
call in one piece keeps its thread until it returns.
"""

import asyncio
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, NamedTuple, ParamSpec, Self, TypeVar

from inferd.core.errors import BackendOverloaded, BackendUnavailable
from inferd.engine.embedded.steps import Steps, keep

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")

QUEUE_LIMIT = 256


class DeviceBusy(BackendOverloaded):
    """As many calls wait as may. A full queue is no fault of the model's."""

    is_fault = False


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
        self._started: list[threading.Thread] = []
        # Guards what follows; a thread without work waits on it.
        self._changed = threading.Condition()
        self._places: deque[_Place] = deque()
        self._running = 0
        self.is_closed = False

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self.running} running, {self.queued} queued"
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
        """Threads that work."""
        return self._running

    @property
    def queued(self) -> int:
        """Calls that wait for one."""
        return len(self._places)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function in a thread and return what it returns.

        Raises:
            DeviceBusy: Too many calls wait already.
            DeviceClosed: The device is closed, or was closed while the call waited.
        """
        outcome = _Outcome[T]()

        def work(place: _Place) -> Sequence[_Place]:
            outcome.keep(partial(function, *args, **kwargs))
            return (place,)

        await self.serve(_Place(work))
        return outcome.get()

    async def run_steps(self, steps: Steps[T]) -> T:
        """Take the steps in threads, in turn with other calls, and return what they come to.

        Raises what `run` does; closing ends it after the step that runs.
        """
        outcome = _Outcome[T]()
        kept = keep(steps, outcome.results)
        try:
            await self.serve(_Place(lambda place: self._advance(kept, outcome, place)))
        except BaseException:
            # Where a thread is at it, that thread sees that the caller has left.
            with suppress(ValueError):
                kept.close()
            raise
        return outcome.get()

    def _advance(
        self, steps: Steps[None], outcome: "_Outcome[T]", place: "_Place"
    ) -> Sequence["_Place"]:
        """Take steps until they end or another call waits; return the place if they ended."""
        try:
            for _ in steps:
                if place.left or self.is_closed:
                    steps.close()
                    raise _closed()
                if self._places:
                    return ()
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
            outcome.error = error
        return (place,)

    async def serve(self, place: "_Place") -> None:
        """Wait until a thread has done what the place is for. Raises what `run` does."""
        self._enter(place)
        try:
            await place.done
        except asyncio.CancelledError:
            place.left = True
            self.claim([place])
            raise

    def claim(self, places: Sequence["_Place"], most: int | None = None) -> list["_Place"]:
        """Take those that wait out of the queue, up to so many, and return them."""
        with self._changed:
            found = [place for place in places if place.waits][:most]
            for place in found:
                place.waits = False
                self._places.remove(place)
        return found

    async def close(self) -> None:
        """Refuse new calls, fail those that wait, and join the threads, each after its step."""
        with self._changed:
            self.is_closed = True
            self._changed.notify_all()
            waiting = self.claim([*self._places])
        for place in waiting:
            if not place.done.done():
                place.done.set_exception(_closed())
        if self._started:
            await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for thread in self._started:
            thread.join()

    def _enter(self, place: "_Place") -> None:
        with self._changed:
            if self.is_closed:
                raise _closed()
            # A free thread is about to take one of those that wait.
            if self.queued >= self.queue_limit + self.threads - self._running:
                raise DeviceBusy(f"{self.queued} calls already wait for {self.name}", retry_after=1)
            place.waits = True
            self._places.append(place)
            self._changed.notify()
            lacks_thread = len(self._started) < min(self.threads, self._running + self.queued)
        if lacks_thread:
            name = f"inferd-{self.name}_{len(self._started)}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._started.append(thread)
            thread.start()

    def _work(self) -> None:
        """Do what waits, longest first, until the device closes. Runs in each thread."""
        while (place := self._next()) is not None:
            done = place.work(place)
            with self._changed:
                self._running -= 1
                if not done and not place.left:
                    place.waits = True
                    self._places.append(place)
            # The loop may be gone if nobody waited for us; then nobody needs to know.
            with suppress(RuntimeError):
                place.loop.call_soon_threadsafe(_tell, done)

    def _next(self) -> "_Place | None":
        with self._changed:
            while not self._places:
                if self.is_closed:
                    return None
                self._changed.wait()
            place = self._places.popleft()
            place.waits = False
            self._running += 1
            return place


def _nothing() -> None:
    pass


class Together(Generic[A, R]):
    """A function of several things, called at once for as many as wait that are alike.

    Nobody is waited for: calls meet while every thread is busy. One that fails with others is
    called again alone, so that each gets its own result or error.
    """

    def __init__(
        self,
        device: Device,
        function: Callable[[Sequence[A]], Sequence[R]],
        *,
        most: int,
        most_size: int,
    ) -> None:
        """`most` things of `most_size` in sum are done together: a thread isn't held for long."""
        self._device = device
        self._function = function
        self._most = most
        self._most_size = most_size
        self._guests: dict[_Place, _Guest[A, R]] = {}

    async def run(self, thing: A, *, size: int, begin: Callable[[], None] = _nothing) -> R:
        """Return the result for one thing. Raises what `Device.run` does, and the function.

        `begin` is called in the thread when its turn has come; it must not fail.
        """
        guest = _Guest(thing, size, _Outcome[R](), begin)
        place = _Place(partial(self._work, guest))
        self._guests[place] = guest
        try:
            await self._device.serve(place)
        finally:
            del self._guests[place]
        return guest.outcome.get()

    def _work(self, guest: "_Guest[A, R]", place: "_Place") -> Sequence["_Place"]:
        """Call the function for a guest and those like it. Runs in a thread."""
        waiting = {each: other for each, other in self._guests.copy().items() if each.waits}
        # The other threads get their share, or they would wait while this one works.
        share = math.ceil((1 + len(waiting)) / self._device.threads)
        most = min(self._most, share, self._most_size // max(1, guest.size))
        alike = [each for each, other in waiting.items() if other.is_like(guest)]
        mates = self._device.claim(alike, max(0, most - 1))
        guests = [guest, *(waiting[each] for each in mates)]
        for each in guests:
            each.begin()
        results = _Outcome[Sequence[R]]()
        results.keep(partial(self._function, [each.thing for each in guests]))
        for number, each in enumerate(guests):
            if results.failed and mates:
                each.outcome.keep(lambda thing=each.thing: self._function([thing])[0])
            else:
                each.outcome.keep(lambda number=number: results.get()[number])
        return (place, *mates)


class _Guest(NamedTuple, Generic[A, R]):
    """A thing that the function is to be called for."""

    thing: A
    size: int
    outcome: "_Outcome[R]"
    begin: Callable[[], None]

    def is_like(self, other: "_Guest[A, R]") -> bool:
        """Whether neither is more than a quarter larger."""
        return 4 * max(self.size, other.size) <= 5 * min(self.size, other.size)


class _Place:
    """A place in the queue, then in a thread.

    `work` is given it, and returns all it did; none, if it is to have another turn.
    """

    __slots__ = ("done", "left", "loop", "waits", "work")

    def __init__(self, work: Callable[["_Place"], Sequence["_Place"]]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.waits = False
        self.left = False


class _Outcome(Generic[T]):
    """What a call came to. A thread writes it before the loop is told."""

    def __init__(self) -> None:
        self.results: list[T] = []
        self.error: BaseException | None = None

    def keep(self, function: Callable[[], T]) -> None:
        """Call, and keep what comes of it."""
        try:
            self.results.append(function())
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the caller's
            self.error = error

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return self.error is not None

    def get(self) -> T:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.results[0]


def _tell(places: Sequence[_Place]) -> None:
    for place in places:
        if not place.done.done():
            place.done.set_result(None)


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
