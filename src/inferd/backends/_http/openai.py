"""OpenAI's wire, the asking end: a caller's own bytes where it speaks it too, else typed chunks."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated

import msgspec

from inferd.backends import each
from inferd.backends._http.decoding import JSON_BYTES, decoded
from inferd.backends._http.streams import Decoder, RawStream, typed_stream
from inferd.backends._http.upstream import (
    EVENTS,
    JSON,
    MAX_BYTES,
    Headers,
    Kind,
    Upstream,
    kind_of,
    lines_of,
    marks_of,
    page,
)
from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendFailed, BackendRefused, NodeError, UnsupportedTask
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import NO_USAGE, Chunk, Usage
from inferd.http1.client import Head, Response
from inferd.wire import json, openai_chat, openai_embeddings, openai_text, openai_text_client
from inferd.wire.failures import Told
from inferd.wire.openai_peek import ROUTING, has_routing
from inferd.wire.openai_raw import with_model
from inferd.wire.openai_stream_usage import with_usage, without_usage


class OpenAIWire(msgspec.Struct, frozen=True, kw_only=True):
    """One of OpenAI's endpoints. Without `encode` and `decode` it only passes bytes on."""

    name: str
    path: str
    streams: bool = True
    encode: Callable[[InferenceRequest], bytes] | None = None
    decode: Callable[[bytes], list[Chunk]] | None = None
    decoder: Callable[[Told], Decoder] = openai_chat.StreamDecoder


CHAT = OpenAIWire(
    name=openai_chat.WIRE,
    path="/chat/completions",
    encode=openai_chat.encode_request,
    decode=openai_chat.decode_result,
)
COMPLETIONS = OpenAIWire(
    name=openai_text.WIRE,
    path="/completions",
    encode=openai_text_client.encode_request,
    decode=openai_text_client.decode_result,
    decoder=openai_text_client.StreamDecoder,
)
EMBEDDINGS = OpenAIWire(
    name=openai_embeddings.WIRE,
    path="/embeddings",
    streams=False,
    encode=openai_embeddings.encode_request,
    decode=openai_embeddings.decode_result,
)

_SERVED = Served()
_NO_ANSWER = "the upstream's answer isn't what OpenAI's API says"
_OUR_WISH = "stream_options"
_MAY_BE_OURS = frozenset({400, 422})
"""Statuses of a server that doesn't know a field."""

_LOOKED_THROUGH = 16 << 20
"""Longer answers, vectors all of them, are passed on by what their ends say."""

_LIST = ord("[")
_SHORT = 64

_Count = Annotated[int, msgspec.Meta(ge=0, le=json.MOST_COUNTED)]


class _Tokens(msgspec.Struct, gc=False):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0


class _Good(msgspec.Struct, gc=False):
    """What nearly every good answer has; the rest is checked to be JSON and skipped."""

    choices: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    usage: _Tokens | None = None


class _Shape(msgspec.Struct):
    """The same, where the usage is something else."""

    choices: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()


_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_good = msgspec.json.Decoder(_Good)
_shape = msgspec.json.Decoder(_Shape)


async def ask_openai(
    upstream: Upstream,
    request: InferenceRequest,
    wire: OpenAIWire,
    *,
    model: str | None = None,
    prefix: str = "",
    headers: Headers = (),
    served: Callable[[Response], Served] | None = None,
) -> Answer:
    """Ask for `model`, the upstream's name for it; without one, `request.model`.

    Raises:
        NodeError: It doesn't answer.
    """
    if model is None:
        model = request.model
    raw = request.raw
    if raw is not None and raw.wire != wire.name:
        raw = None
    streams = request.stream and wire.streams
    body, spare = _bodies(upstream, request, raw, wire, model)
    path = prefix + wire.path if prefix else wire.path
    more = marks_of(request)
    if headers:
        more += lines_of(headers)
    response = await upstream.post(path, EVENTS if streams else JSON, body, more, request.deadline)
    if not 200 <= response.status < 300:
        again = partial(upstream.post, path, EVENTS, spare or b"", more, request.deadline)
        response = await _again(upstream, response, again if spare else None)
        # What it had refused was our own wish, then.
        upstream.usage_question.refused(model)
    try:
        told = _SERVED if served is None else served(response)
        kind = kind_of(response.head.content_type)
        if kind is Kind.STREAM:
            answer = _stream(upstream, response, wire, told, raw, spare is not None)
        elif kind is Kind.PAGE:
            raise page("the upstream doesn't speak OpenAI's API")
        elif raw is None:
            answer = await _typed(upstream, response, wire, told)
        else:
            whole = response.whole() or await response.read(MAX_BYTES)
            answer = _whole(upstream, whole, wire, told, response.head)
            response.close()
    except BaseException as error:
        response.close()
        if isinstance(error, NodeError):
            error.sent_bytes = response.sent_bytes
        raise
    answer.sent_bytes = response.sent_bytes
    return answer


