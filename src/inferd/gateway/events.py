"""What happens on the node, told to whoever listens: one bus for every way out.

It costs nothing while nobody does. A subscriber that falls behind loses the oldest events, and is
told how many.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum

import msgspec

from inferd.core.errors import BackendUnavailable, RateLimited

_MOST_WAITING = 256
_MOST_EACH = 16


class Topic(StrEnum):
    """What can be listened to."""

    INFERENCE = "inference"
    """Each stage of each request."""
    BACKEND = "backend"
    """A backend that became usable or not, busy or idle."""
    STATUS = "status"
    """The node in a few numbers. Whoever serves a subscriber makes these."""
    QUEUE = "queue"
    """How many requests a backend is at, whenever that changes."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What ended a request: an error's kind, or `aborted` where the caller left."""

    kind: str
    message: str
    hint: str = ""


class InferenceEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A request came to a stage. `seconds` are since it began; `ahead` is said while it waits."""

    request_id: str
    stage: str
    principal: str
    task: str
    model: str
    backend: str = ""
    source: str = ""
    tier: str = ""
    seconds: float = 0.0
    ahead: int | msgspec.UnsetType = msgspec.UNSET
    error: Failure | msgspec.UnsetType = msgspec.UNSET


class BackendEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A backend as it stands now. `reason` says why it can't be used, if it can't.

    `status` is one of core.backend's Status.
    """

    name: str
    tier: str
    source: str
    usable: bool
    reason: str
    in_flight: int
    status: str = ""


class QueueEvent(msgspec.Struct, frozen=True, kw_only=True):
    """How many requests a backend is at."""

    backend: str
    in_flight: int


Event = InferenceEvent | BackendEvent | QueueEvent
Wanted = Callable[[Event], Event | None]
"""Says what a subscriber gets of an event: it whole, a part of it, or nothing."""


class Subscription:
    """One listener's events, oldest first. Iterating ends when the bus closes."""

    def __init__(self, topics: Collection[Topic], wanted: Wanted, most: int) -> None:
        self.topics = frozenset(topics)
        self.dropped = 0
        """Events lost so far because it was behind."""
        self._wanted = wanted
        self._most = most
        self._waiting: deque[tuple[int, Event]] = deque()
        self._number = 0
        self._news = asyncio.Event()
        self._is_over = False

    def __repr__(self) -> str:
        topics = ", ".join(sorted(self.topics))
        return f"<Subscription {topics}: {len(self._waiting)} waiting, {self.dropped} dropped>"

    def add(self, event: Event) -> None:
        """Put an event behind those that wait, if it is wanted."""
        wanted = self._wanted(event)
        if wanted is None:
            return
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self.dropped += 1
        self._number += 1
        self._waiting.append((self._number, wanted))
        self._news.set()

    def end(self) -> None:
        """Let the listener have what waits, and no more."""
        self._is_over = True
        self._news.set()

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> tuple[int, Event]:
        """Return the next event and its number, from 1; a gap in them is what was dropped."""
        while not self._waiting:
            if self._is_over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()


class Events:
    """The bus. Used from one event loop; publishing never waits."""

    def __init__(self, *, most_waiting: int = _MOST_WAITING, most_each: int = _MOST_EACH) -> None:
        """`most_waiting` events are kept for a subscriber; `most_each` may one principal have."""
        self._most_waiting = most_waiting
        self._most_each = most_each
        self._subscriptions: Mapping[Topic, tuple[Subscription, ...]] = {}
        self._held: dict[str, int] = {}
        self._is_closed = False
        self.is_heard = False
        """Whether anybody listens to anything: looked at on every request."""

    def __repr__(self) -> str:
        return f"<Events {sum(self._held.values())} subscribers>"

    def hears(self, topic: Topic) -> bool:
        """Whether anybody listens: an event that nobody hears needn't be made."""
        return topic in self._subscriptions

    def publish(self, topic: Topic, event: Event) -> None:
        """Tell everybody who listens to the topic."""
        for subscription in self._subscriptions.get(topic, ()):
            subscription.add(event)

    @contextmanager
    def subscribe(
        self, principal: str, topics: Collection[Topic], wanted: Wanted
    ) -> Generator[Subscription]:
        """Lend a subscription; leaving ends it at once.

        Raises:
            RateLimited: The principal has as many as it may.
            BackendUnavailable: The node is stopping.
        """
        if self._is_closed:
            raise BackendUnavailable(
                "the node is stopping", hint="try again, or another node", retry_after=1
            )
        held = self._held.get(principal, 0)
        if held >= self._most_each:
            raise RateLimited(
                f"{principal} listens in {held} places already, the most it may",
                hint="close a tab or a client that listens to this node's events",
                retry_after=5.0,
            )
        subscription = Subscription(topics, wanted, self._most_waiting)
        self._held[principal] = held + 1
        self._change(subscription, joins=True)
        try:
            yield subscription
        finally:
            self._change(subscription, joins=False)
            self._held[principal] -= 1
            if not self._held[principal]:
                del self._held[principal]

    def move(self, subscription: Subscription, topics: Collection[Topic]) -> None:
        """Have a subscription that is open tell of other topics from now on."""
        subscription.topics = frozenset(topics)
        self._change(subscription, joins=True)

    def close(self) -> None:
        """End every subscription, and take no more: the node stops."""
        self._is_closed = True
        for subscription in {each for group in self._subscriptions.values() for each in group}:
            subscription.end()

    def _change(self, subscription: Subscription, *, joins: bool) -> None:
        # Replaced whole, so that whoever is publishing isn't disturbed.
        found: dict[Topic, tuple[Subscription, ...]] = {}
        for topic in Topic:
            group = tuple(
                each for each in self._subscriptions.get(topic, ()) if each is not subscription
            )
            if joins and topic in subscription.topics:
                group = (*group, subscription)
            if group:
                found[topic] = group
        self._subscriptions = found
        self.is_heard = bool(found)
