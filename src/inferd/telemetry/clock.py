"""The machine's own time."""

import asyncio
import time


class SystemClock:
    """The core's Clock, for a running node."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)  # noqa: TID251  the one place it may be read

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)  # noqa: TID251
