"""What a connection speaks once its client has been let leave HTTP."""

from typing import Protocol


class Upgraded(Protocol):
    """Takes the connection's bytes from the upgrade on. Called on the loop, and never waits."""

    @property
    def has_room(self) -> bool:
        """Whether more may be read."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether the client has said its last word: there is nothing left to wait for."""
        ...

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        ...

    def late(self, now: float) -> float:
        """Do what is due, and return when the next thing will be; both on the loop's clock."""
        ...

    def retire(self) -> None:
        """Come to an end in good order: the server stops."""
        ...

    def left(self) -> None:
        """Take note that the client is gone."""
        ...
