"""Words of the command line as a task's payload: each value read as its field wants it."""

import mimetypes
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from inferd.cli.examples import command, main_field
from inferd.cli.failure import Failure, Misuse, did_you_mean
from inferd.core.errors import UnsupportedTask
from inferd.core.tasks import TASKS, Field, FieldKind, Task, missing_files, task_named

_TEXTS = (FieldKind.TEXT, FieldKind.STRING)
_LISTS = (FieldKind.STRINGS, FieldKind.TEXTS)
_STDIN = "-"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the form."""

    field: str
    name: str
    content_type: str
    data: bytes


def task_called(name: str) -> Task:
    """Return the task of that name or alias.

    Raises:
        Misuse: There is none.
    """
    try:
        return task_named(name)
    except UnsupportedTask as error:
        hint = error.hint if error.hint.startswith("did") else ""
        raise Misuse(
            error.message,
            hint=hint or did_you_mean(name, list(TASKS), "`inferd tasks` lists the tasks"),
        ) from error


def payload_of(task: Task, text: Sequence[str], inputs: Iterable[str]) -> dict[str, object]:
    """Return the payload that the words mean.

    Raises:
        Misuse: A word names no field, its value can't be read, or a field that it needs is missing.
    """
    given: list[tuple[Field, str]] = []
    if text:
        given.append((_main(task), " ".join(text)))
    for word in inputs:
        name, equals, value = word.partition("=")
        field = find(task.inputs, name) if equals else None
        if field is None and equals and (typo := _typo(task, name)):
            raise Misuse(f"{task.name} has no input called {name}", hint=typo)
        given.append((field, value) if field else (_main(task), word))
    if _awaits_stdin(task, [field for field, _ in given]):
        given.insert(0, (_main(task), _STDIN))
    payload: dict[str, object] = {}
    for field, word in given:
        if text := read(word):
            _add(payload, field, value_of(field, text))
    _check_complete(
        task, [each.name for each in task.inputs if each.required and each.name not in payload]
    )
    return payload


def parameters_of(task: Task, words: Iterable[str]) -> dict[str, object]:
    """Return the parameters that `k=v` words mean; names the task doesn't know are passed on.

    Raises:
        Misuse: A word isn't `k=v`, or its value can't be read.
    """
    parameters: dict[str, object] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise Misuse(f"--param {word} has no value", hint="write --param name=value")
        field = find(task.parameters, name)
        if field is None:
            parameters[name] = _json_or_text(read(text))
        else:
            _add(parameters, field, value_of(field, read(text)))
    return parameters


def files_of(task: Task, words: Iterable[str]) -> list[Part]:
    """Return the files that `key=path` words mean; a path alone is the task's own file.

    Raises:
        Misuse: The task takes none, or one that it needs is missing.
        Failure: A file can't be read.
    """
    parts: list[Part] = []
    for word in words:
        name, equals, rest = word.partition("=")
        if not equals or "/" in name:
            if not task.files:
                raise Misuse(f"{task.name} takes no file", hint=f"for instance: {command(task)}")
            name, rest = task.files[0].name, word
        path = Path(rest).expanduser()
        try:
            data = sys.stdin.buffer.read() if rest == _STDIN else path.read_bytes()
        except OSError as error:
            raise Failure(f"{path} can't be read: {error.strerror}") from error
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        parts.append(Part(field=name, name=path.name, content_type=kind, data=data))
    _check_complete(task, missing_files(task, {part.field for part in parts}))
    return parts


def find(fields: Iterable[Field], name: str) -> Field | None:
    """Return the field of that name or alias."""
    return next((field for field in fields if name in (field.name, *field.aliases)), None)


def read(word: str) -> str:
    """Return the word, or all of standard input where it is `-`."""
    return sys.stdin.read().rstrip("\n") if word == _STDIN else word


def value_of(field: Field, text: str) -> object:
    """Read a value as the field wants it.

    Raises:
        Misuse: It isn't such a value.
    """
    if field.kind in _TEXTS:
        return text
    starts_json = text.lstrip()[:1] in ("[", "{")
    if field.kind in _LISTS and not starts_json:
        return text
    if field.kind is FieldKind.MESSAGES and not starts_json:
        return [{"role": "user", "content": text}]
    if field.kind is FieldKind.ROWS and not starts_json:
        text = f"[{text}]"
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        expected = f"a JSON value ({field.kind.value})"
        example = msgspec.json.encode(field.example).decode() if field.example else ""
        raise Misuse(
            f"{field.name} must be {expected}, and {_short(text)} isn't one",
            hint=f"for instance {example}" if example else "",
        ) from error


def _main(task: Task) -> Field:
    """Return the field that plain text goes to."""
    field = main_field(task)
    if field is None:
        names = " and ".join(f"--file {file.name}=PATH" for file in task.files)
        raise Misuse(f"{task.name} takes no text", hint=f"it takes {names}" if names else "")
    return field


def _check_complete(task: Task, missing: Sequence[str]) -> None:
    if missing:
        verb = "it is" if len(missing) == 1 else "they are"
        raise Misuse(
            f"{task.name} needs {' and '.join(missing)}: {verb} missing",
            hint=f"for instance: {command(task)}",
        )


def _awaits_stdin(task: Task, given: Sequence[Field]) -> bool:
    """Tell whether the main input is still missing and something is piped in."""
    if not any(field.required for field in task.inputs) or _main(task) in given:
        return False
    return sys.stdin is not None and not sys.stdin.isatty()


def _typo(task: Task, name: str) -> str:
    if not name.isidentifier():
        return ""
    return did_you_mean(name, [field.name for field in task.inputs])


def _add(values: dict[str, object], field: Field, value: object) -> None:
    """Set a field; said again, a list grows and anything else is replaced."""
    before = values.get(field.name)
    if before is None or field.kind not in _LISTS:
        values[field.name] = value
        return
    values[field.name] = [*_listed(before), *_listed(value)]


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _json_or_text(text: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
