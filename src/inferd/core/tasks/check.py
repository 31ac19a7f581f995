"""A payload, read by its task's fields."""

from collections.abc import Iterable, Mapping

from inferd.core.errors import InvalidRequest
from inferd.core.tasks.messages import decode_messages
from inferd.core.tasks.model import Field, FieldKind, Task
from inferd.core.tasks.registry import task_named
from inferd.core.tasks.spelling import check_spelling
from inferd.core.tasks.values import READERS, check_finite, wrong


def check(
    task: Task | str, payload: Mapping[str, object], extra: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return (inputs, parameters), by the task's own names; keys it doesn't know are parameters.

    A field may stand in `payload`, in its object `inputs`, in its object `parameters`, or in
    `extra`; where several name a parameter, the last of these wins. Absent stays absent.

    Raises:
        UnsupportedTask: There is no such task.
        InvalidRequest: A field is missing or wrong, or a parameter's name is misspelt;
            `details["param"]` names it.
    """
    known = task_named(task) if isinstance(task, str) else task
    given = _flat(payload, extra)
    inputs = _take(known.inputs, given)
    for field in known.inputs:
        if field.required and field.name not in inputs:
            raise _missing(known, field)
    parameters = _take(known.parameters, given)
    for name, value in given.items():
        if value is not None:
            check_spelling(known, name)
            check_finite(name, value)
            parameters[name] = value
    return inputs, parameters


def missing_files(task: Task | str, present: Iterable[str]) -> tuple[str, ...]:
    """Name the files that the task needs and that didn't come."""
    known = task_named(task) if isinstance(task, str) else task
    there = set(present)
    return tuple(file.name for file in known.files if file.required and file.name not in there)


def unused_files(task: Task | str, present: Iterable[str]) -> tuple[str, ...]:
    """Name the files that came and that the task doesn't take."""
    known = task_named(task) if isinstance(task, str) else task
    taken = {file.name for file in known.files}
    return tuple(sorted(name for name in set(present) if name not in taken))


def _flat(payload: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    given = dict(payload)
    if isinstance(inner := given.get("inputs"), Mapping):
        del given["inputs"]
        given = {**inner, **given}
    parameters = given.pop("parameters", None)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise wrong("parameters", "an object", parameters)
    return {**given, **(parameters or {}), **extra}


def _take(fields: Iterable[Field], given: dict[str, object]) -> dict[str, object]:
    """Move what `fields` name from `given`, under their own names."""
    taken: dict[str, object] = {}
    for field in fields:
        name = next(
            (name for name in (field.name, *field.aliases) if not _absent(given.get(name))), None
        )
        if name is not None:
            taken[field.name] = _read(field, given.pop(name))
        for spent in (field.name, *field.aliases):
            if spent in given and _absent(given[spent]):
                del given[spent]
    return taken


def _absent(value: object) -> bool:
    """Forms send an empty text for a field that nobody filled in."""
    return value is None or value == ""


def _read(field: Field, value: object) -> object:
    if field.kind is FieldKind.MESSAGES:
        return decode_messages(value, name=field.name)
    return READERS[field.kind](field, value)


def _missing(task: Task, field: Field) -> InvalidRequest:
    also = f" (or {', '.join(field.aliases)})" if field.aliases else ""
    return InvalidRequest(
        f"{task.name} needs {field.name}{also}, and it is missing",
        hint=f"GET /run?task={task.name} describes every field",
        details={"param": field.name},
    )
