import re
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.http1.server.head import Head, check_beginning, parse_head
from inferd.http1.server.refusal import Refusal

HOST = b"Host: node:8000\r\n"


def get(line: bytes = b"GET / HTTP/1.1", headers: bytes = HOST) -> bytes:
    return line + b"\r\n" + headers + b"\r\n"


def post(headers: bytes) -> bytes:
    return get(b"POST /v1/x HTTP/1.1", HOST + headers)


def refused(data: bytes) -> int:
    with pytest.raises(Refusal) as caught:
        parse_head(data)
    assert caught.value.hint
    return caught.value.status


def test_a_head_is_read() -> None:
    head = parse_head(
        get(
            b"POST /a%20b/%C3%A9?q=%20 HTTP/1.1",
            b"HOST: Node:8000\r\nX-One:  two \t\r\nx-one: three\r\nContent-Length: 007\r\n",
        )
    )
    assert (head.method, head.target) == ("POST", b"/a%20b/%C3%A9?q=%20")
    assert (head.path, head.raw_path, head.query) == ("/a b/é", b"/a%20b/%C3%A9", b"q=%20")
    assert head.headers[0] == (b"host", b"Node:8000")
    assert head.get(b"x-one") == b"two"
    assert head.get(b"x-two") == b""
    assert (head.version, head.length) == ("1.1", 7)
    assert head.keep_alive
    assert head.is_plain
    assert not head.expects_continue
    assert head.upgrade == b""


@pytest.mark.parametrize(
    ("data", "keep_alive"),
    [
        (get(), True),
        (get(headers=HOST + b"Connection: close\r\n"), False),
        (get(headers=HOST + b"Connection: x, CLOSE\r\n"), False),
        (get(b"GET / HTTP/1.0"), False),
        (get(b"GET / HTTP/1.0", HOST + b"Connection: keep-alive\r\n"), False),
    ],
)
def test_who_wants_the_connection_kept(data: bytes, keep_alive: bool) -> None:
    assert parse_head(data).keep_alive is keep_alive


def test_the_response_to_a_head_request_is_of_another_kind() -> None:
    assert not parse_head(get(b"HEAD / HTTP/1.1")).is_plain


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        (b"", 0),
        (b"Content-Length: 0\r\n", 0),
        (b"content-LENGTH:12\r\n", 12),
        (b"Transfer-Encoding: Chunked\r\n", None),
    ],
)
def test_how_long_the_body_is(headers: bytes, length: int | None) -> None:
    assert parse_head(post(headers)).length == length


@pytest.mark.parametrize(
    ("headers", "expects"),
    [
        (b"Content-Length: 3\r\nExpect: 100-Continue\r\n", True),
        (b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n", True),
        (b"Expect: 100-continue\r\n", False),
        (b"Content-Length: 3\r\n", False),
    ],
)
def test_who_waits_to_be_told_to_go_on(headers: bytes, expects: bool) -> None:
    assert parse_head(post(headers)).expects_continue is expects


@pytest.mark.parametrize(
    ("headers", "upgrade"),
    [
        (b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n", b"websocket"),
        (b"Upgrade: websocket\r\n", b""),
        (b"Connection: upgrade\r\n", b""),
    ],
)
def test_who_would_rather_speak_something_else(headers: bytes, upgrade: bytes) -> None:
    assert parse_head(get(headers=HOST + headers)).upgrade == upgrade


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"GET http://NODE:8000/a?b HTTP/1.1", b"/a?b"),
        (b"GET https://node:8000 HTTP/1.1", b"/"),
        (b"GET http://node:8000?b=/c HTTP/1.1", b"/?b=/c"),
        (b"GET //a/../b HTTP/1.1", b"//a/../b"),
        (b"OPTIONS * HTTP/1.1", b"*"),
    ],
)
def test_a_target_is_put_in_its_origin_form(line: bytes, target: bytes) -> None:
    assert parse_head(get(line)).target == target


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://other/a HTTP/1.1",
        b"GET http://me@node:8000/a HTTP/1.1",
        b"GET ftp://node:8000/a HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET /\xc3\xa9 HTTP/1.1",
        b"GET /a\x00b HTTP/1.1",
        b"GET /a\x7fb HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET /",
        b"get / HTTP/1.1",
        b"FETCH / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"ANNOUNCE /a RTSP/1.0",
        b"SOURCE /a ICE/1.0",
        b"\x16\x03\x01\x02",
    ],
)
def test_an_odd_request_line_is_refused(line: bytes) -> None:
    assert refused(get(line)) == 400


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"3.0"])
def test_another_version_of_http_is_refused(version: bytes) -> None:
    assert refused(get(b"GET / HTTP/" + version)) == 505
    assert refused(b"PRI * HTTP/2.0\r\n\r\n") == 505


