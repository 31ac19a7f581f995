"""A backend as it stands now."""

import logging
import math
from bisect import bisect_left
from collections.abc import Callable, Mapping

import msgspec

from inferd.core.backend import Backend, Capabilities, Status
from inferd.core.request import Tier
from inferd.gateway.events import BackendEvent, Events, QueueEvent, Topic
from inferd.gateway.routing.breaker import Breaker, State
from inferd.gateway.routing.history import BOUNDS, History, Spread

logger = logging.getLogger("inferd.gateway.routing.pool")

_SMOOTHING = 0.2
_FADING = 0.7
_MOST_MODELS = 10_000
"""Models that are taken of what a backend lists, the first: all are gone through at times."""
_QUIET = 10.0
"""Seconds between two warnings of one backend: it may fail every other request."""
_STALE = 3
"""Intervals after which what is known of a backend is too old."""
_UNHEARD = Events()


class Changes:
    """How often what routing goes by has changed: what was decided under other numbers is void."""

    __slots__ = ("health", "offers")

    def __init__(self) -> None:
        self.offers = 0
        """Changes of what somebody offers."""
        self.health = 0
        """Backends set aside after a failure, or well again before their time was up."""


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a million tokens cost, read and written, in whatever money the owner counts in."""

    input: float
    output: float


ANY_MODEL = ""
"""Stands among a backend's prices for the models that have none of their own."""


_NO_PRICES: Mapping[str, Price] = {}


class Looks:
    """When a backend was asked what it offers, on the node's clock, and when it will be again."""

    __slots__ = ("at", "failed", "heard", "interval", "next", "since")

    def __init__(self) -> None:
        self.since = 0.0
        """When it was taken in."""
        self.interval = math.inf
        """Seconds from one look to the next while all is well."""
        self.at: float | None = None
        """When it was last looked at; None is never."""
        self.heard: float | None = None
        """When it was last known to answer."""
        self.next: float | None = None
        """When it will be looked at next; None where nobody keeps looking."""
        self.failed = 0
        """Looks in a row that failed."""


def _no_time() -> float:
    return 0.0


def _unheeded(_member: "Member") -> None:
    pass


