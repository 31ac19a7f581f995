"""A client's line: what was asked before its end is answered before the end is told."""

import asyncio
from typing import Any, Self

import mcp_types as types

_MOST_SECONDS = 60.0
# It is answered when it ends, and it ends with the line.
_LASTING = "subscriptions/listen"


class Line:
    """Both directions of a line, and what is still asked on it."""

    def __init__(self, read: Any, write: Any, *, most_seconds: float = _MOST_SECONDS) -> None:
        self._most_seconds = most_seconds
        self._open: set[types.RequestId] = set()
        self._answered = asyncio.Event()
        self.read = _Read(read, self)
        self.write = _Write(write, self)

    def asked(self, message: object) -> None:
        """Take note of what the client sends."""
        match message:
            case types.JSONRPCRequest(method=method, id=id) if method != _LASTING:
                self._open.add(id)
                self._answered.clear()
            case types.JSONRPCNotification(method="notifications/cancelled", params=params):
                self._close((params or {}).get("requestId"))
            case _:
                pass

    def told(self, message: object) -> None:
        """Take note of what the client was sent."""
        if isinstance(message, types.JSONRPCResponse | types.JSONRPCError):
            self._close(message.id)

    async def drained(self) -> None:
        """Return once nothing is still asked, or it has taken too long."""
        if not self._open:
            return
        try:
            async with asyncio.timeout(self._most_seconds):
                await self._answered.wait()
        except TimeoutError:
            self._open.clear()

    def _close(self, id: object) -> None:  # noqa: A002 - the protocol's word
        self._open = {each for each in self._open if each != id}
        if not self._open:
            self._answered.set()


class _Read:
    """What the client sends."""

    def __init__(self, inner: Any, line: Line) -> None:
        self._inner = inner
        self._line = line

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            item = await anext(self._inner)
        except StopAsyncIteration:
            await self._line.drained()
            raise
        if not isinstance(item, Exception):
            self._line.asked(item.message)
        return item

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class _Write:
    """What the client is sent."""

    def __init__(self, inner: Any, line: Line) -> None:
        self._inner = inner
        self._line = line

    async def send(self, item: Any) -> None:
        await self._inner.send(item)
        self._line.told(item.message)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
