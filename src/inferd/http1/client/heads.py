"""Heads of answers, and those that an upstream says again and again."""

from functools import cached_property

_LEFT_OUT = frozenset(
    b"""connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer
    transfer-encoding upgrade content-length date server set-cookie set-cookie2 alt-svc via
    x-request-id strict-transport-security content-security-policy clear-site-data nel report-to
    reporting-endpoints www-authenticate""".split()
)
"""What is said hop by hop, to this node alone, or in the name of the origin, which is us."""

_OURS = (b"x-inference-", b"access-control-")
_MOST = 64
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
        """Its end-to-end headers as finished lines, for whoever passes it on as it is.

        What is for this hop, for this node or in the origin's own name is left out, and so are
        the request id and `X-Inference-…`, which the node says itself.
        """
        named: frozenset[bytes] = frozenset()
        for name, value in self.headers:
            if name == b"connection":
                named |= frozenset(each.strip() for each in value.lower().split(b","))
        return b"".join(
            [
                b"%b: %b\r\n" % (name, value)
                for name, value in self.headers
                if name not in _LEFT_OUT and name not in named and not name.startswith(_OURS)
            ]
        )


class Heads:
    """Heads that came before, by their bytes but for the digits of the length.

    A short answer that arrives in one piece with such a head needn't be parsed again. An upstream
    whose heads are all different, with an id or the time to the millisecond, is soon left alone.
    """

    __slots__ = ("_found", "_is_useful", "_known")

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self._found = 0
        self._is_useful = True

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """Return the head and the body of an answer, if `data` is one and all of it."""
        if not self._known:
            return None
        end, at, stop = _places(data)
        head = self._known.get(data[:at] + data[stop:end]) if at < stop else None
        if head is None:
            return None
        body = data[end:]
        if len(body) != int(data[at:stop]):
            return None
        self._found += 1
        return head, body

    def keep(self, data: bytes, head: Head) -> None:
        """Remember the head with which `data` begins, of a whole answer of a stated length."""
        if not self._is_useful or not head.is_reusable or head.status != 200:
            return
        end, at, stop = _places(data)
        is_its_place = data[at - len(_NAME) : at].lower() == _NAME
        if not is_its_place or end > _LONGEST:
            return
        if len(self._known) >= _MOST:
            self._is_useful = self._found >= _MOST
            self._known.clear()
            self._found = 0
        if self._is_useful:
            self._known[data[:at] + data[stop:end]] = head


def _places(data: bytes) -> tuple[int, int, int]:
    """Return where the head ends, and where the digits of its length begin and end; or zeros."""
    end = data.find(b"\r\n\r\n") + 4
    at = data.find(b"ength: ", 0, end) + 7
    stop = data.find(b"\r", at, end)
    # `int` takes more than digits, and any number of them.
    if end < 4 or at < 7 or not 0 < stop - at < 16 or not data[at:stop].isdigit():
        return 0, 0, 0
    return end, at, stop
