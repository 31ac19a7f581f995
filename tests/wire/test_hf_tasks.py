"""The HF task wire, both ends."""

import struct
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferd.core.content import BytesFile
from inferd.core.errors import (
    BackendFailed,
    BackendRefused,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest, Place
from inferd.core.result import (
    Chunk,
    Embeddings,
    Finish,
    Media,
    Result,
    TextDelta,
    ToolCallDelta,
    Usage,
    Value,
)
from inferd.core.tasks import TASKS, Output, check, example, supported_tasks
from inferd.wire import hf_tasks as wire
from tests.wire.given import junk, names, parameters, plain, text_result, words

TEXT_TASKS = [task.name for task in TASKS.values() if task.output is Output.TEXT]
VALUE_TASKS = [
    task.name
    for task in TASKS.values()
    if task.output not in {Output.TEXT, Output.EMBEDDING, Output.LABELS}
]
ONE = Finish(usage=Usage(units=1))


def vectors(*rows: list[float]) -> Embeddings:
    data = b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)
    return Embeddings(data=data, dimension=len(rows[0]))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("more", [{}, {"x_odd": [1], "x_more": "y"}])
def test_every_task_survives_the_way_to_another_node(name: str, more: dict[str, object]) -> None:
    inputs, _ = check(name, example(name), {})
    sent = InferenceRequest(id="1", task=name, model="m", inputs=inputs, parameters=more)
    body = wire.encode_spec(sent)
    assert wire.decode_request(wire.decode_spec(body), id="1") == sent
    assert msgspec.json.decode(body)["task"] == TASKS[name].spelling


@given(words.filter(bool), names, parameters)
def test_what_was_encoded_is_decoded(text: str, model: str, extra: dict[str, object]) -> None:
    sent = InferenceRequest(
        id="1", task="text-generation", model=model, inputs={"prompt": text}, parameters=extra
    )
    assert wire.decode_request(wire.decode_spec(wire.encode_spec(sent)), id="1") == sent


def test_use_remote_never_leaves_this_node() -> None:
    sent = InferenceRequest(id="1", task="chat", place=Place.REMOTE, hops=("a",))
    assert set(msgspec.json.decode(wire.encode_spec(sent))) == {
        "model_id",
        "task",
        "payload",
        "extra_args",
    }


def test_a_request_carries_its_files_and_what_the_frontend_knows() -> None:
    file = BytesFile("image", b"x")
    spec = wire.decode_spec(b'{"task":"text-generation","payload":{"inputs":"a","stream":true}}')
    request = wire.decode_request(spec, id="1", files=(file,), deadline=5.0, place=Place.LOCAL)
    assert request.files == (file,)
    assert request.stream
    assert (request.deadline, request.place) == (5.0, Place.LOCAL)
    assert request.parameters == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"task":1}',
        b'{"task":""}',
        b'{"task":"chat","model_id":1}',
        b'{"task":"chat","payload":[]}',
        b'{"task":"chat","extra_args":"x"}',
    ],
)
def test_an_unreadable_spec_keeps_the_originals_words(body: bytes) -> None:
    with pytest.raises(wire.InvalidSpec, match=r"^Invalid spec: ") as caught:
        wire.decode_spec(body)
    document = wire.encode_error(caught.value, "r1")
    assert document["detail"] == caught.value.message
    assert document["request_id"] == "r1"


def test_an_unknown_task_keeps_the_originals_shape() -> None:
    with pytest.raises(UnsupportedTask) as caught:
        wire.decode_request(wire.Spec(task="text-generaton"), id="1")
    document = wire.encode_error(caught.value, "r1")
    assert document["detail"] == {
        "error": "Unsupported task",
        "task": "text-generaton",
        "supported_tasks": supported_tasks(),
    }
    assert document["hint"] == "did you mean text-generation?"


