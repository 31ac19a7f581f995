"""A result as the server draws it: a text, scores, a file or JSON."""

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby, zip_longest
from typing import TypeGuard

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.core.tasks import TASKS
from inferd.wire import hf_tasks

_LONGEST_JSON = 200_000
_MOST_ROWS = 1000
_MOST_SCORE = 1e9
_SHOWN_MEDIA = ("image/", "audio/", "video/")


def shown(request: InferenceRequest, result: Result) -> Mapping[str, object]:
    """Return the result as `_result.html` draws it: a text, scores, a file or JSON."""
    task = TASKS[request.task]
    if result.media is not None:
        kind = result.media.content_type.partition(";")[0].strip().lower()
        data = base64.b64encode(result.media.data).decode()
        return {
            "kind": kind.partition("/")[0] if kind.startswith(_SHOWN_MEDIA) else "file",
            "address": f"data:{kind};base64,{data}",
            "name": task.name,
        }
    if task.text_key and result.text:
        return _prose(result.text)
    many = isinstance(request.inputs.get("prompt"), list | tuple)
    try:
        body = hf_tasks.encode_result(task, result, many=many).body
    except InvalidRequest as error:
        return {"kind": "json", "text": error.message, "is_cut": False}
    document = msgspec.json.decode(body)
    if isinstance(document, dict) and document.keys() == {"result"}:
        document = document["result"]
    if isinstance(document, dict) and isinstance(answer := document.get("answer"), str) and answer:
        return _prose(answer)
    if rows := _scored(document, request.inputs.get("sentences") or request.inputs.get("texts")):
        return {"kind": "scores", "rows": rows}
    return _json(document)


def _prose(text: str) -> Mapping[str, object]:
    """Cut a text where its quotes begin and end; the rest of its markup stays as it came."""
    parts: list[Mapping[str, object]] = []
    for is_quote, lines in groupby(text.split("\n"), lambda line: line.startswith(">")):
        plain = [line[1:].removeprefix(" ") if is_quote else line for line in lines]
        if said := "\n".join(plain).strip("\n"):
            parts.append({"is_quote": is_quote, "text": said})
    return {"kind": "text", "parts": parts}


def _json(document: object) -> Mapping[str, object]:
    packed = msgspec.json.encode(document)
    # Of what nests deep, each line would begin with blanks a thousand times as long as itself.
    text = (packed if _is_deep(document) else msgspec.json.format(packed, indent=2)).decode()
    return {"kind": "json", "text": text[:_LONGEST_JSON], "is_cut": len(text) > _LONGEST_JSON}


def _is_deep(value: object, left: int = 32) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left == 0 or any(_is_deep(item, left - 1) for item in items)


def _scored(document: object, texts: object) -> list[Mapping[str, object]]:
    """Return label and score of each row, or nothing where they can't be drawn."""
    pairs = _pairs(document, texts)
    rows = [(label, score) for label, score in pairs if _is_label(label) and _is_score(score)]
    if len(rows) < len(pairs) or len(rows) > _MOST_ROWS:
        return []
    most = max([1.0, *(score for _, score in rows)])
    return [
        {"label": label, "score": f"{score:.3f}", "share": round(100 * max(0.0, score) / most)}
        for label, score in rows
    ]


def _pairs(document: object, texts: object) -> list[tuple[object, object]]:
    if isinstance(document, dict):
        labels, scores = document.get("labels"), document.get("scores")
        if not (isinstance(labels, list) and isinstance(scores, list)):
            return []
        return list(zip_longest(labels, scores))
    if isinstance(document, list):
        names = texts if isinstance(texts, list | tuple) else ()
        return [_pair(item, number, names) for number, item in enumerate(document)]
    return []


def _is_score(value: object) -> TypeGuard[int | float]:
    """Whether it is a number that a table has room for; of no other can a share be told."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_MOST_SCORE < value < _MOST_SCORE


def _is_label(value: object) -> bool:
    return isinstance(value, str) or _is_score(value)


def _pair(item: object, number: int, names: Sequence[object]) -> tuple[object, object]:
    if _is_score(item):
        return (names[number] if number < len(names) else f"Text {number + 1}", item)
    if not isinstance(item, dict) or "box" in item or "start" in item:
        return ("", None)
    index = item.get("index")
    named = names[index] if isinstance(index, int) and 0 <= index < len(names) else None
    label = item.get("label", item.get("answer", item.get("text", named)))
    return (label if label is not None else f"Text {number + 1}", item.get("score"))
