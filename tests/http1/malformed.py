"""Requests that are malformed, cut short or strange, and what may become of each.

In the bytes, `<M>` stands for the method, `<P>` for the path, `<B>` for a body that suits them,
`<N>` for its length and `<C>` for the same in hexadecimal.
"""

from collections.abc import Iterable
from enum import Enum

import msgspec


class Fate(Enum):
    """What may become of a request, and of the good one that is sent right behind it."""

    REFUSED = "one answer that says no; the connection ends, and nothing more is read of it"
    SERVED = "one answer; so has the request behind it"
    EITHER = "one of the two"
    CUT = "at most one answer; nothing is done with half a request"


class Case(msgspec.Struct, frozen=True):
    """One request as it goes over the wire."""

    name: str
    raw: bytes
    fate: Fate = Fate.REFUSED
    statuses: tuple[int, ...] = ()
    """What a refusal says; empty, anything that is one."""

    def to(self, target: "Target") -> bytes:
        """Write the request for `target`."""
        body = target.body
        return (
            self.raw.replace(b"<M>", target.method)
            .replace(b"<P>", target.path)
            .replace(b"<N>", b"%d" % len(body))
            .replace(b"<C>", b"%x" % len(body))
            .replace(b"<B>", body)
        )


class Target(msgspec.Struct, frozen=True):
    """A route, and a body that it takes, if it `reads` any."""

    method: bytes
    path: bytes
    body: bytes = b"{}"
    reads: bool = True


REFUSALS = frozenset({400, 405, 408, 411, 413, 414, 417, 421, 422, 426, 431, 501, 505})

HOST = b"Host: localhost\r\n"
ID = b"X-Request-Id: case\r\n"
JSON = b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: <N>\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"<C>\r\n<B>\r\n0\r\n\r\n"
LINE = b"<M> <P> HTTP/1.1\r\n"

PROBE = (
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: probe\r\nConnection: close\r\n\r\n"
)
"""A good request, and the last of its connection."""

FIRST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: first\r\n\r\n"
"""A good request, with more to come."""

_HIDDEN_BODY = b'{"model":"hidden","messages":[{"role":"user","content":"hidden"}]}'
HIDDEN = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: hidden\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
) % (len(_HIDDEN_BODY), _HIDDEN_BODY)
"""A request that no one sent as one: nobody may ever answer it."""


def _head(*lines: bytes) -> bytes:
    return LINE + HOST + ID + JSON + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _whole(*lines: bytes) -> bytes:
    """A request whose body has its length, and `lines` among its headers."""
    return (
        LINE + HOST + ID + JSON + LENGTH + b"".join(each + b"\r\n" for each in lines) + b"\r\n<B>"
    )


def _line(line: bytes, *more: bytes) -> bytes:
    """A request with its own first line, and no body."""
    return line + b"\r\n" + HOST + ID + b"".join(each + b"\r\n" for each in more) + b"\r\n"


def _chunks(chunks: bytes) -> bytes:
    return LINE + HOST + ID + JSON + CHUNKED + b"\r\n" + chunks


