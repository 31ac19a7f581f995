"""A tool for each task that somebody here runs: its arguments are the task's own fields."""

from functools import cache

from inferd.core.tasks import TASKS, Task, json_schema
from inferd.core.tasks.values import wrong
from inferd.frontends.mcp.files import schema_of_file
from inferd.frontends.mcp.running import run_task
from inferd.frontends.mcp.tools import Object, Question, Reply, Tool

_MODEL = {
    "type": "string",
    "description": "A model's id or alias, as inferd://models lists them; the task's default "
    "where it is left out.",
}


def tool_name(task: str) -> str:
    """Return the tool's name: some clients take letters, digits and underscores alone."""
    return task.replace("-", "_")


@cache
def task_tool(name: str) -> Tool:
    """Return the tool that runs the task called `name`."""
    task = TASKS[name]

    async def run(question: Question, arguments: Object) -> Reply:
        payload = dict(arguments)
        model = payload.pop("model", None) or ""
        if not isinstance(model, str):
            raise wrong("model", "text", model)
        return await run_task(question, name, model, payload, {})

    return Tool(
        name=tool_name(name),
        title=task.label,
        description=f"{task.description} Gives {task.gives}.",
        schema=_schema(task),
        run=run,
    )


def _schema(task: Task) -> Object:
    schema = json_schema(task)
    properties, required = schema["properties"], schema["required"]
    assert isinstance(properties, dict)
    assert isinstance(required, list)
    files = {file.name: schema_of_file(file) for file in task.files}
    needed = [file.name for file in task.files if file.required]
    return {
        "type": "object",
        "properties": {**properties, **files, "model": _MODEL},
        "required": [*required, *needed],
        "additionalProperties": True,
    }
