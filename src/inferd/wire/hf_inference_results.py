"""Hugging Face's task wire, the asking end: results, as our tasks give them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from inferd.core.errors import BackendFailed
from inferd.core.result import Chunk, Media, Value
from inferd.core.tasks import Output, Task, task_named
from inferd.wire import hf_results

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


_MEDIA = {Output.IMAGE: "image/", Output.AUDIO: "audio/"}
_SCRIPTED = frozenset({"image/svg+xml"})
_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,63}")


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
    media = [chunk for chunk in found if isinstance(chunk, Media)]
    if any(not chunk.data or not is_result_type(known, chunk.content_type) for chunk in media):
        raise _not(known)
    if known.output in _MEDIA and not media:
        raise _not(known)
    return found


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


def is_result_type(task: Task, content_type: str) -> bool:
    """Whether a file of that type may be the task's result: nothing that a browser would run."""
    wanted = _MEDIA.get(task.output)
    bare = content_type.partition(";")[0].strip().lower()
    if wanted is None or bare in _SCRIPTED:
        return False
    return bare == "application/octet-stream" or (
        bare.startswith(wanted) and _TYPE.fullmatch(bare) is not None
    )


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


def _listed(value: Any, _: Object) -> object:
    return [value] if isinstance(value, Mapping) else value


_OURS: Mapping[str, Callable[[Any, Object], object]] = {
    "zero-shot-classification": _sorted_ours,
    "image-segmentation": _masks_ours,
    "fill-mask": lambda value, _: {"result_1": value, "result_2": None},
    "question-answering": _first,
    "table-question-answering": _first,
    "document-question-answering": _listed,
}
