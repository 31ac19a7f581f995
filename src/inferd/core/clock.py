"""Time as a parameter, so that tests turn it by hand."""

from typing import Protocol


class Clock(Protocol):
    """Where the node's sense of time comes from."""

    def now(self) -> float:
        """Seconds that only go forward; for deadlines and durations."""
        ...

    def wall(self) -> float:
        """Seconds since the epoch; for records that people read."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock."""
        ...
