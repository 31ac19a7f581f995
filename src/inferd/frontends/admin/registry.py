"""What the operator's API asks of whoever opens and closes backends."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backend that somebody wants to add over HTTP: the keys of a `[[backends]]` table.

    `api_key` is `secret:NAME`, for a `[[secrets]]` table of the node's own file. `protocols` are
    those that it must speak.
    """

    name: str
    kind: str
    base_url: str
    api_key: str = ""
    models: list[str] | Mapping[str, str] = []
    tasks: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    tier: str = ""
    priority: int = 0
    timeout: float = 120.0
    options: Mapping[str, Any] = {}


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """A backend that is gone. `cut` counts its requests that were broken off."""

    name: str
    cut: int
    note: str = ""


class Registry(Protocol):
    """Where backends come and go. Every failure is a NodeError that says what to do."""

    async def register(self, wish: Registration, *, is_owner: bool) -> str:
        """Add a backend and ask it what it offers; return the lines of inferd.toml that keep it.

        `is_owner`: whether whoever asks may choose any address, and how far words travel to it.
        """
        ...

    async def remove(self, name: str, drain_seconds: float) -> Removed:
        """Close a backend once its requests have ended, or after `drain_seconds`."""
        ...

    def drain(self, name: str, *, drains: bool) -> None:
        """Give a backend no new request, or new ones again."""
        ...

    async def check(self, name: str) -> None:
        """Ask a backend now what it offers, and note how it fares."""
        ...
