"""The shorter way to inference: which heads take it, what is kept, and how it ends."""

import asyncio

import pytest

from inferd.core.request import Principal
from inferd.core.stopping import STOPPING
from inferd.frontends._http.context import Context
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.guard import Shape
from inferd.frontends._http.native import NativeRoute, NativeRouter
from inferd.frontends._http.native_handler import NativeHandler
from inferd.frontends._http.settings import HttpSettings
from inferd.gateway.admission.credentials import Credentials
from inferd.http1.server.connection import Connection
from inferd.http1.server.head import parse_head
from inferd.http1.server.owner import Handler, Peer
from inferd.wire.openai_chat import encode_error
from tests.clocks import HandClock
from tests.frontends.fakes import HELLO, FakeBackend, hangs, hangs_mid_stream, says
from tests.frontends.nodes import Node, Way, Wire, open_node, soon

HERE = Peer("127.0.0.1", 5)
AFAR = Peer("203.0.113.9", 5)
JSON = "content-type: application/json"
KEY = "authorization: Bearer key"
CHAT = '{"messages":[{"role":"user","content":"Hi"}]}'
STREAM = '{"stream":true,"messages":[{"role":"user","content":"Hi"}]}'


class Other:
    """Whoever serves what isn't native."""

    is_worth_keeping = False

    async def __call__(self, connection: Connection, /) -> None: ...


async def answer(exchange: Exchange) -> None: ...


def router_of(*secrets: str, settings: HttpSettings | None = None) -> NativeRouter:
    clock = HandClock()
    # The router hands these on, and asks the credentials alone.
    context = Context(
        gateway=None,  # pyright: ignore[reportArgumentType]
        sessions=None,  # pyright: ignore[reportArgumentType]
        credentials=Credentials(secrets, owner_token="own", clock=clock),
        clock=clock,
        started=0,
        version="1",
    )
    routes = [
        NativeRoute(method="POST", path="/a", answer=answer, types=("application/json", "+json")),
        NativeRoute(method="GET", path="/b/", answer=answer, parameter="id"),
    ]
    shapes = [Shape("/", encode_error)]
    return NativeRouter(context, settings or HttpSettings(), shapes, routes, Other())


def route(router: NativeRouter, start: str, *lines: str, peer: Peer = HERE) -> Handler:
    head = "\r\n".join([f"{start} HTTP/1.1", *(lines or ("host: localhost", JSON)), "", ""])
    return router(parse_head(head.encode()), peer)


def owner_of(handler: Handler) -> Principal | None:
    return handler.principal if isinstance(handler, NativeHandler) else None


@pytest.mark.parametrize(
    ("start", "lines"),
    [
        ("POST /b/x", ()),
        ("GET /a", ()),
        ("HEAD /b/x", ()),
        ("POST /nothing", ()),
        ("POST /a", ("host: localhost",)),
        ("POST /a", ("host: localhost", "content-type: text/plain")),
        ("POST /a", ("host: evil.example", JSON)),
        ("POST /a", ("host: localhost", JSON, "origin: http://localhost")),
        ("POST /a", ("host: localhost", JSON, "cookie: a=b")),
        ("POST /a", ("host: localhost", JSON, "sec-fetch-mode: cors")),
        ("POST /a", ("host: localhost", JSON, "authorization: Bearer a", KEY)),
        ("POST /a", ("host: localhost", JSON, "x-inference-timeout: never")),
        ("POST /a", ("host: localhost", JSON, "x-inference-tier:")),
        ("POST /a", ("host: localhost", JSON, "connection: upgrade", "upgrade: websocket")),
    ],
)
def test_what_is_out_of_the_ordinary_is_the_application_s(
    start: str, lines: tuple[str, ...]
) -> None:
    assert isinstance(route(router_of(), start, *lines), Other)


def test_a_plain_head_is_decided_once() -> None:
    handler = route(router_of(), "POST /a")
    assert isinstance(handler, NativeHandler)
    assert handler.is_worth_keeping
    assert handler.principal.id == "owner"
    below = route(router_of(), "GET /b/org/x", "host: localhost")
    assert isinstance(below, NativeHandler)
    assert below.parameters == {"id": "org/x"}


@pytest.mark.parametrize(
    "line", ["x-request-id: 1", "traceparent: 00-a-b-01", "idempotency-key: 7"]
)
def test_a_head_that_will_not_come_again_is_not_kept(line: str) -> None:
    handler = route(router_of(), "POST /a", "host: localhost", JSON, line)
    assert isinstance(handler, NativeHandler)
    assert not handler.is_worth_keeping


