"""Who can reach this node, and whether that is safe."""

from inferd.config.schema import NodeConfig
from inferd.node.home import CannotStart

_SHORTEST = 8


def check_exposure(config: NodeConfig) -> None:
    """Refuse to be reachable by strangers with nothing to keep them out.

    Raises:
        CannotStart: The host isn't loopback, or the Unix socket lets others in, and neither a
            secret nor a login is set, or one of them can be guessed.
    """
    server = config.server
    if server.is_private:
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
    if server.unix_socket is None:
        fact, instead = f"{server.host} can be reached from other machines", "listen on 127.0.0.1"
    else:
        fact = f"{server.unix_socket} can be opened by others (mode {server.unix_socket_mode})"
        instead = "leave server.unix_socket_mode at 0600"
    raise CannotStart(
        f"{fact}, and {reason}",
        "set INFERENCE_SHARED_SECRET (for instance to the output of `openssl rand -hex 32`), "
        f"or INFERENCE_LOGIN_USER and INFERENCE_LOGIN_PASSWORD, or {instead}",
    )
