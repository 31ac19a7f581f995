"""Every backend with its live state."""

import asyncio
import logging
from collections.abc import Iterable, Iterator

from inferd.core.backend import Backend, Capabilities
from inferd.core.clock import Clock
from inferd.core.errors import NodeError

logger = logging.getLogger(__name__)

_SMOOTHING = 0.2
_FIRST_EJECTION = 1.0
_LONGEST_EJECTION = 30.0
_PROBE_TIMEOUT = 5.0


class Member:
    """A backend as it stands now: what the router looks at.

    `latency` is an exponentially weighted mean of seconds that jumps up at once and comes down
    slowly (peak-EWMA). A member that fails is ejected for a while, longer each time in a row.
    """

    def __init__(self, backend: Backend, *, priority: int, tasks: frozenset[str] = frozenset()):
        self.backend = backend
        self.priority = priority
        self.only_tasks = tasks
        self.capabilities: Capabilities = backend.assumed
        self.error = ""
        self.in_flight = 0
        self.served = 0
        self.failed = 0
        self.latency = 0.0
        self.ejected_until = 0.0
        self._failures_in_a_row = 0

    @property
    def name(self) -> str:
        """The operator's name for the backend."""
        return self.backend.name

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

    def gave(self, seconds: float) -> None:
        """Note a request that ended well after `seconds`."""
        self.in_flight -= 1
        self.served += 1
        self._failures_in_a_row = 0
        self.ejected_until = 0.0
        self.error = ""
        more = seconds - self.latency
        self.latency = seconds if more > 0 else self.latency + more * _SMOOTHING

    def left(self) -> None:
        """Note a request that ended early and says nothing about its health."""
        self.in_flight -= 1

    def broke(self, reason: str, now: float, *, retry_after: float | None = None) -> None:
        """Note a request that it failed; set it aside for a while."""
        self.in_flight -= 1
        self.failed += 1
        self.error = reason
        pause = min(_LONGEST_EJECTION, _FIRST_EJECTION * 2**self._failures_in_a_row)
        self._failures_in_a_row += 1
        self.ejected_until = now + max(pause, retry_after or 0.0)

    def __repr__(self) -> str:
        return f"<Member {self.name} {self.in_flight} in flight, {self.failed} failed>"


class Pool:
    """The node's backends, and a loop that keeps asking them what they offer."""

    def __init__(self, members: Iterable[Member], clock: Clock, *, interval: float = 60.0) -> None:
        self._members = tuple(members)
        self._clock = clock
        self._interval = interval

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members)

    async def refresh(self) -> None:
        """Ask every backend, side by side, what it offers now; a silent one delays nobody."""
        async with asyncio.TaskGroup() as tasks:
            for member in self._members:
                tasks.create_task(self._ask(member))

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            await self.refresh()
            await self._clock.sleep(self._interval)

    async def _ask(self, member: Member) -> None:
        before, member.error = member.error, ""
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                member.capabilities = await member.backend.capabilities()
        except TimeoutError:
            member.error = f"said nothing within {_PROBE_TIMEOUT:g} s"
        except NodeError as error:
            member.error = error.message
        # One backend's fault must not end the asking of all the others.
        except Exception:
            logger.exception("backend %s failed when it was asked what it offers", member.name)
            member.error = "it failed in a way it shouldn't; the log has it"
        if member.error and member.error != before:
            logger.warning("backend %s can't be asked: %s", member.name, member.error)

    def __repr__(self) -> str:
        busy = sum(member.in_flight for member in self._members)
        return f"<Pool [{len(self._members)} backends | {busy} in flight]>"
