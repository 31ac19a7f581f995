"""One WebSocket's life: what its client says, and what happens for it meanwhile."""

import asyncio
import logging
from collections.abc import Coroutine
from itertools import count

import msgspec

from inferd.core.errors import AccessError, CallerLeft, NodeError
from inferd.core.request import Principal
from inferd.core.stopping import STOPPING
from inferd.frontends._http.auth import caller_of_socket
from inferd.frontends._http.context import Context
from inferd.frontends.websocket.line import GOING_AWAY, POLICY, Line, Retiring
from inferd.frontends.websocket.news import News
from inferd.frontends.websocket.running import Running
from inferd.wire.ws_messages import (
    Asked,
    Connected,
    Pong,
    Status,
    Unreadable,
    Wrong,
    decode_asked,
)

logger = logging.getLogger(__name__)

_TICK = 5.0
_STATUS_TICKS = 2
_KNOWN_TICKS = 12
"""Each minute it is asked anew whether the credential holds: sessions end by their age."""
_LEVELS = ("summary", "full")


class Session:
    """Serves one client until it leaves, is no longer known, or the node stops.

    Everything that runs for it is cancelled then.
    """

    def __init__(
        self, context: Context, principal: Principal, line: Line, *, most_inferences: int
    ) -> None:
        self._context = context
        self._principal = principal
        self._version = context.credentials.version
        self._line = line
        self._tasks = asyncio.TaskGroup()
        self._news = News(context, principal, line, self._begin)
        self._running = Running(
            context.gateway, principal, line, most=most_inferences, settled=self._leave_if_done
        )

    async def run(self, client_id: str) -> None:
        """Serve the client, who calls itself so."""
        try:
            async with self._tasks:
                ticking = self._tasks.create_task(_quietly(self._tick()))
                try:
                    await self._listen(client_id)
                except CallerLeft:
                    pass
                finally:
                    ticking.cancel()
                    self._running.cancel_all()
                    self._news.end()
        finally:
            self._news.close()

    async def _listen(self, client_id: str) -> None:
        await self._line.say(Connected(client_id=client_id, timestamp=self._now()))
        while True:
            try:
                heard = await self._line.hear()
            except Retiring:
                self._running.is_open = False
                await self._leave_if_done()
                continue
            if self._version != self._context.credentials.version:
                await self._look_again()
            try:
                await self._take(decode_asked(heard))
            except Unreadable as error:
                await self._line.say(Wrong(message=error.told))

    async def _take(self, asked: Asked) -> None:
        match asked.type:
            case "inference":
                await self._running.begin(asked, self._tasks)
            case "cancel":
                await self._running.cancel(asked)
            case "ping":
                await self._line.say(Pong(timestamp=self._now()))
            case "subscribe" | "unsubscribe" | "status":
                await self._tell(asked)
            case unknown:
                await self._line.say(Wrong(message=f"Unknown message type: {unknown[:100]}"))

    async def _tell(self, asked: Asked) -> None:
        """Answer what is about the node."""
        try:
            match asked.type:
                case "subscribe":
                    await self._news.subscribe(asked.names() or [])
                case "unsubscribe":
                    await self._news.unsubscribe(asked.names())
                case _:
                    await self._tell_status(asked)
        except NodeError as error:
            await self._line.say(Wrong(message=str(error), timestamp=self._now()))

    async def _tell_status(self, asked: Asked) -> None:
        level = asked.details or _LEVELS[0]
        if level not in _LEVELS:
            raise Unreadable(f"details must be {' or '.join(_LEVELS)}")
        report = msgspec.structs.asdict(self._context.gateway.report(self._principal))
        if level != "full":
            del report["backends"]
        now = self._now()
        await self._line.say(Status(timestamp=now, detail_level=str(level), backend_status=report))

    async def _tick(self) -> None:
        """Tell how the node stands, and see that the caller is still known."""
        for tick in count(1):
            await self._context.clock.sleep(_TICK)
            if tick % _STATUS_TICKS == 0:
                await self._news.tell_status()
            if tick % _KNOWN_TICKS == 0:
                await self._look_again()

    async def _look_again(self) -> None:
        """See whether what was shown at the handshake still says who this is.

        Raises:
            CallerLeft: It doesn't, and the client was told so.
        """
        self._version = self._context.credentials.version
        try:
            principal = caller_of_socket(self._line.scope, self._context).principal
        except AccessError as error:
            await self._line.close(POLICY, error.message)
            raise CallerLeft from error
        if principal != self._principal:
            await self._line.close(POLICY, "the credential is another's now")
            raise CallerLeft

    async def _leave_if_done(self) -> None:
        if not self._running.is_open and not self._running:
            await self._line.close(GOING_AWAY, STOPPING)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.create_task(_quietly(work))

    def _now(self) -> float:
        return self._context.clock.wall()


async def _quietly(work: Coroutine[object, object, None]) -> None:
    """Do what ends with its WebSocket; its fault is no reason to end that."""
    try:
        await work
    except CallerLeft:
        return
    except Exception:
        logger.exception("a WebSocket's work failed")
