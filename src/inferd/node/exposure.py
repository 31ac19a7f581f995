"""Who can reach this node, and whether that is safe."""

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
