"""What was found on this machine, for the operator."""

from collections.abc import Sequence

import msgspec
from starlette.routing import Route

from inferd.core.found import Found, Looker
from inferd.core.request import Action
from inferd.frontends._http.context import Context
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """The last look round this machine, so many seconds ago; None where there was none yet.

    Where it isn't `on`, nothing is looked for by itself, and nothing found is asked.
    """

    on: bool
    looked_seconds_ago: float | None
    found: Sequence[Found]


def routes(context: Context, looker: Looker) -> list[Route]:
    """Return the routes, bound to the node."""

    async def show(exchange: Exchange) -> None:
        """Show what was found at the last look."""
        exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)
        await exchange.reply_json(_told(exchange.context, looker))

    async def look(exchange: Exchange) -> None:
        """Look now, and show what was found."""
        exchange.context.gateway.authorize(exchange.principal, Action.ADMIN)
        await looker.look()
        await exchange.reply_json(_told(exchange.context, looker))

    return [resource(context, "/admin/discovery", {"GET": show, "POST": look})]


def _told(context: Context, looker: Looker) -> Discovery:
    at = looker.looked_at
    ago = None if at is None else round(context.clock.now() - at, 3)
    return Discovery(on=looker.is_on, looked_seconds_ago=ago, found=looker.found)
