"""Every backend with its live state."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

import msgspec

from inferd.core.backend import Backend, Capabilities
from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.core.request import Tier
from inferd.gateway.events import BackendEvent, Events, QueueEvent, Topic

logger = logging.getLogger(__name__)

_SMOOTHING = 0.2
_FIRST_EJECTION = 1.0
_LONGEST_EJECTION = 30.0
_MOST_DOUBLINGS = 5
_MOST_MODELS = 10_000
"""Models that are taken of what a backend lists, the first: all are gone through at times."""
_QUIET = 10.0
"""Seconds between two warnings of one backend: it may fail every other request."""
_PROBE_TIMEOUT = 5.0
_UNHEARD = Events()


class Changes:
    """How often what routing goes by has changed: what was decided under other numbers is void."""

    __slots__ = ("health", "offers")

    def __init__(self) -> None:
        self.offers = 0
        """Changes of what somebody offers."""
        self.health = 0
        """Backends set aside after a failure, or well again before their time was up."""


class Member:
    """A backend as it stands now: what the router looks at.

    `latency` is an exponentially weighted mean of seconds that jumps up at once and comes down
    slowly (peak-EWMA). A member that fails is ejected for a while, longer each time in a row.
    """

    __slots__ = (
        "__weakref__",
        "_failures_in_a_row",
        "_is_logged",
        "_lists_too_much",
        "_quiet_until",
        "backend",
        "capabilities",
        "changes",
        "ejected_until",
        "error",
        "events",
        "failed",
        "in_flight",
        "is_draining",
        "is_found",
        "latency",
        "only_tasks",
        "priority",
        "served",
    )

    def __init__(
        self,
        backend: Backend,
        *,
        priority: int,
        tasks: frozenset[str] = frozenset(),
        is_found: bool = False,
    ) -> None:
        """`is_found`: nobody configured it, so it serves the local owner until a rule names it."""
        self.backend = backend
        self.is_found = is_found
        self.is_draining = False
        """Whether it gets no new request: what it is at, it may end."""
        self.priority = priority
        self.only_tasks = tasks
        self.capabilities: Capabilities = backend.assumed
        self.error = ""
        self.in_flight = 0
        self.served = 0
        self.failed = 0
        self.latency = 0.0
        self.ejected_until = 0.0
        self.events = _UNHEARD
        self.changes = Changes()
        self._failures_in_a_row = 0
        self._is_logged = False
        self._lists_too_much = False
        self._quiet_until = float("-inf")

    @property
    def name(self) -> str:
        """The operator's name for the backend."""
        return self.backend.name

    @property
    def source(self) -> str:
        """`local` or `remote`: whether the words leave this machine."""
        here = self.backend.tier is Tier.LOCAL and not self.backend.is_node
        return "local" if here else "remote"

    def does(self, task: str) -> bool:
        """Whether it can be asked for `task` at all."""
        bound = self.only_tasks and task not in self.only_tasks
        return not bound and task in self.capabilities.tasks

    def model_for(self, task: str, name: str) -> str | None:
        """Return the id under which this backend would run `name`, or None."""
        if self.only_tasks and task not in self.only_tasks:
            return None
        return self.capabilities.find(task, name)

    def took(self) -> None:
        """Note a request given to it."""
        self.in_flight += 1
        if self.events.is_heard:
            self._tell(changed=self.in_flight == 1)

    def gave(self, seconds: float) -> None:
        """Note a request that ended well after `seconds`."""
        self.in_flight -= 1
        self.served += 1
        if self._failures_in_a_row:
            self._failures_in_a_row = 0
            self.ejected_until = 0.0
            self.changes.health += 1
        if self._is_logged:
            self._log_recovery()
        before, self.error = self.error, ""
        more = seconds - self.latency
        self.latency = seconds if more > 0 else self.latency + more * _SMOOTHING
        if self.events.is_heard:
            self._tell(changed=not self.in_flight or bool(before))

    def left(self) -> None:
        """Note a request that ended early and says nothing about its health."""
        self.in_flight -= 1
        if self.events.is_heard:
            self._tell(changed=not self.in_flight)

    def broke(self, reason: str, now: float, *, retry_after: float | None = None) -> None:
        """Note a request that it failed; set it aside for a while."""
        self.in_flight -= 1
        self.failed += 1
        self.error = reason
        doublings = min(_MOST_DOUBLINGS, self._failures_in_a_row)
        pause = min(_LONGEST_EJECTION, _FIRST_EJECTION * 2**doublings)
        self._failures_in_a_row += 1
        if self.ejected_until <= now:
            self.changes.health += 1
        pause = max(pause, retry_after or 0.0)
        self.ejected_until = now + pause
        if not self._is_logged and now >= self._quiet_until:
            self._is_logged, self._quiet_until = True, now + _QUIET
            logger.warning(
                "backend %s is set aside for %.3g s, longer if it fails again: %s",
                self.name,
                pause,
                reason,
            )
        if self.events.is_heard:
            self._tell(changed=True)

    def offers(self, capabilities: Capabilities) -> None:
        """Note what it says that it offers now."""
        if len(capabilities.models) > _MOST_MODELS:
            capabilities = self._bounded(capabilities)
        if capabilities != self.capabilities:
            self.changes.offers += 1
        elif self.capabilities is not self.backend.assumed:
            # What was worked out from the same words still holds.
            return
        self.capabilities = capabilities

    def found(self, error: str, before: str) -> None:
        """Note what a look at it found: an error, or none. `before` it had that one."""
        # A request that failed while we looked knows better than a look that went well.
        if error or self.error == before:
            self.error = error
        if error and error != before and not self._is_logged:
            self._is_logged = True
            logger.warning("backend %s can't be asked: %s", self.name, error)
        elif self._is_logged and not self.error and not self._failures_in_a_row:
            self._log_recovery()
        if self.error != before and self.events.is_heard:
            self.events.publish(Topic.BACKEND, self.state())

    def drain(self, *, drains: bool = True) -> None:
        """Give it no new request from now on, or again; what it is at goes on."""
        if self.is_draining != drains:
            self.is_draining = drains
            self.changes.offers += 1
            if self.events.is_heard:
                self.events.publish(Topic.BACKEND, self.state())

    def state(self) -> BackendEvent:
        """Return how it stands now."""
        return BackendEvent(
            name=self.name,
            tier=self.backend.tier.label,
            source=self.source,
            usable=not self.error,
            reason=self.error,
            in_flight=self.in_flight,
        )

    def _bounded(self, capabilities: Capabilities) -> Capabilities:
        if not self._lists_too_much:
            self._lists_too_much = True
            logger.warning(
                "backend %s lists %d models: the first %d are taken",
                self.name,
                len(capabilities.models),
                _MOST_MODELS,
            )
        return msgspec.structs.replace(capabilities, models=capabilities.models[:_MOST_MODELS])

    def _log_recovery(self) -> None:
        self._is_logged = False
        logger.info("backend %s answers again", self.name)

    def _tell(self, *, changed: bool) -> None:
        if changed:
            self.events.publish(Topic.BACKEND, self.state())
        self.events.publish(Topic.QUEUE, QueueEvent(backend=self.name, in_flight=self.in_flight))

    def __repr__(self) -> str:
        return f"<Member {self.name} {self.in_flight} in flight, {self.failed} failed>"


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
        member.drain()
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
                await asyncio.Event().wait()
        finally:
            self._tasks = None
            self._keepers.clear()

    def _keep(self, member: Member, tasks: asyncio.TaskGroup) -> None:
        self._keepers[member.name] = tasks.create_task(self._keep_asking(member))

    async def _keep_asking(self, member: Member) -> None:
        while True:
            await self.ask(member)
            await self._clock.sleep(self._interval)

    async def ask(self, member: Member) -> None:
        """Ask one backend what it offers now, and note what it says. Nothing is raised."""
        before, error = member.error, ""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                member.offers(await member.backend.capabilities())
        except TimeoutError:
            error = f"said nothing within {_PROBE_TIMEOUT:g} s"
        except NodeError as failure:
            error = failure.message
        # One backend's fault must not end the asking of all the others.
        except Exception:
            logger.exception("backend %s failed when it was asked what it offers", member.name)
            error = "it failed in a way it shouldn't; the log has it"
        member.found(error, before)

    def __repr__(self) -> str:
        busy = sum(member.in_flight for member in self._members)
        return f"<Pool [{len(self._members)} backends | {busy} in flight]>"
