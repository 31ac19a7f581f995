"""The node in a few numbers, for whoever watches it."""

import msgspec

from inferd.core.request import Principal
from inferd.frontends._http.context import Context


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """How the node stands, counting only backends that the listener may know of.

    `uptime` is in seconds; `in_flight` are the requests that those backends are at.
    """

    node: str
    name: str
    uptime: float
    version: str
    backends_up: int
    backends_down: int
    in_flight: int


def vitals(context: Context, principal: Principal) -> Vitals:
    """Return how the node stands now."""
    backends = context.gateway.backends(principal)
    up = sum(backend.usable for backend in backends)
    return Vitals(
        node=context.gateway.node,
        name=context.name,
        uptime=round(context.clock.now() - context.started, 3),
        version=context.version,
        backends_up=up,
        backends_down=len(backends) - up,
        in_flight=sum(backend.in_flight for backend in backends),
    )
