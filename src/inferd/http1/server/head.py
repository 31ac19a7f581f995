"""A request's head, read strictly: what two readers could understand differently is refused."""

from typing import TYPE_CHECKING
from urllib.parse import unquote

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserUpgrade,
    HttpRequestParser,
)

from inferd.http1.server.refusal import Refusal

if TYPE_CHECKING:
    from inferd.http1.server.owner import Handler

_TARGET = bytes(range(0x21, 0x7F)).replace(b"#", b"")
_HOST = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=%:[]"
MOST_DIGITS = 12
"""Of a Content-Length. No body has a terabyte; a number that is longer is an attempt."""
_LONGEST_METHOD = 32
# A head that comes in many pieces is looked at from its beginning each time, so only while short.
_LOOKED_AT = 1024


class Head:
    """What a request says before its body. Shared between requests: whoever serves one reads only.

    `length` is the body's; None where it comes in chunks. `Connection.length` is the request's
    own: a shared head may be another's with the same lines.
    """

    __slots__ = (
        "expects_continue",
        "handler",
        "headers",
        "is_plain",
        "keep_alive",
        "length",
        "method",
        "path",
        "query",
        "raw_path",
        "target",
        "upgrade",
        "version",
    )

    method: str
    target: bytes
    """In origin form: path and query, as they came."""
    path: str
    """Percent-decoded, as ASGI wants it."""
    raw_path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    """Names in lower case."""
    version: str
    """`1.1` or `1.0`."""
    length: int | None
    keep_alive: bool
    is_plain: bool
    """Whether its response has a body, and another request may follow: nearly always."""
    expects_continue: bool
    upgrade: bytes
    """What the client would rather speak, in lower case; empty almost always."""
    handler: "Handler"

    def get(self, name: bytes) -> bytes:
        """Return the first header of that (lower-case) name; empty if there is none."""
        for each, value in self.headers:
            if each == name:
                return value
        return b""


def parse_head(data: bytes, *, most_headers: int = 100, most_target: int = 8 << 10) -> Head:
    """Read a whole head: `data` ends with its blank line, the first in it.

    Raises:
        Refusal: It isn't a request that every reader understands alike.
    """
    reader = _Reader()
    parser = reader.parser = HttpRequestParser(reader)
    try:
        parser.feed_data(data)
    except HttpParserUpgrade:
        pass
    except HttpParserError as error:
        raise _malformed(data, error) from error
    if reader.ends != 1 or reader.has_body:
        raise _version_or_malformed(data)
    method = parser.get_method()
    _check_first_line(data, method, reader.url, reader.version)
    if len(reader.url) > most_target:
        raise _long_target(most_target)
    if len(reader.headers) > most_headers:
        raise Refusal(
            431, "the request has too many headers", f"send at most {most_headers} of them"
        )
    return _head(method.decode(), reader)


def check_beginning(data: bytes, *, most_target: int = 8 << 10) -> None:
    """Look at the beginning of a head whose blank line hasn't come.

    Raises:
        Refusal: No head begins like that, or its target is too long already.
    """
    if len(data) > most_target + _LONGEST_METHOD and b"\r\n" not in data:
        raise _long_target(most_target)
    if len(data) <= _LOOKED_AT:
        try:
            HttpRequestParser(object()).feed_data(data)
        except HttpParserError as error:
            raise _malformed(data, error) from error


class _Reader:
    """What llhttp tells of a head."""

    __slots__ = (
        "ends",
        "has_body",
        "headers",
        "is_upgrade",
        "keep_alive",
        "parser",
        "url",
        "version",
    )

    parser: HttpRequestParser

    def __init__(self) -> None:
        self.url = b""
        self.version = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = self.is_upgrade = self.has_body = False
        self.ends = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.ends += 1
        self.version = self.parser.get_http_version()
        self.keep_alive = self.parser.should_keep_alive()
        self.is_upgrade = self.parser.should_upgrade()

    def on_body(self, _: bytes) -> None:
        self.has_body = True


def _head(method: str, reader: _Reader) -> Head:
    """Return the head, once what llhttp lets through has been looked at too."""
    head = Head()
    is_old = reader.version == "1.0"
    head.method = method
    head.version = reader.version
    head.headers = tuple(reader.headers)
    head.target = _target(method, reader.url, _host(reader, is_old=is_old))
    head.raw_path, _, head.query = head.target.partition(b"?")
    path = head.raw_path.decode("ascii")
    head.path = unquote(path) if "%" in path else path
    head.length = _length(reader, is_old=is_old)
    head.keep_alive = reader.keep_alive and not is_old
    head.is_plain = head.keep_alive and method != "HEAD"
    head.expects_continue = _expects(reader) and head.length != 0 and not is_old
    head.upgrade = _last(reader, b"upgrade").lower() if reader.is_upgrade and not is_old else b""
    return head


