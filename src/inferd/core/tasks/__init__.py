"""What each task takes and gives: the one home of field names, forms and checks.

`model` says what a task is, `parameters`, `text`, `vision` and `audio` list them, `registry`
finds them by name, `check` reads a payload by them (`spelling` knows a mistyped name),
`forms` describes them to people and tools.
"""

from inferd.core.tasks.check import check, check_names, fits, missing_files, unused_files
from inferd.core.tasks.forms import example, form, json_schema
from inferd.core.tasks.messages import decode_messages, encode_message
from inferd.core.tasks.model import Field, FieldKind, FileField, Output, Task
from inferd.core.tasks.registry import TASKS, supported_tasks, task_named
from inferd.core.tasks.values import check_name

__all__ = [
    "TASKS",
    "Field",
    "FieldKind",
    "FileField",
    "Output",
    "Task",
    "check",
    "check_name",
    "check_names",
    "decode_messages",
    "encode_message",
    "example",
    "fits",
    "form",
    "json_schema",
    "missing_files",
    "supported_tasks",
    "task_named",
    "unused_files",
]
