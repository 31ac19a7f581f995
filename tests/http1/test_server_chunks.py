from itertools import pairwise
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.http1.server.chunks import Chunks
from inferd.http1.server.refusal import Refusal


def read(*pieces: bytes) -> tuple[bytes, bytes]:
    """Return the body, and what came after its end; the pieces must hold all of it."""
    chunks = Chunks()
    body = b""
    rest = b""
    for piece in pieces:
        if chunks.is_complete:
            rest += piece
        else:
            more, rest = chunks.feed(piece)
            body += more
    assert chunks.is_complete
    return body, rest


def one_by_one(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


SOUND = [
    (b"0\r\n\r\n", b""),
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5\r\nhello\r\n00a\r\n, world!!!\r\n000\r\n\r\n", b"hello, world!!!"),
    (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    (b'5;a=b;c="d e"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    (b"2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
    (b"1\r\na\r\n0\r\nX-A: b\r\nX-C:\r\n\r\n", b"a"),
]


@pytest.mark.parametrize(("data", "body"), SOUND)
def test_a_body_is_read_however_it_arrives(data: bytes, body: bytes) -> None:
    assert read(data + b"GET ") == (body, b"GET ")
    assert read(*one_by_one(data + b"GET ")) == (body, b"GET ")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b" 1\r\n",
        b"1 \r\na\r\n",
        b"1 ;a\r\na\r\n",
        b"0x1\r\na\r\n",
        b"1_0\r\n",
        b"1,1\r\n",
        b"5\nhello\r\n",
        b"5\rhello\r\n",
        b"5;a\nhello\r\n",
        b"5;a\rb\r\nhello",
        b"5;a\x00\r\nhello",
        b"5;\r\nhello",
        b"5;[a\r\nhello",
        b'5;a="b\r\nhello',
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\r\n0\r\n\r\n",
        b"5\r\nhello world\r\n",
        b"0000000000000001\r\na\r\n",
        b"ffffffffffffffff\r\n",
        b"0\r\n\n",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n: b\r\n\r\n",
        b"0\r\nX-A : b\r\n\r\n",
        b"0\r\nX(A: b\r\n\r\n",
        b"0\r\n folded: b\r\n\r\n",
        b"0\r\nX-A: b\x00\r\n\r\n",
    ],
)
def test_broken_framing_is_refused(data: bytes) -> None:
    for pieces in ([data], one_by_one(data)):
        with pytest.raises(Refusal) as caught:
            read(*pieces)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"1;" + b"a" * 300 + b"\r\na\r\n",
        b"1;" + b"a" * 300,
        b"0\r\nX-A: " + b"a" * 9000,
        b"0\r\n" + b"X-A: b\r\n" * 2000,
        (b"1;" + b"a" * 200 + b"\r\na\r\n") * 1000,
    ],
)
def test_there_is_only_so_much_around_a_body(data: bytes) -> None:
    for pieces in ([data], one_by_one(data)):
        with pytest.raises(Refusal) as caught:
            read(*pieces)
        assert caught.value.status == 431


def test_small_chunks_are_no_offence() -> None:
    assert read(b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n")[0] == b"a" * 100_000


class Oracle:
    """What llhttp makes of the same body."""

    def __init__(self) -> None:
        self.body = b""
        self.is_complete = False
        self.is_broken = False
        self._parser: Any = httptools.HttpRequestParser(self)
        self.feed(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.is_broken = not self.is_complete

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_complete = True


sizes = st.integers(0, 20).map(lambda size: b"%x\r\n%b\r\n" % (size, b"." * size))
tokens = st.sampled_from(
    [b"\r\n", b"\r", b"\n", b"0", b"1", b"5", b"a", b"hello", b";", b"=", b" ", b"\t", b"X-A: b"]
)
streams = st.lists(
    st.one_of(sizes, tokens, st.just(b"0\r\n\r\n"), st.binary(max_size=2)), max_size=12
).map(b"".join)


@given(streams, st.lists(st.integers(0, 60), max_size=4))
def test_what_is_accepted_is_what_llhttp_reads(data: bytes, cuts: list[int]) -> None:
    ends = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    chunks = Chunks()
    oracle = Oracle()
    body = b""
    try:
        for start, end in pairwise(ends):
            if not chunks.is_complete:
                body += chunks.feed(data[start:end])[0]
            oracle.feed(data[start:end])
    except Refusal:
        return
    if oracle.is_broken:
        # It was seen in the middle of a line; at the line's end at the latest, so do we.
        assert not chunks.is_complete
        with pytest.raises(Refusal):
            chunks.feed(b"\r\n")
        return
    assert (oracle.is_complete, oracle.body) == (chunks.is_complete, body)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.data())
def test_a_sound_body_is_read_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(b"%X;x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(wire)))
    assert read(wire[:cut], wire[cut:] + b"more") == (b"".join(pieces), b"more")