@pytest.mark.parametrize(
    ("lines", "peer", "found"),
    [
        ((), HERE, None),
        ((KEY,), HERE, "secret:2c70e12b"),
        ((KEY,), AFAR, "secret:2c70e12b"),
        (("authorization: Bearer own",), AFAR, "owner"),
        (("authorization: Bearer wrong",), HERE, None),
        (("authorization: Basic key",), HERE, None),
    ],
)
def test_only_right_credentials_are_kept(
    lines: tuple[str, ...], peer: Peer, found: str | None
) -> None:
    router = router_of("key", settings=HttpSettings(loopback_only=False))
    principal = owner_of(route(router, "POST /a", "host: localhost", JSON, *lines, peer=peer))
    assert (principal and principal.id) == found


@pytest.mark.parametrize(
    ("peer", "lines", "is_owner"),
    [
        (HERE, (), True),
        (Peer(is_unix=True), (), True),
        (AFAR, (), False),
        (HERE, ("x-forwarded-for: 127.0.0.1",), False),
        (Peer(is_unix=True), ("forwarded: for=192.0.2.1",), False),
        (Peer("10.0.0.1", 1), (), False),
    ],
)
def test_the_local_owner_needs_no_credential_and_nobody_else_is_taken_for_one(
    peer: Peer, lines: tuple[str, ...], is_owner: bool
) -> None:
    settings = HttpSettings(trusted_proxies=("10.0.0.0/8",), loopback_only=False)
    if peer.is_unix:
        settings = HttpSettings(loopback_only=False)
    handler = route(
        router_of(settings=settings), "POST /a", "host: localhost", JSON, *lines, peer=peer
    )
    assert (owner_of(handler) is not None) == is_owner


def test_peers_of_one_kind_are_decided_alike_and_no_others() -> None:
    router = router_of(settings=HttpSettings(trusted_proxies=("10.0.0.0/8",)))
    peers = [
        HERE,
        AFAR,
        Peer("10.0.0.1", 1),
        Peer("127.0.0.1", 1, is_tls=True),
        Peer(is_unix=True),
    ]
    assert len({router.kind_of(peer) for peer in peers}) == len(peers)
    assert router.kind_of(Peer("198.51.100.1", 9)) == router.kind_of(AFAR)


async def ask(wire: Wire, body: str) -> None:
    await wire.send(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


async def stop(node: Node) -> None:
    assert node.server is not None
    await soon(node.server.stop(STOPPING, 0.0))


@pytest.mark.parametrize("way", [Way.NATIVE, Way.BRIDGE])
async def test_a_request_that_the_node_s_end_cuts_short_is_told(way: Way) -> None:
    backend = FakeBackend(hangs)
    async with open_node(backend, way=way) as node, node.dial() as wire:
        await ask(wire, CHAT)
        await soon(backend.entered.wait())
        await stop(node)
        answer = await wire.rest()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    assert b'"code":"backend_unavailable"' in answer
    assert STOPPING.encode() in answer


@pytest.mark.parametrize("way", [Way.NATIVE, Way.BRIDGE])
async def test_a_stream_that_the_node_s_end_cuts_short_is_told_and_cut(way: Way) -> None:
    backend = FakeBackend(hangs_mid_stream)
    async with open_node(backend, way=way) as node, node.dial() as wire:
        await ask(wire, STREAM)
        await wire.until(b"Hel")
        await stop(node)
        answer = await wire.rest()
        assert node.ledger.outcomes == ["stopped"]
    assert STOPPING.encode() in answer
    assert not answer.endswith(b"0\r\n\r\n")
    assert backend.freed.is_set()


async def test_a_connection_answers_natively_and_otherwise_in_turn() -> None:
    asked = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\n"
    chat = f"{asked}Content-Length: {len(CHAT)}\r\n\r\n{CHAT}"
    async with open_node(FakeBackend(says(*HELLO))) as node, node.dial() as wire:
        for _ in range(3):
            await wire.send(chat)
            assert b"Hello" in await wire.until(b'"total_tokens":5}}')
            await wire.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200" in await wire.until(b"}")
        assert [task for task in asyncio.all_tasks() if "Exchange" in repr(task)] == []
        assert node.ledger.outcomes == ["ok"] * 3
