"""What the operator asks a running node: how it fares, and why a request would go where."""

import math
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import msgspec
from starlette.routing import Route

from inferd.core.errors import InvalidRequest
from inferd.core.found import Looker
from inferd.core.request import Action, InferenceRequest, Place, Principal, parse_tiers
from inferd.core.tasks import check_name, task_named
from inferd.frontends._http.bodies import json_body
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.directions import strategy_of
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.figures import plain_number
from inferd.frontends.admin import backends, discovery, residents
from inferd.frontends.admin.description import PATHS, schemas
from inferd.frontends.admin.registry import Registry
from inferd.frontends.admin.status import status_of_node
from inferd.gateway.routing.refusals import no_such_backend

_LATEST = 1e11
_MOST_NAMES = 20
_USUAL_GROUPS = "principal,model"
_ME = "me"
"""No principal's id: those are `owner`, or have a colon."""


class Usage(msgspec.Struct, frozen=True):
    """The ledger, as far as it is shown: `totals(by, since, principal)` adds up by `groups`.

    `since` is in seconds since the epoch; an empty principal is everybody; totals are JSON-able.
    """

    groups: Sequence[str]
    totals: Callable[[tuple[str, ...], float, str], Awaitable[Sequence[object]]]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request that isn't made. `tier` is a ceiling or a set, as in X-Inference-Tier.

    `asked_by` is who would ask: the caller itself where it is left out.
    """

    task: str = "text-generation"
    model: str = ""
    use_remote: bool | None = None
    backend: str = ""
    tier: str = ""
    strategy: str = ""
    asked_by: str = ""


def frontend(
    context: Context,
    usage: Usage | None = None,
    registry: Registry | None = None,
    looker: Looker | None = None,
) -> Frontend:
    """Return the operator's API; without `usage` there is no /admin/usage.

    Without a `registry` backends stay as they are: they are listed and shown. Without a `looker`
    nobody looks for others.
    """
    found = routes(context, usage, registry)
    if looker is not None:
        found += discovery.routes(context, looker)
    served = {route.path.replace(":path", "") for route in found}
    return Frontend(
        routes=found,
        paths={path: item for path, item in PATHS.items() if path in served},
        schemas=schemas(Question, *backends.SCHEMAS, *residents.SCHEMAS, discovery.Discovery),
    )


def routes(
    context: Context, usage: Usage | None = None, registry: Registry | None = None
) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    found = [
        resource(context, "/status", {"GET": status}),
        resource(context, "/admin/explain", {"POST": explain}),
        *backends.routes(context, registry),
        *residents.routes(context),
    ]
    if usage is not None:
        found.append(resource(context, "/admin/usage", {"GET": _usage_answerer(usage)}))
    return found


async def status(exchange: Exchange) -> None:
    """Show the node and its backends as they stand."""
    exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)
    await exchange.reply_json(status_of_node(exchange.context, exchange.principal))


async def explain(exchange: Exchange) -> None:
    """Say who would be asked, in order, and why the others wouldn't."""
    gateway = exchange.context.gateway
    gateway.authorize(exchange.principal, Action.ADMIN)
    question = _question(await json_body(exchange))
    request = _request(question, exchange.request_id)
    asker = _asker(exchange, question.asked_by)
    if request.backend and gateway.pool.find(request.backend) is None:
        known = [each.id for each in gateway.report(exchange.principal).backends]
        raise no_such_backend(request.backend, known)
    explanation = gateway.explain(request, asker, reader=exchange.principal)
    source = [("X-Inference-Source", explanation.source)]
    await exchange.reply_json(explanation, headers=source)


def _usage_answerer(usage: Usage) -> Callable[[Exchange], Awaitable[None]]:
    async def show(exchange: Exchange) -> None:
        whose = _whose(exchange)
        by = _groups(exchange.query.get("by", _USUAL_GROUPS), usage.groups)
        since = _moment(exchange.query.get("since", "0"))
        totals = await usage.totals(by, since, whose)
        await exchange.reply_json({"by": by, "since": since, "totals": totals})

    return show


def _whose(exchange: Exchange) -> str:
    """Return whose requests are asked for; empty for everybody's.

    Raises:
        PermissionDenied: They are others', and not for this caller.
    """
    own = exchange.principal.id
    asked = exchange.query.get("principal", "")
    if asked in (_ME, own):
        return own
    exchange.context.gateway.authorize(exchange.principal, Action.USAGE)
    return asked


def _groups(text: str, known: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not set(names) <= set(known):
        raise HttpRefusal(422, f"by must be some of {', '.join(known)}", details={"param": "by"})
    return names


def _moment(text: str) -> float:
    """Read seconds since the epoch, or a date."""
    number = plain_number(text)
    moment = _date(text) if number is None else number
    if not 0 <= moment <= _LATEST:
        raise HttpRefusal(
            422,
            "since must be seconds since the epoch, or a date",
            hint="write 1767225600 or 2026-01-01",
            details={"param": "since"},
        )
    return moment


def _date(text: str) -> float:
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        return math.nan


def _asker(exchange: Exchange, name: str) -> Principal:
    """Return whom the question is about.

    Raises:
        HttpRefusal: There is nobody of that name.
    """
    if name in ("", exchange.principal.id):
        return exchange.principal
    known = {who.id: who for who in exchange.context.credentials.holders}
    if name not in known:
        raise HttpRefusal(
            422,
            f"asked_by: there is nobody called {name[:100]}",
            hint=f"those who may ask here: {', '.join(list(known)[:_MOST_NAMES])}",
            details={"param": "asked_by"},
        )
    return known[name]


def _question(body: bytes) -> Question:
    try:
        return msgspec.json.decode(body, type=Question)
    except msgspec.DecodeError as error:
        raise _unreadable(error) from error


def _request(question: Question, request_id: str) -> InferenceRequest:
    try:
        tiers = parse_tiers(question.tier) if question.tier else None
    except ValueError as error:
        raise _unreadable(error) from error
    places = {None: Place.ANY, True: Place.REMOTE, False: Place.LOCAL}
    strategy = strategy_of(question.strategy, "strategy") if question.strategy else ""
    return InferenceRequest(
        id=request_id,
        task=task_named(question.task).name,
        model=check_name("model", question.model),
        place=places[question.use_remote],
        tiers=tiers,
        backend=check_name("backend", question.backend),
        strategy=strategy,
    )


def _unreadable(error: Exception) -> InvalidRequest:
    return InvalidRequest(
        f"the question can't be read: {error}",
        hint="send {task, model, use_remote?, backend?, tier?, strategy?, asked_by?}",
    )
