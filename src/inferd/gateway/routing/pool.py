"""Every backend with its live state."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

from inferd.core.clock import Clock
from inferd.core.errors import BackendOverloaded, NodeError
from inferd.gateway.events import Events, Topic
from inferd.gateway.routing.history import SPAN
from inferd.gateway.routing.member import Changes, Member

logger = logging.getLogger(__name__)

_PROBE_TIMEOUT = 5.0
_SOON = 1.0
"""Seconds after which a backend that has begun to fail is looked at."""
_FADES_EVERY = 5.0
_LONGEST_WAIT = 30.0
_MOST_DOUBLINGS = 5


class Pool:
    """The node's backends, and loops that keep asking them what they offer.

    `events` is the node's bus: what happens to them is told there.
    """

    def __init__(self, members: Iterable[Member], clock: Clock, *, interval: float = 60.0) -> None:
        self._members: tuple[Member, ...] = ()
        self._named: dict[str, Member] = {}
        self._clock = clock
        self._interval = interval
        self._tasks: asyncio.TaskGroup | None = None
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self.events = Events()
        self.changes = Changes()
        for member in members:
            self.add(member)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def find(self, name: str) -> Member | None:
        """Return the backend of that name, if there is one."""
        return self._named.get(name)

    def add(self, member: Member) -> None:
        """Take a backend in. Where the pool runs, it is asked at once what it offers.

        Raises:
            ValueError: There is one of that name.
        """
        if member.name in self._named:
            raise ValueError(f"there is a backend called {member.name} already")
        member.events = self.events
        member.changes = self.changes
        member.now = self._clock.now
        member.tell_trouble = self._hurry
        member.looks.since = self._clock.now()
        member.looks.interval = self._interval
        # Replaced whole, so that whoever goes through them isn't disturbed.
        self._members = (*self._members, member)
        self._named[member.name] = member
        self.changes.offers += 1
        if self._tasks is not None:
            self._keep(member, self._tasks)
        if self.events.is_heard:
            self.events.publish(Topic.BACKEND, member.state())

    def remove(self, name: str) -> Member:
        """Let a backend go, and return it: it gets no new request. What it is at goes on.

        Raises:
            ValueError: There is none of that name.
        """
        member = self.find(name)
        if member is None:
            raise ValueError(f"there is no backend called {name}")
        member.is_draining = member.is_gone = True
        # While whoever listens may still know of it.
        if self.events.is_heard:
            self.events.publish(Topic.BACKEND, member.state())
        self._members = tuple(each for each in self._members if each is not member)
        del self._named[name]
        self.changes.offers += 1
        keeper = self._keepers.pop(name, None)
        if keeper is not None:
            keeper.cancel()
        return member

    async def refresh(self) -> None:
        """Ask every backend, side by side, what it offers now; a silent one delays nobody."""
        async with asyncio.TaskGroup() as tasks:
            for member in self._members:
                tasks.create_task(self.ask(member))

    async def run(self) -> None:
        """Keep asking each of them for ever, those that are added later too."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                for member in self._members:
                    self._keep(member, tasks)
                tasks.create_task(self._fade())
                await self._turn_histories()
        finally:
            self._tasks = None
            self._keepers.clear()

    async def _turn_histories(self) -> None:
        while True:
            await self._clock.sleep(SPAN)
            for member in self._members:
                member.history.turn()
                member.begin.turn()

    async def _fade(self) -> None:
        """Let be forgotten how slow those were that nobody asks: they are tried again in time."""
        while True:
            served = {member: member.served for member in self._members}
            await self._clock.sleep(_FADES_EVERY)
            for member in self._members:
                if not member.in_flight and member.served == served.get(member):
                    member.fade()

    def _keep(self, member: Member, tasks: asyncio.TaskGroup, *, after: float = 0.0) -> None:
        self._keepers[member.name] = tasks.create_task(self._keep_asking(member, after))

    async def _keep_asking(self, member: Member, after: float) -> None:
        looks, clock = member.looks, self._clock
        while True:
            if after:
                looks.next = clock.now() + after
                await clock.sleep(after)
                looks.next = None
            await self.ask(member)
            after = self._interval
            if looks.failed:
                after = min(after, _LONGEST_WAIT, _SOON * 2 ** min(looks.failed, _MOST_DOUBLINGS))

    def _hurry(self, member: Member) -> None:
        """Look soon at one that has begun to fail, unless somebody is about to."""
        due, soon = member.looks.next, self._clock.now() + _SOON
        if self._tasks is None or self.find(member.name) is not member:
            # One that was let go may still fail what it is at, when another has its name.
            return
        keeper = self._keepers.get(member.name)
        if keeper is not None and due is not None and due > soon:
            keeper.cancel()
            self._keep(member, self._tasks, after=_SOON)

    async def ask(self, member: Member) -> None:
        """Ask one backend what it offers now, and note what it says. Nothing is raised."""
        before, served, error = member.error, member.served, ""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                member.offers(await member.backend.capabilities())
        except BackendOverloaded:
            member.was_busy()
            return
        except TimeoutError:
            error = f"said nothing within {_PROBE_TIMEOUT:g} s"
        except NodeError as failure:
            error = failure.message
        # One backend's fault must not end the asking of all the others.
        except Exception:
            logger.exception("backend %s failed when it was asked what it offers", member.name)
            error = "it failed in a way it shouldn't; the log has it"
        member.found(error, before, served)

    def __repr__(self) -> str:
        busy = sum(member.in_flight for member in self._members)
        return f"<Pool [{len(self._members)} backends | {busy} in flight]>"
