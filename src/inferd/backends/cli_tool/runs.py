"""What runs now of one tool: so many at a time, so many waiting, and an end for each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from inferd.core.errors import BackendOverloaded, BackendTimeout, BackendUnavailable
from inferd.process import GRACE_SECONDS, Child, Workspace, start

_AFTER_KILL_SECONDS = 3.0


class Runs:
    """Runs of a program; `most` at a time, `waiting` more wait for their turn."""

    def __init__(
        self, name: str, *, most: int, waiting: int, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self.is_closed = False
        self._name = name
        self._grace_seconds = grace_seconds
        self._places = asyncio.Semaphore(most)
        self._most_waiting = waiting
        self._waiting = 0
        self._held = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._running: set[Child] = set()
        self._removing: set[asyncio.Future[None]] = set()

    @property
    def are_all_taken(self) -> bool:
        """Whether the next one would have to wait."""
        return self._places.locked()

    async def start(
        self,
        argv: Sequence[str],
        given: str,
        *,
        environ: Callable[[], Mapping[str, str]],
        most_bytes: int,
    ) -> Child:
        """Start one, in an empty folder of its own, once it has a place.

        Raises:
            BackendOverloaded: Too many wait already.
            BackendUnavailable: It can't be started, or the node is stopping.
        """
        await self._turn()
        workspace: Workspace | None = None
        try:
            if self.is_closed:
                raise BackendUnavailable(f"{self._name} is closed")
            workspace = Workspace()
            child = await start(
                argv,
                folder=workspace.folder,
                environ=environ(),
                given=given.encode(),
                most_bytes=most_bytes,
                grace_seconds=self._grace_seconds,
            )
        except BaseException:
            self._over(workspace)
            raise
        self._running.add(child)

        def ended(_: asyncio.Future[int]) -> None:
            self._running.discard(child)
            self._over(workspace)

        child.ended.add_done_callback(ended)
        if self.is_closed:
            child.stop()
        return child

    async def close(self) -> None:
        """End everything that runs, and wait until it has."""
        self.is_closed = True
        for child in tuple(self._running):
            child.stop()
        # Those that are just being started end too: they find it closed.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace_seconds + _AFTER_KILL_SECONDS):
                await self._idle.wait()
        if self._removing:
            await asyncio.wait(self._removing)

    async def _turn(self) -> None:
        if self._places.locked() and self._waiting >= self._most_waiting:
            raise BackendOverloaded(
                f"{self._name} is busy, and {self._waiting} requests wait for it already",
                hint="try again later, or raise its options.concurrency",
                retry_after=1,
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        self._held += 1
        self._idle.clear()

    def _over(self, workspace: Workspace | None) -> None:
        self._places.release()
        self._held -= 1
        if not self._held:
            self._idle.set()
        if workspace is not None:
            removing = asyncio.get_running_loop().run_in_executor(None, workspace.remove)
            self._removing.add(removing)
            removing.add_done_callback(self._removing.discard)

    def __repr__(self) -> str:
        return f"<Runs of {self._name}: {len(self._running)} running, {self._waiting} waiting>"


def left(name: str, deadline: float | None, now: float, timeout: float) -> float:
    """Return the seconds that an answer may take to begin.

    Raises:
        BackendTimeout: There are none.
    """
    if deadline is None:
        return timeout
    if deadline <= now:
        raise BackendTimeout(f"no time was left to ask {name}")
    return min(timeout, deadline - now)
