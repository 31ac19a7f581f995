"""OpenAI's chat wire, both ends."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.content import Message
from inferd.core.errors import (
    ALL_KINDS,
    BackendFailed,
    ErrorKind,
    InvalidRequest,
    NodeError,
)
from inferd.core.request import InferenceRequest, Place, Raw
from inferd.core.result import (
    NO_USAGE,
    Finish,
    FinishReason,
    Result,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from inferd.wire import openai_chat as wire
from tests.wire.given import (
    junk,
    names,
    parameters,
    plain,
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


@given(st.lists(messages, min_size=1, max_size=3).map(tuple), names, parameters, st.booleans())
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
    assert wire.usage_of(body) == NO_USAGE


def test_what_json_has_no_word_for_is_an_invalid_request() -> None:
    for odd in (object(), "\ud800"):
        request = InferenceRequest(id="1", task="chat", parameters={"odd": odd})
        with pytest.raises(InvalidRequest):
            wire.encode_request(request)


@given(words, usages, st.sampled_from(FinishReason), names)
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


@given(junk)
def test_no_answer_raises_anything_but_backend_failed(body: bytes) -> None:
    with suppress(BackendFailed):
        wire.decode_result(body)


def test_content_in_parts_is_read() -> None:
    message = {"content": [{"type": "text", "text": "a"}, {"text": "b"}, 1], "tool_calls": [1, {}]}
    body = msgspec.json.encode({"choices": [{"message": message}]})
    assert wire.decode_result(body) == [
        TextDelta("ab"),
        ToolCallDelta(index=1),
        Finish(),
    ]
    assert wire.decode_result(b'{"choices":[{"message":{"content":5}}]}') == [Finish()]


@given(st.binary(max_size=60), st.sampled_from([b'"usage"', b'data: {"usage":{}}\n', b""]))
def test_a_peek_never_raises(body: bytes, more: bytes) -> None:
    wire.usage_of(body + more)
    wire.wants_usage(InferenceRequest(id="1", task="chat", raw=Raw(wire="x", body=body)))


def test_usage_is_wanted_only_by_who_says_so() -> None:
    assert not wire.wants_usage(InferenceRequest(id="1", task="chat"))
    assert not wire.wants_usage(wire.decode_request(asked(stream_options=None), id="1"))


@pytest.mark.parametrize("name", ["a\nb", "x" * 257, 7, None])
def test_a_name_that_no_log_could_show_is_none(name: object) -> None:
    message = {"choices": [{"message": {"content": "hi"}}], "model": name}
    *_, finish = wire.decode_result(msgspec.json.encode(message))
    assert isinstance(finish, Finish)
    assert finish.model == ""
    stream = wire.StreamDecoder()
    piece = {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}], "model": name}
    found = [*stream.feed(msgspec.json.encode(piece).decode()), *stream.feed("[DONE]")]
    assert [each.model for each in found if isinstance(each, Finish)] == [""]


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
