"""Hugging Face's task wire, the asking end: what it writes, our answering end reads; and back."""

import base64
import json
from collections.abc import Mapping

import pytest

from inferd.core.answer import Answer, collect
from inferd.core.content import BytesFile
from inferd.core.errors import (
    BackendDenied,
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendTimeout,
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Media, Result, TextDelta, Value
from inferd.core.tasks import check, example, task_named
from inferd.wire import hf_client_requests, hf_client_results
from inferd.wire import hf_inference as wire

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR pixels"
WAV = b"RIFF\0\0\0\0WAVE sound"
BYTES = {"image": PNG, "audio": WAV}
TYPES = {"image": "image/png", "audio": "audio/wav"}


def asked(task: str, payload: Mapping[str, object] | None = None) -> InferenceRequest:
    """Return a request with the task's own example, its file and `payload`."""
    given = {**example(task), **(payload or {})}
    given.pop("mask_sentence_alt", None)
    inputs, parameters = check(task, given, {})
    field = wire.file_field(task)
    files = (BytesFile(field, BYTES[field]),) if field else ()
    return InferenceRequest(
        id="r", task=task, model="acme/one", inputs=inputs, parameters=parameters, files=files
    )


def body_of(request: InferenceRequest) -> bytes:
    sent = wire.encode_request(request)
    data = BYTES.get(sent.file, b"")
    return data if sent.is_raw else sent.head + base64.b64encode(data) + sent.tail


async def folded(chunks: list[Chunk]) -> Result:
    async def each() -> object:
        for chunk in chunks:
            yield chunk

    return await collect(Answer(each()))  # pyright: ignore[reportArgumentType]


def read_back(request: InferenceRequest) -> InferenceRequest:
    """Return what the answering end makes of the body."""
    sent, task = wire.encode_request(request), task_named(request.task)
    if sent.is_raw:
        file = BytesFile(sent.file, BYTES[sent.file], content_type=TYPES[sent.file])
        return hf_client_requests.file_request(task, file, id="r", model="acme/one")
    came = hf_client_requests.decode(body_of(request))
    return hf_client_requests.decode_request(task, came, id="r", model="acme/one")


@pytest.mark.parametrize("task", sorted(wire.TASKS))
async def test_what_is_asked_is_read(task: str) -> None:
    request = asked(task)
    read = read_back(request)
    assert dict(read.inputs) == dict(request.inputs)
    assert dict(read.parameters) == dict(request.parameters)
    for file in read.files:
        assert [piece async for piece in file.read()] == [BYTES[file.field]]
        assert file.content_type == TYPES[file.field]
    assert [file.field for file in read.files] == [file.field for file in request.files]


@pytest.mark.parametrize(
    ("task", "more", "expected"),
    [
        (
            "text-classification",
            {"top_k": 2},
            {"inputs": "I love this!", "parameters": {"top_k": 2}},
        ),
        (
            "question-answering",
            {},
            {
                "inputs": {
                    "question": "Where does she live?",
                    "context": "She was born in Lyon and lives in Oslo.",
                }
            },
        ),
        (
            "table-question-answering",
            {"table": [["city", "people"], ["Oslo", 7], ["Lyon", None]], "table_query": "q"},
            {"inputs": {"query": "q", "table": {"city": ["Oslo", "Lyon"], "people": ["7", ""]}}},
        ),
        (
            "zero-shot-classification",
            {"prompt": "x", "candidate_labels": ["a", "b"], "multi_label": True},
            {
                "inputs": "x",
                "parameters": {"candidate_labels": ["a", "b"], "multi_label": True},
            },
        ),
        (
            "feature-extraction",
            {"prompt": ["a", "b"], "normalize": True},
            {"normalize": True, "inputs": ["a", "b"]},
        ),
        (
            "summarization",
            {"prompt": "x", "max_length": 9},
            {"inputs": "x", "parameters": {"generate_parameters": {"max_length": 9}}},
        ),
        (
            "translation",
            {"prompt": "x", "src_lang": "en", "tgt_lang": "fr"},
            {"inputs": "x", "parameters": {"src_lang": "en", "tgt_lang": "fr"}},
        ),
        (
            "visual-question-answering",
            {"question": '"<file>"'},
            {"inputs": {"image": base64.b64encode(PNG).decode(), "question": '"<file>"'}},
        ),
        (
            "image-to-image",
            {"prompt": "<file>", "width": 8, "height": 9},
            {
                "inputs": base64.b64encode(PNG).decode(),
                "parameters": {"prompt": "<file>", "target_size": {"width": 8, "height": 9}},
            },
        ),
        (
            "automatic-speech-recognition",
            {"return_timestamps": True, "language": "en"},
            {
                "inputs": base64.b64encode(WAV).decode(),
                "parameters": {
                    "return_timestamps": True,
                    "generation_parameters": {"language": "en"},
                },
            },
        ),
    ],
)
def test_a_body_is_what_the_task_api_documents(
    task: str, more: dict[str, object], expected: object
) -> None:
    assert json.loads(body_of(asked(task, more))) == expected


def test_what_this_wire_lacks_is_said() -> None:
    with pytest.raises(UnsupportedTask):
        wire.encode_request(InferenceRequest(id="r", task="mask-generation"))
    with pytest.raises(InvalidRequest, match="needs the file image"):
        wire.encode_request(InferenceRequest(id="r", task="object-detection"))


LABELS = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
SORTED = {"sequence": "x", "labels": ["a", "b"], "scores": [0.75, 0.25]}
ANSWER = {"answer": "Oslo", "score": 0.5, "start": 0, "end": 4}
CELL = {"answer": "7", "coordinates": [[0, 1]], "cells": ["7"], "aggregator": "NONE"}
MASK = {"label": "cat", "score": 1.0, "mask": "aGk="}
BOX = {"label": "cat", "score": 1.0, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}}
SPAN = {"entity_group": "PER", "score": 1.0, "word": "Sarah", "start": 0, "end": 5}
GUESS = {"score": 1.0, "token": 3, "token_str": "capital", "sequence": "capital"}