def _lengths() -> Iterable[Case]:
    """How long is the body? Two answers to that are how one request becomes two."""
    both = b"0\r\n\r\n" + HIDDEN
    yield Case(
        "length, then chunked", _head(b"Content-Length: <N>", b"Transfer-Encoding: chunked") + both
    )
    yield Case(
        "chunked, then length", _head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + both
    )
    yield Case(
        "chunked and length 0", _head(b"Content-Length: 0", b"Transfer-Encoding: chunked") + both
    )
    for name, lines in {
        "twice the same": (b"Content-Length: <N>", b"Content-Length: <N>"),
        "twice, shorter last": (b"Content-Length: <N>", b"Content-Length: 0"),
        "twice, shorter first": (b"Content-Length: 0", b"content-length: <N>"),
        "a list of the same": (b"Content-Length: <N>, <N>",),
        "a list": (b"Content-Length: 0, <N>",),
        "negative": (b"Content-Length: -1",),
        "with a plus": (b"Content-Length: +<N>",),
        "in hexadecimal": (b"Content-Length: 0x<C>",),
        "empty": (b"Content-Length: ",),
        "with a space inside": (b"Content-Length: <N> 0",),
        "with an underscore": (b"Content-Length: 0_<N>",),
        "with a fraction": (b"Content-Length: <N>.0",),
        "in another script": (b"Content-Length: \xd9\xa1",),
        "followed by a letter": (b"Content-Length: <N>a",),
        "beyond 64 bits": (b"Content-Length: 18446744073709551618",),
        "of a hundred digits": (b"Content-Length: " + b"1" * 100,),
        "with a form feed": (b"Content-Length: \x0c<N>",),
        "behind a colon of its own": (b"Content-Length:: <N>",),
    }.items():
        yield Case(f"length {name}", _head(*lines) + b"<B>" + HIDDEN)
    yield Case(
        "length beyond any limit",
        _head(b"Content-Length: 999999999999999") + HIDDEN,
        statuses=(413,),
    )
    yield Case("length with zeros in front", _head(b"Content-Length: 000<N>") + b"<B>", Fate.EITHER)
    yield Case(
        "a request hidden in a body",
        _head(b"Content-Length: %d" % len(HIDDEN)) + HIDDEN,
        Fate.SERVED,
    )
    yield Case("a body of no bytes", _head(b"Content-Length: 0"), Fate.SERVED)


def _encodings() -> Iterable[Case]:
    for name, line in {
        "unknown": b"Transfer-Encoding: xchunked",
        "chunked, then another": b"Transfer-Encoding: chunked, identity",
        "another, then chunked": b"Transfer-Encoding: gzip, chunked",
        "identity": b"Transfer-Encoding: identity",
        "chunked twice": b"Transfer-Encoding: chunked, chunked",
        "twice": b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "twice, chunked first": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "empty": b"Transfer-Encoding: ",
        "quoted": b'Transfer-Encoding: "chunked"',
        "with a parameter": b"Transfer-Encoding: chunked;q=1",
        "behind a vertical tab": b"Transfer-Encoding: \x0bchunked",
        "followed by a NUL": b"Transfer-Encoding: chunked\x00",
        "on the next line": b"Transfer-Encoding:\r\n chunked",
        "with a space before its colon": b"Transfer-Encoding : chunked",
        "with a tab before its colon": b"Transfer-Encoding\t: chunked",
        "behind a bare LF": b"X-A: b\nTransfer-Encoding: chunked",
        "behind a bare CR": b"X-A: b\rTransfer-Encoding: chunked",
        "with a comma": b"Transfer-Encoding: ,chunked",
    }.items():
        yield Case(f"encoding {name}", _head(line) + CHUNKS + HIDDEN)
        yield Case(
            f"encoding {name}, and a length", _head(line, b"Content-Length: <N>") + b"<B>" + HIDDEN
        )
    old = b"<M> <P> HTTP/1.0\r\n" + HOST + ID + JSON + CHUNKED
    yield Case("chunked in HTTP/1.0", old + b"\r\n" + CHUNKS + HIDDEN)
    yield Case(
        "chunked in HTTP/1.0, kept", old + b"Connection: keep-alive\r\n\r\n" + CHUNKS + HIDDEN
    )
    yield Case("encoding in capitals", _head(b"TRANSFER-ENCODING: CHUNKED") + CHUNKS, Fate.EITHER)
    yield Case("encoding behind a tab", _head(b"Transfer-Encoding:\tchunked") + CHUNKS, Fate.EITHER)
    yield Case("another header like it", _whole(b"Transfer_Encoding: chunked"), Fate.SERVED)
    yield Case("TE is another header", _whole(b"TE: trailers, chunked"), Fate.SERVED)
    yield Case(
        "one that names it a hop's", _whole(b"Connection: Content-Length, Host"), Fate.EITHER
    )


