"""Hugging Face's task wire, the asking end: a body for each task."""

from collections.abc import Callable, Mapping

import msgspec

from inferd.core.errors import InvalidRequest, UnsupportedTask
from inferd.core.request import InferenceRequest
from inferd.core.tasks.values import wrong
from inferd.wire import json

Object = Mapping[str, object]

_FILE = "<file>"

_GENERATE = "generate_parameters"
_GENERATION = "generation_parameters"

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

STREAMS = frozenset({"text-generation", "text2text-generation"})
"""Tasks whose results may come in pieces."""

TASKS = frozenset({*_TEXT, *_FILES})
"""Those that this wire knows, by our names."""


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
        if request.stream and task in STREAMS:
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