def test_tunnels_are_refused() -> None:
    assert refused(get(b"CONNECT node:8000 HTTP/1.1")) == 501


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        HOST + HOST,
        HOST + b"host: other\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: me@a\r\n",
        HOST + b"X-A : b\r\n",
        HOST + b" X-A: b\r\n",
        HOST + b"X-A: b\r\n c\r\n",
        HOST + b"X-A: b\nX-B: c\r\n",
        HOST + b"X-A: b\rX-B: c\r\n",
        HOST + b"X-A: b\x00c\r\n",
        HOST + b": b\r\n",
        HOST + b"X-A\r\n",
        HOST + b"X\xc3\xa9: b\r\n",
    ],
)
def test_odd_headers_are_refused(headers: bytes) -> None:
    assert refused(get(headers=headers)) == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 3\r\nContent-Length: 3\r\n", 400),
        (b"Content-Length: 3, 3\r\n", 400),
        (b"Content-Length: +3\r\n", 400),
        (b"Content-Length: -3\r\n", 400),
        (b"Content-Length: 0x3\r\n", 400),
        (b"Content-Length: \r\n", 400),
        (b"Content-Length: 1234567890123\r\n", 413),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: chunked, identity\r\n", 400),
        (b"Transfer-Encoding: identity\r\n", 400),
        (b"Transfer-Encoding: \x0bchunked\r\n", 400),
        (b"Expect: 200-ok\r\n", 417),
    ],
)
def test_a_body_whose_end_is_in_doubt_is_refused(headers: bytes, status: int) -> None:
    assert refused(post(headers)) == status


def test_there_are_no_chunks_in_http_1_0() -> None:
    chunked = HOST + b"Transfer-Encoding: chunked\r\n"
    assert refused(get(b"POST / HTTP/1.0", chunked)) == 400
    assert parse_head(get(b"GET / HTTP/1.0", b"")).version == "1.0"
    assert refused(get(b"GET / HTTP/1.0", HOST + HOST)) == 400


def test_a_head_is_bounded() -> None:
    lines = b"".join(b"x-%d: y\r\n" % number for number in range(100))
    assert refused(get(headers=HOST + lines)) == 431
    assert len(parse_head(get(headers=lines[: -len(b"x-99: y\r\n")] + HOST)).headers) == 100
    assert refused(get(b"GET /" + b"a" * 8192 + b" HTTP/1.1")) == 414
    assert parse_head(get(b"GET /" + b"a" * 8191 + b" HTTP/1.1")).target.endswith(b"aa")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\nHost: node\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01", 400),
        (b"hello\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: b\nB", 400),
        (b"GET /" + b"a" * 9000, 414),
    ],
)
def test_what_becomes_no_head_is_refused_at_once(data: bytes, status: int) -> None:
    with pytest.raises(Refusal) as caught:
        check_beginning(data)
    assert caught.value.status == status


def test_every_beginning_of_a_head_may_become_one() -> None:
    whole = post(b"Content-Length: 12\r\nX-A: b\r\n")
    for end in range(len(whole)):
        check_beginning(whole[:end])


@dataclass(frozen=True)
class Said:
    """A head read in the plainest way there is."""

    method: bytes
    headers: list[tuple[bytes, bytes]]


def plainly(data: bytes) -> Said:
    first, *lines = data[:-4].split(b"\r\n")
    method, _, _ = first.split(b" ")
    pairs = (line.split(b":", 1) for line in lines)
    return Said(method, [(name.lower(), value.strip(b" \t")) for name, value in pairs])


def understood(data: bytes) -> Head | None:
    try:
        return parse_head(data)
    except Refusal:
        return None


pieces = st.sampled_from(
    [
        *(b"GET", b"POST", b" ", b"/", b"*", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\r", b"\n"),
        *(b"Host", b"Content-Length", b"Transfer-Encoding", b": ", b":", b"chunked", b"5"),
        *(b"node", b"Connection", b"close", b"Upgrade", b"\t", b"\x00", b"\xff", b"X-A", b"#"),
    ]
)
broken = st.lists(st.one_of(pieces, st.binary(max_size=3)), max_size=30).map(b"".join)


def put_together(method: bytes, path: bytes, lines: list[tuple[bytes, bytes]]) -> bytes:
    headers = b"".join(b"%b:%b\r\n" % pair for pair in lines)
    return get(method + b" /" + path + b" HTTP/1.1", HOST + headers)


names = st.text("abX-_", min_size=1, max_size=5).map(str.encode)
values = st.binary(max_size=9).map(lambda value: re.sub(rb"[\x00-\x1f\x7f]", b" ", value))
sound = st.builds(
    put_together,
    st.sampled_from([b"GET", b"POST", b"DELETE"]),
    st.text("abc%20/?=&", max_size=9).map(str.encode),
    st.lists(st.tuples(names, values), max_size=5),
)


@given(st.one_of(broken, broken.map(lambda data: get(headers=HOST + data))))
def test_whatever_comes_is_read_as_it_stands_or_refused(data: bytes) -> None:
    data += b"\r\n\r\n"
    data = data[: data.find(b"\r\n\r\n") + 4]
    head = understood(data)
    if head is not None:
        said = plainly(data)
        assert head.method.encode() == said.method
        assert list(head.headers) == said.headers
        assert sum(name == b"host" for name, _ in said.headers) <= 1
        assert not (head.get(b"content-length") and head.get(b"transfer-encoding"))


@given(sound)
def test_what_is_sound_is_read(data: bytes) -> None:
    head = parse_head(data)
    assert list(head.headers) == plainly(data).headers
