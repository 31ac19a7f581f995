"""A raw stream as it passes: what can't be read is left out, and what was said is known."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.kept import Kept
from inferd.wire.openai_stream_watch import StreamWatch

BAD = b'data: {"id":"c","choices":[{"del\n\n'
DONE = b"data: [DONE]\n\n"
FEW = settings(max_examples=25, deadline=None)
PING = b": ping\n\n"


def said(text: str, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **more}, "finish_reason": None}
    return b"data: %b\n\n" % json.dumps({"id": "c", "choices": [choice]}).encode()


STREAM = [said("a "), PING, said('b "\n\ndata: x'), said("ż🌍"), said("d")]


def fed(watch: StreamWatch, stream: bytes, sizes: list[int]) -> bytes:
    passed, at = b"", 0
    for size in [*sizes, len(stream)]:
        if stream[at : at + size]:
            passed += watch.feed(stream[at : at + size])
        at += size
    return passed + watch.end()


def kept(*, gives_up: bool) -> Kept:
    return Kept(lambda: gives_up)


@FEW
@given(sizes=st.lists(st.integers(1, 300)), place=st.integers(0, len(STREAM)))
def test_what_cannot_be_read_is_left_out_wherever_it_is_cut(sizes: list[int], place: int) -> None:
    watch = StreamWatch()
    stream = [*STREAM[:place], BAD, *STREAM[place:], DONE]
    assert fed(watch, b"".join(stream), sizes) == b"".join([*STREAM, DONE])
    assert (watch.skipped, watch.stopped_at) == (1, b"")


@FEW
@given(sizes=st.lists(st.integers(1, 300)), place=st.integers(0, len(STREAM)))
def test_where_somebody_goes_on_nothing_passes_from_there(sizes: list[int], place: int) -> None:
    watch, story = StreamWatch(), kept(gives_up=True)
    watch.keep(story)
    stream = [*STREAM[:place], BAD, *STREAM[place:], DONE]
    assert fed(watch, b"".join(stream), sizes) == b"".join(STREAM[:place])
    story.settle()
    texts = ["a ", "", 'b "\n\ndata: x', "ż🌍", "d"]
    assert story.text == "".join(texts[:place])
    assert story.has_begun == (place > 0)
    assert watch.skipped == 0


@FEW
@given(sizes=st.lists(st.integers(1, 300)), end=st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_what_it_says_is_kept_however_it_comes(sizes: list[int], end: bytes) -> None:
    watch, story = StreamWatch(), kept(gives_up=False)
    watch.keep(story)
    last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
    stream = b"".join([*STREAM, last]).replace(b"\n", end)
    assert fed(watch, stream, sizes) == stream
    story.settle()
    assert (story.text, story.reason, story.is_plain) == ('a b "\n\ndata: xż🌍d', "length", True)
    assert watch.events_passed == 4
    assert json.loads(story.opening.removeprefix(b"data:"))["id"] == "c"


@pytest.mark.parametrize(
    "more",
    [
        {"tool_calls": [{"index": 0}]},
        {"reasoning_content": "hm"},
        {"refusal": "no"},
        {"function_call": {"name": "f"}},
    ],
)
def test_what_is_no_plain_text_is_noticed(more: dict[str, object]) -> None:
    watch, story = StreamWatch(), kept(gives_up=False)
    watch.keep(story)
    passed = said("a", **more)
    assert watch.feed(passed) == passed
    story.settle()
    assert not story.is_plain


@pytest.mark.parametrize("nothing", [{"tool_calls": None}, {"tool_calls": []}, {"refusal": None}])
def test_fields_that_say_nothing_change_nothing(nothing: dict[str, object]) -> None:
    watch, story = StreamWatch(), kept(gives_up=False)
    watch.keep(story)
    watch.feed(said("a", **nothing))
    story.settle()
    assert (story.is_plain, story.text) == (True, "a")


def test_a_long_stream_is_read_on_the_way_and_its_bytes_are_let_go() -> None:
    watch, story = StreamWatch(), kept(gives_up=False)
    watch.keep(story)
    for _ in range(5000):
        watch.feed(said("x"))
    assert len(story.texts) > 2000
    story.settle()
    assert story.text == "x" * 5000


def test_a_failure_is_told_unless_somebody_goes_on() -> None:
    failed = b'data: {"error":{"message":"key"}}\n\n'
    watch = StreamWatch(hide=lambda data: data.replace(b"key", b"[hidden]"))
    assert watch.feed(said("a") + failed) == said("a") + failed.replace(b"key", b"[hidden]")
    watch = StreamWatch()
    watch.keep(kept(gives_up=True))
    assert watch.feed(said("a") + failed + said("b")) == said("a")
    assert watch.stopped_at
    assert watch.feed(said("c")) == b""


def test_a_failure_within_a_choice_hides_our_key_too() -> None:
    failed = b'data: {"choices":[{"index":0,"error":{"message":"key"}}]}\n\n'
    watch = StreamWatch(hide=lambda data: data.replace(b"key", b"[hidden]"))
    assert b"key" not in watch.feed(failed)
