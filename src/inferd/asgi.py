"""The node as an ASGI application: `uvicorn inferd.asgi:app`.

The configuration comes from inferd.toml and the environment; where it listens is the server's
business. It starts and stops with the server's lifespan.
"""

import os
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from inferd.config.load import load
from inferd.config.problems import ConfigError
from inferd.node.compose import secrets_of
from inferd.node.home import CannotStart
from inferd.node.node import open_node
from inferd.telemetry.logs import configure_logging


class NodeApp:
    """Opens a node when the server starts, lends it every request, closes it at the end."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's scope."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._app is None:
            raise RuntimeError("inferd.asgi needs a server with lifespan support switched on")
        else:
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            config = load(environ=os.environ, cwd=Path.cwd()).config
            configure_logging(
                level=config.log.level, style=config.log.format, secrets=secrets_of(config)
            )
            async with open_node(config) as node:
                self._app = node.app
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except (ConfigError, CannotStart) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


app = NodeApp()
