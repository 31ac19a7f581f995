"""What happens on the node, as server-sent events."""

import re
from collections.abc import Sequence
from itertools import count

import msgspec
from starlette.routing import Route

from inferd.core.errors import PermissionDenied
from inferd.core.request import Action
from inferd.frontends._http.alongside import alongside
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.vitals import vitals
from inferd.frontends.events.description import PATHS, schemas
from inferd.gateway.events import BackendEvent, Event, InferenceEvent, Subscription, Topic
from inferd.wire import sse

HEADERS: Sequence[tuple[str, str]] = (
    ("Content-Type", "text/event-stream"),
    ("X-Accel-Buffering", "no"),
)
_USUAL = (Topic.INFERENCE, Topic.BACKEND, Topic.STATUS)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_REQUESTS = 64
_RETRY_MS = 2000
_TICK = 5.0
_STATUS_TICKS = 2
_HEARTBEAT_TICKS = 3
_MOST_TICKS = 720
"""An hour: then the caller comes again, and shows its credential again."""


def frontend(context: Context) -> Frontend:
    """Return GET /events."""
    return Frontend(routes=routes(context), paths=PATHS, schemas=schemas())


def routes(context: Context) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    return [resource(context, "/events", {"GET": events, "HEAD": head})]


async def head(exchange: Exchange) -> None:
    """Say what GET would answer."""
    _topics(exchange)
    await exchange.begin(200, HEADERS)
    await exchange.finish()


async def events(exchange: Exchange) -> None:
    """Tell what happens until the caller leaves or the node stops."""
    topics, requests = _topics(exchange), _requests(exchange)
    # With the body read, the caller's leaving ends this at once.
    await exchange.body()
    gateway = exchange.context.gateway
    with gateway.listen(exchange.principal, topics, requests=requests) as subscription:
        # To leave is how a listener ends: the access log needn't call it a failure.
        exchange.visit.reached_gateway = True
        await exchange.begin(200, HEADERS)
        await exchange.more(_opening(exchange, topics))
        async with alongside(_tick(exchange, subscription)):
            await _relay(exchange, subscription)
    await exchange.finish()


async def _relay(exchange: Exchange, subscription: Subscription) -> None:
    dropped = 0
    async for number, event in subscription:
        if subscription.dropped != dropped:
            lost, dropped = subscription.dropped - dropped, subscription.dropped
            await exchange.more(_encode("dropped", {"dropped": lost}))
        await exchange.more(_encode(_topic_of(event), event, number))


async def _tick(exchange: Exchange, subscription: Subscription) -> None:
    """Say that the line is alive, and how the node stands."""
    for tick in count(1):
        await exchange.context.clock.sleep(_TICK)
        if tick >= _MOST_TICKS:
            subscription.end()
            return
        if tick % _HEARTBEAT_TICKS == 0:
            await exchange.more(b": still here\n\n")
        if tick % _STATUS_TICKS == 0 and Topic.STATUS in subscription.topics:
            await exchange.more(_status(exchange))


def _opening(exchange: Exchange, topics: Sequence[Topic]) -> bytes:
    """Return what a listener is told first: how everything stands."""
    told = b"retry: %d\n\n" % _RETRY_MS
    if Topic.STATUS in topics:
        told += _status(exchange)
    if Topic.BACKEND in topics:
        states = exchange.context.gateway.backends(exchange.principal)
        told += b"".join(_encode(Topic.BACKEND, state) for state in states)
    return told


def _status(exchange: Exchange) -> bytes:
    return _encode(Topic.STATUS, vitals(exchange.context, exchange.principal))


def _encode(name: str, value: object, number: int | None = None) -> bytes:
    identity = "" if number is None else str(number)
    return sse.encode(msgspec.json.encode(value), event=name, id=identity)


def _topic_of(event: Event) -> Topic:
    match event:
        case InferenceEvent():
            return Topic.INFERENCE
        case BackendEvent():
            return Topic.BACKEND
        case _:
            return Topic.QUEUE


def _topics(exchange: Exchange) -> tuple[Topic, ...]:
    text = exchange.query.get("topics")
    if text is None:
        return _allowed(exchange)
    names = dict.fromkeys(name.strip() for name in text.split(","))
    known = [topic.value for topic in Topic]
    if not set(names) <= set(known):
        wrong = ", ".join(name for name in names if name not in known)
        raise HttpRefusal(
            422,
            f"there is no topic called {wrong[:100] or 'nothing'}",
            hint=f"topics are some of {', '.join(known)}",
            details={"param": "topics"},
        )
    return tuple(Topic(name) for name in names)


def _allowed(exchange: Exchange) -> tuple[Topic, ...]:
    try:
        exchange.context.gateway.authorize(exchange.principal, Action.LIST)
    except PermissionDenied:
        return (Topic.INFERENCE,)
    return _USUAL


def _requests(exchange: Exchange) -> frozenset[str]:
    text = exchange.query.get("requests", "")
    ids = frozenset(name for name in (part.strip() for part in text.split(",")) if name)
    if len(ids) > _MOST_REQUESTS or not all(_REQUEST_ID.fullmatch(name) for name in ids):
        raise HttpRefusal(
            422,
            f"requests must be request ids, {_MOST_REQUESTS} at most",
            hint="up to 64 letters, digits, dots, dashes or underscores each, with commas between",
            details={"param": "requests"},
        )
    return ids
