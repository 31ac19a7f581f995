"""Coverage-guided fuzzing of both parsers, run by atheris in an environment of its own.

The first byte says which parser, the second where the bytes are split. What libFuzzer finds ends
the program with a failure: an exception that isn't the parser's own, or an answer that depends on
how the bytes came.
"""

import sys

import atheris  # pyright: ignore[reportMissingModuleSource]

with atheris.instrument_imports(include=["inferd.http1"]):  # pyright: ignore[reportAttributeAccessIssue]
    from inferd.http1.client.incoming import Incoming
    from inferd.http1.server.chunks import Chunks
    from inferd.http1.server.head import parse_head
    from inferd.http1.server.refusal import Refusal

_BLANK = b"\r\n\r\n"


def _read_head(data: bytes) -> None:
    try:
        head = parse_head(data.partition(_BLANK)[0] + _BLANK)
    except Refusal:
        return
    assert head.version in ("1.0", "1.1")
    names = [name for name, _ in head.headers]
    assert names.count(b"host") == 1 or (head.version == "1.0" and b"host" not in names)
    framing = names.count(b"content-length") + names.count(b"transfer-encoding")
    assert framing <= 1
    assert head.target.startswith(b"/") or head.target == b"*"


def _chunked(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return the body and what follows it; None if it is refused or not whole."""
    chunks = Chunks()
    body = rest = b""
    try:
        for piece in pieces:
            if chunks.is_complete:
                rest += piece
                continue
            more, rest = chunks.feed(piece)
            body += more
    except Refusal:
        return None
    return (body, rest) if chunks.is_complete else None


class _Answer(Incoming):
    """An answer that comes in pieces."""

    def read(self, pieces: list[bytes]) -> tuple[object, ...] | None:
        """Return what it says; None if it isn't whole, or something is wrong with it."""
        if any(self._parse(piece) for piece in pieces):
            return None
        head = self.answer
        if head is None or not self._is_complete:
            return None
        return head.status, head.headers, self._taken()


def look(data: bytes) -> None:
    """Try one input."""
    if len(data) < 2:
        return
    which, cut, data = data[0] % 3, data[1], data[2:]
    pieces = [data[:cut], data[cut:]] if 0 < cut < len(data) else [data]
    if which == 0:
        _read_head(data)
    elif which == 1:
        assert _chunked(pieces) == _chunked([data])
    else:
        assert _Answer().read(pieces) == _Answer().read([data])


if __name__ == "__main__":
    atheris.Setup(sys.argv, look)
    atheris.Fuzz()
