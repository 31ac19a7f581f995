"""What Hugging Face's own clients POST to a model's URL: read, and matched with tasks.

Their JSON is `{inputs, parameters, options, stream}`, with a task's fields in `inputs` where it
takes several, and a file in base64 as `inputs` or by its name.
"""

from collections.abc import Iterable, Mapping
from typing import Unpack

import msgspec

from inferd.core.content import BytesFile, File
from inferd.core.errors import InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.tasks import TASKS, Output, Task, check, check_names, fits
from inferd.core.tasks.values import wrong
from inferd.wire import file_kinds, json
from inferd.wire.context import Context

_OURS = frozenset({"inputs", "parameters", "options", "stream", "model", "provider"})
_DROPPED = frozenset({"details", "decoder_input_details", "model", "stream"})
"""Parameters that say how to answer, or whom to ask; no backend's business."""
_LOOKED_AT = 64
"""Entries of a list by which its task is guessed; all of them are read once the task is known."""
_TO_READ = frozenset({str, list, dict})


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came inside the JSON."""

    data: bytes
    content_type: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A body, taken apart but not yet read as any task's."""

    values: Mapping[str, object] = {}
    """Fields by name; a lone text, list or number is under `inputs`."""
    parameters: Mapping[str, object] = {}
    files: Mapping[str, Packed] = {}
    """By name; `inputs` where it had none."""
    stream: bool = False
    details: bool = False
    read_as_file: Packed | None = None
    """What a text under `inputs` is if it is a file, for tasks that must have one."""

    @property
    def names(self) -> frozenset[str]:
        """Every name that something came under."""
        return frozenset((*self.values, *self.parameters))


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A body that is a file, and nothing beside it."""

    content_type: str


def decode(body: bytes) -> Asked:
    """Read a JSON body.

    Raises:
        InvalidRequest: It isn't what these clients send; `details["param"]` names the field.
    """
    document = json.request_object(body)
    parameters = _object(document, "parameters")
    _object(document, "options")
    values = {name: value for name, value in document.items() if name not in _OURS}
    inputs = document.get("inputs")
    check_names(parameters, values, inputs if isinstance(inputs, dict) else {})
    if isinstance(inputs, dict):
        values |= inputs
    elif inputs is not None:
        values["inputs"] = inputs
    files = _files(values)
    return Asked(
        values=values,
        parameters={
            name: value
            for name, value in parameters.items()
            if name not in _DROPPED and value is not None
        },
        files=files,
        read_as_file=_read_as_file(values),
        stream=json.flag_of(document, "stream") or parameters.get("stream") is True,
        details=parameters.get("details") is True,
    )


def decode_request(
    task: Task,
    asked: Asked,
    *,
    id: str,  # noqa: A002
    model: str,
    **context: Unpack[Context],
) -> InferenceRequest:
    """Read a body as `task`'s.

    Raises:
        InvalidRequest: A field or a file is missing or wrong; `details["param"]` names it.
    """
    file, spent = _file_for(task, asked)
    inputs, parameters = check(task, {}, _given(task, asked, spent))
    return InferenceRequest(
        id=id,
        task=task.name,
        model=model,
        inputs=inputs,
        files=() if file is None else (file,),
        parameters=parameters,
        stream=asked.stream and task.streams,
        **context,
    )


def file_request(
    task: Task,
    file: File,
    *,
    id: str,  # noqa: A002
    model: str,
    **context: Unpack[Context],
) -> InferenceRequest:
    """Read a body that is a file as `task`'s.

    Raises:
        InvalidRequest: The task takes no such file, or something that must come beside it.
    """
    taken = next((each.name for each in task.files), "")
    if taken not in file_kinds.fields_of(file.content_type):
        wanted = f"takes a file of {taken}" if taken else "takes no file"
        raise InvalidRequest(
            f"{task.name} {wanted}, and {file.content_type} came",
            hint="" if taken else 'send JSON: {"inputs": …}',
            details={"param": "body"},
        )
    inputs, parameters = check(task, {}, {})
    return InferenceRequest(
        id=id,
        task=task.name,
        model=model,
        inputs=inputs,
        files=(file,),
        parameters=parameters,
        **context,
    )


def fitting(names: Iterable[str], came: Asked | Sent, accept: str) -> list[str]:
    """Return those of the tasks `names` as which a body can be read, and best.

    The best use the most of what came; among them, those that stream if a stream is wanted, and
    those that give what `accept` says.
    """
    tasks = [TASKS[name] for name in names if name in TASKS]
    if isinstance(came, Sent):
        kinds = file_kinds.fields_of(came.content_type)
        fit = [task for task in tasks if _takes_only(task, kinds)]
    else:
        asked = msgspec.structs.replace(
            came,
            values={name: _beginning(value) for name, value in came.values.items()},
            parameters={name: _beginning(value) for name, value in came.parameters.items()},
        )
        scores = {task.name: _score(task, asked) for task in tasks}
        best = max(scores.values(), default=0)
        fit = [task for task in tasks if best > 0 and scores[task.name] == best]
        if came.stream:
            fit = [task for task in fit if task.streams] or fit
    for kind, output in (("image/", Output.IMAGE), ("audio/", Output.AUDIO)):
        if accept.startswith(kind):
            fit = [task for task in fit if task.output is output] or fit
    return sorted(task.name for task in fit)


def nearest(names: Iterable[str], asked: Asked) -> str:
    """Return the one of the tasks `names` that knows most of what came by name; empty if none."""
    scores = {name: len(_known(TASKS[name]) & asked.names) for name in names if name in TASKS}
    best = max(scores.values(), default=0)
    found = [name for name, score in scores.items() if score == best]
    return found[0] if best and len(found) == 1 else ""


def _object(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong(name, "an object", value)
    return value


def _files(values: dict[str, object]) -> dict[str, Packed]:
    """Take the files out of `values`."""
    files: dict[str, Packed] = {}
    for name in ("inputs", *file_kinds.FIELDS):
        text = values.get(name)
        if not isinstance(text, str) or (name == "inputs" and not file_kinds.looks_packed(text)):
            continue
        data, content_type = file_kinds.unpack(name, text)
        files[name] = Packed(data=data, content_type=content_type)
        del values[name]
    return files


def _read_as_file(values: Mapping[str, object]) -> Packed | None:
    text = values.get("inputs")
    if not isinstance(text, str):
        return None
    try:
        data, content_type = file_kinds.unpack("inputs", text)
    except InvalidRequest:
        return None
    return Packed(data=data, content_type=content_type)


def _file_for(task: Task, asked: Asked) -> tuple[BytesFile | None, str]:
    """Return the task's file, and which of the values it was after all, if any."""
    if not task.files:
        if asked.files:
            name = next(iter(asked.files))
            raise InvalidRequest(
                f"{task.name} takes no file, and {name} is one", details={"param": name}
            )
        return None, ""
    [wanted, *_] = task.files
    packed, spent = asked.files.get(wanted.name) or asked.files.get("inputs"), ""
    text = asked.values.get("inputs")
    if packed is None and isinstance(text, str) and wanted.required:
        packed, spent = asked.read_as_file, "inputs"
        if packed is None:
            # It is none: this says what is wrong with it.
            file_kinds.unpack("inputs", text)
    if packed is None:
        if not wanted.required:
            return None, ""
        raise InvalidRequest(
            f"{task.name} needs a file of {wanted.name}, and it is missing",
            hint="send its bytes as the body, or in base64 as `inputs`",
            details={"param": wanted.name},
        )
    if wanted.name not in file_kinds.fields_of(packed.content_type):
        raise InvalidRequest(
            f"{task.name} takes a file of {wanted.name}, and {packed.content_type} came",
            details={"param": wanted.name},
        )
    return file_kinds.named(wanted.name, packed.data, packed.content_type), spent


