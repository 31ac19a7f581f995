"""Who is told that there are other tools or models now."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ResourcesListChanged,
    ToolsListChanged,
)


class Changes:
    """One principal's listeners, of both generations."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
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
        await self.bus.publish(ToolsListChanged())
        await self.bus.publish(ResourcesListChanged())
