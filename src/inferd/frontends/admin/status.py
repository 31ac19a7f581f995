"""The node as it stands, as JSON-able values."""

import msgspec

from inferd.frontends._http.context import Context
from inferd.gateway.routing.pool import Member


class BackendStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A backend's live state. `latency` is in seconds; `error` is empty while it is well."""

    name: str
    kind: str
    tier: str
    source: str
    priority: int
    in_flight: int
    served: int
    failed: int
    latency: float
    error: str
    ejected: bool
    tasks: tuple[str, ...]
    models: int


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The node. `uptime` is in seconds."""

    node: str
    name: str
    version: str
    device: str
    uptime: float
    backends: tuple[BackendStatus, ...]


def status_of_node(context: Context) -> NodeStatus:
    """Return the state of the node and of everything behind it."""
    now = context.clock.now()
    return NodeStatus(
        node=context.gateway.node,
        name=context.name,
        version=context.version,
        device=context.device,
        uptime=round(now - context.started, 3),
        backends=tuple(_of(member, now) for member in context.gateway.pool),
    )


def _of(member: Member, now: float) -> BackendStatus:
    return BackendStatus(
        name=member.name,
        kind=member.backend.kind,
        tier=member.backend.tier.label,
        source=member.source,
        priority=member.priority,
        in_flight=member.in_flight,
        served=member.served,
        failed=member.failed,
        latency=round(member.latency, 6),
        error=member.error,
        ejected=member.ejected_until > now,
        tasks=tuple(sorted(member.capabilities.tasks)),
        models=len(member.capabilities.models),
    )