def _takes_only(task: Task, kinds: tuple[str, ...]) -> bool:
    """Whether a file of one of `kinds` is all that the task needs."""
    needs_more = any(field.required for field in task.inputs)
    return not needs_more and any(file.name in kinds for file in task.files)


def _score(task: Task, asked: Asked) -> int:
    """Return how much of what came the task uses; 0 if it can't be read as this task."""
    needs_file = bool(task.files) and task.files[0].required
    if needs_file and not asked.files and asked.read_as_file is None:
        return 0
    try:
        file, spent = _file_for(task, asked)
    except InvalidRequest:
        return 0
    if not fits(task, _given(task, asked, spent)):
        return 0
    return len(_known(task) & asked.names) + 2 * (file is not None)


def _beginning(value: object) -> object:
    """Return the beginning of a list, or of each column of a table: enough to tell what it is."""
    match value:
        case list():
            return value[:_LOOKED_AT]
        case dict():
            return {
                name: each[:_LOOKED_AT] if isinstance(each, list) else each
                for name, each in value.items()
            }
        case _:
            return value


def _given(task: Task, asked: Asked, spent: str) -> dict[str, object]:
    """Return every field and parameter but the one that was the file."""
    values = {name: value for name, value in asked.values.items() if name != spent}
    if task.name == "tabular-classification":
        values = {name: _numbers(value) for name, value in values.items()}
    return {**values, **asked.parameters}


def _known(task: Task) -> frozenset[str]:
    """Return every name under which the task takes something."""
    fields = (*task.inputs, *task.parameters)
    named = [name for field in fields for name in (field.name, *field.aliases)]
    return frozenset((*named, *(file.name for file in task.files)))


def _numbers(value: object) -> object:
    """Return a table whose cells these clients send as texts, as numbers."""
    match value:
        case dict():
            return {key: _numbers(each) for key, each in value.items()}
        case list():
            is_plain = _TO_READ.isdisjoint(map(type, value))
            return value if is_plain else [_numbers(each) for each in value]
        case str():
            try:
                return float(value)
            except ValueError:
                return value
        case _:
            return value
