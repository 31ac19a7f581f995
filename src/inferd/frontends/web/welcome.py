"""The page "Welcome": what a new node can do already, and how to give it more."""

from collections.abc import Mapping, Sequence

from inferd.core.errors import PermissionDenied
from inferd.core.request import Action
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import may, show
from inferd.gateway.browse import Query, TaskCount
from inferd.gateway.routing.member import Member

GUIDE = "inferd-docs"
"""The model that comes with every node and quotes its documentation."""


async def show_welcome(exchange: Exchange) -> None:
    """Show what works, what was found, and the ways to bigger models."""
    is_operator = may(exchange, Action.ADMIN)
    members = list(exchange.context.gateway.pool) if is_operator else []
    await show(
        exchange,
        "welcome.html",
        page="welcome",
        title="Welcome",
        tasks=[task for task in _tasks(exchange) if task.runnable],
        guide=GUIDE if _has_guide(exchange) else "",
        found=[_found(member) for member in members if member.name != "local"],
        is_operator=is_operator,
        is_local=exchange.context.loopback_only,
    )


def _tasks(exchange: Exchange) -> Sequence[TaskCount]:
    try:
        return exchange.context.gateway.tasks(exchange.principal)
    except PermissionDenied:
        return ()


def _has_guide(exchange: Exchange) -> bool:
    if not may(exchange, Action.INFER) or not may(exchange, Action.LIST):
        return False
    query = Query(task="chat", search=GUIDE, runnable=True, hub=False)
    rows = exchange.context.gateway.browse_known(exchange.principal, query).rows
    return any(row.id == GUIDE for row in rows)


def _found(member: Member) -> Mapping[str, object]:
    """Say of a backend what somebody who just configured it wants to know."""
    return {
        "name": member.name,
        "where": member.backend.tier.label,
        "models": len({model.id for model in member.capabilities.models}),
        "error": member.error,
    }
