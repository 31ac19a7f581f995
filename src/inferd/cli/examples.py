"""A command to copy for each task, made from the task's own examples."""

import shlex

import msgspec

from inferd.cli.program import program
from inferd.core.tasks import Field, FieldKind, Task

_FILES = {"image": "photo.jpg", "audio": "speech.wav", "video": "film.mp4"}
_SINGLE_QUOTE = "'"
_OBEYED_IN_DOUBLE_QUOTES = frozenset('"$`\\!')


def command(task: Task) -> str:
    """Return a command that runs the task, with all that it needs."""
    words = [program(), "run", task.name]
    main = main_field(task)
    if main is not None:
        words.append(_quoted(_typed(main)))
    for field in task.inputs:
        if field.required and field is not main:
            words += ["--input", _quoted(f"{field.name}={_typed(field)}")]
    for file in task.files:
        if file.required:
            words += ["--file", f"{file.name}={_FILES.get(file.name, 'FILE')}"]
    return " ".join(words)


def main_field(task: Task) -> Field | None:
    """Return the field that plain text goes to: the first required one, or else the first."""
    required = (field for field in task.inputs if field.required)
    return next(required, task.inputs[0] if task.inputs else None)


def _typed(field: Field) -> str:
    """Return the field's example as people would type it."""
    match field.kind, field.example:
        case _, str(text):
            return text
        case FieldKind.MESSAGES, [{"content": str(text)}]:
            return text
        case FieldKind.STRINGS, list(texts) if field.comma_separated:
            return ",".join(map(str, texts))
        case FieldKind.ROWS, [list(row)]:
            return ",".join(str(number) for number in row)
        case _, other:
            return msgspec.json.encode(other).decode()


def _quoted(text: str) -> str:
    if _SINGLE_QUOTE in text and not _OBEYED_IN_DOUBLE_QUOTES & set(text):
        return f'"{text}"'
    return shlex.quote(text)
