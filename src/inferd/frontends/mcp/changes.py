"""Who is told that there are other tools or models now."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourcesListChanged,
    ToolsListChanged,
)

MOST_LISTENING = 64


class Changes:
    """One principal's listeners, of both generations."""

    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self.subscriptions = ListenHandler(self._bus, max_subscriptions=MOST_LISTENING)
        """Serves those who ask by `subscriptions/listen`."""
        self._sessions: set[asyncio.Event] = set()

    @contextmanager
    def heard(self) -> Generator[asyncio.Event]:
        """Lend an event that is set whenever something changes."""
        event = asyncio.Event()
        self._sessions.add(event)
        try:
            yield event
        finally:
            self._sessions.discard(event)

    async def tell(self) -> None:
        """Tell all of them."""
        for event in self._sessions:
            event.set()
        await self._bus.publish(ToolsListChanged())
        await self._bus.publish(ResourcesListChanged())
