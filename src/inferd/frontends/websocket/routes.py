"""`/ws/{client_id}`: who may open a WebSocket, and how many."""

import re
from collections.abc import Generator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import Receive, Scope, Send

from inferd.core.errors import CallerLeft, RateLimited
from inferd.core.request import Principal
from inferd.frontends._http.auth import caller_of_socket
from inferd.frontends._http.context import Context, Frontend
from inferd.frontends._http.directions import timeless
from inferd.frontends._http.endpoint import resource
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import VISIT, Exchange, Visit
from inferd.frontends.websocket.description import PATHS
from inferd.frontends.websocket.line import Line
from inferd.frontends.websocket.session import Session
from inferd.frontends.websocket.settings import SocketSettings

_PATH = "/ws/{client_id}"
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~:@-]{1,128}")


def frontend(context: Context, settings: SocketSettings) -> Frontend:
    """Return the WebSocket."""
    return Frontend(routes=routes(context, settings), paths=PATHS)


def routes(context: Context, settings: SocketSettings) -> list[BaseRoute]:
    """Return this frontend's routes, bound to the node."""
    return [
        WebSocketRoute(_PATH, SocketEndpoint(context, settings)),
        resource(context, _PATH, {"GET": needs_upgrade}),
    ]


async def needs_upgrade(_: Exchange) -> None:
    """Say that this is no page."""
    raise HttpRefusal(
        426,
        "this is a WebSocket",
        hint="connect with a WebSocket client: ws://…/ws/<a name of yours>",
        headers=[("Upgrade", "websocket")],
    )


class SocketEndpoint:
    """An ASGI app: it lets a known caller's handshake in, and serves it until it ends."""

    def __init__(self, context: Context, settings: SocketSettings) -> None:
        self._context = context
        self._settings = settings
        self._open: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket. Until it is accepted, errors are the guard's to tell, in HTTP."""
        client_id: str = scope["path_params"]["client_id"]
        principal = caller_of_socket(scope, self._context).principal
        if not _CLIENT_ID.fullmatch(client_id):
            raise HttpRefusal(
                400,
                "the client's id isn't one",
                hint="1 to 128 letters, digits, dots, dashes, or any of _ ~ : @",
            )
        # What a handshake directs must hold for every inference: it is looked at before.
        timeless(Headers(raw=scope["headers"]))
        line = Line(
            scope,
            receive,
            send,
            clock=self._context.clock,
            most_bytes=self._settings.max_message_bytes,
        )
        with self._place(principal):
            visit: Visit = scope[VISIT]
            visit.reached_gateway = True
            try:
                await line.accept()
            except CallerLeft:
                return
            session = Session(
                self._context, principal, line, most_inferences=self._settings.inferences
            )
            await session.run(client_id)

    @contextmanager
    def _place(self, principal: Principal) -> Generator[None]:
        """Count a principal's WebSockets.

        Raises:
            RateLimited: It has as many as it may.
        """
        taken = self._open.get(principal.id, 0)
        if taken >= self._settings.connections:
            raise RateLimited(
                f"{principal.id} has {taken} WebSockets already, the most it may",
                hint="close one: each can carry several inferences",
                retry_after=5.0,
            )
        self._open[principal.id] = taken + 1
        try:
            yield
        finally:
            self._open[principal.id] -= 1
            if not self._open[principal.id]:
                del self._open[principal.id]
