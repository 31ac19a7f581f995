"""A file that may be read while it is still arriving, and read again."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator

from inferd.core.errors import BackendOverloaded, InvalidRequest, NodeError

_IN_MEMORY = 256 * 1024
_PIECE = 64 * 1024


class ArrivingFile:
    """A core.content.File. Beyond 256 KiB its bytes are in an anonymous temporary file.

    Disk calls are made on the loop: pieces are small, and both sides meet in the page cache.
    """

    def __init__(self, field: str, *, name: str, content_type: str) -> None:
        self.field = field
        self.name = name or field
        self.content_type = content_type or "application/octet-stream"
        self._store = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  closed by close()
        self._size = 0
        self._whole = False
        self._failure: NodeError | None = None
        self._news = asyncio.Event()

    @property
    def size_bytes(self) -> int | None:
        """Its length, or None while it is still arriving."""
        return self._size if self._whole else None

    async def read(self) -> AsyncIterator[bytes]:
        """Yield the bytes from the start, waiting for those that are on their way.

        Raises:
            NodeError: The rest will not come.
        """
        at = 0
        while True:
            news = self._news
            if self._failure is not None:
                raise self._failure
            if at < self._size:
                self._store.seek(at)
                piece = self._store.read(_PIECE)
                at += len(piece)
                yield piece
            elif self._whole:
                return
            else:
                await news.wait()

    def add(self, data: bytes) -> None:
        """Take bytes that have arrived.

        Raises:
            BackendOverloaded: There is no room for them.
        """
        try:
            self._store.seek(0, os.SEEK_END)
            self._store.write(data)
        except OSError as error:
            raise BackendOverloaded(
                "no room to keep the upload",
                hint="free some in this machine's folder for temporary files (TMPDIR)",
            ) from error
        self._size += len(data)
        self._tell()

    def complete(self) -> None:
        """Note that all of it is here."""
        self._whole = True
        self._tell()

    def close(self, failure: NodeError | None = None) -> None:
        """Remove it. Whoever still reads is told `failure`. Idempotent."""
        if self._failure is None:
            self._failure = failure or InvalidRequest("the request that the file came with is over")
        self._store.close()
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def __repr__(self) -> str:
        state = "whole" if self._whole else "arriving"
        return f"<ArrivingFile {self.field} {self._size} bytes, {state}>"
