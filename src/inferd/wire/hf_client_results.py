"""Answers as Hugging Face's own clients read them: the shapes of its inference API and of TGI."""

from collections.abc import Mapping

from inferd.core.errors import BackendError, ErrorKind, NodeError
from inferd.core.request import InferenceRequest
from inferd.core.result import Chunk, Finish, Result, TextDelta
from inferd.core.tasks import Task, task_named
from inferd.wire import hf_errors, hf_results, hf_stream, json, sse, vectors
from inferd.wire.hf_results import Encoded

_LOADING_SECONDS = 20.0
_TGI_TYPES = {
    ErrorKind.INVALID_REQUEST: "validation",
    ErrorKind.PAYLOAD_TOO_LARGE: "validation",
    ErrorKind.BACKEND_REFUSED: "validation",
    ErrorKind.BACKEND_OVERLOADED: "overloaded",
    ErrorKind.BACKEND_LIMITED: "overloaded",
    ErrorKind.RATE_LIMITED: "overloaded",
    ErrorKind.BACKEND_FAILED: "generation",
    ErrorKind.BACKEND_TIMEOUT: "generation",
    ErrorKind.INTERNAL: "generation",
}
"""With one of these, huggingface_hub raises an error of its own, and the status is lost."""

_LISTED = frozenset(
    {"visual-question-answering", "document-question-answering", "token-classification"}
)


def encode_result(
    request: InferenceRequest, result: Result, *, details: bool = False, bare: bool = False
) -> Encoded:
    """Write a result.

    `details` are text-generation's, where the caller asked for them. `bare` puts an image's text
    outside of its list: @huggingface/inference reads no list there, huggingface_hub nothing else.

    Raises:
        InvalidRequest: A value can't be written as JSON.
    """
    task = task_named(request.task)
    if result.media is not None:
        return hf_results.encode_result(task, result)
    document = _document(task, request, result)
    if details and isinstance(document, dict):
        document["details"] = {**hf_stream.details_of(result.finish), "prefill": [], "tokens": []}
    if task.text_key and task.text_key != "text" and not bare:
        document = [document]
    return Encoded(content_type=hf_results.JSON, body=json.encode(document))


def encode_error(error: NodeError, request_id: str = "") -> dict[str, object]:
    """Return a failure: `error` says it whole, since these clients show nothing else.

    `error_type` is TGI's; `estimated_time` (seconds) tells to come back.
    """
    document = hf_errors.encode_error(error, request_id)
    document.pop("detail", None)
    document.pop("supported", None)
    hint = f" ({error.hint})" if error.hint else ""
    document["error"] = error.message + hint
    if error.kind in _TGI_TYPES:
        document["error_type"] = _TGI_TYPES[error.kind]
    for name in ("tasks", "supported_tasks"):
        if name in error.details:
            document[name] = error.details[name]
    if isinstance(error, BackendError) and error.kind in (
        ErrorKind.BACKEND_OVERLOADED,
        ErrorKind.BACKEND_UNAVAILABLE,
    ):
        document["estimated_time"] = error.retry_after or _LOADING_SECONDS
    return document


class StreamEncoder(hf_stream.StreamEncoder):
    """TGI's events and no others: these clients take every event for a token."""

    def encode(self, chunk: Chunk) -> bytes:
        """Return the event of a chunk; none, of what isn't text."""
        return super().encode(chunk) if isinstance(chunk, TextDelta | Finish | bytes) else b""

    def error(self, error: NodeError, request_id: str = "") -> bytes:
        """Return the event of a failure; nothing follows it."""
        return sse.encode(json.encode(encode_error(error, request_id)))


def _document(task: Task, request: InferenceRequest, result: Result) -> object:
    if result.embeddings is not None:
        rows = vectors.rows_of(result.embeddings)
        is_one = isinstance(request.inputs.get("prompt"), str) or "prompt" not in request.inputs
        return rows[0] if is_one and len(rows) == 1 else rows
    value = result.value
    if task.text_key:
        rest = dict(value) if isinstance(value, Mapping) else {}
        return {task.text_key: result.text, **rest}
    if isinstance(value, Mapping):
        return _unwrapped(task, value)
    if task.name == "table-question-answering" and isinstance(value, list) and len(value) == 1:
        return _table_answer(value[0])
    return _list(task, value) if isinstance(value, list | tuple) else value


def _unwrapped(task: Task, value: Mapping[str, object]) -> object:
    match task.name:
        case "feature-extraction" | "image-feature-extraction" if "embedding" in value:
            return value["embedding"]
        case "fill-mask" if "result_1" in value or "result_2" in value:
            return value.get("result_1") or value.get("result_2") or []
        case "image-segmentation" | "mask-generation" if isinstance(value.get("masks"), list):
            return [_mask(each) for each in json.list_of(value["masks"])]
        case "zero-shot-classification" if "labels" in value and "scores" in value:
            pairs = zip(json.list_of(value["labels"]), json.list_of(value["scores"]), strict=False)
            return [{"label": label, "score": score} for label, score in pairs]
        case "table-question-answering":
            return _table_answer(value)
        case name if name in _LISTED:
            return [value]
        case _:
            return value


def _list(task: Task, value: list[object] | tuple[object, ...]) -> object:
    match task.name:
        case "text-classification":
            # A list for each text, though there is only ever one: both clients take the first.
            return value if value and isinstance(value[0], list) else [value]
        case "token-classification":
            return [_span(each) for each in value]
        case "image-segmentation":
            return [_mask(each) for each in value]
        case "tabular-classification":
            return [_class_of(each) for each in value]
        case _:
            return value


def _mask(value: object) -> object:
    if not isinstance(value, Mapping) or "mask" in value:
        return value
    return {("mask" if name == "mask_base64" else name): each for name, each in value.items()}


def _span(value: object) -> object:
    if isinstance(value, Mapping) and "entity" in value:
        return {"entity_group": value["entity"], **value}
    return value


def _class_of(value: object) -> object:
    """Return the class of a row: a number where it has one."""
    if not isinstance(value, Mapping):
        return value
    return value.get("class_id", value.get("label"))


def _table_answer(value: object) -> object:
    """Fill in what transformers leaves out where a model doesn't add up cells."""
    if not isinstance(value, Mapping):
        return value
    return {"aggregator": "NONE", "cells": [], "coordinates": [], **value}
