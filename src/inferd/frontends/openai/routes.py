"""OpenAI's API, for its SDKs and everything that speaks like them."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from starlette.routing import Route

from inferd.core.errors import ModelNotFound
from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.frontends._http.bodies import json_body
from inferd.frontends._http.chat_voice import ChatVoice
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.native import NativeRoute
from inferd.frontends._http.relay import Whole, relay
from inferd.frontends.openai.description import PATHS, SCHEMAS
from inferd.gateway.catalogue import Row
from inferd.wire import openai_chat, openai_embeddings, openai_text
from inferd.wire.context import Context as Asked

_JSON = ("application/json", "+json")
_PYTHON_CLIENT, _NO_MODEL = "hf_hub/", "dummy"
"""How huggingface_hub calls itself, and what it writes where nobody named a model."""

_Taker = Callable[[Exchange, bytes, Asked], Awaitable[None]]


def frontend(context: Context) -> Frontend:
    """Return everything under /v1."""
    return Frontend(
        routes=routes(context),
        paths=PATHS,
        schemas=SCHEMAS,
        prefix="/v1",
        encode_error=openai_chat.encode_error,
    )


def routes(context: Context) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    return [
        resource(context, "/v1/chat/completions", {"POST": chat_completions}),
        resource(context, "/v1/completions", {"POST": completions}),
        resource(context, "/v1/embeddings", {"POST": embeddings}),
        resource(context, "/v1/models", {"GET": models}),
        resource(context, "/v1/models/{id:path}", {"GET": model}),
    ]


def native() -> list[NativeRoute]:
    """Return what is served on connections of our own."""
    asked = {
        "/v1/chat/completions": chat_completions,
        "/v1/completions": completions,
        "/v1/embeddings": embeddings,
    }
    return [
        *(
            NativeRoute(method="POST", path=path, answer=answer, types=_JSON)
            for path, answer in asked.items()
        ),
        NativeRoute(method="GET", path="/v1/models", answer=models),
        NativeRoute(method="GET", path="/v1/models/", answer=model, parameter="id"),
    ]


def chat_completions(exchange: Exchange) -> Awaitable[None]:
    """Answer a conversation, whole or as events."""
    return _taken(exchange, _chat)


def completions(exchange: Exchange) -> Awaitable[None]:
    """Continue a text, whole or as events."""
    return _taken(exchange, _completion)


def embeddings(exchange: Exchange) -> Awaitable[None]:
    """Answer with a vector for each text."""
    return _taken(exchange, _embedding)


def _taken(exchange: Exchange, take: _Taker) -> Awaitable[None]:
    """Have a body taken that nearly always is here already: then nobody waits for it."""
    asked, body = exchange.directions(), exchange.at_hand
    return _read(exchange, asked, take) if body is None else take(exchange, body, asked)


async def _read(exchange: Exchange, asked: Asked, take: _Taker) -> None:
    await take(exchange, await json_body(exchange), asked)


def _chat(exchange: Exchange, body: bytes, asked: Asked) -> Awaitable[None]:
    request = openai_chat.take_request(body, asked, id=exchange.request_id)
    if request.model == _NO_MODEL and _PYTHON_CLIENT in exchange.headers.get("user-agent", ""):
        request = msgspec.structs.replace(request, model="")
    return relay(exchange, request, ChatVoice(exchange, request))


def _completion(exchange: Exchange, body: bytes, asked: Asked) -> Awaitable[None]:
    request = openai_text.take_request(body, asked, id=exchange.request_id)
    return relay(exchange, request, _Completion(exchange, request))


def _embedding(exchange: Exchange, body: bytes, asked: Asked) -> Awaitable[None]:
    request = openai_embeddings.take_request(body, asked, id=exchange.request_id)
    return relay(exchange, request, _Embeddings(request))


async def models(exchange: Exchange) -> None:
    """List what the caller may use, wherever it runs."""
    await exchange.reply(exchange.context.gateway.made_of_models(exchange.principal, _listing))


async def model(exchange: Exchange) -> None:
    """Show one model, by its id or an alias."""
    name = exchange.parameters["id"]
    offer = exchange.context.gateway.made_of_models(exchange.principal, _by_name).get(name)
    if offer is None:
        raise ModelNotFound(
            f"there is no model called {name[:200]}", hint="GET /v1/models lists them"
        )
    [row] = msgspec.json.decode(openai_chat.encode_models([offer]))["data"]
    await exchange.reply_json(row)


class _Offer(msgspec.Struct, frozen=True, gc=False):
    id: str
    tasks: tuple[str, ...]
    aliases: tuple[str, ...]


def _listing(rows: Iterable[Row]) -> bytes:
    return openai_chat.encode_models(rows)


def _by_name(rows: Iterable[Row]) -> dict[str, _Offer]:
    """Return the first model that has each name."""
    found: dict[str, _Offer] = {}
    for row in rows:
        offer = _Offer(row.id, row.tasks, row.aliases)
        for name in (row.id, *row.aliases):
            found.setdefault(name, offer)
    return found


class _Completion:
    """A text's continuation, told as OpenAI tells it."""

    def __init__(self, exchange: Exchange, request: InferenceRequest) -> None:
        self._exchange = exchange
        self._request = request

    def whole(self, result: Result) -> Whole:
        model = result.finish.model or self._request.model
        id, created = self._made()  # noqa: A001
        return Whole(body=openai_text.encode_result(result, id=id, model=model, created=created))

    def events(self, model: str) -> openai_text.ChunkEncoder:
        id, created = self._made()  # noqa: A001
        raw = self._request.raw
        wants_usage = raw is not None and raw.wants_usage
        return openai_text.ChunkEncoder(id, model, created, include_usage=wants_usage)

    def _made(self) -> tuple[str, int]:
        exchange = self._exchange
        return f"cmpl-{exchange.request_id}", int(exchange.context.clock.wall())


class _Embeddings:
    """Vectors, told as OpenAI tells them. There is no stream of them."""

    def __init__(self, request: InferenceRequest) -> None:
        self._request = request

    def whole(self, result: Result) -> Whole:
        return Whole(
            body=openai_embeddings.encode_result(
                result,
                model=result.finish.model or self._request.model,
                encoding_format=openai_embeddings.encoding_format(self._request),
            )
        )

    def events(self, model: str) -> None:
        return None
