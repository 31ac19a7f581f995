"""However a stream's bytes are cut, it tells the same, and what it tells is the whole answer."""

from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferd.core.answer import Answer, collect
from inferd.core.errors import NodeError
from inferd.core.result import Chunk, Finish, Result
from inferd.wire import openai_chat, sse
from inferd.wire.openai_stream_watch import StreamWatch
from tests.streams.stories import STORIES, Story, rechunked, without_usage

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
BRIEFLY = settings(max_examples=8, deadline=None, suppress_health_check=SLOW)
each_story = pytest.mark.parametrize("name", STORIES)


def folded(chunks: Iterable[Chunk]) -> Result:
    """One result of all chunks; nothing here waits, so no loop is needed."""

    async def given_out() -> AsyncIterator[Chunk]:
        for chunk in chunks:
            yield chunk

    work = collect(Answer(given_out()))
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited for something")


def told(pieces: Iterable[bytes]) -> tuple[list[Chunk], str, int]:
    """The chunks of a stream, how it failed, and how many events were skipped."""
    events, decoder = sse.Decoder(), openai_chat.StreamDecoder()
    chunks: list[Chunk] = []
    try:
        for piece in pieces:
            for event in events.feed(piece):
                chunks += decoder.feed(event.data)
        chunks += decoder.end()
    except NodeError as error:
        return chunks, error.kind.value, decoder.malformed
    return chunks, "", decoder.malformed


def whole(story: Story) -> Result:
    return folded(openai_chat.decode_result(story.body))


def test_the_corpus_is_large_and_says_what_it_is() -> None:
    assert len(STORIES) >= 40
    assert all(story.about.endswith(".") and story.data for story in STORIES.values())
    assert {story.ends for story in STORIES.values()} == {"done", "finish", "error", "cut"}


@each_story
@BRIEFLY
@given(data=st.data())
def test_a_stream_folds_to_the_whole_answer(name: str, data: st.DataObject) -> None:
    story = STORIES[name]
    chunks, error, malformed = told(data.draw(rechunked(story.data)))
    assert (error, malformed) == (story.error, story.malformed)
    if story.breaks:
        assert not any(isinstance(chunk, Finish) for chunk in chunks)
        assert folded([*chunks, Finish()]).text == whole(story).text
    else:
        assert folded(chunks) == whole(story)


@each_story
@BRIEFLY
@given(data=st.data())
def test_whole_events_pass_untouched_and_tell_their_usage(name: str, data: st.DataObject) -> None:
    story = STORIES[name]
    watch = StreamWatch()
    passed = [watch.feed(piece) for piece in data.draw(rechunked(story.data))]
    assert b"".join([*passed, watch.end()]) == story.with_usage()
    assert watch.usage == whole(story).usage


@each_story
@BRIEFLY
@given(data=st.data())
def test_nobody_sees_usage_that_only_the_node_wanted(name: str, data: st.DataObject) -> None:
    story = STORIES[name]
    watch = StreamWatch(takes=True)
    passed = [watch.feed(piece) for piece in data.draw(rechunked(story.data))]
    assert b"".join([*passed, watch.end()]) == story.without_usage()
    assert watch.usage == whole(story).usage


@pytest.mark.parametrize("name", [name for name in STORIES if b"\r" not in STORIES[name].data])
@BRIEFLY
@given(data=st.data())
def test_no_event_waits_for_the_next(name: str, data: st.DataObject) -> None:
    watch = StreamWatch(takes=True)
    arrived, passed = b"", b""
    for piece in data.draw(rechunked(STORIES[name].data)):
        arrived += piece
        passed += watch.feed(piece)
        whole_events, gap, _ = arrived.rpartition(b"\n\n")
        assert passed == without_usage(whole_events + gap)
