"""Heads that came before, so that what was decided from one is decided once."""

from inferd.http1.server.head import Head


class Memo:
    """At most 256 heads of at most 4 KiB, found by their bytes but for the body's length."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, Head] = {}

    def clear(self) -> None:
        """Forget all: what was decided from heads no longer holds."""
        self._heads.clear()
