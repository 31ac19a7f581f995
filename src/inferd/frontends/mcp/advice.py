"""What a model can do about a failure: it has tools and resources, and no command line."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from inferd.core.errors import ErrorKind, InvalidRequest, NodeError
from inferd.core.tasks import Task

_ELSEWHERE = ("`inferd ", "GET /", "POST /")
_WHOLE = ("inputs", "parameters")
_LONGEST = 60
_MOST_UNKNOWN = 8
_ADVICE: Mapping[ErrorKind, str] = {
    ErrorKind.MODEL_NOT_FOUND: "list_inference_backends shows the models of each backend, and the"
    " resource inferd://models all of them",
    ErrorKind.UNSUPPORTED_TASK: "get_supported_tasks lists the tasks",
    ErrorKind.PERMISSION_DENIED: "only the node's owner can allow it; list_inference_backends shows"
    " what you may use",
    ErrorKind.INVALID_REQUEST: "tools/list has every tool's arguments",
    ErrorKind.PAYLOAD_TOO_LARGE: "send fewer or shorter inputs",
}


def hint_of(error: NodeError) -> str:
    """Return what to do about `error`, where its own hint is for other callers."""
    return _ADVICE.get(error.kind, "") if _is_for_others(error.hint) else error.hint


def nearest(unknown: Iterable[str], known: Iterable[str]) -> str:
    """Name those that are unknown, each with the one that may be meant; empty where none is."""
    names = list(known)
    shown: list[str] = []
    for name in list(unknown)[:_MOST_UNKNOWN]:
        close = get_close_matches(name[:_LONGEST].lower(), names, n=1)
        shown.append(f"{name[:_LONGEST]} (did you mean {close[0]}?)" if close else name[:_LONGEST])
    return ", ".join(shown)


def of_task(task: Task, error: InvalidRequest, *given: Mapping[str, object]) -> InvalidRequest:
    """Return why `task` can't be run with what was given: what it doesn't know may be misspelt."""
    known = [
        name for field in (*task.inputs, *task.parameters) for name in (field.name, *field.aliases)
    ]
    known += [file.name for file in task.files]
    unknown = [name for names in given for name in names if name not in (*known, *_WHOLE)]
    param = error.details.get("param")
    is_missing = param in known and not any(param in names for names in given)
    message = error.message
    if unknown and is_missing:
        message = f"{message}; it knows no {nearest(unknown, known)}"
    hint = _fields(task) if _is_for_others(error.hint) else error.hint
    return InvalidRequest(message, hint=hint, details=error.details)


def _is_for_others(hint: str) -> bool:
    return any(word in hint for word in _ELSEWHERE)


def _fields(task: Task) -> str:
    fields = [*task.inputs, *task.files]
    shown = [field.name if field.required else f"{field.name}?" for field in fields]
    steered = [field.name for field in task.parameters]
    parameters = f"; its parameters are {', '.join(steered)}" if steered else ""
    return f"{task.name} takes {', '.join(shown)}{parameters}"
