"""Requests on Hugging Face's task wire: a body for a task, and a task's fields from a body."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Unpack

import msgspec

from inferd.core.content import BytesFile, File
from inferd.core.errors import InvalidRequest, UnsupportedTask
from inferd.core.request import InferenceRequest
from inferd.core.tasks import check, task_named
from inferd.core.tasks.values import wrong
from inferd.wire import json
from inferd.wire.context import Context

Object = Mapping[str, object]

JSON = "application/json"
_FILE = "<file>"

_GENERATE = "generate_parameters"
_GENERATION = "generation_parameters"
_GROUPS = (_GENERATE, _GENERATION, "generate_kwargs")
"""Objects within `parameters` whose fields are parameters like the others."""

_GROUPED = {
    "summarization": _GENERATE,
    "translation": _GENERATE,
    "automatic-speech-recognition": _GENERATION,
    "text-to-speech": _GENERATION,
}
"""Tasks whose models take what steers their writing in a group of its own, and its name."""

_UNGROUPED = frozenset(
    {"src_lang", "tgt_lang", "return_timestamps", "truncation", "clean_up_tokenization_spaces"}
)
_ELSEWHERE = frozenset({"options", "model", "stream", "provider"})
"""Fields of a body that are no parameters."""


def _prompt(inputs: Object) -> object:
    return inputs["prompt"]


def _table(inputs: Object) -> object:
    """Return the columns by their names, every cell as text, as the models want them."""
    rows = inputs["table"]
    if not isinstance(rows, list) or not rows:
        raise wrong("table", "a list of rows, the header first", rows)
    header, *body = rows
    columns = {
        str(name): ["" if row[number] is None else str(row[number]) for row in body]
        for number, name in enumerate(header)
    }
    return {"query": inputs["table_query"], "table": columns}


def _named(*pairs: tuple[str, str]) -> Callable[[Object], object]:
    return lambda inputs: {theirs: inputs[ours] for theirs, ours in pairs}


_TEXT: Mapping[str, Callable[[Object], object]] = {
    **dict.fromkeys(
        (
            "text-generation",
            "text2text-generation",
            "summarization",
            "translation",
            "text-classification",
            "token-classification",
            "zero-shot-classification",
            "feature-extraction",
            "text-to-image",
        ),
        _prompt,
    ),
    "fill-mask": lambda inputs: inputs["mask_sentence"],
    "text-to-speech": lambda inputs: inputs["tts_text"],
    "text-to-audio": lambda inputs: inputs["tta_prompt"],
    "question-answering": _named(("question", "qa_question"), ("context", "qa_context")),
    "sentence-similarity": _named(
        ("source_sentence", "source_sentence"), ("sentences", "sentences")
    ),
    "table-question-answering": _table,
}
"""What `inputs` is for the tasks without a file."""

_FILES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "image-classification",
            "object-detection",
            "image-segmentation",
            "image-to-text",
            "image-to-image",
            "zero-shot-image-classification",
            "visual-question-answering",
            "document-question-answering",
        ),
        "image",
    ),
    "audio-classification": "audio",
    "automatic-speech-recognition": "audio",
}
_ASKING = frozenset({"visual-question-answering", "document-question-answering"})

TASKS = frozenset({*_TEXT, *_FILES})
"""Those that this wire knows, by our names."""

_MAIN = {"fill-mask": "mask_sentence", "text-to-speech": "tts_text", "text-to-audio": "tta_prompt"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A body: `head`, then the file of the field `file` in base64, then `tail`.

    With a file and no head, the file is the body as it is, and names its own type.
    """

    head: bytes = b""
    file: str = ""
    tail: bytes = b""

    @property
    def is_raw(self) -> bool:
        """Whether the file is the whole body."""
        return bool(self.file) and not self.head


def file_field(task: str) -> str:
    """Return the field of the one file that a task sends here; empty when it sends none."""
    return _FILES.get(task, "")


def encode_request(request: InferenceRequest) -> Asked:
    """Return the body that asks for a task.

    Raises:
        UnsupportedTask: This wire doesn't know the task.
        InvalidRequest: Its file is missing, or a value can't be written as JSON.
    """
    task = request.task
    if task not in TASKS:
        raise UnsupportedTask(f"Hugging Face's task API has no {task}")
    parameters = _parameters(request)
    field = _FILES.get(task)
    if field is None:
        document: dict[str, object] = {"inputs": _TEXT[task](request.inputs)}
        if task == "feature-extraction":
            # Its parameters stand beside its inputs.
            document = {**parameters, **document}
        elif parameters:
            document["parameters"] = parameters
        if request.stream and task in ("text-generation", "text2text-generation"):
            document["stream"] = True
        return Asked(head=json.encode(document))
    if all(file.field != field for file in request.files):
        raise InvalidRequest(f"{task} needs the file {field}", details={"param": field})
    if task not in _ASKING and not parameters:
        return Asked(file=field)
    # The file stands first, so that nothing a caller wrote can be taken for its place.
    inputs: object = _FILE
    if task in _ASKING:
        inputs = {"image": _FILE, "question": request.inputs["question"]}
    document = {"inputs": inputs, **({"parameters": parameters} if parameters else {})}
    head, _, tail = json.encode(document).partition(json.encode(_FILE))
    return Asked(head=head + b'"', file=field, tail=b'"' + tail)


def decode_request(
    task: str,
    body: bytes,
    *,
    id: str,  # noqa: A002
    model: str = "",
    content_type: str = "",
    files: tuple[File, ...] = (),
    **context: Unpack[Context],
) -> InferenceRequest:
    """Read what an official client sends: JSON, or a file's own bytes, with or without a type.

    `files` are those that were taken from the wire already; then `body` is not read.

    Raises:
        UnsupportedTask: There is no such task.
        InvalidRequest: A field is missing or wrong; `details["param"]` names it.
    """
    known = task_named(task)
    field = _FILES.get(known.name, "")
    document: dict[str, object] = {}
    if not files and not (field and not _is_json(body, content_type)):
        document = json.request_object(body)
    elif not files:
        files = (_file(field, body, content_type),)
    payload = {name: value for name, value in document.items() if name not in _ELSEWHERE}
    parameters = _flat(payload.pop("parameters", None))
    inputs = payload.pop("inputs", None)
    if isinstance(inputs, Mapping):
        payload.update(inputs)
    elif inputs is not None:
        payload[field or _MAIN.get(known.name, "prompt")] = inputs
    if field and not files and (packed := payload.pop(field, None)) is not None:
        files = (_file(field, _unpacked(field, packed), ""),)
    checked, rest = check(known, payload, parameters)
    return InferenceRequest(
        id=id,
        task=known.name,
        model=model or json.name_of(document, "model"),
        inputs=checked,
        files=files,
        parameters=rest,
        stream=known.streams and json.flag_of(document, "stream"),
        **context,
    )


def _parameters(request: InferenceRequest) -> dict[str, object]:
    """Return what this wire calls parameters, by its names."""
    inputs = request.inputs
    parameters = dict(request.parameters)
    match request.task:
        case "zero-shot-classification" | "zero-shot-image-classification":
            parameters["candidate_labels"] = inputs["candidate_labels"]
        case "translation":
            parameters |= {
                name: inputs[name] for name in ("src_lang", "tgt_lang") if name in inputs
            }
        case "image-to-image":
            if inputs.get("prompt"):
                parameters["prompt"] = inputs["prompt"]
            if "width" in parameters and "height" in parameters:
                size = {"width": parameters.pop("width"), "height": parameters.pop("height")}
                parameters["target_size"] = size
        case _:
            pass
    group = _GROUPED.get(request.task)
    grouped = {name: value for name, value in parameters.items() if name not in _UNGROUPED}
    if group is None or not grouped:
        return parameters
    kept = {name: value for name, value in parameters.items() if name in _UNGROUPED}
    return {**kept, group: grouped}


def _flat(parameters: object) -> dict[str, object]:
    """Return a caller's parameters without their groups."""
    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise wrong("parameters", "an object", parameters)
    flat: dict[str, object] = {}
    for name, value in parameters.items():
        if name in _ELSEWHERE:
            continue
        if isinstance(value, Mapping) and (name in _GROUPS or name == "target_size"):
            flat.update(value)
        else:
            flat[name] = value
    return flat


def _is_json(body: bytes, content_type: str) -> bool:
    plain = content_type.partition(";")[0].strip().lower()
    if plain:
        return plain == JSON
    return body.lstrip()[:1] == b"{" and json.attempt(body) is not None


def _file(field: str, data: bytes, content_type: str) -> BytesFile:
    plain = content_type.partition(";")[0].strip().lower()
    if not plain.startswith(("image/", "audio/", "video/")):
        plain = content_type_of(data) or "application/octet-stream"
    return BytesFile(field, data, content_type=plain)


def _unpacked(field: str, packed: object) -> bytes:
    """Read base64, with or without the `data:` before it."""
    if not isinstance(packed, str):
        raise wrong(field, "base64", packed)
    _, comma, rest = packed.partition(",")
    try:
        data = base64.b64decode(rest if comma else packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"{field} isn't base64", details={"param": field}) from error
    if not data:
        raise InvalidRequest(f"{field} is empty", details={"param": field})
    return data


def content_type_of(start: bytes) -> str:
    """Return the type that a file's first bytes show; empty when they show none."""
    for sign, content_type in _SIGNS:
        if start.startswith(sign):
            return content_type
    if start[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(start[8:12], "")
    if start[4:8] == b"ftyp":
        return "audio/mp4" if start[8:11] == b"M4A" else "video/mp4"
    return ""


_SIGNS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
)
