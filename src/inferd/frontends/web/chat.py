"""The page "Chat": conversations stay in the browser; the node only says what could answer."""

from collections.abc import Mapping

import msgspec

from inferd.core.errors import PermissionDenied
from inferd.core.request import Action
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.web.shell import may, show
from inferd.gateway.browse import Query
from inferd.gateway.catalogue import Row

QUOTER = "inferd-docs"
"""The embedded model that only quotes inferd's documentation: better than nothing, and says so."""

_MOST_ROWS = 100


async def show_chat(exchange: Exchange) -> None:
    """Show who could answer; without a script, one question at a time."""
    if not may(exchange, Action.INFER):
        raise PermissionDenied(
            "you may look at this node's models, but not ask them",
            hint="ask the node's owner for a key that may infer",
        )
    rows = _rows(exchange)
    usable = [row.id for row in rows if _is_usable(row)]
    asked = exchange.query.get("model", "")
    data = {
        "rows": [_shown(row) for row in rows],
        "can_chat": bool(usable),
        "only_quotes": usable == [QUOTER],
        "docs": QUOTER,
    }
    await show(
        exchange,
        "chat.html",
        page="chat",
        title="Chat",
        main_class="flush" if usable or asked else "",
        rows=rows,
        asked=asked,
        question=exchange.query.get("q", ""),
        can_chat=bool(usable),
        data=data,
    )


def _rows(exchange: Exchange) -> tuple[Row, ...]:
    """Return the models that places list for chat, what only quotes last.

    Without the right to list there are none.
    """
    query = Query(task="chat", hub=False, limit=_MOST_ROWS)
    try:
        rows = exchange.context.gateway.browse_known(exchange.principal, query).rows
    except PermissionDenied:
        return ()
    return tuple(sorted(rows, key=lambda row: row.id == QUOTER))


def _is_usable(row: Row) -> bool:
    return any(place.usable for place in row.places)


def _shown(row: Row) -> Mapping[str, object]:
    """Return a row as GET /models has it, as far as the page's script reads it."""
    shown: dict[str, object] = {"id": row.id, "runs": msgspec.to_builtins(row.places)}
    return shown | {"stands_for": row.stands_for} if row.stands_for else shown
