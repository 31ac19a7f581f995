"""Usage that only the node wants: put into requests, taken out of streams."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.result import NO_USAGE, Usage
from inferd.wire.openai_stream_usage import with_usage, without_usage
from inferd.wire.openai_stream_watch import StreamWatch

FIRST = b'data: {"choices": [{"delta": {"content": "\\n \\"usage\\""}}], "usage": null}'
FILTER = b'data: {"choices": [], "prompt_filter_results": []}'
BOTH = b'data: {"choices": [{"delta": {}}], "usage": {"prompt_tokens": 9}}'
LAST = b'data: {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3}}'
DONE = b"data: [DONE]"
STREAM = [b": hello", FILTER, b"event: x\n" + FIRST, BOTH, LAST, DONE]
TOOK = Usage(input_tokens=2, output_tokens=3)


@given(
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    sizes=st.lists(st.integers(1, 60), min_size=1),
    is_closed=st.booleans(),
)
def test_only_the_event_that_tells_the_usage_is_taken_out(
    end: bytes, sizes: list[int], is_closed: bool
) -> None:
    rows = [row.replace(b"\n", end) + 2 * end for row in STREAM]
    stream = b"".join(rows).removesuffix(b"" if is_closed else 2 * end)
    kept = b"".join(row for row in rows if LAST not in row).removesuffix(
        b"" if is_closed else 2 * end
    )
    taker = StreamWatch(takes=True)
    said: list[bytes] = []
    at = 0
    for size in sizes:
        said.append(taker.feed(stream[at : at + size]))
        at += size
    said += [taker.feed(stream[at:]), taker.end()]
    # Cut between \r and \n, an event that is left out may leave the \n behind: a blank line.
    assert b"".join(said).split() == kept.split()
    assert taker.usage == TOOK


@given(sizes=st.lists(st.integers(1, 60), min_size=1), is_closed=st.booleans())
def test_a_stream_that_is_only_watched_keeps_its_bytes(sizes: list[int], is_closed: bool) -> None:
    # An event is passed on once it is whole.
    stream = b"".join(row + b"\n\n" for row in STREAM).removesuffix(b"" if is_closed else b"\n\n")
    watch = StreamWatch()
    at, said = 0, b""
    for size in sizes:
        if not (piece := stream[at : at + size]):
            break
        said += watch.feed(piece)
        at += len(piece)
        assert said == stream[: stream.rfind(b"\n\n", 0, at) + 2] or not said
    rest = stream[at:]
    said += watch.feed(rest) if rest else b""
    assert said + watch.end() == stream
    assert watch.usage == TOOK
    assert watch.tail.rstrip().endswith(DONE)


def test_an_event_that_never_ends_is_passed_on() -> None:
    taker = StreamWatch(takes=True)
    assert len(taker.feed(b"data: " + b"x" * (2 << 20))) == (2 << 20) + 6


def test_nothing_taken_is_nothing_counted() -> None:
    taker = StreamWatch(takes=True)
    assert taker.feed(DONE + b"\n\n") == DONE + b"\n\n"
    assert taker.usage == NO_USAGE


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (None, {"include_usage": True}),
        ({}, {"include_usage": True}),
        ({"include_usage": None}, {"include_usage": True}),
        ({"a": [1.0], "include_usage": False}, {"a": [1.0], "include_usage": True}),
        ({"include_usage": 0}, {"include_usage": True}),
        ({"include_usage": "no", "a": 1}, {"include_usage": True, "a": 1}),
        ({"include_usage": {}}, {"include_usage": True}),
        ([], {"include_usage": True}),
        (7, {"include_usage": True}),
        ("x", {"include_usage": True}),
    ],
)
def test_a_request_that_does_not_ask_is_made_to(stated: object, expected: object) -> None:
    body = json.dumps({"a": 1, "stream_options": stated}).encode()
    assert json.loads(with_usage(body)) == {"a": 1, "stream_options": expected}


def test_a_request_that_asks_and_what_is_none_are_left_alone() -> None:
    for stated in ({"include_usage": True}, {"a": 1, "include_usage": True}):
        body = json.dumps({"stream_options": stated}).encode()
        assert with_usage(body) is body
    for body in (b"[]", b"{", b""):
        assert with_usage(body) is body


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b" { } \n",
        b'{"a":1}',
        b'{"a":{}}',
        b'{"a":"}"} ' + b" " * 90,
        b"{" + b" " * 90 + b"}",
    ],
)
def test_a_field_is_put_behind_the_last_one(body: bytes) -> None:
    assert json.loads(with_usage(body)) == json.loads(body) | {
        "stream_options": {"include_usage": True}
    }


def test_our_own_question_is_taken_back() -> None:
    assert without_usage(b'{"a":1,"stream_options":{"include_usage":true}}') == b'{"a":1}'


def _said(text: str) -> bytes:
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return b"data: %b\n\n" % json.dumps({"id": "c", "choices": [delta]}).encode()


_ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
_SAID = [_said(f'wörd {index:02} \n\n data: "choices"') for index in range(40)]


@given(sizes=st.lists(st.integers(1, 400), min_size=1), takes=st.booleans())
def test_what_a_cut_stream_passed_on_is_counted_wherever_it_was_cut(
    sizes: list[int], takes: bool
) -> None:
    stream = _ROLE + b": ping\n\n" + b"".join(_SAID)
    watch, at = StreamWatch(takes=takes), 0
    for size in sizes:
        watch.feed(stream[at : at + size])
        at += size
    whole = stream[:at].count(b'"delta": {"content"') - (not stream[:at].endswith(b"\n\n"))
    assert abs(watch.events_passed - whole) <= 2


def test_pieces_of_many_events_and_of_one_count_the_same() -> None:
    single, many = StreamWatch(), StreamWatch()
    for event in _SAID:
        single.feed(event)
    for at in range(0, 40, 8):
        many.feed(b"".join(_SAID[at : at + 8]))
    assert single.events_passed == many.events_passed == 40


@pytest.mark.parametrize("nothing", [b"", _ROLE, b": ping\n\n", b'data: {"choices":[]}\n\n'])
def test_events_without_content_are_no_tokens(nothing: bytes) -> None:
    watch = StreamWatch()
    watch.feed(nothing)
    assert watch.events_passed == 0
