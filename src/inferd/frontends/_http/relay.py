"""From the gateway's answer to HTTP: whole, as events, or bytes untouched.

Failures escape the call, so that a cut stream isn't booked as a success. Before the first byte
they become a status; after it an event, and a connection that ends without a clean end.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from inferd.core.answer import Answer, collect
from inferd.core.errors import BackendFailed, NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Result
from inferd.frontends._http.errors import Unexpected
from inferd.frontends._http.exchange import Exchange, is_stopping, node_stopping

Headers = list[tuple[str, str]]

_MOST_WARNINGS = 16
_LONGEST_WARNING = 500
_LAST_WORDS = 0.5
_FRAMING = frozenset({b"connection", b"content-length", b"content-type", b"transfer-encoding"})
_EVENTS: Headers = [("Content-Type", "text/event-stream"), ("X-Accel-Buffering", "no")]


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
    gateway = exchange.context.gateway
    exchange.visit.reached_gateway = True
    async with gateway.infer(request, exchange.principal) as answer:
        headers = _provenance(answer)
        model = answer.served.model or request.model
        if request.raw is not None and answer.wire == request.raw.wire:
            await _relay_raw(exchange, request, answer, voice, headers)
        elif request.stream and (events := voice.events(model)) is not None:
            headers += _model(model) + _EVENTS
            await _stream(exchange, answer, events.encode, 200, headers, events)
        else:
            result = await collect(answer)
            whole = voice.whole(result)
            headers += _model(result.finish.model or model)
            await exchange.reply(
                whole.body, content_type=whole.content_type, headers=[*headers, *whole.headers]
            )


async def _relay_raw(
    exchange: Exchange, request: InferenceRequest, answer: Answer, voice: Voice, headers: Headers
) -> None:
    content_type = answer.content_type or "application/json"
    model = answer.served.model or request.model
    headers += _model(model)
    headers += [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in answer.headers
        if name.lower() not in _FRAMING
    ]
    if answer.whole is not None:
        await exchange.reply(
            answer.whole, content_type=content_type, status=answer.status, headers=headers
        )
        return
    headers.append(("Content-Type", content_type))
    events = voice.events(model) if content_type.startswith("text/event-stream") else None
    await _stream(exchange, answer, _untouched, answer.status, headers, events)


def _untouched(chunk: Chunk) -> bytes:
    if not isinstance(chunk, bytes):
        raise BackendFailed("a raw answer held a chunk that isn't bytes")
    return chunk


async def _stream(
    exchange: Exchange,
    answer: Answer,
    encode: Callable[[Chunk], bytes],
    status: int,
    headers: Headers,
    events: Events | None,
) -> None:
    first = await anext(answer, None)
    if first is None:
        raise BackendFailed("the answer was empty")
    sent = encode(first)
    await exchange.begin(status, headers)
    try:
        await exchange.more(sent)
        async for chunk in answer:
            if data := encode(chunk):
                await exchange.more(data)
                sent = data
        if answer.finish is None and not answer.wire:
            raise BackendFailed("the answer ended without saying that it was complete")
    except (Exception, asyncio.CancelledError) as error:
        if events is not None and (told := _told(error)) is not None:
            # A half event, if one was passed on, must not swallow this one.
            gap = b"" if sent.endswith(b"\n") else b"\n\n"
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await exchange.more(gap + events.error(told, exchange.request_id))
        raise
    await exchange.finish(events.end if events is not None and not answer.wire else b"")


def _told(error: Exception | asyncio.CancelledError) -> NodeError | None:
    """Return what the caller is to know; nothing, if it has left."""
    if isinstance(error, asyncio.CancelledError):
        return node_stopping() if is_stopping(error) else None
    return error if isinstance(error, NodeError) else Unexpected()


def _provenance(answer: Answer) -> Headers:
    """Say who answered, who saw the words, and what went otherwise than asked."""
    served = answer.served
    said = [
        ("X-Inference-Source", served.source),
        ("X-Inference-Backend", served.backend),
        ("X-Inference-Node", served.node),
        ("X-Inference-Nodes", ",".join(served.nodes)),
        ("X-Inference-Seen-By", ",".join(served.seen)),
    ]
    warnings = [("X-Inference-Warning", text[:_LONGEST_WARNING]) for text in served.warnings]
    return [(name, value) for name, value in said if value] + warnings[:_MOST_WARNINGS]


def _model(name: str) -> Headers:
    return [("X-Inference-Model", name)] if name else []
