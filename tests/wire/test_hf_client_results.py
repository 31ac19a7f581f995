"""Answers as Hugging Face's clients read them."""

import json
from typing import Any

import pytest

from inferd.core.errors import (
    BackendFailed,
    BackendOverloaded,
    BackendUnavailable,
    InvalidRequest,
    ModelNotFound,
    NodeError,
    UnsupportedTask,
)
from inferd.core.request import InferenceRequest
from inferd.core.result import (
    Embeddings,
    Finish,
    FinishReason,
    Media,
    Result,
    TextDelta,
    Usage,
    Value,
)
from inferd.wire import hf_client_results as wire
from inferd.wire import openai_completions, vectors

LABELS = [{"label": "a", "score": 0.9}, {"label": "b", "score": 0.1}]
DONE = Finish(reason=FinishReason.LENGTH, usage=Usage(input_tokens=2, output_tokens=3))


def told(task: str, *, inputs: dict[str, object] | None = None, **result: Any) -> Any:
    request = InferenceRequest(id="1", task=task, inputs=inputs or {})
    encoded = wire.encode_result(request, Result(finish=DONE, **result))
    return json.loads(encoded.body)


@pytest.mark.parametrize(
    ("task", "value", "shape"),
    [
        ("text-classification", LABELS, [LABELS]),
        ("text-classification", [LABELS], [LABELS]),
        ("image-classification", LABELS, LABELS),
        ("zero-shot-classification", LABELS, LABELS),
        ("zero-shot-classification",
         {"sequence": "x", "labels": ["a", "b"], "scores": [0.9, 0.1]}, LABELS),
        ("sentence-similarity", [0.5, 0.1], [0.5, 0.1]),
        ("question-answering", {"answer": "a", "score": 1}, {"answer": "a", "score": 1}),
        ("visual-question-answering", {"answer": "a"}, [{"answer": "a"}]),
        ("token-classification", [{"entity": "B-PER"}],
         [{"entity_group": "B-PER", "entity": "B-PER"}]),
        ("token-classification", [{"entity_group": "PER"}], [{"entity_group": "PER"}]),
        ("fill-mask", {"result_1": [{"token": 1}], "result_2": None}, [{"token": 1}]),
        ("fill-mask", [{"token": 1}], [{"token": 1}]),
        ("image-segmentation", {"masks": [{"label": "a", "mask_base64": "x"}]},
         [{"label": "a", "mask": "x"}]),
        ("image-segmentation", [{"label": "a", "mask": "x"}], [{"label": "a", "mask": "x"}]),
        ("table-question-answering", {"answer": "a"},
         {"answer": "a", "aggregator": "NONE", "cells": [], "coordinates": []}),
        ("table-question-answering", [{"answer": "a", "aggregator": "SUM"}],
         {"answer": "a", "aggregator": "SUM", "cells": [], "coordinates": []}),
        ("tabular-classification", [{"label": "setosa", "class_id": 0}, {"label": "x"}], [0, "x"]),
        ("image-feature-extraction", {"embedding": [[[1.0]]]}, [[[1.0]]]),
    ],
)  # fmt: skip
def test_a_value_has_its_tasks_shape(task: str, value: object, shape: object) -> None:
    assert told(task, value=value) == shape


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        ("text-generation", [{"generated_text": "Hi"}]),
        ("summarization", [{"summary_text": "Hi"}]),
        ("translation", [{"translation_text": "Hi"}]),
        ("image-to-text", [{"generated_text": "Hi"}]),
        ("automatic-speech-recognition", {"text": "Hi"}),
    ],
)
def test_a_text_is_in_a_list_unless_it_was_heard(task: str, shape: object) -> None:
    assert told(task, text="Hi") == shape


def test_an_images_text_stands_bare_for_who_reads_no_list() -> None:
    request = InferenceRequest(id="1", task="image-to-text")
    encoded = wire.encode_result(request, Result(finish=DONE, text="Hi"), bare=True)
    assert json.loads(encoded.body) == {"generated_text": "Hi"}


def test_details_come_where_they_were_asked_for() -> None:
    request = InferenceRequest(id="1", task="text-generation")
    encoded = wire.encode_result(request, Result(finish=DONE, text="Hi"), details=True)
    [document] = json.loads(encoded.body)
    assert document["details"]["finish_reason"] == "length"
    assert document["details"]["generated_tokens"] == 3


def test_one_text_gets_a_vector_and_a_list_gets_a_list() -> None:
    one: Embeddings = vectors.pack([[1.0, 2.0]])
    assert told("feature-extraction", inputs={"prompt": "a"}, embeddings=one) == [1.0, 2.0]
    assert told("feature-extraction", inputs={"prompt": ["a"]}, embeddings=one) == [[1.0, 2.0]]


def test_a_file_goes_as_it_is() -> None:
    request = InferenceRequest(id="1", task="text-to-image")
    picture = Media(data=b"png", content_type="image/png")
    encoded = wire.encode_result(request, Result(finish=DONE, media=picture))
    assert (encoded.body, encoded.content_type) == (b"png", "image/png")


@pytest.mark.parametrize(
    ("error", "error_type", "seconds"),
    [
        (InvalidRequest("bad", hint="mend it"), "validation", None),
        (BackendOverloaded("busy", retry_after=3), "overloaded", 3),
        (BackendUnavailable("down"), None, 20),
        (BackendFailed("broke"), "generation", None),
        (ModelNotFound("none"), None, None),
        (UnsupportedTask("none", details={"task": "x", "supported_tasks": ["y"]}), None, None),
    ],
)
def test_an_error_says_all_of_it_in_error(
    error: NodeError, error_type: str | None, seconds: float | None
) -> None:
    document = wire.encode_error(error, "id-1")
    assert document["error"] == str(error)
    assert document.get("error_type") == error_type
    assert document.get("estimated_time") == seconds
    assert (document["kind"], document["request_id"]) == (error.kind.value, "id-1")
    assert "detail" not in document


def test_a_stream_tells_of_texts_alone() -> None:
    encoder = wire.StreamEncoder()
    assert encoder.encode(Value({"x": 1})) == b""
    assert b'"text":"Hi"' in encoder.encode(TextDelta("Hi"))
    assert b'"generated_text":"Hi"' in encoder.encode(DONE)
    assert b'"error":"broke"' in encoder.error(BackendFailed("broke"), "1")


def test_a_completions_events_are_openais_and_tgis_in_one() -> None:
    encoder = openai_completions.StreamEncoder("c", "m", 7)
    first, last = (
        json.loads(encoder.encode(chunk).removeprefix(b"data: "))
        for chunk in (TextDelta("Hi"), DONE)
    )
    assert first["choices"][0]["text"] == first["token"]["text"] == "Hi"
    assert first["generated_text"] is None
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["generated_text"] == "Hi"
    assert last["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("prompt", [["a", "b"], [], 7, None])
def test_a_completion_is_of_one_text(prompt: object) -> None:
    body = json.dumps({"prompt": prompt}).encode()
    with pytest.raises(InvalidRequest) as caught:
        openai_completions.decode_request(body, id="1", model="m")
    assert caught.value.details["param"] == "prompt"
