"""Heads of answers, and those that an upstream says again and again."""

from functools import cached_property

_PASSED_ON = frozenset(
    (b"content-type", b"content-encoding", b"content-disposition", b"content-language")
)
"""What describes the body. All else is of this hop, the origin's own, or the operator's account."""

_MOST_MISSES = 64
_LONGEST = 4 << 10
_NAME = b"\r\ncontent-length: "


class Head:
    """An answer's status and headers, their names in lower case. Shared: never changed."""

    def __init__(
        self, status: int, headers: tuple[tuple[bytes, bytes], ...], *, is_reusable: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self.is_reusable = is_reusable
        """Whether the connection outlives the answer."""

    @cached_property
    def is_framed(self) -> bool:
        """Whether the body's end is told, or the connection's end is its own."""
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers)

    @cached_property
    def content_type(self) -> str:
        """What the body is; empty where the upstream doesn't say."""
        return self.first(b"content-type")

    def first(self, name: bytes) -> str:
        """Return a header's first value, empty when it is absent."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return ""

    @cached_property
    def block(self) -> bytes:
        """The headers that describe the body, as finished lines, for whoever passes it on."""
        return b"".join(
            [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name in _PASSED_ON]
        )


class LastHead:
    """The head that an upstream said last, cut in two where the digits of its length stand.

    An answer that arrives in one piece with the same head, as nearly every short one does,
    needn't be parsed again. An upstream whose heads all differ is soon left alone.
    """

    __slots__ = ("_after", "_before", "_head", "_misses")

    def __init__(self) -> None:
        self._head: Head | None = None
        self._before = self._after = b""
        self._misses = 0

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return the head but for its length, and the body, if `data` is a whole answer."""
        before, after = self._before, self._after
        if self._head is None or not data.startswith(before):
            return None
        stop = data.find(b"\r", len(before))
        if not data.startswith(after, stop):
            return None
        body = data[stop + len(after) :]
        if data[len(before) : stop] != b"%d" % len(body):
            return None
        self._misses = 0
        return self._head, body

    def keep(self, data: bytes, head: Head) -> None:
        """Remember the head with which `data`, a whole answer, begins."""
        self._misses += 1
        if self._misses > _MOST_MISSES or not head.is_reusable or head.status != 200:
            return
        end = data.find(b"\r\n\r\n") + 4
        begin = data[:end].lower().find(_NAME) + len(_NAME)
        stop = data.find(b"\r", begin, end)
        if begin > len(_NAME) and end <= _LONGEST:
            others = tuple(each for each in head.headers if each[0] != b"content-length")
            self._head = Head(head.status, others, is_reusable=True)
            # Each answer has a length of its own, so the head that they share has none.
            self._head.is_framed = True
            self._before, self._after = data[:begin], data[stop:end]
