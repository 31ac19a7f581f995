"""`inferd tasks`: what can be asked, what it takes and gives, and a command to copy."""

from collections.abc import Iterator
from typing import Annotated

from inferd.cli import screen
from inferd.cli.examples import command
from inferd.cli.inputs import task_called
from inferd.cli.settings import SWITCH
from inferd.core.tasks import TASKS, Field, Task, form


def tasks(name: str = "", /, *, json: Annotated[bool, SWITCH] = False) -> None:
    """List the tasks, or describe one with a command to copy.

    Args:
        name: The task to describe.
        json: Print JSON.
    """
    task = task_called(name) if name else None
    if json:
        screen.write_json(_form(task) if task else [_form(each) for each in TASKS.values()])
    elif task:
        _describe(task)
    else:
        _list()


def _form(task: Task) -> dict[str, object]:
    return {"task": task.name, **form(task)}


def _list() -> None:
    from rich.text import Text

    from inferd.cli.render import grid

    table = grid("task", "takes", "gives")
    for task in sorted(TASKS.values(), key=lambda task: task.name):
        table.add_row(*map(Text, (task.name, ", ".join(_taken(task)), task.gives)))
    screen.show(table)
    screen.note("`inferd tasks TASK` describes one")


def _taken(task: Task) -> Iterator[str]:
    """Yield what it takes; brackets mean that it may be left out."""
    for field in task.inputs:
        yield field.name if field.required else f"[{field.name}]"
    for file in task.files:
        yield f"{file.name} (file)" if file.required else f"[{file.name} (file)]"


def _describe(task: Task) -> None:
    from rich.text import Text

    from inferd.cli.render import grid

    other_names = sorted({*task.aliases, task.spelling} - {task.name})
    also = f" (also {', '.join(other_names)})" if other_names else ""
    screen.show(Text(task.name, "bold").append(also, "dim"), Text(task.description))
    table = grid("option", "name", "what", "note")
    for option, fields in (("--input", task.inputs), ("--param", task.parameters)):
        for field in fields:
            table.add_row(*map(Text, (option, field.name, field.kind.value, _note(field))))
    for file in task.files:
        needed = "required" if file.required else ""
        table.add_row(*map(Text, ("--file", file.name, file.accept, needed)))
    screen.show(Text(), table, Text())
    streams = "; with --stream, as it comes" if task.streams else ""
    screen.show(Text(f"gives {task.gives}{streams}"), Text(f"for instance: {command(task)}"))


def _note(field: Field) -> str:
    bounds = (("at least", field.minimum), ("at most", field.maximum))
    told = [
        "required" if field.required else "",
        field.help.rstrip("."),
        f"one of {', '.join(field.choices)}" if field.choices else "",
        *(f"{words} {number:g}" for words, number in bounds if number is not None),
        f"also {', '.join(field.aliases)}" if field.aliases else "",
    ]
    return "; ".join(filter(None, told))