def _chunk_sizes() -> Iterable[Case]:
    for name, size in {
        "no number": b"G",
        "negative": b"-1",
        "with a prefix": b"0x<C>",
        "with a plus": b"+<C>",
        "with an underscore": b"0_<C>",
        "behind a space": b" <C>",
        "empty": b"",
        "of 17 digits": b"10000000000000000",
        "beyond 64 bits": b"fffffffffffffffff",
        "of 100 kB": b"0" * 100_000 + b"1",
        "with a NUL": b"<C>\x00",
        "in another script": b"\xd9\xa1",
    }.items():
        yield Case(f"chunk size {name}", _chunks(size + b"\r\n<B>\r\n0\r\n\r\n" + HIDDEN))
    for name, chunks in {
        "chunk size ended by LF": b"<C>\n<B>\r\n0\r\n\r\n",
        "chunk size ended by CR": b"<C>\r<B>\r\n0\r\n\r\n",
        "chunk ended by LF": b"<C>\r\n<B>\n0\r\n\r\n",
        "chunk without an end": b"<C>\r\n<B>0\r\n\r\n",
        "chunk longer than it says": b"1\r\n<B><B>\r\n0\r\n\r\n",
        "extension with an LF": b"<C>;a\nb\r\n<B>\r\n0\r\n\r\n",
        "extension with a CR": b"<C>;a\rb\r\n<B>\r\n0\r\n\r\n",
        "extension of 1 MB": b"<C>;" + b"a" * 1_000_000 + b"\r\n<B>\r\n0\r\n\r\n",
        "trailer of 1 MB": b"<C>\r\n<B>\r\n0\r\nX-A: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "trailers without number": b"<C>\r\n<B>\r\n0\r\n" + b"X-A: b\r\n" * 50_000 + b"\r\n",
        "trailer ended by LF": b"<C>\r\n<B>\r\n0\r\nX-A: b\n\r\n",
    }.items():
        yield Case(name, _chunks(chunks + HIDDEN))
    for name, chunks in {
        "chunks": CHUNKS,
        "an extension": b'<C>;name="value"\r\n<B>\r\n0\r\n\r\n',
        "a trailer": b"<C>\r\n<B>\r\n0\r\nX-A: b\r\n\r\n",
        "trailers that name headers": b"<C>\r\n<B>\r\n0\r\nContent-Length: 9\r\nHost: x\r\n\r\n",
        "capital digits": b"<C>\r\n<B>\r\n00\r\n\r\n",
        "zeros in front": b"0000<C>\r\n<B>\r\n0000\r\n\r\n",
    }.items():
        yield Case(f"served: {name}", _chunks(chunks), Fate.SERVED)
    yield Case("chunk size with a space behind", _chunks(b"<C> \r\n<B>\r\n0\r\n\r\n"), Fate.EITHER)


def _lines() -> Iterable[Case]:
    folded = LINE + HOST + ID + b"X-A: b\r\n c\r\n"
    yield Case("lines ended by LF", _whole().replace(b"\r\n", b"\n"))
    yield Case("headers ended by LF LF", LINE + HOST + ID + b"X-A: b\n\n" + HIDDEN)
    yield Case("one line ended by LF", LINE + HOST + ID + b"X-A: b\nX-B: c\r\n\r\n")
    yield Case("a folded line", folded + b"\r\n")
    yield Case("a folded line that hides a length", folded + b"Content-Length: 5\r\n\r\n" + HIDDEN)
    yield Case("a first header behind a space", LINE + b" X-A: b\r\n" + HOST + ID + b"\r\n")
    for name, line in {
        "space before its colon": b"X-A : b",
        "without a colon": b"X-A",
        "without a name": b": b",
        "bare CR inside": b"X-A: b\rc",
        "NUL inside": b"X-A: b\x00c",
        "NUL in its name": b"X\x00A: b",
        "control byte inside": b"X-A: b\x01c",
        "delete inside": b"X-A: b\x7fc",
        "space in its name": b"X A: b",
        "bracket in its name": b"X(A): b",
        "another script in its name": b"X-\xc3\xa9: b",
    }.items():
        yield Case(f"a header: {name}", _whole(line))
    yield Case("a header: another script inside", _whole(b"X-A: \xc3\xa9\xff"), Fate.EITHER)
    yield Case("a header: empty", _whole(b"X-A:"), Fate.SERVED)
    yield Case("a header of 70 kB", _whole(b"X-A: " + b"a" * 70_000), statuses=(431,))
    yield Case("a header's name of 70 kB", _whole(b"X" * 70_000 + b": b"), statuses=(400, 431))
    yield Case("101 headers", _whole(*[b"X-%d: b" % n for n in range(101)]), statuses=(431,))
    yield Case("5000 headers", _whole(*[b"X: b"] * 5000), statuses=(431,))
    yield Case("80 headers", _whole(*[b"X-%d: b" % n for n in range(80)]), Fate.SERVED)
    yield Case("an empty line in front", b"\r\n" + _whole(), Fate.EITHER)
    yield Case("100 kB of empty lines in front", b"\r\n" * 50_000 + _whole())


