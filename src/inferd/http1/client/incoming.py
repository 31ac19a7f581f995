"""An answer as it is parsed."""

import asyncio

import httptools

from inferd.http1.client.heads import Head

_HEADER_BYTES = 64 << 10
_HEADER_COUNT = 256
_VERSIONS = ("1.1", "1.0")


class Incoming(asyncio.Protocol):
    """What has been found of the answer that is expected now; `answer` is its head, once whole."""

    __slots__ = (
        "_expects_body",
        "_fed_bytes",
        "_header_bytes",
        "_headers",
        "_is_complete",
        "_parser",
        "_pieces",
        "_waiting_bytes",
        "answer",
    )

    def __init__(self) -> None:
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._expect(is_body=True)

    def _expect(self, *, is_body: bool) -> None:
        """Forget the last answer; the next has a body, or is one to HEAD."""
        self.answer: Head | None = None
        self._expects_body = is_body
        self._is_complete = False
        self._fed_bytes = self._waiting_bytes = 0
        self._pieces: list[bytes] = []

    def _parse(self, data: bytes) -> str:
        """Read on; return what is wrong with it, or nothing."""
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as error:
            return f"sends {error.__context__}"
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return "doesn't speak HTTP"
        if self.answer is None:
            # The parser keeps a header to itself until it ends, which may be never.
            self._fed_bytes += len(data)
            if self._fed_bytes > _HEADER_BYTES:
                return "sends too many headers"
        return ""

    def _forget_parser(self) -> None:
        # It holds what holds it.
        self._parser = None

    def on_message_begin(self) -> None:
        if self.answer is not None:
            raise ValueError("a second answer to one request")
        self._headers = []
        self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADER_BYTES or len(self._headers) >= _HEADER_COUNT:
            raise ValueError("too many headers")
        name = name.lower()
        if name == b"transfer-encoding" and value.strip(b" \t").lower() != b"chunked":
            # The parser takes any other for a body that ends with the connection.
            raise ValueError("a transfer encoding that nobody asked for")
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        assert parser is not None
        if parser.get_http_version() not in _VERSIONS:
            raise ValueError("a version of HTTP that nobody asked for")
        status = parser.get_status_code()
        if status >= 200:
            headers = tuple(self._headers)
            self.answer = Head(status, headers, is_reusable=parser.should_keep_alive())
            self._is_complete = not self._expects_body
        self._headers = []

    def on_body(self, body: bytes) -> None:
        if self._is_complete:
            raise ValueError("a body where there can be none")
        self._pieces.append(body)
        self._waiting_bytes += len(body)

    def on_message_complete(self) -> None:
        self._is_complete = self.answer is not None

    def _taken(self) -> bytes:
        """Return what has come of the body since the last look."""
        pieces, self._pieces = self._pieces, []
        self._waiting_bytes = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
