"""Models in memory: which are, and the operator's word that one be loaded or let go."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec
from starlette.routing import Route

from inferd.core.backend import LoadsModels
from inferd.core.errors import InvalidRequest, ModelNotFound
from inferd.core.request import Action
from inferd.core.tasks import check_name
from inferd.frontends._http.bodies import json_body
from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange

_Act = Callable[[LoadsModels, str], Awaitable[None]]


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model that is meant, by an id or an alias. No model here takes `options` yet."""

    model_id: str
    hardware: str = ""
    options: Mapping[str, Any] = {}


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a backend that loads them here; `loaded` ones are in memory now."""

    model_id: str
    backend: str
    loaded: bool
    hardware: tuple[str, ...]


class Residents(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, and every model that can be loaded or let go of here."""

    model_id: str = ""
    status: str = ""
    backend: str = ""
    models: tuple[Resident, ...] = ()


def routes(context: Context) -> list[Route]:
    """Return the routes."""
    return [
        resource(context, "/models/load", {"GET": _list, "POST": _answerer(_load, "loaded")}),
        resource(context, "/models/unload", {"POST": _answerer(_unload, "unloaded")}),
    ]


async def _list(exchange: Exchange) -> None:
    exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)
    await exchange.reply_json(Residents(models=tuple(_residents(exchange.context))))


async def _load(backend: LoadsModels, model: str) -> None:
    await backend.load(model)


async def _unload(backend: LoadsModels, model: str) -> None:
    await backend.unload(model)


def _answerer(act: _Act, done: str) -> Callable[[Exchange], Awaitable[None]]:
    async def answer(exchange: Exchange) -> None:
        exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)
        wish = _read(await json_body(exchange))
        name, model, backend = _find(exchange.context, wish)
        await act(backend, model)
        models = tuple(_residents(exchange.context))
        await exchange.reply_json(
            Residents(model_id=model, status=done, backend=name, models=models)
        )

    return answer


def _read(body: bytes) -> LoadRequest:
    try:
        wish = msgspec.json.decode(body, type=LoadRequest)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"the request can't be read: {error}", hint="send {model_id, hardware?, options?}"
        ) from error
    check_name("model_id", wish.model_id)
    if wish.options:
        raise HttpRefusal(
            422,
            f"there is no option called {next(iter(wish.options))[:63]}",
            hint="the models of this machine take none: leave options out",
            details={"param": "options"},
        )
    return wish


def _find(context: Context, wish: LoadRequest) -> tuple[str, str, LoadsModels]:
    """Return the backend that loads the model, with its name, and the model's id there.

    Raises:
        ModelNotFound: Nobody here has it.
        HttpRefusal: It is there, and loaded by somebody else's word, or not on that hardware.
    """
    elsewhere = ""
    for member in context.gateway.pool:
        for model in member.capabilities.models:
            if wish.model_id != model.id and wish.model_id not in model.aliases:
                continue
            if isinstance(member.backend, LoadsModels):
                _check_hardware(wish, member.backend.traits.hardware)
                return member.name, model.id, member.backend
            elsewhere = elsewhere or member.name
    if elsewhere:
        raise HttpRefusal(
            422,
            f"{elsewhere} loads {wish.model_id} itself, when it is asked",
            hint="GET /models/load lists what is loaded here",
            details={"param": "model_id"},
        )
    raise ModelNotFound(
        f"Model not found: {wish.model_id}", hint="GET /models/load lists what can be loaded here"
    )


def _check_hardware(wish: LoadRequest, known: Iterable[str]) -> None:
    if wish.hardware and wish.hardware not in known:
        raise HttpRefusal(
            422,
            f"{wish.model_id} doesn't run on {wish.hardware[:63]} here",
            hint=f"it runs on {', '.join(sorted(known))}",
            details={"param": "hardware"},
        )


def _residents(context: Context) -> Iterable[Resident]:
    for member in context.gateway.pool:
        backend = member.backend
        if isinstance(backend, LoadsModels):
            for model in member.capabilities.models:
                yield Resident(
                    model_id=model.id,
                    backend=member.name,
                    loaded=model.id in backend.resident,
                    hardware=tuple(sorted(backend.traits.hardware)),
                )


SCHEMAS = (LoadRequest, Residents)
