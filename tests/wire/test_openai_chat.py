"""OpenAI's chat wire, both ends."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.backend import Model
from inferd.core.content import Message
from inferd.core.errors import (
    ALL_KINDS,
    BackendFailed,
    BackendOverloaded,
    ErrorKind,
    InvalidRequest,
    NodeError,
)
from inferd.core.request import InferenceRequest, Place, Raw
from inferd.core.result import (
    NO_USAGE,
    Chunk,
    Embeddings,
    Finish,
    FinishReason,
    Media,
    Result,
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
    parameters,
    plain,
    some_words,
    text_result,
    usages,
    words,
)

messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant", "tool"]),
    text=words,
    parts=st.lists(st.fixed_dictionaries({"type": st.just("image_url"), "x": plain})).map(tuple),
    name=words,
    tool_calls=st.lists(st.fixed_dictionaries({"id": words, "function": plain})).map(tuple),
    tool_call_id=words,
)


def asked(**fields: object) -> bytes:
    body: dict[str, object] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    return msgspec.json.encode(body | fields)


def datas(raw: bytes) -> list[str]:
    return [event.data for event in sse.Decoder().feed(raw)]


def decoded(raw: bytes) -> list[Chunk]:
    decoder = wire.StreamDecoder()
    chunks = [chunk for data in datas(raw) for chunk in decoder.feed(data)]
    return [*chunks, *decoder.end()]


def test_a_request_is_read_and_keeps_its_bytes() -> None:
    body = asked(temperature=0.5, max_completion_tokens=9, stream=True, vendor={"x": 1})
    request = wire.decode_request(body, id="1", place=Place.REMOTE, hops=("a",))
    assert request == InferenceRequest(
        id="1",
        task="chat",
        model="m",
        inputs={"messages": (Message(role="user", text="hi"),)},
        parameters={"temperature": 0.5, "max_tokens": 9, "vendor": {"x": 1}},
        stream=True,
        place=Place.REMOTE,
        hops=("a",),
        raw=Raw(wire="openai.chat", body=body),
    )


@given(st.lists(messages, min_size=1, max_size=3).map(tuple), words, parameters, st.booleans())
def test_what_was_encoded_is_decoded(
    turns: tuple[Message, ...], model: str, extra: dict[str, object], stream: bool
) -> None:
    sent = InferenceRequest(
        id="1",
        task="chat",
        model=model,
        inputs={"messages": turns},
        parameters=extra,
        stream=stream,
    )
    body = wire.encode_request(sent)
    read = wire.decode_request(body, id="1")
    options = {"stream_options": {"include_usage": True}} if stream else {}
    assert msgspec.structs.replace(read, raw=None) == msgspec.structs.replace(
        sent, parameters=extra | options
    )
    assert wire.wants_usage(read) is stream


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
         "messages[0].content[0].text"),
        ({"model": 1}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": "hot"}, "temperature"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wire.decode_request(asked(**fields), id="1")
    assert caught.value.details["param"] == param


def test_a_request_without_messages_says_so() -> None:
    with pytest.raises(InvalidRequest, match="messages is missing"):
        wire.decode_request(b"{}", id="1")


def test_a_vendors_own_inputs_and_parameters_are_passed_on() -> None:
    request = wire.decode_request(asked(inputs={"messages": 1}, parameters=[1]), id="1")
    assert request.parameters == {"inputs": {"messages": 1}, "parameters": [1]}


@given(junk)
def test_no_request_raises_anything_but_invalid_request(body: bytes) -> None:
    try:
        wire.decode_request(body, id="1")
    except InvalidRequest:
        return


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":"\xff"}', b'{"a":1e999}', b"[]", b""])
def test_hostile_json_is_an_invalid_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.decode_request(body, id="1")
    with suppress(InvalidRequest):  # it doesn't look into the values that it keeps
        wire.with_model(body, "m")
    assert wire.usage_of(body) == NO_USAGE


def test_what_json_has_no_word_for_is_an_invalid_request() -> None:
    for odd in (object(), "\ud800"):
        request = InferenceRequest(id="1", task="chat", parameters={"odd": odd})
        with pytest.raises(InvalidRequest):
            wire.encode_request(request)


@given(words, usages, st.sampled_from(FinishReason), some_words)
def test_a_whole_result_is_read_back(
    text: str, usage: Usage, reason: FinishReason, model: str
) -> None:
    finish = Finish(reason=reason, usage=usage, model=model)
    body = wire.encode_result(text_result(text, finish), id="c", model=model, created=1)
    assert wire.decode_result(body) == [*([TextDelta(text)] if text else []), finish]
    assert wire.usage_of(body) == usage


def test_tool_calls_are_read_back() -> None:
    calls = (
        ToolCallDelta(index=0, id="a", name="f", arguments="{}"),
        ToolCallDelta(index=1, id="b", name="g", arguments='{"x":1}'),
    )
    finish = Finish(reason=FinishReason.TOOL_CALLS, model="m")
    result = Result(finish=finish, tool_calls=calls)
    body = wire.encode_result(result, id="c", model="m", created=1)
    assert b'"content":null' in body
    assert wire.decode_result(body) == [*calls, finish]


def test_a_structured_answer_becomes_its_json() -> None:
    result = Result(finish=Finish(), value={"a": 1})
    body = wire.encode_result(result, id="c", model="", created=1)
    assert wire.decode_result(body)[0] == TextDelta('{"a":1}')
    assert decoded(wire.ChunkEncoder("c", "m", 1).encode(Value([1])) + b"data: [DONE]\n\n")[
        0
    ] == TextDelta("[1]")


@given(junk)
def test_no_answer_raises_anything_but_backend_failed(body: bytes) -> None:
    for read in (wire.decode_result, wire.decode_models):
        with suppress(BackendFailed):
            read(body)


def test_content_in_parts_is_read() -> None:
    message = {"content": [{"type": "text", "text": "a"}, {"text": "b"}, 1], "tool_calls": [1, {}]}
    body = msgspec.json.encode({"choices": [{"message": message}]})
    assert wire.decode_result(body) == [
        TextDelta("ab"),
        ToolCallDelta(index=1),
        Finish(),
    ]
    assert wire.decode_result(b'{"choices":[{"message":{"content":5}}]}') == [Finish()]


@given(deltas, finishes, st.booleans())
def test_a_stream_is_read_back(
    sent: list[TextDelta | ToolCallDelta], finish: Finish, include_usage: bool
) -> None:
    encoder = wire.ChunkEncoder("c", "m", 1, include_usage=include_usage)
    raw = b"".join(map(encoder.encode, [*sent, finish])) + encoder.end
    usage = finish.usage if include_usage else NO_USAGE
    assert decoded(raw) == [*sent, Finish(reason=finish.reason, usage=usage, model="m")]
    assert wire.is_complete(raw[-100:])
    assert wire.usage_of_tail(raw) == usage


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


def test_another_model_leaves_every_other_byte() -> None:
    body = b'{"a": 1.50, "model" : "x", "deep": {"model":"x"}, "big": 123456789012345678901234567}'
    changed = wire.with_model(body, 'y"')
    assert changed == (
        b'{"a":1.50,"model":"y\\"","deep":{"model":"x"},"big":123456789012345678901234567}'
    )
    assert wire.with_model(b"{}", "y") == b'{"model":"y"}'


def test_usage_is_found_in_the_tail_of_a_stream() -> None:
    tail = (
        b'ices":[],"usage":{"prompt_tokens":9}}\n\n'
        b'data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\r\n\r\n'
        b'data: {"choices":[],"usage":null}\n\ndata: {"x":"usage"}\n\ndata: [DONE]\n\n'
    )
    assert wire.usage_of_tail(tail) == Usage(input_tokens=1, output_tokens=2)
    assert wire.usage_of_tail(tail[:30]) == NO_USAGE
    assert wire.usage_of_tail(b'data: {"usage":{"prompt_tokens":4}}') == Usage(input_tokens=4)


@given(st.binary(max_size=60), st.sampled_from([b'"usage"', b'data: {"usage":{}}\n', b""]))
def test_a_peek_never_raises(body: bytes, more: bytes) -> None:
    wire.usage_of(body + more)
    wire.usage_of_tail(body + more + body)
    wire.wants_usage(InferenceRequest(id="1", task="chat", raw=Raw(wire="x", body=body)))


def test_usage_is_wanted_only_by_who_says_so() -> None:
    assert not wire.wants_usage(InferenceRequest(id="1", task="chat"))
    assert not wire.wants_usage(wire.decode_request(asked(stream_options=None), id="1"))


def test_models_are_read_back() -> None:
    models = [
        Model(id="a", tasks=frozenset({"chat"}), aliases=("b",)),
        Model(id="c", tasks=frozenset()),
    ]
    assert wire.decode_models(wire.encode_models(models)) == models


def test_other_servers_model_lists_are_read() -> None:
    bare = Model(id="a", tasks=frozenset())
    for body in (
        b'{"data":[{"id":"a"},1,{}]}',
        b'[{"id":"a","tasks":7}]',
        b'{"models":[{"name":"a","aliases":[1]}]}',
    ):
        assert wire.decode_models(body) == [bare]
    with pytest.raises(BackendFailed):
        wire.decode_models(b'{"data":1}')


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_of_error_has_its_words(kind: ErrorKind) -> None:
    error = ALL_KINDS.get(kind, NodeError)("fact", hint="advice", details={"param": "p"})
    document = wire.encode_error(error, "req-1")["error"]
    assert isinstance(document, dict)
    assert {"message", "type", "param", "code"} <= document.keys()
    assert document["message"] == "fact (advice)"
    assert document["param"] == "p"
    assert document["request_id"] == "req-1"
    assert wire.encode_error(NodeError("x")) == {
        "error": {
            "message": "x",
            "type": "api_error",
            "param": None,
            "code": "internal",
            "kind": "internal",
        }
    }
