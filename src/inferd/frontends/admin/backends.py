"""The operator's way to backends: list, register, drain, check, remove."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.routing import Route

from inferd.core.backend import BackendType, Status
from inferd.core.errors import InvalidRequest
from inferd.core.request import OWNER, Action
from inferd.core.tasks import task_named
from inferd.frontends._http.bodies import json_body
from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import Answerer, resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.figures import plain_number
from inferd.frontends.admin.registry import Registration, Registry, Removed
from inferd.gateway.report import BackendReport

_PATH = "/admin/backends"
_MOST_DRAIN = 600.0
_DRAIN = "30"


class BackendList(msgspec.Struct, frozen=True, kw_only=True):
    """The backends that were asked for."""

    backends: tuple[BackendReport, ...]


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that was added. It lasts until the node stops; `toml` keeps it beyond that."""

    backend: BackendReport
    toml: str


def routes(context: Context, registry: Registry | None) -> list[Route]:
    """Return the routes of backends; without a registry only those that change nothing."""
    one = f"{_PATH}/{{name}}"
    if registry is None:
        return [
            resource(context, _PATH, {"GET": _list}),
            resource(context, one, {"GET": _show}),
        ]

    def bound(act: Callable[[Exchange, Registry], Awaitable[None]]) -> Answerer:
        async def answer(exchange: Exchange) -> None:
            _authorize(exchange)
            await act(exchange, registry)

        return answer

    return [
        resource(context, _PATH, {"GET": _list, "POST": bound(_register)}),
        resource(context, one, {"GET": _show, "DELETE": bound(_remove)}),
        resource(context, f"{one}/drain", {"POST": bound(_drain)}),
        resource(context, f"{one}/resume", {"POST": bound(_resume)}),
        resource(context, f"{one}/check", {"POST": bound(_check)}),
    ]


def _authorize(exchange: Exchange) -> None:
    exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)


async def _list(exchange: Exchange) -> None:
    """List backends: all, or those of a `type`, in a `status`, that do a `task`."""
    _authorize(exchange)
    kind = _one_of(exchange, "type", [each.value for each in BackendType])
    status = _one_of(exchange, "status", [each.value for each in Status])
    task = exchange.query.get("task", "")
    task = task_named(task).name if task else ""
    found = tuple(
        each
        for each in exchange.context.gateway.report(exchange.principal).backends
        if kind in ("", each.type)
        and status in ("", each.status)
        and (not task or task in each.tasks)
    )
    await exchange.reply_json(BackendList(backends=found))


async def _show(exchange: Exchange) -> None:
    _authorize(exchange)
    await exchange.reply_json(_report(exchange, exchange.parameters["name"]))


async def _register(exchange: Exchange, registry: Registry) -> None:
    body = await json_body(exchange)
    try:
        wish = msgspec.json.decode(body, type=Registration)
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"the registration can't be read: {error}",
            hint="send {name, kind, base_url, api_key?, models?, tasks?, tier?, priority?, …}",
        ) from error
    toml = await registry.register(wish, is_owner=exchange.principal.id == OWNER.id)
    answer = Registered(backend=_report(exchange, wish.name), toml=toml)
    await exchange.reply(
        msgspec.json.encode(answer), status=201, headers=[("Location", f"{_PATH}/{wish.name}")]
    )


async def _remove(exchange: Exchange, registry: Registry) -> None:
    name = _known(exchange)
    seconds = plain_number(exchange.query.get("drain", _DRAIN))
    if seconds is None or not 0 <= seconds <= _MOST_DRAIN:
        raise HttpRefusal(
            422,
            "drain must be a number of seconds",
            hint=f"from 0, which cuts what still runs, to {_MOST_DRAIN:g}",
            details={"param": "drain"},
        )
    await exchange.reply_json(await registry.remove(name, seconds))


async def _drain(exchange: Exchange, registry: Registry) -> None:
    registry.drain(name := _known(exchange), drains=True)
    await exchange.reply_json(_report(exchange, name))


async def _resume(exchange: Exchange, registry: Registry) -> None:
    registry.drain(name := _known(exchange), drains=False)
    await exchange.reply_json(_report(exchange, name))


async def _check(exchange: Exchange, registry: Registry) -> None:
    await registry.check(name := _known(exchange))
    await exchange.reply_json(_report(exchange, name))


def _known(exchange: Exchange) -> str:
    """Return the name in the path, if whoever asks may know of that backend."""
    return _report(exchange, exchange.parameters["name"]).id


def _report(exchange: Exchange, name: str) -> BackendReport:
    backends = exchange.context.gateway.report(exchange.principal).backends
    for each in backends:
        if each.id == name:
            return each
    raise no_such_backend(name, [each.id for each in backends])


def no_such_backend(name: str, known: list[str]) -> HttpRefusal:
    """Return the refusal of a name that no backend has."""
    hint = f"there are {', '.join(sorted(known)[:50])}" if known else "there is none"
    return HttpRefusal(404, f"there is no backend called {name[:100]}", hint=hint)


def _one_of(exchange: Exchange, name: str, known: list[str]) -> str:
    text = exchange.query.get(name, "")
    if text and text not in known:
        raise HttpRefusal(
            422,
            f"there is no {name} called {text[:100]}",
            hint=f"{name} is one of {', '.join(known)}",
            details={"param": name},
        )
    return text


SCHEMAS = (Registration, BackendList, Registered, Removed)
