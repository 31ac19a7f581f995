"""Every route there is, from the node's own table: without a credential it does nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
from starlette.routing import BaseRoute, Route, WebSocketRoute

from inferd.frontends._http.endpoint import Endpoint
from tests.node.inside import served

SECRET = "a-secret-of-this-test"
ENVIRON = {"INFERENCE_SHARED_SECRET": SECRET}
OPEN = {
    "GET /health",
    "GET /healthz",
    "GET /login",
    "GET /openapi.json",
    "GET /ready",
    "GET /static/{version}/{name:path}",
    "POST /login",
    "POST /logout",
}
"""What anybody may ask. To add to it is a decision: nothing else answers strangers."""

OPERATORS = re.compile(r"/admin/|/status$|/metrics$|/models/(load|unload)$|/backends$")
"""What a shared secret alone, which may list and infer, doesn't open."""

CREDENTIALS = {
    "none": {},
    "a wrong one": {"Authorization": "Bearer another-secret"},
    "a made-up session": {"Cookie": "inferd-80=a.b.c", "Sec-Fetch-Site": "same-origin"},
}


def every(routes: tuple[BaseRoute, ...]) -> Iterator[str]:
    """Yield each method with its path, `WS` for a WebSocket. A route of another kind is a fault."""
    for route in routes:
        if isinstance(route, WebSocketRoute):
            yield f"WS {route.path}"
            continue
        assert isinstance(route, Route)
        assert isinstance(route.endpoint, Endpoint), route.path
        for method in sorted(route.endpoint.methods - {"HEAD"}):
            yield f"{method} {route.path}"


def request(client: httpx2.AsyncClient, what: str, headers: dict[str, str]) -> httpx2.Request:
    method, _, path = what.partition(" ")
    filled = re.sub(r"\{[^}]*\}", "local", path)
    if method == "WS":
        headers = {
            **headers,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        method = "GET"
    content = b"{}" if method in ("POST", "PUT", "PATCH") else None
    if content is not None:
        headers = {"Content-Type": "application/json", **headers}
    return client.build_request(method, filled, headers=headers, content=content)


async def test_nothing_but_what_is_listed_answers_strangers(tmp_path: Path) -> None:
    async with served(tmp_path, ENVIRON) as (node, client):
        table = [*every(node.ways.routes)]
        table += [f"{each.method} {each.path}" for each in node.ways.native]
        assert len(table) > 30
        for shown, headers in CREDENTIALS.items():
            found = {
                what: (await client.send(request(client, what, headers))).status_code
                for what in table
            }
            # More than a few wrong credentials in a minute are answered with 429.
            let_in = {what for what, status in found.items() if status not in (401, 429)}
            assert let_in <= OPEN, shown
            if not headers:
                assert let_in == OPEN
                assert {found[what] for what in found.keys() - OPEN} == {401}


async def test_browsers_are_sent_to_sign_in_and_shown_nothing(tmp_path: Path) -> None:
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    async with served(tmp_path, ENVIRON) as (node, client):
        for what in every(node.ways.routes):
            if what.startswith("GET") and what not in OPEN:
                answer = await client.send(request(client, what, headers))
                assert answer.status_code in (302, 401), what
                assert answer.status_code == 401 or not answer.content
                assert answer.status_code == 401 or answer.headers["location"][:6] == "/login"


async def test_a_shared_secret_is_no_operator(tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with served(tmp_path, ENVIRON) as (node, client):
        closed = [
            what
            for what in every(node.ways.routes)
            if OPERATORS.search(what) or what.startswith("DELETE /admin")
        ]
        assert len(closed) > 8
        for what in closed:
            answer = await client.send(request(client, what, headers))
            assert answer.status_code == 403, what
