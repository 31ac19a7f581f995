"""The node as it stands: the report on its backends, and what is known of itself."""

from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.gateway.report import StatusReport


class NodeStatus(StatusReport, frozen=True, kw_only=True):
    """The node. `uptime` is in seconds."""

    node: str
    name: str
    version: str
    device: str
    hardware: str
    uptime: float


def status_of_node(context: Context, principal: Principal) -> NodeStatus:
    """Return the state of the node and of everything behind it that `principal` may know of."""
    report = context.gateway.report(principal)
    return NodeStatus(
        node=context.gateway.node,
        name=context.name,
        version=context.version,
        device=context.device,
        hardware=context.hardware,
        uptime=round(context.clock.now() - context.started, 3),
        **{name: getattr(report, name) for name in report.__struct_fields__},
    )
