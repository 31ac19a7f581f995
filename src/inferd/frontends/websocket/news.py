"""What happens on the node, told to a WebSocket that subscribed to it."""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack

from inferd.core.errors import InvalidRequest
from inferd.core.request import Action, Principal
from inferd.frontends._http.context import Context
from inferd.frontends._http.vitals import vitals
from inferd.frontends.websocket.line import Line
from inferd.gateway.events import BackendEvent, Event, InferenceEvent, Subscription, Topic
from inferd.wire.ws_messages import Dropped, Happened, Subscribed, Unsubscribed, Wrong

Begin = Callable[[Coroutine[object, object, None]], None]

_MOST_LOST = 1024
"""Events that a subscriber may lose before it is told of no more."""


class News:
    """One WebSocket's subscription, whatever its topics are at the moment."""

    def __init__(self, context: Context, principal: Principal, line: Line, begin: Begin) -> None:
        """`begin` has something done while the WebSocket is open."""
        self._context = context
        self._principal = principal
        self._line = line
        self._begin = begin
        self._subscription: Subscription | None = None
        self._held = ExitStack()

    @property
    def topics(self) -> frozenset[Topic]:
        """What is told of now."""
        return frozenset() if self._subscription is None else self._subscription.topics

    async def subscribe(self, names: Sequence[str]) -> None:
        """Tell of these topics too, and first how everything stands.

        Raises:
            InvalidRequest: One of them isn't a topic.
            PermissionDenied: The caller may not know of it.
            RateLimited: It listens in too many places.
            BackendUnavailable: The node is stopping.
        """
        asked = _topics(names)
        gateway = self._context.gateway
        if asked - {Topic.INFERENCE}:
            gateway.authorize(self._principal, Action.LIST)
        if self._subscription is None:
            self._subscription = self._held.enter_context(gateway.listen(self._principal, asked))
            self._begin(self._relay(self._subscription))
        else:
            gateway.pool.events.move(self._subscription, self.topics | asked)
        await self._line.say(Subscribed(topics=names, timestamp=self._now()))
        if Topic.STATUS in asked:
            await self.tell_status()
        if Topic.BACKEND in asked:
            for state in gateway.backends(self._principal):
                await self._tell(Topic.BACKEND, state)

    async def unsubscribe(self, names: Sequence[str] | None) -> None:
        """Tell of these topics no more; None is all of them.

        Raises:
            InvalidRequest: One of them isn't a topic.
        """
        gone = frozenset(Topic) if names is None else _topics(names)
        told = sorted(self.topics) if names is None else names
        if self._subscription is not None:
            self._context.gateway.pool.events.move(self._subscription, self.topics - gone)
        await self._line.say(Unsubscribed(topics=told, timestamp=self._now()))

    async def _relay(self, subscription: Subscription) -> None:
        """Tell what happens until the subscription ends."""
        dropped = 0
        async for _, event in subscription:
            if subscription.dropped != dropped:
                lost, dropped = subscription.dropped - dropped, subscription.dropped
                await self._line.say(Dropped(dropped=lost, timestamp=self._now()))
                if dropped > _MOST_LOST:
                    await self._give_up()
                    return
            topic = _topic_of(event)
            if topic in subscription.topics:
                await self._tell(topic, event)

    async def tell_status(self) -> None:
        """Tell how the node stands, if that is subscribed to."""
        if Topic.STATUS in self.topics:
            await self._tell(Topic.STATUS, vitals(self._context, self._principal))

    def end(self) -> None:
        """Let `_relay` come to its end."""
        if self._subscription is not None:
            self._subscription.end()

    def close(self) -> None:
        """Listen no more."""
        self._subscription = None
        self._held.close()

    async def _give_up(self) -> None:
        """Drop a subscriber that can't keep up."""
        topics = sorted(self.topics)
        self.close()
        await self._line.say(Unsubscribed(topics=topics, timestamp=self._now()))
        slow = "The subscription ended: this client reads too slowly. Subscribe to fewer topics"
        await self._line.say(Wrong(message=slow, timestamp=self._now()))

    async def _tell(self, topic: Topic, data: object) -> None:
        await self._line.say(Happened(topic=topic, data=data, timestamp=self._now()))

    def _now(self) -> float:
        return self._context.clock.wall()


def _topics(names: Sequence[str]) -> frozenset[Topic]:
    known = [topic.value for topic in Topic]
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None or not names:
        what = f"There is no topic called {wrong[:100]}" if wrong is not None else "No topics"
        raise InvalidRequest(what, hint=f"topics are some of {', '.join(known)}")
    return frozenset(Topic(name) for name in names)


def _topic_of(event: Event) -> Topic:
    match event:
        case InferenceEvent():
            return Topic.INFERENCE
        case BackendEvent():
            return Topic.BACKEND
        case _:
            return Topic.QUEUE