SAME = [
    ("text-classification", [LABELS], LABELS),
    ("zero-shot-classification", LABELS, SORTED),
    ("image-classification", LABELS, LABELS),
    ("zero-shot-image-classification", LABELS, LABELS),
    ("audio-classification", LABELS, LABELS),
    ("object-detection", [BOX], [BOX]),
    (
        "image-segmentation",
        [MASK],
        {"masks": [{"score": 1.0, "label": "cat", "mask_base64": "aGk="}]},
    ),
    ("token-classification", [SPAN], [SPAN]),
    ("fill-mask", [GUESS], {"result_1": [GUESS], "result_2": None}),
    ("sentence-similarity", [0.5, 1.0], [0.5, 1.0]),
    ("question-answering", ANSWER, ANSWER),
    ("table-question-answering", CELL, CELL),
    ("visual-question-answering", [ANSWER], [ANSWER]),
    ("document-question-answering", [ANSWER], [ANSWER]),
]


@pytest.mark.parametrize(("task", "theirs", "ours"), SAME)
async def test_a_result_is_ours_here_and_theirs_there(
    task: str, theirs: object, ours: object
) -> None:
    body = json.dumps(theirs).encode()
    request = asked(task)
    chunks = wire.decode_result(task, "application/json", body, inputs={"prompt": "x"})
    result = await folded(chunks)
    assert result.value == ours
    assert json.loads(hf_client_results.encode_result(request, result).body) == theirs


@pytest.mark.parametrize(
    ("task", "theirs"),
    [
        ("text-generation", [{"generated_text": "hi"}]),
        ("summarization", [{"summary_text": "hi"}]),
        ("translation", [{"translation_text": "hi"}]),
        ("image-to-text", [{"generated_text": "hi"}]),
        ("automatic-speech-recognition", {"text": "hi"}),
    ],
)
async def test_a_text_is_text(task: str, theirs: object) -> None:
    body = json.dumps(theirs).encode()
    result = await folded(wire.decode_result(task, "application/json", body))
    assert result.text == "hi"
    assert json.loads(hf_client_results.encode_result(asked(task), result).body) == theirs


