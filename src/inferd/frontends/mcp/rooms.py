"""A room for each principal: sessions, streams and subscriptions are never another's."""

import asyncio

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Receive, Scope, Send

from inferd.core.clock import Clock
from inferd.core.errors import RateLimited
from inferd.core.request import Principal
from inferd.frontends._http.context import Context
from inferd.frontends.mcp.changes import Changes
from inferd.frontends.mcp.server import make_server

MOST_SESSIONS = 64
"""Of one principal, of the generation that opens with a handshake."""
MOST_ROOMS = 1024
IDLE_SECONDS = 600.0
LONGEST_BODY = 20 << 20
_LOOK_SECONDS = 2.0


class Rooms:
    """Every principal's room, open while the task group runs that they were given."""

    def __init__(self, context: Context, tasks: asyncio.TaskGroup) -> None:
        self._context = context
        self._tasks = tasks
        self._rooms: dict[Principal, Room] = {}

    async def serve(self, principal: Principal, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request.

        Raises:
            RateLimited: There are rooms enough.
        """
        room = self._rooms.get(principal)
        if room is None:
            if len(self._rooms) >= MOST_ROOMS:
                raise RateLimited("too many callers use MCP here", hint="try again later")
            room = self._rooms[principal] = Room(self._context, principal)
            self._tasks.create_task(room.keep())
        await room.opened.wait()
        await room.manager.handle_request(scope, receive, send)

    async def watch(self, clock: Clock) -> None:
        """Tell everybody when a backend offers something else, until cancelled."""
        changes = self._context.gateway.pool.changes
        seen = changes.offers
        while True:
            await clock.sleep(_LOOK_SECONDS)
            if changes.offers != seen:
                seen = changes.offers
                for room in tuple(self._rooms.values()):
                    await room.changes.tell()


class Room:
    """One principal's sessions."""

    def __init__(self, context: Context, principal: Principal) -> None:
        self.changes = Changes()
        self.opened = asyncio.Event()
        self.manager = StreamableHTTPSessionManager(
            make_server(context, principal, self.changes),
            session_idle_timeout=IDLE_SECONDS,
            max_request_body_size=LONGEST_BODY,
            max_sessions=MOST_SESSIONS,
        )

    async def keep(self) -> None:
        """Stay open until cancelled."""
        async with self.manager.run():
            self.opened.set()
            await asyncio.get_running_loop().create_future()
