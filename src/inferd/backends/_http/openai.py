"""OpenAI's wire, the asking end: a caller's own bytes where it speaks it too, else typed chunks."""

from collections.abc import Callable

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
    reading,
)
from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendFailed, BackendRefused
from inferd.core.request import InferenceRequest, Raw
from inferd.core.result import Chunk
from inferd.http1.client import Response
from inferd.wire import json, openai_chat, openai_embeddings
from inferd.wire.failures import failure
from inferd.wire.openai_stream_usage import UsageTaker, unasked_usage, without_usage


class OpenAIWire(msgspec.Struct, frozen=True, kw_only=True):
    """One of OpenAI's endpoints."""

    name: str
    path: str
    encode: Callable[[InferenceRequest], bytes]
    decode: Callable[[bytes], list[Chunk]]


CHAT = OpenAIWire(
    name=openai_chat.WIRE,
    path="/chat/completions",
    encode=openai_chat.encode_request,
    decode=openai_chat.decode_result,
)
EMBEDDINGS = OpenAIWire(
    name=openai_embeddings.WIRE,
    path="/embeddings",
    encode=openai_embeddings.encode_request,
    decode=openai_embeddings.decode_result,
)


class _Shape(msgspec.Struct):
    """What a good answer has; the rest is checked to be JSON and skipped."""

    choices: list[msgspec.Raw] | None = None
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw()


_shape = msgspec.json.Decoder(_Shape)


async def ask_openai(
    upstream: Upstream,
    request: InferenceRequest,
    wire: OpenAIWire,
    *,
    prefix: str = "",
    headers: Headers = (),
    served: Callable[[Response], Served] = lambda _: Served(),
) -> Answer:
    """Ask for `request.model`, which is the upstream's name for it.

    Raises:
        NodeError: It doesn't answer.
    """
    raw = request.raw if request.raw is not None and request.raw.wire == wire.name else None
    body, spare = _bodies(request, wire, raw, asks_usage=upstream.asks_usage)

    async def ask(body: bytes) -> Response:
        return await upstream.ask(
            "POST",
            prefix + wire.path,
            accept=EVENTS if request.stream else JSON,
            headers=[("content-type", JSON), *headers],
            body=body,
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
    with reading(response):
        check_content(response, "the upstream doesn't speak OpenAI's API")
        told = served(response)
        if response.header("content-type").lower().startswith(EVENTS):
            taker = UsageTaker() if spare is not None else None
            answer = _stream(response, wire, told, is_raw=raw is not None, taker=taker)
        else:
            whole = await response.read(MAX_BYTES)
            answer = _whole(response, whole, wire, told, is_raw=raw is not None)
            response.close()
    answer.sent_bytes = response.sent_bytes
    return answer


def _bodies(
    request: InferenceRequest, wire: OpenAIWire, raw: Raw | None, *, asks_usage: bool
) -> tuple[bytes, bytes | None]:
    """Return what to send, and what to send if it is refused for the usage that only we want."""
    is_stream = request.stream and wire is CHAT
    if raw is None:
        body = wire.encode(request)
        if not is_stream:
            return body, None
        plain = without_usage(body)
        return (body, plain) if asks_usage else (plain, None)
    plain = openai_chat.with_model(raw.body, request.model)
    wish = unasked_usage(plain) if is_stream and asks_usage else {}
    return (json.with_fields(plain, wish), plain) if wish else (plain, None)


def _stream(
    response: Response,
    wire: OpenAIWire,
    served: Served,
    *,
    is_raw: bool,
    taker: UsageTaker | None,
) -> Answer:
    if is_raw:
        return RawStream(response, wire=wire.name, served=served, taker=taker).answer
    chunks = typed_stream(response, openai_chat.StreamDecoder())
    return Answer(chunks, free=response.close, served=served)


def _whole(
    response: Response, body: bytes, wire: OpenAIWire, served: Served, *, is_raw: bool
) -> Answer:
    shape = json.peek(_shape, body)
    if shape is None or not (shape.choices or shape.data):
        # Some servers say 200 and mean failure.
        stated = json.attempt(body)
        if isinstance(stated, dict) and stated.get("error"):
            raise failure(500, body)
        raise BackendFailed("the upstream's answer isn't what OpenAI's API says")
    if not is_raw:
        return Answer(each(wire.decode(body)), served=served)
    answer = Answer(served=served)
    answer.wire = wire.name
    answer.whole = body
    answer.status = response.status
    answer.content_type = response.header("content-type")
    answer.usage = openai_chat.usage_of_field(bytes(shape.usage))
    return answer
