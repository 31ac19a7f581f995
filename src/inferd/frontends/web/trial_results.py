"""A result as the server draws it: a text, scores, a file or JSON."""

import base64
from collections.abc import Mapping, Sequence

import msgspec

from inferd.core.request import InferenceRequest
from inferd.core.result import Result
from inferd.core.tasks import TASKS
from inferd.wire import hf_tasks

_LONGEST_JSON = 200_000
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
        return {"kind": "text", "text": result.text}
    many = isinstance(request.inputs.get("prompt"), list | tuple)
    document = msgspec.json.decode(hf_tasks.encode_result(task, result, many=many).body)
    if isinstance(document, dict) and document.keys() == {"result"}:
        document = document["result"]
    if isinstance(document, dict) and isinstance(answer := document.get("answer"), str) and answer:
        return {"kind": "text", "text": answer}
    if rows := _scored(document, request.inputs.get("sentences") or request.inputs.get("texts")):
        return {"kind": "scores", "rows": rows}
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    return {"kind": "json", "text": text[:_LONGEST_JSON], "is_cut": len(text) > _LONGEST_JSON}


def _scored(document: object, texts: object) -> list[Mapping[str, object]]:
    """Return label and score of each row, or nothing where they aren't all there."""
    if isinstance(document, dict) and "labels" in document and "scores" in document:
        pairs = list(zip(document["labels"], document["scores"], strict=False))
    elif isinstance(document, list):
        names = texts if isinstance(texts, list | tuple) else ()
        pairs = [_pair(item, number, names) for number, item in enumerate(document)]
    else:
        return []
    rows = [(label, float(score)) for label, score in pairs if isinstance(score, int | float)]
    if len(rows) < len(pairs):
        return []
    most = max([1.0, *(score for _, score in rows)])
    return [
        {"label": label, "score": f"{score:.3f}", "share": round(100 * max(0.0, score) / most)}
        for label, score in rows
    ]


def _pair(item: object, number: int, names: Sequence[object]) -> tuple[object, object]:
    if isinstance(item, int | float):
        return (names[number] if number < len(names) else f"Text {number + 1}", item)
    if not isinstance(item, dict) or "box" in item or "start" in item:
        return ("", None)
    index = item.get("index")
    named = names[index] if isinstance(index, int) and 0 <= index < len(names) else None
    label = item.get("label", item.get("answer", item.get("text", named)))
    return (label if label is not None else f"Text {number + 1}", item.get("score"))
