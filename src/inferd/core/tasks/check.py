"""A payload, read by its task's fields."""

from collections.abc import Iterable, Mapping

from inferd.core.errors import InvalidRequest
from inferd.core.tasks.messages import decode_messages
from inferd.core.tasks.model import Field, FieldKind, Task
from inferd.core.tasks.registry import task_named
from inferd.core.tasks.spelling import check_spelling
from inferd.core.tasks.values import LONGEST_NAME, READERS, check_finite, wrong

MOST_UNKNOWN = 64
"""Parameters that a request may bring for its backend, beyond those that its task knows."""

MOST_NAMES = 256
"""Fields that a request may have by name, known or not."""

_SPELLED = 16
"""How many unknown names are compared with the known ones: that takes a while for each."""


def check(
    task: Task | str, payload: Mapping[str, object], extra: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return (inputs, parameters), by the task's own names; keys it doesn't know are parameters.

    A field may stand in `payload`, in its object `inputs`, in its object `parameters`, or in
    `extra`; where several name a parameter, the last of these wins. Absent stays absent.

    Raises:
        UnsupportedTask: There is no such task.
        InvalidRequest: A field is missing or wrong, a parameter's name is misspelt, or too many
            are unknown; `details["param"]` names it.
    """
    known = task_named(task) if isinstance(task, str) else task
    inputs, parameters, unknown = _read_known(known, payload, extra)
    if len(unknown) > MOST_UNKNOWN:
        raise InvalidRequest(
            f"{known.name} knows none of {len(unknown)} of the parameters, "
            f"and {MOST_UNKNOWN} at most may be ones that only its backend knows",
            hint=f"GET /run?task={known.name} describes every field",
            details={"param": next(iter(unknown))[:LONGEST_NAME], "limit": MOST_UNKNOWN},
        )
    for name in list(unknown)[:_SPELLED]:
        check_spelling(known, name)
    for name, value in unknown.items():
        check_finite(name, value)
    return inputs, parameters | unknown


def fits(task: Task, given: Mapping[str, object]) -> bool:
    """Whether `given` has what the task needs, in fields it can read; the rest isn't looked at."""
    try:
        _read_known(task, {}, given)
    except InvalidRequest:
        return False
    return True


def check_names(*groups: Mapping[str, object]) -> None:
    """Refuse more names than any request has, before anything is done for each.

    Raises:
        InvalidRequest: There are.
    """
    count = sum(map(len, groups))
    if count > MOST_NAMES:
        raise InvalidRequest(
            f"the request has {count} fields, and {MOST_NAMES} at most can be read",
            hint="GET /run?task=<task> describes every field of a task",
            details={"limit": MOST_NAMES},
        )


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


def _read_known(
    task: Task, payload: Mapping[str, object], extra: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object], dict[str, object]]:
    """Return (inputs, parameters, what the task doesn't know)."""
    given = _flat(payload, extra)
    inputs = _take(task.inputs, given)
    for field in task.inputs:
        if field.required and field.name not in inputs:
            raise _missing(task, field)
    parameters = _take(task.parameters, given)
    unknown = {name: value for name, value in given.items() if value is not None}
    return inputs, parameters, unknown


def _flat(payload: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    check_names(payload, extra)
    given = dict(payload)
    if isinstance(inner := given.get("inputs"), Mapping):
        check_names(inner)
        del given["inputs"]
        given = {**inner, **given}
    parameters = given.pop("parameters", None)
    if parameters is not None and not isinstance(parameters, Mapping):
        raise wrong("parameters", "an object", parameters)
    check_names(given, parameters or {})
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
