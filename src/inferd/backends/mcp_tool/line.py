"""The line to a server: opened when it is first needed, and again after it broke."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from inferd import __version__
from inferd.backends import Settings
from inferd.backends.mcp_tool.bounded import BoundedTransport
from inferd.backends.mcp_tool.options import Wanted
from inferd.backends.mcp_tool.spoken import spoken
from inferd.core.errors import BackendFailed, BackendTimeout, BackendUnavailable, NodeError
from inferd.process import Workspace, start

MOST_BYTES = 64 << 20
_FOREVER = 1 << 62
"""Bytes that a command may print while it is there: it is its lines that have a bound."""
_CONNECT_SECONDS = 10.0
_SHOWN = 200

logging.getLogger("mcp.client").setLevel(logging.CRITICAL)


class Line:
    """One client, shared by all calls. `keep` holds it: it is opened and closed in one task."""

    def __init__(self, settings: Settings, wanted: Wanted) -> None:
        self._settings = settings
        self._wanted = wanted
        self._asked = asyncio.Event()
        self._broken = asyncio.Event()
        self._client: asyncio.Future[Client] | None = None
        self.fault = ""
        """Why we ended the last talk with a command; empty where it was the command that did."""

    def __repr__(self) -> str:
        is_open = self._client is not None and self._client.done()
        return f"<Line {self._wanted!r} {'open' if is_open else 'closed'}>"

    async def client(self) -> Client:
        """Return the client, once there is one.

        Raises:
            BackendUnavailable: The server can't be reached or started.
            BackendTimeout: It didn't answer in time.
        """
        if self._client is None:
            self._client = asyncio.get_running_loop().create_future()
        self._asked.set()
        return await asyncio.shield(self._client)

    def hang_up(self, client: Client) -> None:
        """Take note that this client's line has broken: the next call gets another."""
        found = self._client
        if found is not None and found.done() and found.result() is client:
            self._client = None
            self._broken.set()

    async def keep(self) -> None:
        """Open the line whenever somebody asks, until cancelled."""
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                self._broken.clear()
                if self._client is not None:
                    await self._hold(self._client)
        finally:
            self._fail(BackendUnavailable(f"{self._settings.name} is closed"))

    async def _hold(self, mine: asyncio.Future[Client]) -> None:
        """Open the line, let `mine` have its client, and keep it until somebody hangs up."""
        try:
            async with asyncio.timeout(self._settings.timeout) as limit, self._open() as client:
                limit.reschedule(None)
                mine.set_result(client)
                await self._broken.wait()
        except Exception as error:  # noqa: BLE001
            # Whatever a server's start or a client's end may raise, also in groups.
            if self._client is mine:
                self._fail(self._told(error))

    def _fail(self, error: NodeError) -> None:
        waiting, self._client = self._client, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
            # Whoever waited may be gone: then nobody need hear of it.
            waiting.exception()

    def _told(self, error: Exception) -> NodeError:
        name = self._settings.name
        if isinstance(error, TimeoutError):
            return BackendTimeout(f"{name} didn't answer the protocol's first words in time")
        if isinstance(error, NodeError):
            return error
        if self.fault:
            return BackendFailed(f"{name}: {self.fault}")
        if isinstance(error, MCPError):
            said = self._wanted.secrets.hide(error.message)[:_SHOWN]
            return BackendUnavailable(f"{name} refuses to speak: {said}")
        return BackendUnavailable(f"{name} can't be reached over MCP")

    @asynccontextmanager
    async def _open(self) -> AsyncGenerator[Client]:
        self.fault = ""
        way = self._over_http() if self._wanted.url else self._of_command()
        async with way as line, Client(line, cache=None) as client:
            yield client

    @asynccontextmanager
    async def _over_http(self) -> AsyncGenerator[Any]:
        key = self._settings.api_key
        headers = {"User-Agent": f"inferd/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        seconds = self._settings.timeout
        async with httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(seconds, connect=min(_CONNECT_SECONDS, seconds)),
            transport=BoundedTransport(httpx2.AsyncHTTPTransport(), most_bytes=MOST_BYTES),
        ) as http:
            yield streamable_http_client(
                self._wanted.url, http_client=http, max_sse_event_size=MOST_BYTES
            )

    @asynccontextmanager
    async def _of_command(self) -> AsyncGenerator[Any]:
        workspace = Workspace()
        try:
            child = await start(
                self._wanted.command,
                folder=workspace.folder,
                environ=self._wanted.environ,
                most_bytes=_FOREVER,
                is_spoken_to=True,
            )
            yield spoken(child, most_bytes=MOST_BYTES, fault=self._note)
        finally:
            await asyncio.to_thread(workspace.remove)

    def _note(self, fault: str) -> None:
        self.fault = fault
