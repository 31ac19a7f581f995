"""A whole node in this process, served on a loopback socket."""

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from inferd.config.load import load
from inferd.core.clock import Clock
from inferd.core.stopping import STOPPING
from inferd.http1.server.server import Server
from inferd.node.node import Node, open_node
from tests.clocks import HandClock

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "INFERD_LOCAL__ENABLED": "false",
    "INFERD_DISCOVERY__AUTO": "false",
}
"""Nothing but what a test configures."""


@asynccontextmanager
async def served(
    home: Path,
    environ: Mapping[str, str] | None = None,
    *,
    toml: str = "",
    clock: Clock | None = None,
) -> AsyncGenerator[tuple[Node, httpx2.AsyncClient]]:
    """Run a node, and lend a client for it that shows no credential."""
    (home / "inferd.toml").write_text(toml)
    found = {**QUIET, "INFERD_HOME": str(home), **(environ or {})}
    config = load(environ=found, cwd=home).config
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        async with open_node(config, clock=clock or HandClock()) as node:
            server = Server(node.router, kind_of=node.router.kind_of)
            server.listen(listener)
            try:
                url = f"http://127.0.0.1:{port}"
                async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
                    yield node, client
            finally:
                await server.stop(STOPPING, 0.0)
