"""Listings kept across restarts: a small file for each query, for the owner's eyes only."""

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from inferd.core.hub import HubModel, HubQuery

logger = logging.getLogger(__name__)

_VERSION = 1
_MOST_BYTES = 16 << 20
_MOST_FILE_BYTES = 4 << 20
_MOST_FILES = 1024
_LATEST = 1e11
_WHOLE = "task"
_BLOCK = 4096
"""What a file takes at least: many small ones fill a disk too."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A listing as it was fetched; `at` is in seconds since the epoch, `cursor` leads on."""

    query: HubQuery
    at: float
    models: tuple[HubModel, ...]
    cursor: str = ""
    version: int = _VERSION


_decode = msgspec.json.Decoder(Kept).decode
_encode = msgspec.json.Encoder().encode


class Store:
    """A folder of listings, of at most `most_bytes`. None keeps nothing.

    Searches go before whole tasks, the oldest first. A search that found nothing isn't kept.
    """

    def __init__(
        self, folder: Path | None, endpoint: str, *, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._most_bytes = most_bytes

    def load(self) -> list[Kept]:
        """Return what is kept of this endpoint, oldest first; what can't be read is removed."""
        return sorted(self._read(), key=lambda kept: kept.at)

    def save(self, kept: Kept) -> None:
        """Keep a listing: whole, or not at all. A disk that can't only costs the memory of it."""
        if self._folder is None:
            return
        path = self._folder / self._name(kept.query)
        try:
            if kept.query.search and not kept.models:
                path.unlink(missing_ok=True)
                return
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            data = _encode(kept)
            if len(data) <= _MOST_FILE_BYTES:
                self._replace(path, data)
                self._make_room()
        except OSError as error:
            logger.warning("the Hub's listing can't be kept in %s: %s", self._folder, error)

    def _name(self, query: HubQuery) -> str:
        key = _encode((self._endpoint, query))
        kind = "search" if query.search else _WHOLE
        return f"{kind}-{hashlib.sha256(key).hexdigest()[:32]}.json"

    def _read(self) -> Iterator[Kept]:
        for path, size in self._files():
            try:
                if size > _MOST_FILE_BYTES:
                    raise ValueError("too long to be one of ours")
                kept = _decode(path.read_bytes())
                if not 0 <= kept.at < _LATEST:
                    raise ValueError("of no time that we know")
                if kept.version != _VERSION or path.name != self._name(kept.query):
                    continue
                yield kept
            except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
                logger.info("%s isn't a listing of ours: it is removed", path)
                _remove(path)

    def _make_room(self) -> None:
        files = self._files()
        total = sum(max(size, _BLOCK) for _, size in files)
        left = len(files)
        for path, size in sorted(files, key=lambda each: each[0].name.startswith(_WHOLE)):
            if total <= self._most_bytes and left <= _MOST_FILES:
                return
            _remove(path)
            total -= max(size, _BLOCK)
            left -= 1

    def _files(self) -> list[tuple[Path, int]]:
        """Return the listings' files with their sizes, oldest first."""
        found: list[tuple[float, Path, int]] = []
        if self._folder is None or not self._folder.is_dir():
            return []
        for path in self._folder.glob("*.json"):
            try:
                facts = path.stat()
            except OSError:
                continue
            found.append((facts.st_mtime, path, facts.st_size))
        return [(path, size) for _, path, size in sorted(found)]

    @staticmethod
    def _replace(path: Path, data: bytes) -> None:
        draft = path.with_suffix(f".{os.getpid()}.draft")
        try:
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(file, "wb") as stream:
                stream.write(data)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s can't be removed: %s", path, error)
