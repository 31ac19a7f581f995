"""One tool of a server of the Model Context Protocol, as a backend for one task.

The server is at an address, or a command of the local file that is started when it is first asked
and spoken to over its standard input and output.
"""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from inferd.backends import Settings
from inferd.backends.mcp_tool.backend import McpToolBackend
from inferd.backends.mcp_tool.line import Line
from inferd.backends.mcp_tool.options import Options, wanted_of
from inferd.core.backend import Backend
from inferd.core.clock import Clock

__all__ = ["Options", "open_backend"]


@asynccontextmanager
async def open_backend(settings: Settings, *, node: str, clock: Clock) -> AsyncGenerator[Backend]:
    """Lend a tool; leaving hangs up, and ends the command.

    Raises:
        ValueError: It can't be set up like this.
    """
    wanted = wanted_of(settings, os.environ)
    line = Line(settings, wanted)
    backend = McpToolBackend(settings, wanted, line, clock)
    # Not in a task group: whatever is raised by whoever was lent the tool stays as it is.
    keeper = asyncio.get_running_loop().create_task(line.keep())
    try:
        yield backend
    finally:
        backend.is_closed = True
        keeper.cancel()
        await asyncio.wait([keeper])
