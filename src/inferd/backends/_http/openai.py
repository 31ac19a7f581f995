"""OpenAI's wire, the asking end: a caller's own bytes where it speaks it too, else typed chunks."""

from collections.abc import Callable
from functools import partial

import msgspec

from inferd.backends import each
from inferd.backends._http.streams import RawStream, typed_stream
from inferd.backends._http.upstream import (
    EVENTS,
    JSON,
    MAX_BYTES,
    Headers,
    Upstream,
    check_content,
    is_stream,
    lines_of,
    marks_of,
)
from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendFailed, BackendRefused, NodeError, UnsupportedTask
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import NO_USAGE, Chunk, Usage
from inferd.http1.client import Response
from inferd.wire import json, openai_chat, openai_embeddings
from inferd.wire.failures import failure
from inferd.wire.openai_raw import with_model, with_usage
from inferd.wire.openai_stream_usage import without_usage


class OpenAIWire(msgspec.Struct, frozen=True, kw_only=True):
    """One of OpenAI's endpoints. Without `encode` and `decode` it only passes bytes on."""

    name: str
    path: str
    streams: bool = True
    encode: Callable[[InferenceRequest], bytes] | None = None
    decode: Callable[[bytes], list[Chunk]] | None = None


CHAT = OpenAIWire(
    name=openai_chat.WIRE,
    path="/chat/completions",
    encode=openai_chat.encode_request,
    decode=openai_chat.decode_result,
)
COMPLETIONS = OpenAIWire(name="openai.completions", path="/completions")
EMBEDDINGS = OpenAIWire(
    name=openai_embeddings.WIRE,
    path="/embeddings",
    streams=False,
    encode=openai_embeddings.encode_request,
    decode=openai_embeddings.decode_result,
)

_SERVED = Served()


class _Tokens(msgspec.Struct, gc=False):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Good(msgspec.Struct, gc=False):
    """What nearly every good answer has; the rest is checked to be JSON and skipped."""

    choices: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    usage: _Tokens | None = None


class _Shape(msgspec.Struct):
    """The same, where the usage is something else."""

    choices: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw()


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
    is_raw = raw is not None and raw.wire == wire.name
    streams = request.stream and wire.streams
    asks_usage = streams and upstream.asks_usage
    if raw is not None and is_raw:
        body, spare = _raw_bodies(raw, model, asks_usage=asks_usage)
    else:
        body, spare = _typed_bodies(request, wire, model, asks_usage=asks_usage)
    ask = partial(
        upstream.post,
        prefix + wire.path,
        accept=EVENTS if streams else JSON,
        more=marks_of(request) + lines_of(headers) if headers else marks_of(request),
        deadline=request.deadline,
    )
    try:
        response = await ask(body)
    except BackendRefused:
        if spare is None:
            raise
        response = await ask(spare)
        # What it had refused was our own wish, then.
        upstream.asks_usage = False
    try:
        check_content(response, "the upstream doesn't speak OpenAI's API")
        told = _SERVED if served is None else served(response)
        if is_stream(response.content_type):
            answer = _stream(response, wire, told, is_raw=is_raw, takes_usage=spare is not None)
        else:
            whole = await response.read(MAX_BYTES)
            answer = _whole(response, whole, wire, told, is_raw=is_raw)
            response.close()
    except BaseException as error:
        response.close()
        if isinstance(error, NodeError):
            error.sent_bytes = response.sent_bytes
        raise
    answer.sent_bytes = response.sent_bytes
    return answer


def _raw_bodies(raw: Raw, model: str, *, asks_usage: bool) -> tuple[bytes, bytes | None]:
    """Return what to send, and what to send if it is refused for the usage that only we want."""
    plain = raw.body if model and raw.model == model else with_model(raw.body, model)
    if not asks_usage or raw.wants_usage:
        return plain, None
    asking = with_usage(plain)
    return (plain, None) if asking is plain else (asking, plain)


def _typed_bodies(
    request: InferenceRequest, wire: OpenAIWire, model: str, *, asks_usage: bool
) -> tuple[bytes, bytes | None]:
    """The same, for a request that came in on another wire."""
    if wire.encode is None:
        raise UnsupportedTask(f"{request.task} isn't asked for on {wire.name} by other wires")
    body = wire.encode(msgspec.structs.replace(request, model=model))
    if not request.stream or not wire.streams:
        return body, None
    plain = without_usage(body)
    return (body, plain) if asks_usage else (plain, None)


def _stream(
    response: Response, wire: OpenAIWire, served: Served, *, is_raw: bool, takes_usage: bool
) -> Answer:
    if is_raw:
        stream = RawStream(response, wire=wire.name, served=served, takes_usage=takes_usage)
        return stream.answer
    chunks = typed_stream(response, openai_chat.StreamDecoder())
    return Answer(chunks, free=response.close, served=served)


def _whole(
    response: Response, body: bytes, wire: OpenAIWire, served: Served, *, is_raw: bool
) -> Answer:
    usage = _usage_of(body)
    if not is_raw and wire.decode is not None:
        return Answer(each(wire.decode(body)), served=served)
    answer = Answer(served=served)
    answer.wire = wire.name
    answer.whole = body
    answer.status = response.status
    answer.content_type = response.content_type
    answer.block = response.block
    answer.usage = usage
    return answer


def _usage_of(body: bytes) -> Usage:
    """Return what an answer says that it took.

    Raises:
        NodeError: It isn't an answer.
    """
    good = json.peek(_good, body)
    if good is not None and (good.choices or good.data):
        tokens = good.usage
        if tokens is None:
            return NO_USAGE
        if tokens.prompt_tokens >= 0 and tokens.completion_tokens >= 0:
            return Usage(input_tokens=tokens.prompt_tokens, output_tokens=tokens.completion_tokens)
    shape = json.peek(_shape, body)
    if shape is None or not (shape.choices or shape.data):
        # Some servers say 200 and mean failure.
        stated = json.attempt(body)
        if isinstance(stated, dict) and stated.get("error"):
            raise failure(500, body)
        raise BackendFailed("the upstream's answer isn't what OpenAI's API says")
    return openai_chat.usage_of_field(bytes(shape.usage))
