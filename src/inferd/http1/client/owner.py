"""What a connection knows of whose it is."""

from typing import TYPE_CHECKING, Protocol

from inferd.http1.client.heads import LastHead

if TYPE_CHECKING:
    from inferd.http1.client.connection import Connection


class Owner(Protocol):
    """Whose connection it is."""

    name: str
    kept_seconds: float
    last_head: LastHead

    def give_back(self, connection: "Connection", /) -> None:
        """Take a clean connection back."""
        ...

    def gone(self, connection: "Connection", /) -> None:
        """Forget a connection."""
        ...
