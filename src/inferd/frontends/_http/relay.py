"""From the gateway's answer to HTTP: whole, as events, or bytes untouched.

Failures escape the call, so that a cut stream isn't booked as a success. Before the first byte
they become a status; after it an event, and a connection that ends without a clean end.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from inferd.core.answer import Answer, Served, collect
from inferd.core.errors import BackendFailed, CallerLeft, NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Result
from inferd.core.stopping import is_stopping
from inferd.frontends._http.errors import Unexpected
from inferd.frontends._http.exchange import (
    Exchange,
    header_lines,
    node_stopping,
    raw_chunk,
)
from inferd.gateway.explanation import route_words
from inferd.wire import continued

_MOST_WARNINGS = 16
_LONGEST_WARNING = 500
_LAST_WORDS = 0.5
_AT_ONCE = b"x-accel-buffering: no\r\n"
"""Tells nginx, where it stands in front, to hold nothing back."""
_EVENTS = b"content-type: text/event-stream\r\n" + _AT_ONCE
_GAP = b"\n\n"
_MOST_KEPT = 256


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer in one API's shape."""

    body: bytes
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()


class Events(Protocol):
    """How one API writes a stream."""

    def encode(self, chunk: Chunk) -> bytes:
        """Return the bytes of `chunk`; none, if this API doesn't tell of it."""
        ...

    def error(self, error: NodeError, request_id: str) -> bytes:
        """Return the bytes that tell of a failure."""
        ...

    @property
    def end(self) -> bytes:
        """What says that nothing is missing."""
        ...


class Voice(Protocol):
    """How one API tells of one request's answer."""

    def whole(self, result: Result) -> Whole:
        """Return the whole answer."""
        ...

    def events(self, model: str) -> Events | None:
        """Return a new stream's writer for what `model` says, or None where nothing streams."""
        ...


async def relay(exchange: Exchange, request: InferenceRequest, voice: Voice) -> None:
    """Ask the gateway, and answer the exchange.

    Raises:
        NodeError: Whatever stopped it. If the response has begun, the caller has been told.
    """
    exchange.enters_gateway()
    why = _route(exchange, request) if request.explain else b""
    async with exchange.context.gateway.infer(request, exchange.principal) as answer:
        served = answer.served
        model = served.model or request.model
        if request.raw is not None and answer.wire == request.raw.wire:
            if answer.whole is not None:
                said = _said(answer.served, model, request) + why
                block = answer.block or _type_line(answer.content_type)
                await exchange.reply_with(answer.status, said, block, answer.whole)
            else:
                await _pass_on(exchange, answer, request, voice, model, why)
        elif request.stream and (events := voice.events(model)) is not None:
            await _tell(exchange, answer, request, events, model, why)
        else:
            result = await collect(answer)
            whole = voice.whole(result)
            said = _said(served, result.finish.model or model, request) + why
            block = header_lines([("content-type", whole.content_type), *whole.headers])
            await exchange.reply_with(200, said, block, whole.body)


async def _pass_on(
    exchange: Exchange,
    answer: Answer,
    request: InferenceRequest,
    voice: Voice,
    model: str,
    why: bytes,
) -> None:
    """Pass a stream of the caller's own wire on."""
    first = await anext(answer, None)
    if first is None:
        raise _nothing_came()
    # Until now somebody else may have come to answer.
    block = (answer.block or _type_line(answer.content_type)) + _AT_ONCE
    said = _said(answer.served, model, request) + why
    await exchange.begin_with(answer.status, said, block)
    try:
        await exchange.more(raw_chunk(first))
        await exchange.pour(answer)
    except (Exception, asyncio.CancelledError) as error:
        is_stream = answer.content_type.startswith("text/event-stream")
        if is_stream and not answer.told_failure:
            # Half an event, if one was passed on, must not swallow this one.
            await _say_last(exchange, voice.events(model), error, _GAP)
        raise
    await exchange.finish()


async def _tell(
    exchange: Exchange,
    answer: Answer,
    request: InferenceRequest,
    events: Events,
    model: str,
    why: bytes,
) -> None:
    """Tell of typed chunks as they come."""
    first = await anext(answer, None)
    if first is None:
        raise _nothing_came()
    sent = events.encode(first)
    said = _said(answer.served, model, request) + why
    await exchange.begin_with(200, said, _EVENTS)
    try:
        await exchange.more(sent)
        async for chunk in answer:
            if data := events.encode(chunk):
                await exchange.more(data)
        if answer.finish is None:
            raise BackendFailed("the answer ended without saying that it was complete")
    except (Exception, asyncio.CancelledError) as error:
        await _say_last(exchange, events, error)
        raise
    await exchange.finish(events.end)


def _nothing_came() -> BackendFailed:
    return BackendFailed("the answer was empty")


async def _say_last(
    exchange: Exchange,
    events: Events | None,
    error: Exception | asyncio.CancelledError,
    gap: bytes = b"",
) -> None:
    """Tell of a failure within a stream, if anybody is left to hear it."""
    told = _told(error)
    if events is not None and told is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await exchange.more(gap + events.error(told, exchange.request_id))


def _told(error: Exception | asyncio.CancelledError) -> NodeError | None:
    """Return what the caller is to know; nothing, if it has left."""
    if isinstance(error, asyncio.CancelledError):
        return node_stopping() if is_stopping(error) else None
    if isinstance(error, CallerLeft):
        return None
    return error if isinstance(error, NodeError) else Unexpected()


def _route(exchange: Exchange, request: InferenceRequest) -> bytes:
    """Return the header that says why the request goes where it goes, to who asked for that."""
    words = route_words(exchange.context.gateway.explain(request, exchange.principal))
    return header_lines([("x-inference-route", words)])


def _said(served: Served, model: str, request: InferenceRequest) -> bytes:
    """Return what is said of an answer: whose it is, and whether it is the rest of another's."""
    said = provenance(served, model)
    if request.continued:
        said += header_lines([(continued.HEADER, continued.said_of(request.continued))])
    return said


_kept: dict[tuple[int, str], tuple[Served, bytes]] = {}


def provenance(served: Served, model: str) -> bytes:
    """Return the header lines that say who answered, who saw the words, and what went wrong.

    The gateway has one Served for each of its targets: what it says is written once.
    """
    key = (id(served), model)
    kept = _kept.get(key)
    if kept is not None and kept[0] is served:
        return kept[1]
    said = [
        ("x-inference-source", served.source),
        ("x-inference-backend", served.backend),
        ("x-inference-node", served.node),
        ("x-inference-nodes", ",".join(served.nodes)),
        ("x-inference-seen-by", ",".join(served.seen)),
        ("x-inference-model", model),
        ("x-inference-cache", "" if served.age is None else f"hit; age={served.age:.0f}"),
    ]
    warnings = [("x-inference-warning", text[:_LONGEST_WARNING]) for text in served.warnings]
    block = header_lines([pair for pair in said if pair[1]] + warnings[:_MOST_WARNINGS])
    if not warnings and served.age is None:
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[key] = (served, block)
    return block


def _type_line(content_type: str) -> bytes:
    return header_lines([("content-type", content_type or "application/json")])
