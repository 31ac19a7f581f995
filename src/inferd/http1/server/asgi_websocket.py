"""WebSockets of our own connections, served by an ASGI 3 application."""

import asyncio

from starlette.types import ASGIApp, Message, Scope

from inferd.core.stopping import is_stopping
from inferd.http1.server.asgi import block_of
from inferd.http1.server.connection import Connection
from inferd.http1.server.websocket import FAILED, GOING_AWAY, NORMAL, Closed, Retiring, WebSocket

RETIRES = "inferd.retires"
"""The extension that says: `receive` may say `websocket.retire`, once, before the server stops."""

_DENIED = 403


async def serve_websocket(app: ASGIApp, scope: Scope, connection: Connection) -> None:
    """Let `app` accept the WebSocket that is asked for, and speak; or refuse it in HTTP.

    The application isn't cancelled when the client leaves: it receives `websocket.disconnect`.

    Raises:
        Refusal: The request is no handshake.
    """
    socket = WebSocket(connection)
    line = _Line(socket, connection, socket.check())
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if connection.peer.is_tls else "ws"
    scope["subprotocols"] = _listed(connection.head.get(b"sec-websocket-protocol"))
    scope["extensions"] = {"websocket.http.response": {}, RETIRES: {}}
    del scope["method"]
    try:
        await app(scope, line.receive, line.send)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or not line.is_accepted or not is_stopping(error):
            raise
        while task.uncancel():
            pass
        socket.close(GOING_AWAY, "the node is stopping")
    except _Gone:
        return
    except Exception:
        if line.is_accepted:
            socket.close(FAILED, "the node failed")
        raise
    if line.is_accepted:
        socket.close(NORMAL)
    elif not connection.has_begun:
        raise RuntimeError("the application neither accepted the WebSocket nor refused it")


class _Gone(OSError):
    """Nobody hears what the application says."""


class _Line:
    """One WebSocket's `receive` and `send`."""

    __slots__ = ("_block", "_connection", "_has_connected", "_own", "_socket", "is_accepted")

    def __init__(self, socket: WebSocket, connection: Connection, own: bytes) -> None:
        self._socket = socket
        self._connection = connection
        self._own = own
        self._block: tuple[int, bytes] | None = None
        self._has_connected = False
        self.is_accepted = False

    async def receive(self) -> Message:
        """Return the next message."""
        if not self._has_connected:
            self._has_connected = True
            return {"type": "websocket.connect"}
        try:
            message = await self._socket.receive()
        except Closed as end:
            return {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}
        except Retiring:
            return {"type": "websocket.retire"}
        kind = "text" if isinstance(message, str) else "bytes"
        return {"type": "websocket.receive", kind: message}

    async def send(self, message: Message) -> None:
        """Take what the application says.

        Raises:
            OSError: The client is gone.
            RuntimeError: It isn't what is due.
        """
        kind = message["type"]
        if self._connection.is_left and not self.is_accepted:
            raise _Gone("the client is gone")
        if kind == "websocket.send" and self.is_accepted:
            data: bytes | str | None = message.get("text")
            try:
                await self._socket.send(message["bytes"] if data is None else data)
            except Closed as end:
                raise _Gone("the client is gone") from end
        elif kind == "websocket.close" and self.is_accepted:
            self._socket.close(message.get("code", NORMAL), message.get("reason") or "")
        elif not self.is_accepted and not self._connection.has_begun:
            self._answer(kind, message)
        else:
            raise RuntimeError(f"the application sent {kind!r} where none is due")

    def _answer(self, kind: str, message: Message) -> None:
        """Accept the handshake, or refuse it."""
        if kind == "websocket.accept":
            block, _ = block_of(message.get("headers", ()))
            if chosen := message.get("subprotocol"):
                block += b"sec-websocket-protocol: %b\r\n" % chosen.encode("ascii")
            self.is_accepted = True
            self._socket.accept(self._own, block)
        elif kind == "websocket.close":
            self._connection.keep_alive = False
            self._connection.send(_DENIED, b"", b"")
        elif kind == "websocket.http.response.start" and self._block is None:
            block, _ = block_of(message.get("headers", ()))
            self._block = message["status"], block
        elif kind == "websocket.http.response.body" and self._block is not None:
            if message.get("more_body", False):
                raise RuntimeError("a refused WebSocket's answer comes in one piece")
            self._connection.send(*self._block, message.get("body", b""))
        else:
            raise RuntimeError(f"the application sent {kind!r} where none is due")


def _listed(value: bytes) -> list[str]:
    names = (name.strip() for name in value.decode("latin-1").split(","))
    return [name for name in names if name]
