"""Results on Hugging Face's task wire: what its official clients parse, and back."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inferd.core.errors import BackendFailed
from inferd.core.result import Chunk, Media, Result, Value
from inferd.core.tasks import Output, Task, task_named
from inferd.wire import hf_results, json, vectors
from inferd.wire.hf_results import Encoded

Object = Mapping[str, object]


class _Label(msgspec.Struct):
    label: str
    score: float


class _Box(msgspec.Struct):
    xmin: float
    ymin: float
    xmax: float
    ymax: float


class _Boxed(_Label):
    box: _Box


class _Mask(msgspec.Struct):
    mask: str
    label: str | None = None
    score: float | None = None


class _Span(msgspec.Struct):
    score: float
    word: str
    entity_group: str | None = None
    entity: str | None = None


class _Guess(msgspec.Struct):
    score: float
    sequence: str
    token_str: str


class _Answered(msgspec.Struct):
    answer: str
    score: float | None = None


class _Sorted(msgspec.Struct):
    labels: list[str]
    scores: list[float]
    sequence: str = ""


_SHAPES: Mapping[str, tuple[Any, ...]] = {
    "text-classification": (list[_Label], list[list[_Label]]),
    "zero-shot-classification": (list[_Label], _Sorted),
    "image-classification": (list[_Label],),
    "zero-shot-image-classification": (list[_Label],),
    "audio-classification": (list[_Label],),
    "object-detection": (list[_Boxed],),
    "image-segmentation": (list[_Mask],),
    "token-classification": (list[_Span],),
    "fill-mask": (list[_Guess], list[list[_Guess]]),
    "sentence-similarity": (list[float],),
    "question-answering": (_Answered, list[_Answered]),
    "table-question-answering": (_Answered, list[_Answered]),
    "visual-question-answering": (list[_Answered],),
    "document-question-answering": (_Answered, list[_Answered]),
}
"""What a task may answer: any one of these, with whatever else it says."""


def decode_result(
    task: str, content_type: str, body: bytes, *, inputs: Object | None = None
) -> list[Chunk]:
    """Read a whole result as our tasks give it; `inputs` are the request's.

    Raises:
        BackendFailed: It isn't a result of that task, or says that it failed.
    """
    known = task_named(task)
    chunks = hf_results.decode_result(known, content_type, body)
    found = [_ours(known, chunk, inputs or {}) for chunk in chunks]
    if known.output in (Output.IMAGE, Output.AUDIO):
        wanted = "image/" if known.output is Output.IMAGE else "audio/"
        if not any(_is_media(chunk, wanted) for chunk in found):
            raise _not(known)
    return found


def encode_result(task: str, result: Result, *, many: bool = False, is_js: bool = False) -> Encoded:
    """Write a result as the official clients parse it.

    `many` when the input was a list of texts; `is_js` for `@huggingface/inference`, which takes
    one description of an image where `huggingface_hub` takes a list of them.

    Raises:
        InvalidRequest: A value can't be written as JSON.
    """
    known = task_named(task)
    if result.media is not None:
        return hf_results.encode_result(known, result)
    return Encoded(
        content_type=hf_results.JSON, body=json.encode(_theirs(known, result, many, is_js))
    )


def _ours(task: Task, chunk: Chunk, inputs: Object) -> Chunk:
    """Return a chunk in our task's shape, and only if it has the wire's."""
    if not isinstance(chunk, Value):
        return chunk
    value = chunk.value
    if task.text_key and not isinstance(value, Mapping):
        raise _not(task)
    shapes = _SHAPES.get(task.name, ())
    if shapes and not any(_is_like(value, shape) for shape in shapes):
        raise _not(task)
    make = _OURS.get(task.name)
    return chunk if make is None else Value(make(value, inputs))


def _is_like(value: object, shape: Any) -> bool:
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError:
        return False
    return True


def _not(task: Task) -> BackendFailed:
    return BackendFailed(f"the upstream's answer isn't a result of {task.name}")


def _is_media(chunk: Chunk, wanted: str) -> bool:
    if not isinstance(chunk, Media) or not chunk.data:
        return False
    return chunk.content_type.startswith((wanted, "application/octet-stream"))


def _sorted_ours(value: Any, inputs: Object) -> object:
    if isinstance(value, list):
        value = {
            "labels": [row["label"] for row in value],
            "scores": [row["score"] for row in value],
        }
    return {"sequence": inputs.get("prompt", ""), **value}


def _masks_ours(value: Any, _: Object) -> object:
    return {
        "masks": [
            {"score": row.get("score"), "label": row.get("label"), "mask_base64": row["mask"]}
            for row in value
        ]
    }


def _first(value: Any, _: Object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


_OURS: Mapping[str, Callable[[Any, Object], object]] = {
    "zero-shot-classification": _sorted_ours,
    "image-segmentation": _masks_ours,
    "fill-mask": lambda value, _: {"result_1": value, "result_2": None},
    "question-answering": _first,
    "table-question-answering": _first,
    "document-question-answering": lambda value, _: _listed(value),
}


def _theirs(task: Task, result: Result, many: bool, is_js: bool) -> object:
    if result.embeddings is not None:
        rows = vectors.rows_of(result.embeddings)
        return rows[0] if len(rows) == 1 and not many else rows
    value: Any = result.value
    if task.text_key:
        document = {**json.object_of(value), task.text_key: result.text}
        is_one = task.name == "automatic-speech-recognition" or (
            is_js and task.name == "image-to-text"
        )
        return document if is_one else [document]
    make = _THEIRS.get(task.name)
    return value if make is None else make(value)


def _nested(value: Any) -> object:
    """Put the labels of one text into a list of texts: both clients want it so."""
    return (
        value if isinstance(value, list) and value[:1] and isinstance(value[0], list) else [value]
    )


def _labels(value: Any) -> object:
    if not isinstance(value, Mapping) or "labels" not in value:
        return value
    pairs = zip(value["labels"], value["scores"], strict=False)
    return [{"label": label, "score": score} for label, score in pairs]


def _masks(value: Any) -> object:
    rows = value.get("masks") if isinstance(value, Mapping) else value
    if not isinstance(rows, list):
        return value
    return [
        {"label": row.get("label"), "score": row.get("score"), "mask": row.get("mask_base64")}
        if isinstance(row, dict) and "mask_base64" in row
        else row
        for row in rows
    ]


def _guesses(value: Any) -> object:
    if not isinstance(value, Mapping):
        return value
    return value.get("result_1") or value.get("result_2") or []


def _listed(value: Any) -> object:
    return value if isinstance(value, list) else [value]


def _table_answer(value: Any) -> object:
    """One client parses a single object, the other insists on an aggregator and on texts."""
    answer = value[0] if isinstance(value, list) and value else value
    if not isinstance(answer, Mapping):
        return answer
    cells = answer.get("cells")
    return {
        "coordinates": [],
        **answer,
        "cells": [str(cell) for cell in cells] if isinstance(cells, list) else [],
        "aggregator": answer.get("aggregator") or "NONE",
    }


def _embedding(value: Any) -> object:
    return value["embedding"] if isinstance(value, Mapping) and "embedding" in value else value


_THEIRS: Mapping[str, Callable[[Any], object]] = {
    "text-classification": _nested,
    "zero-shot-classification": _labels,
    "image-segmentation": _masks,
    "fill-mask": _guesses,
    "visual-question-answering": _listed,
    "document-question-answering": _listed,
    "table-question-answering": _table_answer,
    "feature-extraction": _embedding,
}