@pytest.mark.parametrize(("body", "count"), [("[1, 2]", 1), ("[[1, 2], [3, 4]]", 2)])
async def test_vectors_come_one_or_many(body: str, count: int) -> None:
    result = await folded(
        wire.decode_result("feature-extraction", "application/json", body.encode())
    )
    assert result.embeddings is not None
    assert result.embeddings.count == count


@pytest.mark.parametrize(
    ("task", "content_type"), [("text-to-image", "image/png"), ("text-to-speech", "audio/flac")]
)
async def test_media_stay_bytes(task: str, content_type: str) -> None:
    result = await folded(wire.decode_result(task, content_type, b"data"))
    assert result.media == Media(data=b"data", content_type=content_type)


@pytest.mark.parametrize(
    ("task", "body"),
    [(task, body) for task, _, _ in SAME for body in (b"{}", b"7", b'[{"odd": 1}]', b'["x"]')]
    + [
        ("text-generation", b"[]"),
        ("summarization", b'[{"generated_text": "x"}]'),
        ("automatic-speech-recognition", b"7"),
        ("feature-extraction", b'{"odd": 1}'),
        ("text-to-image", b'{"images": []}'),
        ("text-classification", b'[[{"label": "a", "sc'),
        ("text-classification", b'{"error": "out of memory"}'),
        ("text-classification", b"null"),
    ],
)
def test_a_wrong_shape_is_the_upstreams_failure(task: str, body: bytes) -> None:
    with pytest.raises(BackendFailed):
        wire.decode_result(task, "application/json", body)


@pytest.mark.parametrize(
    ("task", "content_type"),
    [
        ("text-to-image", "audio/wav"),
        ("text-to-image", "text/plain"),
        ("image-to-text", "image/png"),
        ("text-classification", "application/octet-stream"),
    ],
)
def test_another_kind_of_file_is_no_result(task: str, content_type: str) -> None:
    with pytest.raises(BackendFailed):
        wire.decode_result(task, content_type, b"sound")


@pytest.mark.parametrize(
    ("status", "body", "expected", "says"),
    [
        (401, {"error": "Invalid credentials"}, BackendUnavailable, "credential"),
        (402, {"error": "You have exceeded your credits"}, BackendDenied, "no credits"),
        (403, {"error": "Access to model x is gated"}, BackendDenied, "gated"),
        (403, {"error": "insufficient permissions"}, BackendDenied, "Inference Providers"),
        (404, {"error": "Model not found"}, ModelNotFound, ""),
        (400, {"error": {"message": "x", "code": "model_not_supported"}}, ModelNotFound, "serves"),
        (400, {"error": "Model x not supported by provider hf-inference"}, ModelNotFound, "serves"),
        (410, {"error": "deprecated and no longer supported"}, ModelNotFound, "serves"),
        (429, {"error": "slow down"}, BackendLimited, "later"),
        (503, {"error": "loading", "estimated_time": 20.5}, BackendOverloaded, "being loaded"),
        (504, {"error": "too long"}, BackendTimeout, "in time"),
        (500, {"error": "trace"}, BackendFailed, "HTTP 500"),
    ],
)
def test_a_status_is_told_as_the_router_means_it(
    status: int, body: object, expected: type[NodeError], says: str
) -> None:
    error = wire.failure(status, json.dumps(body).encode(), content_type="application/json")
    assert type(error) is expected
    assert says in str(error)
    assert error.retry_after == (20.5 if status == 503 else None)


def test_a_header_says_better_than_an_estimate_when_to_come_back() -> None:
    error = wire.failure(503, b'{"error": "x", "estimated_time": 20.5}', retry_after=7)
    assert error.retry_after == 7
    assert wire.failure(503, b'{"estimated_time": "soon"}').retry_after is None
    assert wire.failure(503, b'{"estimated_time": -4}').retry_after is None
    assert wire.failure(402, b"<html>x</html>", content_type="text/html").kind == "backend_denied"


def test_a_text_of_nothing_is_still_an_answer() -> None:
    chunks = wire.decode_result("text-generation", "application/json", b'[{"generated_text": ""}]')
    assert [type(chunk) for chunk in chunks] == [Finish]
    assert not any(isinstance(chunk, TextDelta | Value) for chunk in chunks)
