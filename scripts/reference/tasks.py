"""docs/tasks.md, from the tasks."""

from inferd.core.tasks.model import Field, Task
from inferd.core.tasks.registry import TASKS

_INTRODUCTION = """# Tasks

Every task, by Hugging Face's name for it, with the fields it takes and what it gives. Fields in
bold are required; a name in brackets is another name for the same field. A parameter that is not
listed is passed on to whatever answers. `GET /run?task=NAME` gives the same as JSON.

This page is generated: `python scripts/docs.py --write`.
"""


def markdown() -> str:
    """Return the page."""
    categories: dict[str, list[Task]] = {}
    for task in TASKS.values():
        categories.setdefault(task.category, []).append(task)
    sections = [_section(name, tasks) for name, tasks in categories.items()]
    return "\n".join([_INTRODUCTION, *sections])


def _section(category: str, tasks: list[Task]) -> str:
    rows = "\n".join(_row(task) for task in sorted(tasks, key=lambda task: task.name))
    head = "| task | takes | parameters | gives | streams |\n|---|---|---|---|---|"
    return f"## {category}\n\n{head}\n{rows}\n"


def _row(task: Task) -> str:
    names = sorted({*task.aliases, task.spelling} - {task.name})
    also = f" ({', '.join(f'`{name}`' for name in names)})" if names else ""
    files = [
        f"**{file.name}** (file)" if file.required else f"{file.name} (file)" for file in task.files
    ]
    cells = [
        f"`{task.name}`{also}: {task.description}",
        ", ".join([*map(_field, task.inputs), *files]),
        ", ".join(_field(field) for field in task.parameters),
        f"`{task.gives}`" if task.gives[0] in "{[" else task.gives,
        "yes" if task.streams else "",
    ]
    return f"| {' | '.join(cells)} |"


def _field(field: Field) -> str:
    name = f"**{field.name}**" if field.required else field.name
    return f"{name} ({', '.join(field.aliases)})" if field.aliases else name
