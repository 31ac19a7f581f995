"""Events survive any split."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import BackendFailed
from inferd.wire.sse import Decoder, Event, encode

lines = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
events = st.builds(Event, data=st.lists(lines, min_size=1, max_size=4).map("\n".join), event=lines)


def read(*pieces: bytes) -> list[Event]:
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    points = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in itertools.pairwise(points)]


@given(st.lists(events, max_size=5))
def test_what_was_encoded_is_decoded(sent: list[Event]) -> None:
    assert read(*(encode(event.data, event=event.event) for event in sent)) == sent


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=8))
def test_no_split_changes_the_events(body: bytes, cuts: list[int]) -> None:
    assert read(*pieces(body, cuts)) == read(body)


@given(st.text(":\r\n adtevni\ufeff", max_size=60))
def test_every_byte_alone_gives_the_same_events(text: str) -> None:
    body = text.encode()
    assert read(*(bytes([byte]) for byte in body)) == read(body)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_is_one(end: bytes) -> None:
    body = end.join([b"event: token", b"data: a", b"data:b", b"", b"data:  c", b"", b""])
    wanted = [Event(event="token", data="a\nb"), Event(data=" c")]
    assert read(body) == wanted
    assert read(*(bytes([byte]) for byte in body)) == wanted


def test_comments_and_other_fields_and_a_mark_are_passed_over() -> None:
    body = b"\xef\xbb\xbfdata: a\n: hello\nretry: 5\nodd\n\n: ping\n\nevent: x\n\n"
    assert read(body) == [Event(data="a")]


def test_the_id_stays_until_another_comes() -> None:
    body = encode("a", id="1") + encode("b") + b"id: 2\0\ndata: c\n\n"
    assert [event.id for event in read(body)] == ["1", "1", "1"]


def test_an_event_without_its_blank_line_is_not_one() -> None:
    assert read(b"data: a\n\ndata: b\n") == [Event(data="a")]


def test_no_name_can_begin_another_line() -> None:
    assert read(encode("x", event="a\ndata: b", id="1\r\n2")) == [
        Event(data="x", event="adata: b", id="12")
    ]


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert read(b"data: \xff\n\n") == [Event(data="\ufffd")]


@pytest.mark.parametrize("piece", [b"data: aaaa", b"data: a\n", b"odd: 123\n"])
def test_an_event_that_never_ends_is_a_failure(piece: bytes) -> None:
    decoder = Decoder(max_bytes=100)
    with pytest.raises(BackendFailed):
        for _ in range(100):
            decoder.feed(piece)


def test_small_events_and_comments_never_add_up() -> None:
    decoder = Decoder(max_bytes=100)
    got = [event for _ in range(100) for event in decoder.feed(b": ping\n\n:\n" + encode("a"))]
    assert len(got) == 100
    for _ in range(100):
        decoder.feed(b": only comments\n")
