"""The page at / and /openapi.json."""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.routing import Route

from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.exchange import Exchange
from inferd.frontends.pages.openapi import document
from inferd.frontends.pages.start import page

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

PATHS: Mapping[str, object] = {
    "/": {
        "get": {
            "summary": "Show what this node offers, to people",
            "tags": ["Pages"],
            "responses": {"200": {"description": "A page", "content": {"text/html": {}}}},
        }
    },
    "/openapi.json": {
        "get": {
            "summary": "Describe every path, to tools; needs no credential",
            "tags": ["Pages"],
            "security": [],
            "responses": {"200": {"description": "OpenAPI", "content": {"application/json": {}}}},
        }
    },
}


def frontend(context: Context, others: Sequence[Frontend]) -> Frontend:
    """Return the pages that tell of `others`."""
    return Frontend(routes=routes(context, others), paths=PATHS)


def routes(context: Context, others: Sequence[Frontend]) -> list[Route]:
    """Return this frontend's routes, bound to the node."""
    described = [*others, Frontend(routes=(), paths=PATHS)]

    async def start(exchange: Exchange) -> None:
        models = context.gateway.models(exchange.principal)
        html = page(context, exchange.headers["host"], described, models)
        await exchange.reply(
            html.encode(),
            content_type="text/html; charset=utf-8",
            headers=[("Content-Security-Policy", _POLICY)],
        )

    async def openapi(exchange: Exchange) -> None:
        # Written on demand: few ever ask, and it would weigh on every node that idles.
        await exchange.reply(msgspec.json.encode(document(described, context.version)))

    return [
        resource(context, "/", {"GET": start}),
        resource(context, "/openapi.json", {"GET": openapi}, is_open=True),
    ]