async def _again(
    upstream: Upstream, response: Response, again: Callable[[], Awaitable[Response]] | None
) -> Response:
    """Ask once more, without what only we wished for, where that may be what was refused.

    Raises:
        NodeError: It was something else.
    """
    try:
        await upstream.refused(response)
    except BackendRefused as refusal:
        about = str(refusal.details.get("param", _OUR_WISH))
        is_ours = response.status in _MAY_BE_OURS and about.startswith(_OUR_WISH)
        if again is None or not is_ours:
            raise
    sent_bytes = response.sent_bytes
    try:
        response = await again()
    except NodeError as error:
        error.sent_bytes += sent_bytes
        raise
    response.sent_bytes += sent_bytes
    if not 200 <= response.status < 300:
        await upstream.refused(response)
    return response


def _bodies(
    upstream: Upstream, request: InferenceRequest, raw: Raw | None, wire: OpenAIWire, model: str
) -> tuple[bytes, bytes | None]:
    """Return what to send, and what to send if it is refused for the usage that only we want."""
    streams = request.stream and wire.streams
    if raw is not None:
        plain = raw.body if model and raw.model == model else with_model(raw.body, model)
        if raw.has_routing and not upstream.passes_routing:
            plain = json.without_fields(plain, ROUTING)
        if not streams or raw.wants_usage or not upstream.usage_question.suits(model):
            return plain, None
        body = with_usage(plain)
        return body, None if body is plain else plain
    if wire.encode is None:
        raise UnsupportedTask(f"{request.task} isn't asked for on {wire.name} by other wires")
    body = wire.encode(msgspec.structs.replace(request, model=model))
    if not upstream.passes_routing and has_routing(request.parameters):
        body = json.without_fields(body, ROUTING)
    if not streams:
        return body, None
    plain = without_usage(body)
    return (body, plain) if upstream.usage_question.suits(model) else (plain, None)


def _stream(
    upstream: Upstream,
    response: Response,
    wire: OpenAIWire,
    served: Served,
    raw: Raw | None,
    takes_usage: bool,
) -> Answer:
    if raw is not None:
        return RawStream(
            response,
            wire=wire.name,
            served=served,
            takes_usage=takes_usage,
            told=upstream.told,
            hide=upstream.hide,
        ).answer
    return typed_stream(response, wire.decoder(upstream.told), served=served)


async def _typed(
    upstream: Upstream, response: Response, wire: OpenAIWire, served: Served
) -> Answer:
    body = await response.read(JSON_BYTES)
    response.close()
    chunks = await decoded(partial(_chunks, upstream, wire, body), len(body))
    return Answer(each(chunks), served=served)


def _chunks(upstream: Upstream, wire: OpenAIWire, body: bytes) -> list[Chunk]:
    assert wire.decode is not None  # or it couldn't have been asked
    _usage(upstream, body)
    return wire.decode(body)


def _whole(upstream: Upstream, body: bytes, wire: OpenAIWire, served: Served, head: Head) -> Answer:
    answer = Answer(served=served)
    answer.wire = wire.name
    answer.whole = body
    answer.usage = _usage(upstream, body)
    answer.status = head.status
    answer.content_type = head.content_type
    answer.block = head.block
    return answer


def _usage(upstream: Upstream, body: bytes) -> Usage:
    """Return what an answer took.

    Raises:
        NodeError: It isn't an answer.
    """
    if len(body) > _LOOKED_THROUGH:
        if not openai_chat.looks_like_answer(body):
            raise BackendFailed(_NO_ANSWER)
        return openai_chat.usage_at_end(body)
    try:
        good = _good.decode(body)
    except _MALFORMED:
        good = _Good()
    tokens = good.usage
    if not _holds(good.choices) and not _holds(good.data):
        return _odd_usage(upstream, body)
    if tokens is None:
        return NO_USAGE
    return Usage(input_tokens=tokens.prompt_tokens, output_tokens=tokens.completion_tokens)


def _holds(values: msgspec.Raw) -> bool:
    """Whether it is a list with something in it; nothing of that is read."""
    text = memoryview(values)
    if not text or text[0] != _LIST:
        return False
    return len(text) > _SHORT or bool(bytes(text)[1:-1].strip())


def _odd_usage(upstream: Upstream, body: bytes) -> Usage:
    """Return the usage of an answer whose usage isn't what OpenAI's is.

    Raises:
        NodeError: It isn't an answer at all.
    """
    shape = json.peek(_shape, body)
    if shape is None or not (_holds(shape.choices) or _holds(shape.data)):
        # Some servers say 200 and mean failure.
        stated = json.attempt(body)
        if isinstance(stated, dict) and stated.get("error"):
            raise upstream.told(500, body)
        raise BackendFailed(_NO_ANSWER)
    return openai_chat.usage_of_field(bytes(shape.usage))
