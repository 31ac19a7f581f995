"""Another server of `/ws/{client_id}`: an inferd, or whatever else speaks that protocol."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import msgspec

from inferd.backends import Settings, read_options
from inferd.core.backend import Backend
from inferd.core.clock import Clock
from inferd.http1.client.url import parse_url

_SCHEMES = {"ws://": "http://", "wss://": "https://"}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`client_id` is what we call ourselves there; `connections` are open at most.

    Each carries one inference at a time, so that a slow caller holds up its own alone.
    """

    client_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._~:@-]{1,128}$")] = ""
    connections: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend the backend; its address may be a WebSocket's or a node's, with its path or without."""
    # The library behind is loaded for whoever has such a node.
    from inferd.backends.ws_node.backend import WsNodeBackend
    from inferd.backends.ws_node.lines import Lines

    options = read_options(settings, Options)
    if not settings.base_url:
        raise ValueError(f"backend {settings.name}: base_url is missing: where is the node?")
    url = settings.base_url.strip()
    for scheme, ours in _SCHEMES.items():
        if url.startswith(scheme):
            url = ours + url.removeprefix(scheme)
    lines = Lines(
        settings, parse_url(url), client_id=options.client_id or node, most=options.connections
    )
    try:
        yield WsNodeBackend(settings, lines, node=node, clock=clock)
    finally:
        await lines.close()
