"""The page of an address that leads nowhere."""

from contextlib import suppress

from starlette.types import ASGIApp

from inferd.core.errors import NodeError, PermissionDenied, Unauthenticated
from inferd.core.request import Action
from inferd.frontends._http.auth import NOBODY, caller_of, enter
from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import Endpoint
from inferd.frontends._http.errors import nothing_at, status_of
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import may, show


def app(context: Context) -> ASGIApp:
    """Return what answers there: browsers are shown the ways on, programs are told in JSON."""
    return Endpoint(context, {"GET": _refuse}, is_open=True, tell=_show)


async def _refuse(exchange: Exchange) -> None:
    with suppress(Unauthenticated, PermissionDenied):
        caller = caller_of(exchange.scope, exchange.context, is_page=True)
        exchange.principal = caller.principal
        enter(exchange, caller, is_page=True)
    raise nothing_at(exchange.path)


async def _show(exchange: Exchange, error: NodeError) -> None:
    is_known = exchange.principal is not NOBODY
    await show(
        exchange,
        "nowhere.html",
        page="",
        title="Nothing here",
        status=status_of(error),
        path=exchange.path[:200],
        is_known=is_known,
        may_chat=is_known and may(exchange, Action.INFER),
    )
