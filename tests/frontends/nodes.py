"""A node as callers see it: every frontend, on a real server and a loopback socket."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import TypeVar

import httpx2
import uvicorn
from starlette.types import ASGIApp

from inferd.core.clock import Clock
from inferd.core.hub import HubListing
from inferd.core.stopping import STOPPING
from inferd.frontends._http.app import build_app, shapes_of
from inferd.frontends._http.context import Context
from inferd.frontends._http.native import NativeRouter
from inferd.frontends._http.sessions import Sessions
from inferd.frontends._http.settings import HttpSettings
from inferd.frontends.admin import routes as admin
from inferd.frontends.events import routes as events
from inferd.frontends.hf import routes as hf
from inferd.frontends.hf_models import routes as hf_models
from inferd.frontends.mcp.routes import Mcp
from inferd.frontends.metrics import routes as metrics
from inferd.frontends.openai import routes as openai
from inferd.frontends.reference import routes as reference
from inferd.frontends.web import routes as web
from inferd.frontends.websocket import routes as websocket
from inferd.frontends.websocket.settings import SocketSettings
from inferd.gateway.admission.credentials import Credentials, Login
from inferd.gateway.admission.limits import Limiter
from inferd.gateway.admission.policy import Policy, Rule
from inferd.gateway.gateway import Gateway, Parts
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.pool import Pool
from inferd.gateway.routing.router import Router, Rules
from inferd.http1.server.asgi import AsgiHandler
from inferd.http1.server.server import Server
from inferd.node.node import running
from inferd.telemetry.clock import SystemClock
from tests.frontends.fakes import FakeBackend, Ledger

PATIENCE = 10
T = TypeVar("T")
OWNER_TOKEN = "the-owner's-own-token"
SESSION_KEY = b"a key for tests only"


class Way(Enum):
    """Through whom a request comes to its answerer."""

    UVICORN = "uvicorn"
    BRIDGE = "bridge"
    """Our server, and the ASGI application on it."""
    NATIVE = "native"


usual_way = Way.NATIVE


class Wire:
    """A bare connection, for what no client would send."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        """Everything until the node closes the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def hang_up(self) -> None:
        self.writer.transport.abort()


class Node:
    """A running node, and a client for it."""

    def __init__(
        self,
        gateway: Gateway,
        ledger: Ledger,
        client: httpx2.AsyncClient,
        port: int,
        server: Server | None = None,
        *,
        credentials: Credentials,
    ) -> None:
        self.credentials = credentials
        self.server = server
        """Its own, where that serves it."""
        self.gateway = gateway
        self.ledger = ledger
        self.client = client
        self.port = port
        self.host = f"127.0.0.1:{port}"

    @asynccontextmanager
    async def dial(self) -> AsyncGenerator[Wire]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()

    async def say(self, text: str) -> bytes:
        """Send `text`, with every line end as HTTP has it, and read until the node hangs up."""
        async with self.dial() as wire:
            await wire.send(text.replace("\n", "\r\n").replace("{host}", self.host))
            return await wire.rest()


async def _totals(by: tuple[str, ...], since: float, principal: str) -> list[object]:
    return [{"group": by, "requests": 1, "since": since, "principal": principal}]


@asynccontextmanager
async def open_node(
    *backends: FakeBackend,
    secrets: Sequence[str] = (),
    login: Login | None = None,
    clock: Clock | None = None,
    rules: Sequence[Rule] = (),
    settings: HttpSettings | None = None,
    routing: Rules | None = None,
    hub: HubListing | None = None,
    books: admin.Usage | None = None,
    way: Way | None = None,
    sockets: SocketSettings | None = None,
) -> AsyncGenerator[Node]:
    """Run a node over `backends`; pages that show the ledger read `books`.

    Its own server serves it, unless a test says otherwise, by `way` or by `usual_way`.
    """
    clock, ledger = clock or SystemClock(), Ledger()
    pool = Pool([Member(backend, priority=0) for backend in backends], clock)
    await pool.refresh()
    parts = Parts(
        node="node-a",
        policy=Policy(rules),
        limiter=Limiter(clock),
        router=Router(pool, routing or Rules(), clock),
        recorder=ledger,
        clock=clock,
    )
    gateway = Gateway(parts, pool, hub=hub)
    context = Context(
        gateway=gateway,
        credentials=Credentials(secrets, owner_token=OWNER_TOKEN, login=login, clock=clock),
        sessions=Sessions(SESSION_KEY, node="node-a", clock=clock),
        clock=clock,
        started=clock.now(),
        version="1.2.3",
        name="lab",
    )
    usage = admin.Usage(groups=("principal", "model", "day"), totals=_totals)
    spoken = [hf.frontend(context), openai.frontend(context), admin.frontend(context, usage)]
    mcp = Mcp(context)
    spoken += [metrics.frontend(context, ()), mcp.frontend()]
    spoken.append(websocket.frontend(context, sockets or SocketSettings()))
    shown = [
        *spoken,
        *hf_models.frontends(context),
        events.frontend(context),
        web.frontend(context, books),
    ]
    frontends = [*shown, reference.frontend(context, shown)]
    settings = settings or HttpSettings()
    app = build_app(frontends, settings)
    native = [*openai.native(), *hf.native()]
    router = NativeRouter(context, settings, shapes_of(frontends), native, AsgiHandler(app))
    # Named as TCP, or asyncio leaves Nagle's algorithm on, and every other answer waits 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        async with (
            running(mcp=mcp.keep()),
            _serve(app, router, way or usual_way, listener) as server,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
        ):
            yield Node(gateway, ledger, client, port, server, credentials=context.credentials)


@asynccontextmanager
async def _serve(
    app: ASGIApp, router: NativeRouter, way: Way, listener: socket.socket
) -> AsyncGenerator[Server | None]:
    if way is Way.UVICORN:
        async with _on_uvicorn(app, listener):
            yield None
        return
    bridge = AsgiHandler(app)
    server = Server(
        router if way is Way.NATIVE else lambda head, peer: bridge, kind_of=router.kind_of
    )
    server.listen(listener)
    try:
        yield server
    finally:
        await server.stop(STOPPING, 0.0)


@asynccontextmanager
async def _on_uvicorn(app: ASGIApp, listener: socket.socket) -> AsyncGenerator[None]:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield
    finally:
        for running in server.servers:
            running.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        async with asyncio.timeout(PATIENCE):
            if server.server_state.tasks:
                await asyncio.wait(server.server_state.tasks)


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait for what must happen, but not for ever."""
    async with asyncio.timeout(PATIENCE):
        return await awaitable
