from hypothesis import given
from hypothesis import strategies as st

from inferd.http1.server.head import Head, parse_head
from inferd.http1.server.memo import Known, Memo
from inferd.http1.server.owner import Handler, Peer
from inferd.http1.server.refusal import Refusal
from tests.http1.raw import talk
from tests.http1.watching import Watched, watching


def head_of(length: bytes = b"12", *, name: bytes = b"Content-Length", more: bytes = b"") -> bytes:
    return b"POST /v1/x HTTP/1.1\r\nHost: a\r\n%b: %b\r\n%b\r\n" % (name, length, more)


def kept(data: bytes) -> tuple[Memo, Known | None]:
    memo = Memo()
    return memo, memo.keep(data, parse_head(data))


def test_a_head_is_found_by_all_but_its_length() -> None:
    memo, known = kept(head_of(b"12"))
    assert known is not None
    for last in (None, known):
        found = memo.find(head_of(b"3456") + b"body", last)
        assert found == (known, 3456, len(head_of(b"3456")))


def test_a_head_without_a_body_is_found() -> None:
    data = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
    memo, known = kept(data)
    for last in (None, known):
        assert memo.find(data + data, last) == (known, 0, len(data))


def test_the_head_met_last_is_no_obstacle() -> None:
    memo, first = kept(head_of())
    other = head_of(more=b"X-A: b\r\n")
    second = memo.keep(other, parse_head(other))
    assert memo.find(other, first) == (second, 12, len(other))
    assert memo.find(head_of(), second) == (first, 12, len(head_of()))


def test_a_length_that_is_none_is_not_found() -> None:
    memo, known = kept(head_of())
    for length in (b"", b" 1", b"+1", b"-1", b"1 ", b"1,1", b"0x1", b"1234567890123", b"\xb2"):
        for last in (None, known):
            assert memo.find(head_of(length), last) is None, length


def test_a_head_that_has_not_all_come_is_not_found() -> None:
    memo, known = kept(head_of())
    for end in range(len(head_of())):
        for last in (None, known):
            assert memo.find(head_of()[:end], last) is None


def test_heads_of_an_unusual_kind_are_not_kept() -> None:
    for data in (
        head_of(name=b"Transfer-Encoding", length=b"chunked"),
        head_of(more=b"Expect: 100-continue\r\n"),
        head_of(more=b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
        head_of().replace(b"POST", b"GET", 1),
        head_of(more=b"X-A: %b\r\n" % (b"a" * 4096)),
        # The digits that would be cut out are another header's.
        head_of().replace(b"Host: a\r\n", b"Host: a\r\nX-Length: 5\r\n"),
        # There is a length, and nothing would be cut out.
        head_of().replace(b"Length: ", b"Length:"),
        head_of().replace(b"Length: ", b"Length:  "),
    ):
        memo, known = kept(data)
        assert known is None, data
        assert memo.find(data, None) is None


def test_what_is_kept_is_bounded() -> None:
    for length, most in ((1, 2048), (3000, 340)):
        memo = Memo()
        more = b"X-A: %%0%dd\r\n" % length
        data = [head_of(more=more % number) for number in range(most + 20)]
        for each in data[: most - 20]:
            memo.keep(each, parse_head(each))
        assert memo.find(data[0], None) is not None
        for each in data[most - 20 :]:
            memo.keep(each, parse_head(each))
        assert memo.find(data[0], None) is None
        assert memo.find(data[-1], None) is not None


def test_a_head_that_is_kept_again_is_the_same_and_takes_no_more_room() -> None:
    memo, known = kept(head_of())
    other = head_of(more=b"X-A: b\r\n")
    kept_too = memo.keep(other, parse_head(other))
    for _ in range(30_000):
        assert memo.keep(head_of(b"7"), known.head if known else parse_head(head_of())) is known
    assert memo.find(other, None) == (kept_too, 12, len(other))


async def test_a_head_that_comes_in_two_segments_is_decided_once() -> None:
    class Counting(Watched):
        def route(self, head: Head, peer: Peer) -> Handler:
            routed.append(head)
            return super().route(head, peer)

    routed: list[Head] = []
    data = head_of(b"5") + b"hello"
    async with watching(house=Counting) as one, talk(one.port) as line:
        for number in range(1, 4):
            for cut in (40, len(data) - 3):
                before = one.read_bytes
                line.send(data[:cut])
                await one.read(before + cut)
                line.send(data[cut:])
                await one.read(before + len(data))
            await line.answered(2 * number)
        assert [each.body for each in line.replies()] == [b"hello"] * 6
        assert len(routed) == 1


lines = st.lists(
    st.sampled_from(
        [
            *(b"Host: a", b"Content-Length: 1", b"Content-Length: 23", b"content-length: 23"),
            *(b"Content-Length: ", b"Content-Length: x", b"X-Length: "),
            *(b"Content-Length:5", b"Content-Length: 05", b"X-Length: 7", b"X-Length: 8"),
            *(b"X-A: content-length: 5", b"X-A: b", b"Transfer-Encoding: chunked", b"a: length: 4"),
            *(b"Connection: close", b"Expect: 100-continue", b"Content-Length: 9999999999999"),
        ]
    ),
    max_size=5,
)


def put_together(method: bytes, path: bytes, lines: list[bytes]) -> bytes:
    first = method + b" /" + path + b" HTTP/1.1"
    return b"\r\n".join([first, b"Host: a", *lines, b"", b""])


heads = st.builds(
    put_together,
    st.sampled_from([b"GET", b"POST", b"POST", b"HEAD"]),
    st.sampled_from([b"", b"length:", b"v1"]),
    lines,
)


def said(head: Head, length: int | None) -> tuple[object, ...]:
    """All that a request's head says but for the digits of its length."""
    headers = tuple(
        pair if pair[0] != b"content-length" else (pair[0], b"") for pair in head.headers
    )
    rest = (head.method, head.target, head.path, head.keep_alive, head.expects_continue)
    return (length, headers, head.upgrade, head.is_plain, *rest)


def without(data: bytes) -> tuple[object, ...] | None:
    try:
        head = parse_head(data)
    except Refusal:
        return None
    return said(head, head.length)


@given(st.lists(heads, min_size=1, max_size=12))
def test_the_same_requests_come_out_with_and_without(requests: list[bytes]) -> None:
    memo = Memo()
    last: Known | None = None
    for data in requests:
        found = memo.find(data + b"body", last)
        if found is not None:
            last, length, end = found
            assert end == len(data)
            assert said(last.head, length) == without(data)
            continue
        try:
            head = parse_head(data)
        except Refusal:
            continue
        known = memo.keep(data, head)
        last = known or last
        if known is not None:
            again = memo.find(data, None)
            assert again == (known, head.length, len(data))
