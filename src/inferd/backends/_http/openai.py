"""OpenAI's wire, the asking end: a caller's own bytes where it speaks it too, else typed chunks."""

from collections.abc import AsyncIterator, Callable, Iterable

import msgspec

from inferd.backends._http.streams import RawStream, typed_stream
from inferd.backends._http.upstream import MAX_BYTES, Headers, Upstream, check_content
from inferd.core.answer import Answer, Served
from inferd.core.errors import BackendFailed
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk
from inferd.http1.response import Response
from inferd.wire import json, openai_chat, openai_embeddings
from inferd.wire.failures import failure

_EVENTS = "text/event-stream"


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
    body = openai_chat.with_model(raw.body, request.model) if raw else wire.encode(request)
    response = await upstream.ask(
        "POST",
        prefix + wire.path,
        accept=_EVENTS if request.stream else "application/json",
        headers=[("content-type", "application/json"), *headers],
        body=body,
        deadline=request.deadline,
    )
    try:
        check_content(response, "the upstream doesn't speak OpenAI's API")
        told = served(response)
        if response.header("content-type").lower().startswith(_EVENTS):
            return _stream(response, wire, told, is_raw=raw is not None)
        whole = await response.read(MAX_BYTES)
    except BaseException:
        response.close()
        raise
    response.close()
    return _whole(response, whole, wire, told, is_raw=raw is not None)


def _stream(response: Response, wire: OpenAIWire, served: Served, *, is_raw: bool) -> Answer:
    if is_raw:
        return RawStream(response, wire=wire.name, served=served).answer
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
        return Answer(_each(wire.decode(body)), served=served)
    answer = Answer(served=served)
    answer.wire = wire.name
    answer.whole = body
    answer.status = response.status
    answer.content_type = response.header("content-type")
    answer.usage = openai_chat.usage_of(body)
    return answer


async def _each(chunks: Iterable[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk
