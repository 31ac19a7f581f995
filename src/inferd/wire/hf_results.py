"""Results on the HF task wire: the transformers pipelines' shapes, and files."""

from collections.abc import Mapping

import msgspec

from inferd.core.errors import BackendFailed, BackendRefused
from inferd.core.result import Chunk, Finish, Media, Result, TextDelta, Usage, Value
from inferd.core.tasks import Output, Task, task_named
from inferd.wire import json, vectors
from inferd.wire.failures import stated_reason

JSON = "application/json"
_MEDIA = ("image/", "audio/", "video/", "application/octet-stream")
_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/flac": ".flac",
    "audio/ogg": ".ogg",
    "video/mp4": ".mp4",
}


class Encoded(msgspec.Struct, frozen=True, kw_only=True):
    """A reply's body; `filename` is empty unless it is a file."""

    content_type: str
    body: bytes
    filename: str = ""


def encode_result(task: Task | str, result: Result, *, many: bool = False) -> Encoded:
    """Write a result in its task's shape; `many` when the input was a list of texts.

    Raises:
        InvalidRequest: A value can't be written as JSON.
    """
    known = task_named(task) if isinstance(task, str) else task
    if result.media is not None:
        return _file(known, result.media)
    return Encoded(content_type=JSON, body=json.encode(_document(known, result, many)))


def decode_result(
    task: Task | str, content_type: str, body: bytes, *, name: str = ""
) -> list[Chunk]:
    """Read an upstream's whole result; `name` is the file's, where it gave one.

    Raises:
        BackendFailed: It isn't one, or it says that it failed.
        BackendRefused: It says that it skipped the work.
    """
    known = task_named(task) if isinstance(task, str) else task
    plain_type = _plain(content_type)
    if is_media(content_type):
        media = Media(data=body, content_type=plain_type, name=name)
        return [media, Finish(usage=Usage(units=1))]
    if "html" in plain_type:
        raise BackendFailed("the upstream answered with a page, not a result")
    document = json.answer(body)
    _check_success(document)
    if isinstance(document, dict) and document.keys() == {"result"}:
        document = document["result"]
    if known.output is Output.EMBEDDING:
        return _vectors(document)
    if known.text_key:
        return [*_text(known.text_key, document), Finish()]
    if known.output is Output.LABELS:
        document = _unnested(document)
    return [Value(document), Finish(usage=Usage(units=1))]


def is_media(content_type: str) -> bool:
    """Whether an answer of that type is a file: then its bytes are the result."""
    return _plain(content_type).startswith(_MEDIA)


def _plain(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _file(task: Task, media: Media) -> Encoded:
    content_type = media.content_type or "application/octet-stream"
    ending = _ENDINGS.get(content_type.partition(";")[0].strip().lower(), ".bin")
    return Encoded(
        content_type=content_type, body=media.data, filename=media.name or task.name + ending
    )


def _document(task: Task, result: Result, many: bool) -> object:
    if result.embeddings is not None:
        rows = vectors.rows_of(result.embeddings)
        return {"embedding": rows[0] if len(rows) == 1 and not many else rows}
    if task.text_key and (result.text or result.tool_calls or result.value is None):
        document: dict[str, object] = {}
        if isinstance(result.value, Mapping):
            document.update(result.value)
        document[task.text_key] = result.text
        if result.tool_calls:
            document["tool_calls"] = list(map(msgspec.structs.asdict, result.tool_calls))
        return document
    value = result.text if result.value is None and result.text else result.value
    return value if isinstance(value, Mapping) else {"result": value}


def _check_success(document: object) -> None:
    """Raise where the original says failure with HTTP 200."""
    if not isinstance(document, dict):
        return
    if document.get("skipped") is True:
        reason = stated_reason(document.get("reason"))
        raise BackendRefused(f"the remote skipped the request: {reason or 'it does not say why'}")
    error = document.get("error")
    if error and (isinstance(error, str | dict)):
        reason = stated_reason(document)
        hint = stated_reason(document.get("hint"))
        raise BackendFailed(f"the remote failed: {reason or 'it does not say why'}", hint=hint)


def _vectors(document: object) -> list[Chunk]:
    value = document.get("embedding") if isinstance(document, dict) else document
    if not isinstance(value, list) or not value:
        raise BackendFailed("the upstream's answer has no vectors")
    if isinstance(value[0], list) and value[0] and isinstance(value[0][0], list):
        # A vector for each token: kept as it came, since a text has no single one.
        return [Value({"embedding": value}), Finish(usage=Usage(units=len(value)))]
    embeddings = vectors.pack(value if isinstance(value[0], list) else [value])
    return [embeddings, Finish(usage=Usage(units=embeddings.count))]


def _text(key: str, document: object) -> list[Chunk]:
    if isinstance(document, str):
        return [TextDelta(document)]
    while isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        return [Value(document)]
    text = document.get(key)
    if isinstance(text, list):
        # The pipelines answer a conversation with all of it: the last turn is the answer.
        text = json.object_of(text[-1] if text else None).get("content")
    if not isinstance(text, str):
        raise BackendFailed(f"the upstream's answer has no {key}")
    rest = {name: value for name, value in document.items() if name != key}
    chunks: list[Chunk] = [TextDelta(text)] if text else []
    return [*chunks, Value(rest)] if rest else chunks


def _unnested(document: object) -> object:
    """Some servers answer one text with a list of one list."""
    match document:
        case [list(labels)]:
            return labels
        case _:
            return document
