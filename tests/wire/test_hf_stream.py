"""The HF task wire as a stream, both ends."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.errors import (
    BackendFailed,
    ModelNotFound,
    NodeError,
)
from inferd.core.result import (
    Chunk,
    Embeddings,
    Finish,
    FinishReason,
    Media,
    TextDelta,
    ToolCallDelta,
    Usage,
    Value,
)
from inferd.wire import hf_tasks as wire
from inferd.wire import sse
from tests.wire.given import deltas, finishes, junk


def decoded(raw: bytes) -> list[Chunk]:
    decoder = wire.StreamDecoder()
    chunks = [chunk for event in sse.Decoder().feed(raw) for chunk in decoder.feed(event.data)]
    return [*chunks, *decoder.end()]


@given(deltas, finishes)
def test_a_stream_is_read_back(sent: list[TextDelta | ToolCallDelta], finish: Finish) -> None:
    encoder = wire.StreamEncoder()
    raw = b"".join(map(encoder.encode, [*sent, finish])) + encoder.end
    assert decoded(raw) == [*sent, finish]


def test_the_events_are_text_generation_inferences() -> None:
    encoder = wire.StreamEncoder()
    assert encoder.encode(TextDelta("Hi")) == (
        b'data: {"index":1,"token":{"id":0,"text":"Hi","logprob":null,"special":false},'
        b'"generated_text":null,"details":null}\n\n'
    )
    finish = Finish(reason=FinishReason.LENGTH, usage=Usage(input_tokens=1, output_tokens=2))
    assert encoder.encode(finish) == (
        b'data: {"index":2,"token":{"id":0,"text":"","logprob":null,"special":true},'
        b'"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":2,'
        b'"input_length":1,"seed":null}}\n\n'
    )


def test_results_that_are_not_text_have_events_too() -> None:
    encoder = wire.StreamEncoder()
    sent: list[Chunk] = [
        Value([{"label": "a"}]),
        Embeddings(data=struct.pack("<4f", 1, 2, 3, 4), dimension=2),
        Media(data=b"\x00\x01", content_type="image/png", name="a.png"),
        Finish(),
    ]
    assert decoded(b"".join(map(encoder.encode, sent))) == sent
    assert encoder.encode(b"raw") == b"raw"
    with pytest.raises(BackendFailed):
        decoded(sse.encode(b'{"media":{"base64":"!"}}'))


def test_a_real_servers_stream_is_read() -> None:
    raw = (
        b'data:{"index":1,"token":{"id":9,"text":"Hi","logprob":-0.1,"special":false}}\n\n'
        b'data:{"index":2,"token":{"id":2,"text":"</s>","logprob":-1,"special":true},'
        b'"generated_text":"Hi","details":{"finish_reason":"stop_sequence","generated_tokens":2}}\n\n'
    )
    assert decoded(raw) == [TextDelta("Hi"), Finish(usage=Usage(output_tokens=2))]
    assert decoded(sse.encode(b'{"generated_text":"Hi"}')) == [TextDelta("Hi"), Finish()]


def test_a_stream_cut_short_is_a_failure_and_odd_events_are_counted() -> None:
    decoder = wire.StreamDecoder()
    for odd in ("{", "{}", "[]"):
        assert decoder.feed(odd) == []
    assert decoder.malformed == 3
    assert decoder.feed(b'{"token":{"text":"a"}}') == [TextDelta("a")]
    with pytest.raises(BackendFailed, match="broke off"):
        decoder.end()
    assert decoder.feed('{"token":{"text":5},"generated_text":"a"}') == [Finish()]
    assert decoder.feed('{"token":{"text":"late"}}') == []
    assert decoder.end() == []


def test_an_error_in_a_stream_is_the_error() -> None:
    with pytest.raises(ModelNotFound, match="no m here"):
        decoded(wire.StreamEncoder().error(ModelNotFound("no m here"), "r"))
    with pytest.raises(BackendFailed) as caught:
        decoded(sse.encode(b'{"error":"secret","error_type":"generation"}'))
    assert "secret" not in str(caught.value)


@given(st.lists(junk, max_size=5))
def test_no_event_raises_anything_but_our_errors(events: list[bytes]) -> None:
    decoder = wire.StreamDecoder()
    with suppress(NodeError):
        for data in events:
            decoder.feed(data)
