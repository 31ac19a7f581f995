"""/openapi.json."""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.routing import Route

from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.reference.openapi import document

PATHS: Mapping[str, object] = {
    "/openapi.json": {
        "get": {
            "summary": "Describe every path, to tools; needs no credential",
            "tags": ["Reference"],
            "security": [],
            "responses": {"200": {"description": "OpenAPI", "content": {"application/json": {}}}},
        }
    },
}


def frontend(context: Context, others: Sequence[Frontend]) -> Frontend:
    """Return the document that tells of `others`."""
    return Frontend(routes=routes(context, others), paths=PATHS)


def routes(context: Context, others: Sequence[Frontend]) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    described = [*others, Frontend(routes=(), paths=PATHS)]

    async def openapi(exchange: Exchange) -> None:
        # Written on demand: few ever ask, and it would weigh on every node that idles.
        await exchange.reply(msgspec.json.encode(document(described, context.version)))

    return [resource(context, "/openapi.json", {"GET": openapi}, is_open=True)]
