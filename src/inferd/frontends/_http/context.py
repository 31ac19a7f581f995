"""What every frontend is given, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from inferd.core.clock import Clock
from inferd.core.errors import NodeError
from inferd.frontends._http.sessions import Sessions
from inferd.gateway.admission.credentials import Credentials
from inferd.gateway.gateway import Gateway

EncodeError = Callable[[NodeError, str], Mapping[str, object]]
"""`(error, request id) -> JSON object`, in one API's shape."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The node, as frontends see it. `clock` is the gateway's; `started` is on it.

    `name` is what people call the node; its id is the gateway's.
    """

    gateway: Gateway
    credentials: Credentials
    sessions: Sessions
    clock: Clock
    started: float
    version: str
    name: str = ""
    device: str = "cpu"
    hardware: str = ""
    """The machine in words, for people."""
    loopback_only: bool = True
    max_body_bytes: int = 64 * 1024 * 1024
    """The longest request that the guard lets in."""


class Frontend(msgspec.Struct, frozen=True, kw_only=True):
    """One API: its routes, their OpenAPI path items, and how it tells of errors under `prefix`.

    `nowhere` answers what is read from paths that nobody has a route for.
    """

    routes: Sequence[BaseRoute]
    paths: Mapping[str, object]
    schemas: Mapping[str, object] = {}
    prefix: str = "/"
    encode_error: EncodeError | None = None
    nowhere: ASGIApp | None = None
