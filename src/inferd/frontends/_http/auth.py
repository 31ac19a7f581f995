"""Who asks."""

from collections.abc import Iterable

from starlette.types import Scope

from inferd.core.errors import Unauthenticated
from inferd.core.request import Principal
from inferd.frontends._http.exchange import VISIT, Exchange, Visit
from inferd.gateway.admission.credentials import Credentials

NOBODY = Principal(id="nobody", tiers=frozenset())
"""Stands for the caller where anybody may ask."""


def principal_of(scope: Scope, credentials: Credentials) -> Principal:
    """Return who sent this request, from its headers alone: the body is still unread.

    Raises:
        Unauthenticated: No credential where one is needed, one nobody knows, or several.
    """
    return _identified(scope["headers"], scope[VISIT], credentials)


def is_known(exchange: Exchange) -> bool:
    """Whether whoever asks for what is open to anybody is somebody this node knows."""
    try:
        _identified(exchange.headers.raw, exchange.visit, exchange.context.credentials)
    except Unauthenticated:
        return False
    return True


def _identified(
    headers: Iterable[tuple[bytes, bytes]], visit: Visit, credentials: Credentials
) -> Principal:
    shown = [value for name, value in headers if name == b"authorization"]
    if len(shown) > 1:
        raise Unauthenticated(
            "there is more than one Authorization header", hint="send exactly one"
        )
    return credentials.identify(shown[0] if shown else None, ambient=visit.ambient)
