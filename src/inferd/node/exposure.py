"""Who can reach this node, and whether that is safe."""

import ipaddress
from collections.abc import Callable

from inferd.config.schema import NodeConfig
from inferd.node.home import CannotStart

_SHORTEST = 8


def check_exposure(config: NodeConfig) -> None:
    """Refuse to be reachable by strangers with nothing to keep them out.

    Raises:
        CannotStart: The host isn't loopback, and neither a secret nor a login is set, or one of
            them can be guessed.
    """
    if config.server.is_private:
        return
    auth = config.auth
    secrets = [secret.get_secret_value() for secret in auth.shared_secrets]
    password = "" if auth.login_password is None else auth.login_password.get_secret_value()
    if not secrets and not password:
        reason = "no secret is set, nor a login"
    elif any(len(secret) < _SHORTEST for secret in secrets):
        reason = f"a secret of fewer than {_SHORTEST} characters can be guessed"
    elif password and len(password) < _SHORTEST:
        reason = f"a password of fewer than {_SHORTEST} characters can be guessed"
    else:
        return
    raise CannotStart(
        f"{config.server.host} can be reached from other machines, and {reason}",
        "set INFERENCE_SHARED_SECRET (for instance to the output of `openssl rand -hex 32`), "
        "or INFERENCE_LOGIN_USER and INFERENCE_LOGIN_PASSWORD, or listen on 127.0.0.1",
    )


def is_proxy(config: NodeConfig) -> Callable[[str], bool]:
    """Return what tells whether an address is one of `server.trusted_proxies`."""
    networks = [ipaddress.ip_network(each, strict=False) for each in config.server.trusted_proxies]

    def listed(address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
        return any((mapped or peer) in network for network in networks)

    return listed
