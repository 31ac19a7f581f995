"""Every task, by every name it goes by."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from inferd.core.errors import UnsupportedTask
from inferd.core.tasks import audio, generation, tabular, text, vectors, vision
from inferd.core.tasks.model import Task

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        task.name: task
        for module in (generation, text, vectors, tabular, vision, audio)
        for task in module.TASKS
    }
)
"""Canonical name to task."""

_NAMED: Mapping[str, Task] = MappingProxyType(
    {name: task for task in TASKS.values() for name in (*task.aliases, task.spelling, task.name)}
)


def supported_tasks() -> list[str]:
    """Return the names of all tasks, sorted; a task with two spellings counts under both."""
    return sorted({name for task in TASKS.values() for name in (task.name, task.spelling)})


def task_named(name: str) -> Task:
    """Return the task of that name or alias.

    Raises:
        UnsupportedTask: There is none.
    """
    task = _NAMED.get(name)
    if task is not None:
        return task
    shown = name if len(name) <= 60 else name[:60] + "…"
    close = get_close_matches(name[:60].lower().replace("_", "-"), _NAMED, n=1)
    hint = f"did you mean {close[0]}?" if close else "GET /models lists the tasks"
    raise UnsupportedTask(
        f"there is no task called {shown!r}",
        hint=hint,
        details={"task": shown, "supported_tasks": supported_tasks()},
    )
