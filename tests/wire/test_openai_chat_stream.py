"""OpenAI's chat wire as a stream, both ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    NodeError,
)
from inferd.core.result import (
    NO_USAGE,
    Chunk,
    Embeddings,
    Finish,
    Media,
    TextDelta,
    ToolCallDelta,
    Usage,
    Value,
)
from inferd.wire import openai_chat as wire
from inferd.wire import sse
from tests.wire.given import (
    ERRORS,
    deltas,
    finishes,
    junk,
)


def datas(raw: bytes) -> list[str]:
    return [event.data for event in sse.Decoder().feed(raw)]


def decoded(raw: bytes) -> list[Chunk]:
    decoder = wire.StreamDecoder()
    chunks = [chunk for data in datas(raw) for chunk in decoder.feed(data)]
    return [*chunks, *decoder.end()]


@given(deltas, finishes, st.booleans())
def test_a_stream_is_read_back(
    sent: list[TextDelta | ToolCallDelta], finish: Finish, include_usage: bool
) -> None:
    encoder = wire.ChunkEncoder("c", "m", 1, include_usage=include_usage)
    raw = b"".join(map(encoder.encode, [*sent, finish])) + encoder.end
    usage = finish.usage if include_usage else NO_USAGE
    assert decoded(raw) == [*sent, Finish(reason=finish.reason, usage=usage, model="m")]
    assert wire.is_complete(raw[-100:])


def test_the_events_are_exactly_openais() -> None:
    encoder = wire.ChunkEncoder("c", "m", 7, include_usage=True)
    head = '{"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":['
    events = [
        encoder.encode(TextDelta("Hi")),
        encoder.encode(TextDelta("!")),
        encoder.encode(Finish(usage=Usage(input_tokens=1, output_tokens=2))),
        encoder.end,
    ]
    assert [data for event in events for data in datas(event)] == [
        head + '{"index":0,"delta":{"role":"assistant","content":"Hi"},"logprobs":null,'
        '"finish_reason":null}],"usage":null}',
        head + '{"index":0,"delta":{"content":"!"},"logprobs":null,'
        '"finish_reason":null}],"usage":null}',
        head + '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}',
        head + '],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}',
        "[DONE]",
    ]


def test_a_structured_answer_becomes_its_json() -> None:
    encoder = wire.ChunkEncoder("c", "m", 1)
    assert decoded(encoder.encode(Value([1])) + encoder.end)[0] == TextDelta("[1]")


def test_raw_chunks_pass_and_files_are_refused() -> None:
    encoder = wire.ChunkEncoder("c", "m", 1)
    assert encoder.encode(b"data: x\n\n") == b"data: x\n\n"
    for odd in (Embeddings(data=b"", dimension=1), Media(data=b"", content_type="image/png")):
        with pytest.raises(BackendFailed):
            encoder.encode(odd)


def test_a_stream_cut_short_is_a_failure() -> None:
    encoder = wire.ChunkEncoder("c", "m", 1)
    raw = encoder.encode(TextDelta("Hi"))
    with pytest.raises(BackendFailed, match="broke off"):
        decoded(raw)
    assert not wire.is_complete(raw)
    assert not wire.is_complete(encoder.encode(TextDelta("data: [DONE]")))


def test_a_stream_that_gave_its_reason_but_no_end_mark_is_whole() -> None:
    encoder = wire.ChunkEncoder("c", "m", 1)
    assert decoded(encoder.encode(TextDelta("Hi")) + encoder.encode(Finish())) == [
        TextDelta("Hi"),
        Finish(model="m"),
    ]


def test_a_malformed_event_is_skipped_and_counted() -> None:
    decoder = wire.StreamDecoder()
    for odd in ("{", "1", "{}", '{"choices":1}'):
        assert decoder.feed(odd) == []
    assert decoder.malformed == 4
    assert decoder.feed(b" ") == []
    assert decoder.feed(b'{"choices":[1,{"index":1,"delta":{"content":"x"}},{"delta":1}]}') == []
    assert decoder.feed('{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":-1}}') == []
    assert decoder.feed("[DONE]") == [Finish(usage=Usage(input_tokens=3))]
    assert decoder.feed("[DONE]") == []
    assert decoder.feed('{"choices":[{"delta":{"content":"late"}}]}') == []
    assert decoder.end() == []
    assert decoder.malformed == 4


@given(st.lists(junk | st.just(b"[DONE]"), max_size=5))
def test_no_event_raises_anything_but_our_errors(events: list[bytes]) -> None:
    decoder = wire.StreamDecoder()
    try:
        chunks = [chunk for data in events for chunk in decoder.feed(data)]
        chunks.extend(decoder.end())
    except NodeError:
        return
    assert [type(chunk) for chunk in chunks].count(Finish) == 1
    assert type(chunks[-1]) is Finish


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.kind.value)
def test_an_error_in_a_stream_is_the_error(error: NodeError) -> None:
    encoder = wire.ChunkEncoder("c", "m", 1)
    with pytest.raises(NodeError) as caught:
        decoded(encoder.error(error, "r"))
    assert caught.value.retryable or type(caught.value) is type(error)


def test_an_upstreams_error_in_a_stream_may_state_a_status() -> None:
    decoder = wire.StreamDecoder()
    with pytest.raises(BackendOverloaded):
        decoder.feed('{"error":{"message":"secret","code":429}}')
    with pytest.raises(BackendFailed) as caught:
        decoder.feed('{"error":"secret"}')
    assert "secret" not in str(caught.value)