def _first_lines() -> Iterable[Case]:
    for name, line in {
        "method in lower case": b"get <P> HTTP/1.1",
        "two spaces": b"<M>  <P> HTTP/1.1",
        "a tab": b"<M>\t<P>\tHTTP/1.1",
        "a space in front": b" <M> <P> HTTP/1.1",
        "no target": b"<M>  HTTP/1.1",
        "two targets": b"<M> <P> <P> HTTP/1.1",
        "no version": b"<M> <P>",
        "HTTP/0.9": b"<M> <P> HTTP/0.9",
        "HTTP/1.2": b"<M> <P> HTTP/1.2",
        "HTTP/2.0": b"<M> <P> HTTP/2.0",
        "HTTP/1.10": b"<M> <P> HTTP/1.10",
        "HTTP/01.1": b"<M> <P> HTTP/01.1",
        "HTTP in lower case": b"<M> <P> http/1.1",
        "HTTPS": b"<M> <P> HTTPS/1.1",
        "RTSP": b"<M> <P> RTSP/1.0",
        "ICE": b"SOURCE <P> ICE/1.0",
        "no slash in front": b"<M> healthz HTTP/1.1",
        "another's URL": b"<M> http://evil.example<P> HTTP/1.1",
        "another's URL with a user": b"<M> http://localhost@evil.example<P> HTTP/1.1",
        "a URL of another kind": b"<M> ftp://localhost<P> HTTP/1.1",
        "a star": b"<M> * HTTP/1.1",
        "CONNECT": b"CONNECT localhost:80 HTTP/1.1",
        "CONNECT to a path": b"CONNECT <P> HTTP/1.1",
        "NUL in the target": b"<M> <P>\x00 HTTP/1.1",
        "control byte in the target": b"<M> <P>\x01 HTTP/1.1",
        "delete in the target": b"<M> <P>\x7f HTTP/1.1",
        "another script in the target": b"<M> <P>?\xc3\xa9 HTTP/1.1",
        "bare CR in the line": b"<M> <P>\rHTTP/1.1",
    }.items():
        yield Case(f"first line: {name}", _line(line) + HIDDEN)
    yield Case(
        "first line: a long target",
        _line(b"<M> <P>?" + b"a" * 8200 + b" HTTP/1.1"),
        statuses=(414, 431),
    )
    yield Case(
        "first line: 100 kB",
        _line(b"<M> <P>?" + b"a" * 100_000 + b" HTTP/1.1"),
        statuses=(414, 431),
    )
    yield Case("first line: an unknown method", _line(b"BREW <P> HTTP/1.1"), Fate.EITHER)
    yield Case("first line: an endless method", _line(b"G" * 5000 + b" <P> HTTP/1.1"))
    yield Case("first line: a fragment", _line(b"<M> <P>#a HTTP/1.1"), Fate.EITHER)
    yield Case("first line: our URL", _line(b"GET http://localhost/healthz HTTP/1.1"), Fate.SERVED)
    yield Case("first line: OPTIONS *", _line(b"OPTIONS * HTTP/1.1"), Fate.EITHER)
    yield Case("first line: two slashes", _line(b"GET //healthz HTTP/1.1"), Fate.EITHER)
    yield Case("first line: dots", _line(b"GET /v1/../healthz HTTP/1.1"), Fate.SERVED)
    yield Case("first line: an escaped NUL", _line(b"GET /healthz%00 HTTP/1.1"), Fate.EITHER)
    yield Case("first line: a bad escape", _line(b"GET /healthz%zz HTTP/1.1"), Fate.EITHER)
    yield Case("HTTP/0.9", b"GET /healthz\r\n")
    yield Case(
        "HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    )
    yield Case(
        "TLS on a plain port",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + b"\r\n\r\n",
    )
    yield Case("SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    yield Case("a response", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    yield Case("the end of a response in front", b"0\r\n\r\n" + _whole())


def _hosts() -> Iterable[Case]:
    for name, lines in {
        "none": b"",
        "twice": b"Host: localhost\r\nHost: localhost\r\n",
        "two": b"Host: localhost\r\nHost: evil.example\r\n",
        "with a space before its colon": b"Host : localhost\r\n",
        "two in one": b"Host: localhost, evil.example\r\n",
        "with a path": b"Host: localhost/x\r\n",
        "with a user": b"Host: a@localhost\r\n",
        "with a space": b"Host: local host\r\n",
    }.items():
        fate = Fate.REFUSED if lines.count(b"Host:") != 1 else Fate.EITHER
        yield Case(f"Host: {name}", LINE + lines + ID + JSON + LENGTH + b"\r\n<B>", fate)
    yield Case("Host: empty", LINE + b"Host: \r\n" + ID + LENGTH + b"\r\n<B>", Fate.EITHER)
    old = b"<M> <P> HTTP/1.0\r\n" + ID + JSON + LENGTH
    yield Case("Host: two in HTTP/1.0", old + HOST + HOST + b"\r\n<B>")


def _expectations() -> Iterable[Case]:
    yield Case("Expect: garbage", _whole(b"Expect: the-unexpected"), Fate.EITHER)
    yield Case("Expect: 100-continue, and the body", _whole(b"Expect: 100-continue"), Fate.SERVED)
    yield Case(
        "Upgrade: h2c",
        _whole(
            b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"
        ),
        Fate.EITHER,
    )
    yield Case(
        "Upgrade: websocket",
        _whole(
            b"Connection: Upgrade",
            b"Upgrade: websocket",
            b"Sec-WebSocket-Version: 13",
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
        Fate.EITHER,
    )
    yield Case(
        "Upgrade: garbage", _whole(b"Connection: Upgrade", b"Upgrade: \x80\x81"), Fate.EITHER
    )


def _cuts() -> Iterable[Case]:
    """The client stops sending in the middle."""
    whole, chunked = _whole(), _chunks(CHUNKS)
    for name, raw in {
        "in the method": b"GE",
        "in the target": b"GET /heal",
        "in the version": b"GET /healthz HTT",
        "behind the first line": LINE,
        "in a header's name": LINE + b"Ho",
        "in a header's value": LINE + b"Host: loc",
        "before the empty line": LINE + HOST + ID,
        "in the empty line": LINE + HOST + ID + b"\r",
        "before the body": whole.removesuffix(b"<B>"),
        "in the body": whole.removesuffix(b"<B>") + b"{",
        "before the chunks": chunked.removesuffix(CHUNKS),
        "in a chunk's size": chunked.removesuffix(CHUNKS) + b"<C>",
        "in a chunk": chunked.removesuffix(CHUNKS) + b"<C>\r\n{",
        "behind a chunk": chunked.removesuffix(CHUNKS) + b"<C>\r\n<B>\r\n",
        "behind the last chunk": chunked.removesuffix(CHUNKS) + b"<C>\r\n<B>\r\n0\r\n",
        "in the trailers": chunked.removesuffix(CHUNKS) + b"<C>\r\n<B>\r\n0\r\nX-A: b\r\n",
    }.items():
        yield Case(f"cut {name}", raw, Fate.CUT)


CASES = (
    *_lengths(),
    *_encodings(),
    *_chunk_sizes(),
    *_lines(),
    *_first_lines(),
    *_hosts(),
    *_expectations(),
    *_cuts(),
)