def test_any_other_error_has_the_originals_keys() -> None:
    assert wire.encode_error(ModelNotFound("no backend serves m", hint="ask for n"), "r1") == {
        "error": "model not found",
        "reason": "no backend serves m",
        "hint": "ask for n",
        "kind": "model_not_found",
        "request_id": "r1",
    }


@given(junk | plain.map(lambda value: msgspec.json.encode({"task": "chat", "payload": value})))
def test_no_spec_raises_anything_but_a_request_error(body: bytes) -> None:
    with suppress(InvalidRequest, UnsupportedTask):
        wire.decode_request(wire.decode_spec(body), id="1")


@pytest.mark.parametrize("name", TEXT_TASKS)
def test_text_stands_under_its_tasks_key(name: str) -> None:
    encoded = wire.encode_result(name, text_result("hi"))
    assert encoded.content_type == "application/json"
    assert msgspec.json.decode(encoded.body) == {TASKS[name].text_key: "hi"}
    read = wire.decode_result(name, "application/json; charset=utf-8", encoded.body)
    assert read == [TextDelta("hi"), Finish()]


@given(
    st.sampled_from(VALUE_TASKS),
    plain.filter(lambda v: not isinstance(v, dict) or not {"error", "skipped", "result"} & set(v)),
)
def test_a_structured_result_is_read_back(name: str, value: object) -> None:
    encoded = wire.encode_result(name, Result(finish=Finish(), value=value))
    assert wire.decode_result(name, encoded.content_type, encoded.body) == [Value(value), ONE]


def test_an_object_is_the_body_and_anything_else_is_the_result() -> None:
    whole = Result(finish=Finish(), value={"answer": "x"})
    assert wire.encode_result("question-answering", whole).body == b'{"answer":"x"}'
    listed = Result(finish=Finish(), value=[1])
    assert wire.encode_result("text-classification", listed).body == b'{"result":[1]}'


def test_one_vector_is_flat_and_several_are_not() -> None:
    one, two = vectors([1, 2]), vectors([1, 2], [3, 4])
    for embeddings, many, body in (
        (one, False, b'{"embedding":[1.0,2.0]}'),
        (one, True, b'{"embedding":[[1.0,2.0]]}'),
        (two, False, b'{"embedding":[[1.0,2.0],[3.0,4.0]]}'),
    ):
        result = Result(finish=Finish(), embeddings=embeddings)
        assert wire.encode_result("feature-extraction", result, many=many).body == body
        assert wire.decode_result("feature-extraction", "application/json", body) == [
            embeddings,
            Finish(usage=Usage(units=embeddings.count)),
        ]


def test_a_vector_for_each_token_is_kept_as_it_came() -> None:
    read = wire.decode_result("feature-extraction", "application/json", b"[[[1.0],[2.0]]]")
    assert read == [Value({"embedding": [[[1.0], [2.0]]]}), ONE]


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", b"[[1],[1,2]]", b'[["a"]]', b"[[1],2]", b"[1e300]", b"[[]]", b'"x"', b"[null]"],
)
def test_what_is_no_vector_is_a_failure(body: bytes) -> None:
    with pytest.raises(BackendFailed):
        wire.decode_result("feature-extraction", "application/json", body)


@pytest.mark.parametrize(
    ("task", "content_type", "name", "filename"),
    [
        ("text-to-image", "image/png", "", "text-to-image.png"),
        ("text-to-speech", "audio/wav", "", "text-to-speech.wav"),
        ("text-to-audio", "audio/odd", "", "text-to-audio.bin"),
        ("text-to-image", "image/png", "own.png", "own.png"),
    ],
)
def test_a_file_is_its_bytes(task: str, content_type: str, name: str, filename: str) -> None:
    media = Media(data=b"\x89PNG", content_type=content_type, name=name)
    encoded = wire.encode_result(task, Result(finish=Finish(), media=media))
    assert (encoded.content_type, encoded.body) == (content_type, b"\x89PNG")
    assert encoded.filename == filename
    assert wire.decode_result(task, content_type, encoded.body, name=name) == [media, ONE]


