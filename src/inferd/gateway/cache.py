"""Answers kept to be given again: by exact question, to whoever asked it, within a cap of bytes."""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from inferd.core.answer import Answer, Served
from inferd.core.result import NO_USAGE, Chunk, Embeddings, Finish, Media, TextDelta, Usage
from inferd.telemetry.metrics import Family

_PARTS = 16
"""One answer may take a sixteenth of the room."""
_LEAST_EACH = 64 << 10
_OVERHEAD = 1024
"""Bytes that keeping an answer takes beside its chunks."""
_SPREAD = 8
"""How much more room Python's objects take than the JSON they come to."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says before its chunks, and all of it where it is whole."""

    served: Served
    status: int
    wire: str
    content_type: str
    block: bytes
    whole: bytes | None

    @classmethod
    def of(cls, answer: Answer) -> "Head":
        """Return an answer's."""
        return cls(
            served=answer.served,
            status=answer.status,
            wire=answer.wire,
            content_type=answer.content_type,
            block=answer.block,
            whole=answer.whole,
        )

    def copy_to(self, answer: Answer) -> None:
        """Let another answer say the same."""
        answer.status, answer.wire, answer.whole = self.status, self.wire, self.whole
        answer.content_type, answer.block = self.content_type, self.block


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer, with what it took when it was given first; `at` is on the node's clock."""

    head: Head
    chunks: Sequence[Chunk] = ()
    finish: Finish | None = None
    usage: Usage = NO_USAGE
    model: str = ""
    at: float
    offers: int
    size: int


class Cache:
    """The least recently used of them go first; what is too old, or void, isn't given again.

    An answer is void when what backends offer has changed since: who would answer now may be
    another, or nobody.
    """

    def __init__(self, *, most_bytes: int, seconds: float) -> None:
        """Keep `most_bytes` of answers, each for `seconds`."""
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._most = most_bytes
        self._seconds = seconds
        self.most_each = min(most_bytes, max(_LEAST_EACH, most_bytes // _PARTS))
        """The longest answer that is kept."""
        self.size = 0
        """Bytes that are taken, about."""
        self.flying = 0
        """Bytes of answers that are still on their way to somebody, about."""
        self.counts = {"hit": 0, "miss": 0, "shared": 0}
        """Questions that could be answered from here, by how they were."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def most_held(self) -> int:
        """How much of an answer may be held now that is still on its way to somebody."""
        return self.most_each if self.flying <= self._most else _LEAST_EACH

    def find(self, key: bytes, now: float, offers: int) -> Entry | None:
        """Return what is kept for a question, if it still holds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now - entry.at >= self._seconds or entry.offers != offers:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def keep(self, key: bytes, entry: Entry) -> None:
        """Keep an answer, in the place of older ones where there is no room."""
        if self._seconds <= 0 or entry.size > self.most_each:
            return
        self._drop(key)
        self._entries[key] = entry
        self.size += entry.size
        while self.size > self._most:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry.size

    def families(self) -> Iterable[Family]:
        """Yield its counts as metrics."""
        yield Family(
            "inferd_cache_requests",
            "counter",
            "Requests that a kept answer, or one for somebody asking the same, could answer.",
            [({"outcome": outcome}, count) for outcome, count in self.counts.items()],
        )
        yield Family(
            "inferd_cache_bytes",
            "gauge",
            "Bytes that kept answers take, and those on their way to several.",
            [({"of": "kept"}, self.size), ({"of": "under way"}, self.flying)],
        )

    def __repr__(self) -> str:
        return f"<Cache of {len(self)}, {self.size} bytes>"


def size_of(head: Head, chunks: Iterable[Chunk] = ()) -> int:
    """Return about how many bytes an answer takes in memory."""
    whole = 0 if head.whole is None else len(head.whole)
    return _OVERHEAD + whole + len(head.block) + sum(map(size_of_chunk, chunks))


def size_of_chunk(chunk: Chunk) -> int:
    """Return about how many bytes a chunk takes in memory."""
    match chunk:
        case bytes():
            return sys.getsizeof(chunk)
        case TextDelta(text):
            return sys.getsizeof(text) + 64
        case Embeddings() | Media():
            return len(chunk.data) + 128
        case _:
            return _SPREAD * len(msgspec.json.encode(chunk))
