"""The node's backends: each is open for as long as a task of its own keeps it, and in the pool."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from inferd.backends import open_kind
from inferd.core.backend import Backend
from inferd.core.clock import Clock
from inferd.core.errors import BackendUnavailable, InvalidRequest
from inferd.core.stopping import STOPPING
from inferd.gateway.routing.member import Member, Price
from inferd.gateway.routing.pool import Pool
from inferd.node.compose import Wanted

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 30.0
_LOOK_AGAIN = 0.05


class NameTaken(InvalidRequest):
    """There is a backend of that name already."""


class NoSuchBackend(InvalidRequest):
    """There is no backend of that name."""


class _Keeper:
    """One backend, opened and closed by the same task."""

    __slots__ = ("leave", "member", "opened", "task")

    task: asyncio.Task[None]

    def __init__(self) -> None:
        self.opened: asyncio.Future[Member] = asyncio.get_running_loop().create_future()
        self.leave = asyncio.Event()
        self.member: Member | None = None


class Roster:
    """Backends come and go here while the node runs, and the pool is told."""

    def __init__(self, pool: Pool, *, node: str, clock: Clock) -> None:
        self.pool = pool
        self._node = node
        self._clock = clock
        self._keepers: dict[str, _Keeper] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._keepers)

    def __contains__(self, name: str) -> bool:
        return name in self._keepers

    async def add(self, want: Wanted, *, is_found: bool = False) -> Member:
        """Open a backend and take it into the pool, which asks it at once what it offers.

        `is_found`: nobody configured it, so it serves the local owner until a rule names it.

        Raises:
            NameTaken: There is one of that name, or one is being opened.
            ValueError: There is no such kind, or it can't be set up like this.
            NodeError: It can't be opened, or the node is stopping.
        """
        opening = open_kind(want.kind, want.settings, node=self._node, clock=self._clock)
        return await self.take(
            want.settings.name,
            opening,
            priority=want.priority,
            tasks=want.tasks,
            is_found=is_found,
            prices=want.prices,
        )

    async def take(
        self,
        name: str,
        opening: AbstractAsyncContextManager[Backend],
        *,
        priority: int = 0,
        tasks: frozenset[str] = frozenset(),
        is_found: bool = False,
        prices: Mapping[str, Price] | None = None,
    ) -> Member:
        """Do as `add` does, with whatever lends a backend of that name. It is closed here too."""
        if self._is_closed:
            raise BackendUnavailable(STOPPING)
        if name in self._keepers:
            raise NameTaken(
                f"there is a backend called {name} already",
                hint="choose another name, or remove that one first",
            )
        keeper = self._keepers[name] = _Keeper()

        def member_of(backend: Backend) -> Member:
            return Member(
                backend, priority=priority, tasks=tasks, is_found=is_found, prices=prices or {}
            )

        keeping = self._keep(name, keeper, opening, member_of)
        keeper.task = asyncio.get_running_loop().create_task(keeping)
        try:
            return await keeper.opened
        except asyncio.CancelledError:
            keeper.task.cancel()
            raise

    def drain(self, name: str) -> Member:
        """Give a backend no new request; those that it is at go on.

        Raises:
            NoSuchBackend: There is none of that name.
        """
        member = self.member(name)
        member.drain()
        return member

    async def remove(self, name: str, drain_seconds: float = DRAIN_SECONDS) -> int:
        """Close a backend once its requests have ended, or after `drain_seconds`.

        Returns how many requests were cut: those go on elsewhere where they can, and fail with a
        BackendError where they can't. Who gives up waiting leaves it draining.

        Raises:
            NoSuchBackend: There is none of that name.
        """
        member = self.drain(name)
        keeper = self._keepers[name]
        end = self._clock.now() + drain_seconds
        while member.in_flight and not keeper.leave.is_set() and self._clock.now() < end:
            await self._clock.sleep(min(_LOOK_AGAIN, drain_seconds))
        cut = member.in_flight
        keeper.leave.set()
        await asyncio.wait([keeper.task])
        return cut

    async def close(self) -> None:
        """Close every backend, side by side; whoever wants to add one is refused."""
        self._is_closed = True
        keepers = list(self._keepers.values())
        for keeper in keepers:
            keeper.leave.set()
            if not keeper.opened.done():
                keeper.task.cancel()
        if keepers:
            await asyncio.wait([keeper.task for keeper in keepers])

    def member(self, name: str) -> Member:
        """Return the backend of that name.

        Raises:
            NoSuchBackend: There is none.
        """
        keeper = self._keepers.get(name)
        if keeper is not None and keeper.member is None:
            raise NoSuchBackend(
                f"the backend called {name[:100]} is still being opened",
                hint="try again once it is open",
            )
        if keeper is None or keeper.member is None:
            raise NoSuchBackend(
                f"there is no backend called {name[:100]}",
                hint=f"there are {', '.join(sorted(self._keepers)[:50]) or 'none'}",
            )
        return keeper.member

    async def _keep(
        self,
        name: str,
        keeper: _Keeper,
        opening: AbstractAsyncContextManager[Backend],
        member_of: Callable[[Backend], Member],
    ) -> None:
        """Hold a backend open until it is told to leave."""
        try:
            async with opening as backend:
                keeper.member = member = member_of(backend)
                self.pool.add(member)
                try:
                    if not keeper.opened.done():
                        keeper.opened.set_result(member)
                    await keeper.leave.wait()
                finally:
                    self.pool.remove(name)
        except Exception as error:
            if keeper.opened.done():
                logger.exception("backend %s didn't close as it should", name)
            else:
                keeper.opened.set_exception(error)
        finally:
            if not keeper.opened.done():
                keeper.opened.set_exception(BackendUnavailable(STOPPING))
            del self._keepers[name]

    def __repr__(self) -> str:
        return f"<Roster {' '.join(self._keepers) or 'empty'}>"


@asynccontextmanager
async def open_roster(
    wants: Iterable[Wanted], pool: Pool, *, node: str, clock: Clock
) -> AsyncGenerator[Roster]:
    """Open the configured backends; leaving closes whatever is open by then.

    Raises:
        ValueError: One can't be set up as it is configured.
        NodeError: One can't be opened.
    """
    roster = Roster(pool, node=node, clock=clock)
    try:
        for want in wants:
            await roster.add(want)
        yield roster
    finally:
        await roster.close()
