"""A body that comes in chunks, read strictly as its bytes arrive."""

import re

from inferd.http1.server.refusal import Refusal

_MOST_DIGITS = 15
_LONGEST_LINE = 256
_LONGEST_TRAILERS = 8 << 10
# Wrapping (sizes, extensions, line ends) may be this much, and so many bytes for each of the body.
_WRAPPING = 64 << 10
_WRAPPING_PER_BYTE = 16
_HEX = b"0123456789abcdefABCDEF"
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TEXT = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
_EXTENSIONS = re.compile(
    rb"(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|\"[ !#-\[\]-~]*\"))?)+"
)

_SIZE, _DATA, _AFTER, _TRAILER, _ENDED = range(5)


class Chunks:
    """Takes the bytes of a chunked body as they come, and gives the body's.

    Lines end in CRLF and in nothing else; extensions and trailers are bounded and ignored.
    """

    __slots__ = ("_begun", "_body", "_owed", "_part", "_trailers", "_wrapping")

    def __init__(self) -> None:
        self._part = _SIZE
        self._owed = 0
        self._begun = b""
        self._body = 0
        self._wrapping = 0
        self._trailers = 0

    @property
    def is_complete(self) -> bool:
        """Whether the last chunk and the trailers were read."""
        return self._part == _ENDED

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the body's next bytes, and what came after its end.

        Raises:
            Refusal: The framing is broken, or there is more of it than of the body.
        """
        if self._begun:
            data, self._begun = self._begun + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and self._part != _ENDED:
            if self._part == _DATA:
                piece = data[at : at + self._owed]
                pieces.append(piece)
                at += len(piece)
                self._owed -= len(piece)
                self._body += len(piece)
                if not self._owed:
                    self._part = _AFTER
                continue
            end = data.find(b"\n", at) + 1
            line = data[at:end] if end else data[at:]
            self._check(line, is_whole=end > 0)
            if not end:
                self._begun = line
                at = len(data)
            else:
                self._take(line[:-2])
                self._wrapping += len(line)
                at = end
        if self._wrapping > _WRAPPING + _WRAPPING_PER_BYTE * self._body:
            raise _too_wrapped()
        return b"".join(pieces), data[at:]

    def _check(self, line: bytes, *, is_whole: bool) -> None:
        """Refuse a line, or the beginning of one, that can't be right."""
        most = _LONGEST_TRAILERS if self._part == _TRAILER else _LONGEST_LINE
        if len(line) > most:
            raise _too_wrapped()
        if is_whole and not line.endswith(b"\r\n"):
            raise _broken()
        text = line[:-2] if is_whole else line.removesuffix(b"\r")
        if text.translate(None, _TEXT):
            raise _broken()
        if self._part == _AFTER and text:
            raise _broken()
        if self._part == _SIZE and line[:1].translate(None, _HEX):
            raise _broken()

    def _take(self, text: bytes) -> None:
        """Take a whole line."""
        if self._part == _SIZE:
            size, mark, more = text.partition(b";")
            if mark and not _EXTENSIONS.fullmatch(mark + more):
                raise _broken()
            if not size or len(size) > _MOST_DIGITS or size.translate(None, _HEX):
                raise _broken()
            self._owed = int(size, 16)
            self._part = _DATA if self._owed else _TRAILER
        elif self._part == _AFTER:
            self._part = _SIZE
        elif not text:
            self._part = _ENDED
        else:
            name, colon, _ = text.partition(b":")
            if not colon or not name or name.translate(None, _TOKEN):
                raise _broken()
            self._trailers += len(text)
            if self._trailers > _LONGEST_TRAILERS:
                raise _too_wrapped()


def _broken() -> Refusal:
    return Refusal(400, "the request's chunks are malformed", "send them as HTTP/1.1 says")


def _too_wrapped() -> Refusal:
    return Refusal(
        431, "the request's chunks have too much around them", "send larger chunks, no extensions"
    )
