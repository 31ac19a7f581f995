"""The node's HTTP side: every frontend, behind one guard, and the shorter way to inference."""

import msgspec
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from inferd import __version__
from inferd.config.schema import NodeConfig
from inferd.config.websocket import WebSocket
from inferd.core.clock import Clock
from inferd.core.found import Looker
from inferd.frontends._http.app import build_app, shapes_of
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.native import NativeRoute, NativeRouter
from inferd.frontends._http.sessions import Sessions
from inferd.frontends._http.settings import HttpSettings
from inferd.frontends.admin import routes as admin
from inferd.frontends.admin.registry import Registry
from inferd.frontends.events import routes as events
from inferd.frontends.health import routes as health
from inferd.frontends.hf import routes as hf
from inferd.frontends.hf_models import routes as hf_models
from inferd.frontends.mcp.routes import Mcp
from inferd.frontends.metrics import routes as metrics
from inferd.frontends.openai import routes as openai
from inferd.frontends.reference import routes as reference
from inferd.frontends.web import routes as web
from inferd.frontends.websocket import routes as websocket
from inferd.frontends.websocket.settings import SocketSettings
from inferd.gateway.admission.credentials import Credentials
from inferd.gateway.gateway import Gateway
from inferd.http1.server.asgi import AsgiHandler
from inferd.node.machine import hardware
from inferd.node.records import Records
from inferd.storage.ledger import GROUPS


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """The ways in: `app` for any ASGI server, `router` for ours. Both come to the same answers.

    `mcp` is to be kept while the node runs, and may be served on other lines than HTTP's. `routes`
    and `native` are all that leads anywhere.
    """

    app: ASGIApp
    router: NativeRouter
    mcp: Mcp
    routes: tuple[BaseRoute, ...]
    native: tuple[NativeRoute, ...]


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator can change and see of this machine: its backends, and what is found."""

    registry: Registry
    looker: Looker


def build(
    config: NodeConfig,
    gateway: Gateway,
    credentials: Credentials,
    sessions: Sessions,
    records: Records,
    clock: Clock,
    here: Here,
) -> Ways:
    """Return what serves every way in over HTTP."""
    settings = _http_settings(config)
    context = Context(
        gateway=gateway,
        credentials=credentials,
        sessions=sessions,
        clock=clock,
        started=clock.now(),
        version=__version__,
        name=config.server.name,
        hardware=hardware(),
        loopback_only=config.server.is_private,
        max_body_bytes=int(config.server.max_body),
    )
    mcp = Mcp(context)
    apis = [*_apis(config, context, records, here), mcp.frontend()]
    frontends = [*apis, reference.frontend(context, apis)]
    app = build_app(frontends, settings)
    native = (*openai.native(), *hf.native())
    router = NativeRouter(context, settings, shapes_of(frontends), native, AsgiHandler(app))
    routes = tuple(route for frontend in frontends for route in frontend.routes)
    return Ways(app=app, router=router, mcp=mcp, routes=routes, native=native)


def _apis(config: NodeConfig, context: Context, records: Records, here: Here) -> list[Frontend]:
    """Return every frontend but MCP, and what describes them all."""
    usage = admin.Usage(GROUPS, records.totals) if config.ledger.enabled else None
    find = records.find if config.ledger.enabled else None
    apis = [
        hf.frontend(context),
        openai.frontend(context),
        admin.frontend(context, usage, here.registry, here.looker),
        metrics.frontend(context, records.readings),
        *hf_models.frontends(context),
        events.frontend(context),
        web.frontend(context, usage, found=here.looker, find=find),
        health.frontend(context, grpc_target=config.grpc.server_url),
    ]
    if config.websocket.enabled:
        apis.append(websocket.frontend(context, _socket_settings(config.websocket)))
    return apis


def _http_settings(config: NodeConfig) -> HttpSettings:
    server = config.server
    return HttpSettings(
        max_body_bytes=int(server.max_body),
        allowed_hosts=server.allowed_hosts,
        cors_origins=server.cors_origins,
        trusted_proxies=tuple(str(network) for network in server.trusted_proxies),
        access_log=config.log.access,
        loopback_only=server.is_private,
    )


def _socket_settings(section: WebSocket) -> SocketSettings:
    return SocketSettings(
        max_message_bytes=int(section.max_message),
        connections=section.max_connections,
        inferences=section.max_inferences,
    )
