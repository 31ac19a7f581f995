"""Files within a tool's arguments: their bytes in base64, never a path and never an address."""

import base64
import binascii
import re
from collections.abc import Mapping

from inferd.core.content import BytesFile, File
from inferd.core.errors import InvalidRequest
from inferd.core.tasks import FileField, Task

_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w.+=-]+)*;base64,", re.ASCII)
_SPACE = str.maketrans("", "", "\r\n")


def schema_of_file(file: FileField) -> dict[str, object]:
    """Return the JSON Schema of a file's argument."""
    return {
        "type": "string",
        "contentEncoding": "base64",
        "description": f"{file.label}: the file's bytes in base64, or a data: URL ({file.accept}).",
    }


def take_files(task: Task, payload: Mapping[str, object]) -> tuple[dict[str, object], list[File]]:
    """Return the rest of `payload`, and the files that `task` takes from it.

    Raises:
        InvalidRequest: One isn't base64, or one that the task needs isn't there.
    """
    rest, files = dict(payload), list[File]()
    for field in task.files:
        given = rest.pop(field.name, None)
        if given is not None:
            files.append(_file(field, given))
        elif field.required:
            raise InvalidRequest(
                f"{task.name} needs {field.name}, and it is missing",
                hint="send the file's bytes in base64",
                details={"param": field.name},
            )
    return rest, files


def _file(field: FileField, given: object) -> File:
    if not isinstance(given, str) or not given:
        raise _wrong(field.name)
    head = _DATA.match(given)
    kind = (head and head[1]) or "application/octet-stream"
    text = (given[head.end() :] if head else given).translate(_SPACE)
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(field.name) from error
    return BytesFile(field.name, data, content_type=kind)


def _wrong(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"{name} must be the file's bytes in base64, or a data: URL of them",
        hint="a path or another address is never read: the node fetches nothing for a tool",
        details={"param": name},
    )
