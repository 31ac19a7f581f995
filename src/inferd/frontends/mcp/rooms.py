"""A room for each principal: sessions, streams and subscriptions are never another's."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp_types import UNSUPPORTED_PROTOCOL_VERSION
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from starlette.types import Receive, Scope, Send

from inferd.core.errors import RateLimited
from inferd.core.request import Principal
from inferd.frontends._http.alongside import alongside
from inferd.frontends._http.context import Context
from inferd.frontends.mcp.changes import Changes
from inferd.frontends.mcp.messages import Envelope, NotAMessage
from inferd.frontends.mcp.server import make_server

MOST_SESSIONS = 64
"""Of one principal, of the generation that opens with a handshake."""
MOST_ROOMS = 256
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

    async def open(
        self,
        principal: Principal,
        scope: Scope,
        receive: Receive,
        send: Send,
        is_told: Callable[[], bool],
    ) -> None:
        """Answer the request that opens a session.

        Many clients hang up as soon as they have read the answer: the session stays, for the
        package would end it with the request.

        Raises:
            RateLimited: There are rooms enough.
        """
        done = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                await self.serve(principal, scope, receive, send)
            except Exception as error:  # noqa: BLE001 - who asked is told
                if not done.done():
                    done.set_exception(error)
            finally:
                if not done.done():
                    done.set_result(None)

        opening = self._tasks.create_task(run())
        try:
            await done
        finally:
            if not is_told():
                opening.cancel()

    def check_version(self, version: str | None, message: Envelope) -> None:
        """Let a message through whose generation is known, or unsaid as in the oldest ones.

        Raises:
            NotAMessage: It isn't.
        """
        if version is None or version in KNOWN_PROTOCOL_VERSIONS:
            return
        known = ", ".join(KNOWN_PROTOCOL_VERSIONS)
        raise NotAMessage(
            f"the protocol's version {version[:100]!r} isn't known here: {known} are",
            code=UNSUPPORTED_PROTOCOL_VERSION,
            id=message.id,
            details={"supported": KNOWN_PROTOCOL_VERSIONS, "requested": version[:100]},
        )

    def close(self) -> None:
        """End every subscription: the node stops, and nobody should wait for more."""
        for room in self._rooms.values():
            room.changes.subscriptions.close()

    async def watch(self) -> None:
        """Tell everybody when a backend offers something else, until cancelled."""
        await watch(self._context, lambda: [room.changes for room in self._rooms.values()])


async def serve_line(context: Context, principal: Principal, read: Any, write: Any) -> None:
    """Serve `principal` over a pair of the package's streams, until `read` ends."""
    changes = Changes()
    server = make_server(context, principal, changes)
    async with alongside(watch(context, lambda: [changes])):
        await server.run(read, write, server.create_initialization_options())


async def watch(context: Context, listening: Callable[[], Sequence[Changes]]) -> None:
    """Tell whoever listens when a backend offers something else, until cancelled."""
    seen = context.gateway.pool.changes.offers
    while True:
        await context.clock.sleep(_LOOK_SECONDS)
        if context.gateway.pool.changes.offers != seen:
            seen = context.gateway.pool.changes.offers
            for changes in listening():
                await changes.tell()


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