@pytest.mark.parametrize(
    ("task", "body", "chunks"),
    [
        ("text-generation", b'[{"generated_text":"a"}]', [TextDelta("a")]),
        ("text-generation", b'[[{"generated_text":"a"}]]', [TextDelta("a")]),
        ("text-generation", b'{"result":"a"}', [TextDelta("a")]),
        ("text-generation", b'"a"', [TextDelta("a")]),
        ("text-generation", b'{"generated_text":""}', []),
        ("text-generation", b'[{"generated_text":"a"},{"generated_text":"b"}]',
         [Value([{"generated_text": "a"}, {"generated_text": "b"}])]),
        ("chat", b'[{"generated_text":[{"role":"user","content":"q"},{"content":"a"}]}]',
         [TextDelta("a")]),
        ("automatic-speech-recognition", b'{"text":"a","chunks":[1]}',
         [TextDelta("a"), Value({"chunks": [1]})]),
    ],
)  # fmt: skip
def test_the_pipelines_own_shapes_are_read(task: str, body: bytes, chunks: list[Chunk]) -> None:
    assert wire.decode_result(task, "application/json", body) == [*chunks, Finish()]


def test_nested_labels_are_unwrapped() -> None:
    read = wire.decode_result("sentiment-analysis", "", b'[[{"label":"POSITIVE","score":1.0}]]')
    assert read == [Value([{"label": "POSITIVE", "score": 1.0}]), ONE]


def test_what_comes_beside_the_text_goes_back_beside_it() -> None:
    result = Result(finish=Finish(), text="a", value={"chunks": [1]})
    encoded = wire.encode_result("automatic-speech-recognition", result)
    assert msgspec.json.decode(encoded.body) == {"text": "a", "chunks": [1]}
    result = Result(finish=Finish(), text="a", tool_calls=(ToolCallDelta(index=0, name="f"),))
    assert b'"tool_calls":[{"index":0' in wire.encode_result("chat", result).body
    result = Result(finish=Finish(), text="a")
    assert wire.encode_result("sentence-similarity", result).body == b'{"result":"a"}'


@pytest.mark.parametrize(
    ("content_type", "body", "expected", "reason"),
    [
        ("text/html", b"<html>secret", BackendFailed, "answered with a page"),
        ("application/json", b"<html>secret", BackendFailed, "isn't JSON"),
        ("text/plain", b"secret", BackendFailed, "isn't JSON"),
        ("", b'{"secret":1}', BackendFailed, "no generated_text"),
        ("", b'{"error":"runner_failed","reason":"out of memory"}', BackendFailed, "out of memory"),
        ("", b'{"error":"<p>secret"}', BackendFailed, "does not say why"),
        ("", b'{"skipped":true,"reason":"too long"}', BackendRefused, "too long"),
        ("", b'{"skipped":true}', BackendRefused, "does not say why"),
    ],
)
def test_a_result_that_is_none_is_a_failure(
    content_type: str, body: bytes, expected: type[NodeError], reason: str
) -> None:
    with pytest.raises(expected, match=reason) as caught:
        wire.decode_result("text-generation", content_type, body)
    assert "secret" not in str(caught.value)


def test_a_hint_of_the_original_is_kept() -> None:
    body = b'{"error":"x","reason":"no memory","hint":"use a smaller model"}'
    with pytest.raises(BackendFailed) as caught:
        wire.decode_result("text-generation", "", body)
    assert caught.value.hint == "use a smaller model"


@given(st.sampled_from(sorted(TASKS)), st.sampled_from(["", "text/html", "image/png"]), junk)
def test_no_answer_raises_anything_but_backend_errors(
    task: str, content_type: str, body: bytes
) -> None:
    with suppress(BackendFailed, BackendRefused):
        assert type(wire.decode_result(task, content_type, body)[-1]) is Finish