def _check_first_line(data: bytes, method: bytes, url: bytes, version: str) -> None:
    """Hold the request line to its one form: single spaces, HTTP, a version that we speak."""
    line = data[: data.find(b"\r\n")]
    if version not in ("1.1", "1.0") or not line.endswith(b" HTTP/" + version.encode()):
        raise _version_or_malformed(data)
    if line != b"%b %b HTTP/%b" % (method, url, version.encode()):
        raise _not_http()


def _host(reader: _Reader, *, is_old: bool) -> bytes:
    hosts = [value for name, value in reader.headers if name == b"host"]
    if len(hosts) > 1 or not (hosts or is_old):
        raise Refusal(400, f"the request has {len(hosts)} Host headers", "send exactly one")
    host = hosts[0] if hosts else b""
    if host.translate(None, _HOST):
        raise Refusal(400, "the request's Host is no name of a host", "send the name and the port")
    return host


def _target(method: str, url: bytes, host: bytes) -> bytes:
    """Return the target in origin form."""
    if method == "CONNECT":
        raise Refusal(501, "this server opens no tunnels", "send a request that it can answer")
    if url.translate(None, _TARGET):
        raise Refusal(
            400, "the request's target holds characters that no URL has", "percent-encode them"
        )
    if url.startswith(b"/") or (url == b"*" and method == "OPTIONS"):
        return url
    scheme, separator, rest = url.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise Refusal(400, "the request's target is no path", "send one that begins with a slash")
    at = min((found for found in (rest.find(b"/"), rest.find(b"?")) if found >= 0), default=-1)
    authority, path = (rest, b"") if at < 0 else (rest[:at], rest[at:])
    if not authority or authority.lower() != host.lower():
        raise Refusal(400, "the request's target names another host than its Host", "name one host")
    return path if path.startswith(b"/") else b"/" + path


def _length(reader: _Reader, *, is_old: bool) -> int | None:
    """Return the body's length; None for chunks."""
    codings = [value for name, value in reader.headers if name == b"transfer-encoding"]
    lengths = [value for name, value in reader.headers if name == b"content-length"]
    if codings:
        if is_old or lengths or len(codings) > 1:
            raise Refusal(
                400,
                "the request doesn't say in one way how long its body is",
                "send Content-Length, or Transfer-Encoding: chunked over HTTP/1.1, and not both",
            )
        if codings[0].lower() != b"chunked":
            raise Refusal(
                501, "the server reads no such Transfer-Encoding", "send chunked, and nothing else"
            )
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isdigit():
        raise Refusal(400, "the request's Content-Length is no number", "send one number of bytes")
    if len(lengths[0]) > MOST_DIGITS:
        raise Refusal(413, "the request's body is too long", "send less")
    return int(lengths[0])


def _expects(reader: _Reader) -> bool:
    expected = _last(reader, b"expect").lower()
    if expected not in (b"", b"100-continue"):
        raise Refusal(
            417, "the server can't do what the request expects", "expect 100-continue, or nothing"
        )
    return bool(expected)


def _last(reader: _Reader, wanted: bytes) -> bytes:
    return next((value for name, value in reversed(reader.headers) if name == wanted), b"")


def _long_target(most: int) -> Refusal:
    return Refusal(414, "the request's target is too long", f"send at most {most} bytes")


def _malformed(data: bytes, error: HttpParserError) -> Refusal:
    if isinstance(error, HttpParserInvalidMethodError):
        return Refusal(400, "the request begins with no method of HTTP", "send HTTP/1.1")
    return _version_or_malformed(data)


def _version_or_malformed(data: bytes) -> Refusal:
    """Tell a version that we don't speak from what isn't HTTP at all."""
    _, found, version = data[: data.find(b"\r\n")].rpartition(b" HTTP/")
    is_version = len(version) == len(b"1.1") and version.replace(b".", b"", 1).isdigit()
    if found and is_version and version not in (b"1.1", b"1.0"):
        return Refusal(505, "the server doesn't speak that version of HTTP", "send HTTP/1.1")
    return _not_http()


def _not_http() -> Refusal:
    return Refusal(400, "the request isn't valid HTTP/1.1", "send one Host and one body length")
