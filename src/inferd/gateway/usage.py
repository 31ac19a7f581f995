"""Who keeps account of what happened."""

from typing import Protocol

from inferd.core.records import Forward, Row


class Recorder(Protocol):
    """Takes what happened; returns at once and writes later."""

    def settled(self, row: Row) -> None:
        """Take a request's row."""
        ...

    def forwarded(self, line: Forward) -> None:
        """Take an attempt at another node."""
        ...
