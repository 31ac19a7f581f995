"""The page "Route explain": where a request would go, and why, without sending it."""

from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from inferd.core.errors import InvalidRequest, NodeError
from inferd.core.records import Row
from inferd.core.request import Action, InferenceRequest, Principal, parse_tiers
from inferd.core.tasks import TASKS, check_name
from inferd.frontends._http.endpoint import Answerer
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web import explain_words, twins
from inferd.frontends.web.shell import may, show
from inferd.gateway.explanation import GATES, route_words
from inferd.gateway.report import BackendReport
from inferd.gateway.routing.strategies import STRATEGIES

Find = Callable[[str, float, str], Awaitable[Row | None]]
"""`(request id, since, principal)`: the newest of those rows in the ledger, of anybody if empty."""

REACHES: Mapping[str, str] = {"local": "Here", "peer": "Friends", "team": "Team", "cloud": "Cloud"}
_USUAL_TASK = "chat"
_DAY = 86_400.0
_MOST_MODELS = 500


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The form's fields, as they count; each empty one is left to the node."""

    model: str = ""
    task: str = _USUAL_TASK
    asked_by: str = ""
    strategy: str = ""
    within: str = ""
    backend: str = ""


def shower(find: Find | None) -> Answerer:
    """Return what shows the page; without `find` no request that was made is known."""

    async def show_explain(exchange: Exchange) -> None:
        exchange.context.gateway.authorize(exchange.principal, Action.INFER)
        made = await _made(exchange, find)
        asked, problem = _asked(exchange, made)
        await _show(exchange, asked, problem, made)

    return show_explain


async def _made(exchange: Exchange, find: Find | None) -> Row | None:
    """Return the request that the address names: one's own, or anybody's for who sees usage."""
    asked = exchange.query.get("request", "")
    if not asked or find is None:
        return None
    whose = "" if may(exchange, Action.USAGE) else exchange.principal.id
    try:
        return await find(asked, exchange.context.clock.wall() - _DAY, whose)
    except NodeError:
        # The ledger can't be read: what would happen now is told all the same.
        return None


def _asked(exchange: Exchange, made: Row | None) -> tuple[Asked, NodeError | None]:
    """Return what the form asks, and what is wrong with it, if something is."""
    query = exchange.query
    try:
        return Asked(
            model=check_name("model", query.get("model", "") or (made.model if made else "")),
            task=_one_of(TASKS, query.get("task", "") or (made.task if made else ""), _USUAL_TASK),
            asked_by=query.get("as", ""),
            strategy=_one_of(STRATEGIES, query.get("strategy", ""), ""),
            within=_one_of(REACHES, query.get("within", ""), ""),
            backend=check_name("backend", query.get("backend", "")),
        ), None
    except InvalidRequest as error:
        return Asked(), error


def _one_of(known: Mapping[str, object], asked: str, usual: str) -> str:
    return asked if asked in known else usual


def _people(exchange: Exchange) -> list[Principal]:
    """Return as whom the reader may ask: everybody for the operator, else itself."""
    if not may(exchange, Action.ADMIN):
        return [exchange.principal]
    others = (who for who in exchange.context.credentials.holders if who != exchange.principal)
    return [exchange.principal, *others]


async def _show(
    exchange: Exchange, asked: Asked, problem: NodeError | None, made: Row | None
) -> None:
    people = _people(exchange)
    who = next((each for each in people if each.id == asked.asked_by), exchange.principal)
    told: dict[str, object] = {"verdict": None, "rows": (), "decision": ()}
    told["twins"] = _twins(exchange, asked)
    if problem is None:
        try:
            told |= _decision(exchange, asked, who)
        except NodeError as error:
            problem = error
    context = exchange.context
    await show(
        exchange,
        "explain.html",
        page="explain",
        title="Route explain",
        asked=asked,
        who=who.id,
        tasks={name: task.label for name, task in TASKS.items()},
        models=_models(exchange, asked.task),
        people={each.id: _called(each.id, exchange.principal.id) for each in people},
        strategies=explain_words.strategies(),
        reaches=REACHES,
        gates=GATES,
        problem=None if problem is None else explain_words.problem(problem),
        ran=None
        if made is None
        else explain_words.ran(made, context.name or "here", context.clock.wall()),
        is_missing=bool(exchange.query.get("request", "")) and made is None,
        told=told,
    )


def _decision(exchange: Exchange, asked: Asked, who: Principal) -> Mapping[str, object]:
    """Return what would happen, as the template tells it.

    Raises:
        NodeError: The question can't be asked like that.
    """
    reader, here = exchange.principal, exchange.context.name or "here"
    question = _request(asked, exchange.request_id)
    found = exchange.context.gateway.explain(question, who, reader=reader)
    whom = "you" if who == reader else _called(who.id, "")
    return {
        "verdict": explain_words.verdict(found, here),
        "rows": explain_words.rows(found, here, _reports(exchange), _reach(asked, who)),
        "decision": () if found.error else explain_words.decision(found, whom),
        "twins": _twins(exchange, asked, "" if found.error else route_words(found)),
    }


def _twins(exchange: Exchange, asked: Asked, route: str = "") -> tuple[tuple[str, str, str], ...]:
    visit, credentials = exchange.visit, exchange.context.credentials
    return twins.of(
        asked,
        exchange.principal.id,
        origin=f"{'https' if visit.is_secure else 'http'}://{visit.authority}",
        has_secret=not (visit.is_local and credentials.is_open),
        route=route,
    )


def _reports(exchange: Exchange) -> Mapping[str, BackendReport]:
    return {each.id: each for each in exchange.context.gateway.report(exchange.principal).backends}


def _reach(asked: Asked, who: Principal) -> Collection[str]:
    """Return the tiers that the words may travel to."""
    tiers = parse_tiers(asked.within) if asked.within else who.tiers
    return {tier.label for tier in tiers}


def _models(exchange: Exchange, task: str) -> list[str]:
    """Return the names that the field suggests."""
    if not may(exchange, Action.LIST):
        return []
    rows = exchange.context.gateway.models(exchange.principal, task=task)
    return sorted(row.id for row in rows)[:_MOST_MODELS]


def _request(asked: Asked, request_id: str) -> InferenceRequest:
    return InferenceRequest(
        id=request_id,
        task=asked.task,
        model=asked.model,
        tiers=parse_tiers(asked.within) if asked.within else None,
        backend=asked.backend,
        strategy=asked.strategy,
    )


def _called(principal: str, reader: str) -> str:
    """Return what people call somebody; the reader is told that it is they."""
    kind, colon, rest = principal.partition(":")
    name = "Owner" if not colon else f"Secret {rest}" if kind == "secret" else rest
    return f"{name} (you)" if principal == reader else name
