"""One WebSocket as its session sees it: messages in, messages out, one at a time."""

import asyncio

from starlette.types import Receive, Scope, Send

from inferd.core.clock import Clock
from inferd.core.errors import CallerLeft
from inferd.wire.ws_messages import Told, encode_told

GOING_AWAY, POLICY, TOO_BIG = 1001, 1008, 1009
"""Why a WebSocket is closed, by RFC 6455's numbers."""


class Retiring(Exception):
    """The node stops: what is under way may end, and nothing new should begin."""


class Line:
    """`receive` for one task, `say` for any."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, *, clock: Clock, most_bytes: int
    ) -> None:
        self.scope = scope
        self.clock = clock
        self._receive = receive
        self._send = send
        self._most_bytes = most_bytes
        self._is_closed = False
        # A server's `send` has room for one who waits.
        self._turn = asyncio.Lock()

    async def accept(self) -> None:
        """Let the client in.

        Raises:
            CallerLeft: It is gone already.
        """
        await self._receive()
        try:
            await self._send({"type": "websocket.accept"})
        except OSError as error:
            raise CallerLeft from error

    async def hear(self) -> str | bytes:
        """Return the client's next message.

        Raises:
            CallerLeft: It has left, or was told to.
            Retiring: The node stops. The next call waits on.
        """
        message = await self._receive()
        if message["type"] == "websocket.retire":
            raise Retiring
        if message["type"] != "websocket.receive" or self._is_closed:
            raise CallerLeft
        text: str | bytes | None = message.get("text")
        heard = message["bytes"] if text is None else text
        if len(heard) > self._most_bytes:
            # Our own server has refused it by its first bytes; others read it whole.
            await self.close(TOO_BIG, f"a message has at most {self._most_bytes} bytes")
            raise CallerLeft
        return heard

    async def say(self, told: Told) -> None:
        """Send a message; return when there is room for another.

        Raises:
            CallerLeft: Nobody would hear it.
            InvalidRequest: A value can't be written as JSON.
        """
        text = encode_told(told)
        async with self._turn:
            if self._is_closed:
                raise CallerLeft
            try:
                await self._send({"type": "websocket.send", "text": text})
            except OSError as error:
                raise CallerLeft from error

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye, if nobody has."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except OSError:
            return
