"""Who can reach this node, and whether that is safe."""

from inferd.config.schema import NodeConfig
from inferd.core.hosts import is_loopback
from inferd.node.home import CannotStart


def check_exposure(config: NodeConfig) -> None:
    """Refuse to be reachable by strangers with nothing to keep them out.

    Raises:
        CannotStart: The host isn't loopback, and no secret is set.
    """
    if not is_loopback(config.server.host) and not config.auth.shared_secrets:
        raise CannotStart(
            f"{config.server.host} can be reached from other machines, and no secret is set",
            "set INFERENCE_SHARED_SECRET (for instance to the output of `openssl rand -hex 32`), "
            "or listen on 127.0.0.1",
        )