class Member:
    """A backend as it stands now: what the router looks at.

    `latency` is an exponentially weighted mean of the seconds until an answer begins, that jumps
    up at once and comes down slowly (peak-EWMA): how long it goes on is the question's affair, and
    how fast the caller reads. A member that fails is set aside for a while, as its breaker says.
    """

    __slots__ = (
        "__weakref__",
        "_is_logged",
        "_lists_too_much",
        "_quiet_until",
        "backend",
        "begin",
        "breaker",
        "capabilities",
        "changes",
        "error",
        "events",
        "failed",
        "given_up",
        "history",
        "in_flight",
        "is_draining",
        "is_found",
        "is_gone",
        "is_offline",
        "is_troubled",
        "latency",
        "looks",
        "now",
        "only_tasks",
        "prices",
        "priority",
        "served",
        "tell_trouble",
    )

    def __init__(
        self,
        backend: Backend,
        *,
        priority: int,
        tasks: frozenset[str] = frozenset(),
        is_found: bool = False,
        prices: Mapping[str, Price] = _NO_PRICES,
    ) -> None:
        """`prices` are by model, as it is asked for it.

        `is_found`: nobody configured it, so it serves the local owner until a rule names it.
        """
        self.backend = backend
        self.is_found = is_found
        self.is_draining = False
        """Whether it gets no new request: what it is at, it may end."""
        self.is_gone = False
        """Whether it was taken out of the pool: what it was at may be cut, and not by its fault."""
        self.priority = priority
        self.prices = prices
        self.only_tasks = tasks
        self.capabilities: Capabilities = backend.assumed
        self.error = ""
        self.is_offline = False
        """Whether the last look at it failed, and nothing was heard of it since."""
        self.in_flight = 0
        self.served = 0
        self.failed = 0
        self.given_up = 0
        """Requests that ended early, and say nothing about its health."""
        self.latency = 0.0
        self.breaker = Breaker()
        self.begin = Spread()
        """Seconds until it began to answer, of late."""
        self.history = History()
        self.looks = Looks()
        self.events = _UNHEARD
        self.changes = Changes()
        self.now: Callable[[], float] = _no_time
        self.tell_trouble: Callable[[Member], None] = _unheeded
        """Called when it begins to fail: whoever looks at it may look sooner."""
        self.is_troubled = False
        """Whether there is any trouble that a success would end: looked at on every request."""
        self._is_logged = False
        self._lists_too_much = False
        self._quiet_until = -math.inf

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

    def fade(self) -> None:
        """Forget a little of how slow it was: called now and then while it isn't used."""
        self.latency *= _FADING

    @property
    def ejected_until(self) -> float:
        """Until when it is left alone after a failure, on the node's clock; 0 where it isn't."""
        return self.breaker.until

    def is_aside(self, at: float) -> bool:
        """Whether it is to be left alone at a time since it last got into trouble."""
        breaker = self.breaker
        return self.is_troubled and (breaker.since <= at < breaker.until or self.is_offline)

    @property
    def status(self) -> Status:
        """How it fares now."""
        now, looks, breaker = self.now(), self.looks, self.breaker
        if self.is_offline:
            return Status.OFFLINE
        state = breaker.look(now)
        if state is State.OPEN:
            return Status.UNHEALTHY
        if state is State.HALF_OPEN or breaker.degraded_until > now:
            return Status.DEGRADED
        if looks.heard is None:
            return Status.HEALTHY if self.served else Status.INITIALIZING
        is_old = now - looks.heard > _STALE * looks.interval
        return Status.UNKNOWN if is_old else Status.HEALTHY

    def took(self, at: float | None = None) -> None:
        """Note a request given to it; `at` tells it from others, now where it isn't said."""
        self.in_flight += 1
        if self.is_troubled and self.breaker.begins_trial(self.now() if at is None else at):
            self.changes.health += 1
        if self.events.is_heard:
            self._tell(changed=self.in_flight == 1)

    def began(self, seconds: float, at: float | None = None) -> None:
        """Note that it began to answer, after `seconds`; `at` as it was told to `took`.

        Of one in trouble that is enough to ask it again.
        """
        more = seconds - self.latency
        self.latency = seconds if more > 0 else self.latency + more * _SMOOTHING
        self.begin.counts[bisect_left(BOUNDS, seconds)] += 1
        if self.is_troubled and self.breaker.passes_trial(at):
            self.changes.health += 1

    def gave(self, seconds: float, at: float = math.inf) -> None:
        """Note a request that ended well after `seconds`; `at` as it was told to `took`.

        Of one that it took before its last failure only that there is one more is worth knowing.
        """
        self.in_flight -= 1
        self.served += 1
        before = self.error
        if not self.is_troubled or self._is_well(at):
            if self._is_logged:
                self._log_recovery()
            self.error = ""
        history = self.history
        history.counts[bisect_left(BOUNDS, seconds)] += 1
        history.total += seconds
        if self.events.is_heard:
            self._tell(changed=not self.in_flight or bool(before))

    def left(self, at: float | None = None) -> None:
        """Note a request that ended early and says nothing about its health; `at` as in `took`."""
        self.in_flight -= 1
        self.given_up += 1
        if self.is_troubled and self.breaker.ends_trial(at):
            self.changes.health += 1
        if self.events.is_heard:
            self._tell(changed=not self.in_flight)

    def broke(self, reason: str, now: float, *, retry_after: float | None = None) -> None:
        """Note a request that it failed; set it aside for a while."""
        self.in_flight -= 1
        self.failed += 1
        self.history.failures += 1
        self.error = reason
        was_asked = self.breaker.look(now) is not State.OPEN
        pause = self.breaker.failed(now, retry_after)
        self.is_troubled = True
        if was_asked:
            self.changes.health += 1
            self.tell_trouble(self)
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

    def _is_well(self, at: float) -> bool:
        """Forget the trouble that a success ends; say whether it says more than the last failure.

        `at` is when it took the request that has ended.
        """
        changed = self.breaker.succeeded(at) or self.is_offline
        self.is_offline = False
        self.is_troubled = self.breaker.is_troubled
        if changed:
            self.changes.health += 1
        return at > self.breaker.failed_at

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

    def found(self, error: str, before: str, served: int = -1) -> None:
        """Note what a look at it found: an error, or none.

        Before the look it had the error `before`, and had served so many.
        """
        now, looks = self.now(), self.looks
        looks.at = now
        if served not in (-1, self.served):
            # It answered a request while we looked: it is there, and has too much to do.
            error = ""
        looks.failed = looks.failed + 1 if error else 0
        if not error:
            looks.heard = now
        if self.is_offline != bool(error):
            self.is_offline = not self.is_offline
            self.is_troubled = self.is_offline or self.breaker.is_troubled
            self.changes.health += 1
        if not error and self.is_troubled and self.breaker.heals(now):
            self.is_troubled = False
            self.changes.health += 1
        # A request that failed while we looked knows better than a look that went well.
        if error or self.error == before:
            self.error = error
        if error and error != before and not self._is_logged:
            self._is_logged = True
            logger.warning("backend %s can't be asked: %s", self.name, error)
        elif self._is_logged and not self.error and not self.breaker.failures:
            self._log_recovery()
        if self.error != before and self.events.is_heard:
            self.events.publish(Topic.BACKEND, self.state())

    def was_busy(self) -> None:
        """Note that it had no room for a look at it: what was known of it still holds."""
        looks = self.looks
        looks.at = self.now()
        if looks.heard is None:
            # Nothing is known yet: it is asked again soon.
            looks.failed += 1
        elif not self.is_offline:
            looks.heard = looks.at

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
            status=self.status,
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
