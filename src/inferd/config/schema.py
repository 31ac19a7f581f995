"""Every setting of a node; inferd.toml, environment, flags and documentation follow this."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from inferd.config.bindings import SecretBinding
from inferd.config.calls import Cache, Retries
from inferd.config.discovery import Discovery, Providers
from inferd.config.remote import Remote
from inferd.config.routing import Route, Routing
from inferd.config.server import Auth, Server
from inferd.config.tables import BackendConfig, Rule
from inferd.config.values import (
    Address,
    Count,
    Level,
    Multiaddr,
    Positive,
    PositiveMinutes,
    PositiveSeconds,
    Secret,
    Section,
    Strategy,
    Url,
    setting,
)
from inferd.config.websocket import WebSocket


class Hub(Section):
    """The Hugging Face Hub, where the lists of models come from."""

    enabled: Annotated[
        bool,
        setting(
            "Whether the Hub is asked at all; HF_HUB_OFFLINE=1 says no.", off=("HF_HUB_OFFLINE",)
        ),
    ] = True
    endpoint: Annotated[Url, setting("Its address, or a mirror's.", env=("HF_ENDPOINT",))] = (
        "https://huggingface.co"
    )
    token: Annotated[
        Secret | None,
        setting(
            "Its access token. The endpoint gets it; so does the router of a huggingface backend.",
            env=("HF_TOKEN", "HF_API_TOKEN"),
            example='"env:MY_HF_TOKEN"',
        ),
    ] = None
    timeout: Annotated[
        PositiveSeconds, setting("How long the Hub is waited for, before what is known is shown.")
    ] = 10.0
    cache_minutes: Annotated[
        PositiveMinutes, setting("How long a list of the Hub counts as fresh.")
    ] = 10.0


class Grpc(Section):
    """A model worker reached over gRPC."""

    server_url: Annotated[
        Address | None,
        setting(
            "Its address, as host:port.",
            env=("GRPC_SERVER_URL",),
            awaits="the gRPC workers",
            example='"inference-service:50051"',
        ),
    ] = None


class Libp2p(Section):
    """Peers over libp2p."""

    bootstrap_peers: Annotated[
        tuple[Multiaddr, ...],
        setting(
            "Peers to join the network through, as multiaddrs.",
            env=("LIBP2P_BOOTSTRAP_PEERS",),
            awaits="the libp2p links",
            example='["/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWExample"]',
        ),
    ] = ()
    mdns: Annotated[
        bool,
        setting(
            "Whether to find peers on the local network.",
            env=("LIBP2P_ENABLE_MDNS",),
            awaits="the libp2p links",
        ),
    ] = True
    discovery_interval: Annotated[
        PositiveSeconds,
        setting(
            "How often to look for new peers.",
            env=("LIBP2P_DISCOVERY_INTERVAL",),
            awaits="the libp2p links",
        ),
    ] = 60.0


class Local(Section):
    """Models that run on this machine."""

    enabled: Annotated[bool, setting("Whether this machine runs models itself.")] = True
    threads: Annotated[
        Count, setting("Threads a model may use; 0 is one for each usable core.")
    ] = 0
    queue: Annotated[
        Positive, setting("Requests that may wait for a model before more are refused.")
    ] = 256


class Policy(Section):
    """Who may do what, with which models, how much and how far."""

    rules: Annotated[
        tuple[Rule, ...], setting("The rules. Empty: the built-in ones.", words="built in")
    ] = ()


class Ledger(Section):
    """The record of who used what."""

    enabled: Annotated[bool, setting("Whether usage is recorded.")] = True
    retention_days: Annotated[Positive, setting("Days after which a record is deleted.")] = 90


class Log(Section):
    """What the node says about itself."""

    level: Annotated[
        Level,
        setting("The least serious message that is written.", flag="--log-level"),
    ] = "info"
    format: Annotated[
        Literal["text", "json"],
        setting("Lines for people or for machines.", flag="--log-format"),
    ] = "text"
    access: Annotated[bool, setting("Whether each request gets a line.")] = True


class Telemetry(Section):
    """What monitoring is told beyond /metrics: traces, where a collector is named."""

    otlp_endpoint: Annotated[
        Url | None,
        setting(
            "The OpenTelemetry collector that gets traces, over HTTP. Nothing is sent without one.",
            env=("OTEL_EXPORTER_OTLP_ENDPOINT",),
            example='"http://127.0.0.1:4318"',
        ),
    ] = None
    otlp_headers: Annotated[
        Secret | None,
        setting(
            "What the collector wants to see: `name=value`, several with commas between them.",
            env=("OTEL_EXPORTER_OTLP_HEADERS",),
            example='"env:COLLECTOR_HEADERS"',
        ),
    ] = None
    trace_ratio: Annotated[
        float,
        Field(ge=0, le=1),
        setting(
            "Which part of the requests that come without a decision of the caller's is traced: "
            "`0.1` is a tenth, `1` is all.",
            env=("OTEL_TRACES_SAMPLER_ARG",),
        ),
    ] = 1.0


class NodeConfig(Section):
    """Everything a node can be told."""

    server: Server = Field(default_factory=Server)
    auth: Auth = Field(default_factory=Auth)
    remote: Remote = Field(default_factory=Remote)
    hub: Hub = Field(default_factory=Hub)
    providers: Providers = Field(default_factory=Providers)
    grpc: Grpc = Field(default_factory=Grpc)
    routing: Routing = Field(default_factory=Routing)
    websocket: WebSocket = Field(default_factory=WebSocket)
    retries: Retries = Field(default_factory=Retries)
    cache: Cache = Field(default_factory=Cache)
    discovery: Discovery = Field(default_factory=Discovery)
    libp2p: Libp2p = Field(default_factory=Libp2p)
    local: Local = Field(default_factory=Local)
    policy: Policy = Field(default_factory=Policy)
    ledger: Ledger = Field(default_factory=Ledger)
    log: Log = Field(default_factory=Log)
    telemetry: Telemetry = Field(default_factory=Telemetry)
    routes: Annotated[
        tuple[Route, ...],
        setting("What holds for some models or tasks; each is a `[[routes]]` table."),
    ] = ()
    backends: Annotated[
        tuple[BackendConfig, ...],
        setting("Ways to run models beside this machine's own; each is a `[[backends]]` table."),
    ] = ()

    secrets: Annotated[
        tuple[SecretBinding, ...],
        setting(
            "Secrets for backends that are registered while the node runs; each is a `[[secrets]]` "
            "table."
        ),
    ] = ()

    @field_validator("backends")
    @classmethod
    def _names_are_unique(cls, backends: tuple[BackendConfig, ...]) -> tuple[BackendConfig, ...]:
        names = [backend.name for backend in backends]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"each backend needs a name of its own: {', '.join(twice)} comes twice"
            )
        return backends

    @property
    def remote_strategy(self) -> Strategy:
        """The order among remote nodes: their own strategy, or else everybody's."""
        return self.remote.strategy or self.routing.strategy
