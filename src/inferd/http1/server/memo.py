"""Heads that came before, so that what was decided from one is decided once."""

from inferd.http1.server.head import MOST_DIGITS, Head

# As many as callers with keys of their own are likely to be: each sends a head of its own.
_MOST_HEADS = 2048
_MOST_BYTES = 1 << 20
_LONGEST = 4 << 10
# The end of `Content-Length: `, in whichever letters a client begins it.
_MARK = b"ength: "
_LINE = b"\r\ncontent-length: "


class Known:
    """A head that came before, cut where its body's length stood."""

    __slots__ = ("at", "head", "prefix", "suffix")

    def __init__(self, head: Head, prefix: bytes, suffix: bytes) -> None:
        self.head = head
        self.prefix = prefix
        self.suffix = suffix
        """Empty where the head says no length: then `prefix` is all of it."""
        self.at = len(prefix)


class Memo:
    """At most 2,048 heads, 1 MiB together, found by their bytes but for the body's length.

    The digits of one Content-Length are cut out, and what is left is looked up. Where they stood
    follows from what is left (after the first `ength: `), so that two heads with the same rest
    are the same request.
    """

    __slots__ = ("_bytes", "_known")

    def __init__(self) -> None:
        self._known: dict[bytes, Known] = {}
        self._bytes = 0

    def find(self, data: bytes, last: Known | None) -> tuple[Known, int, int] | None:
        """Return the head that `data` begins with, its body's length, and where it ends.

        `last` is tried first: clients send the same head again and again.
        """
        if last is not None and data.startswith(last.prefix):
            at = last.at
            if not last.suffix:
                return last, 0, at
            after = data.find(b"\r", at, at + MOST_DIGITS + 1)
            if data.startswith(last.suffix, after):
                digits = data[at:after]
                if digits.isdigit():
                    return last, int(digits), after + len(last.suffix)
        return self._look_up(data)

    def _look_up(self, data: bytes) -> tuple[Known, int, int] | None:
        end = data.find(b"\r\n\r\n") + 4
        if not 4 <= end <= _LONGEST:
            return None
        at, after = _digits(data, end)
        known = self._known.get(data[:at] + data[after:end])
        if known is None:
            return None
        if at == end:
            return known, 0, end
        digits = data[at:after]
        return (known, int(digits), end) if digits.isdigit() else None

    def keep(self, data: bytes, head: Head) -> Known | None:
        """Remember `head`, whose bytes are `data`, or one that came before it with the same rest.

        None if more than its length decides.
        """
        if len(data) > _LONGEST or not _is_plain(head):
            return None
        at, after = _digits(data, len(data))
        if at < len(data):
            if data[:at][-len(_LINE) :].lower() != _LINE or not data[at:after].isdigit():
                return None
        elif head.get(b"content-length"):
            return None
        prefix, suffix = data[:at], data[after:]
        known = self._known.get(prefix + suffix)
        if known is not None:
            return known
        if len(self._known) >= _MOST_HEADS or self._bytes + len(data) > _MOST_BYTES:
            self._known.clear()
            self._bytes = 0
        self._bytes += len(data)
        self._known[prefix + suffix] = known = Known(head, prefix, suffix)
        return known


def _digits(data: bytes, end: int) -> tuple[int, int]:
    """Return from where to where a length may stand in a head; its end twice, if nowhere."""
    at = data.find(_MARK, 0, end) + len(_MARK)
    if at < len(_MARK):
        return end, end
    after = data.find(b"\r", at, at + MOST_DIGITS + 1)
    return at, max(at, after)


def _is_plain(head: Head) -> bool:
    """Whether a request with this head is of the usual kind."""
    if head.length is None or head.expects_continue or head.upgrade:
        return False
    return head.method in ("POST", "PUT", "PATCH") or not head.get(b"content-length")
