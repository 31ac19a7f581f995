"""The tools that speak of backends: list them, choose one, run something on one."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from inferd.core.backend import BackendType, Status
from inferd.core.errors import BackendUnavailable, InvalidRequest
from inferd.core.request import InferenceRequest
from inferd.core.tasks import Field, FieldKind, Task, check_name, task_named
from inferd.frontends.mcp.running import run_task, with_deadline
from inferd.frontends.mcp.tools import Object, Question, Reply, Tool, as_json, read, schema_of
from inferd.wire.context import directed

_Row = Mapping[str, object]


def _said(words: str) -> msgspec.Meta:
    return msgspec.Meta(description=words)


_TaskName = Annotated[str, _said("A task's name, as get_supported_tasks lists them.")]


class ListBackends(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What list_inference_backends takes."""

    backend_type: Annotated[BackendType | None, _said("Only backends of this type.")] = None
    status: Annotated[Status | None, _said("Only backends that fare so.")] = None
    task: Annotated[str | None, _said("Only backends that do this task.")] = None


class Nothing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a tool without arguments takes."""


class Select(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What select_backend_for_inference takes."""

    task: _TaskName
    model: Annotated[str | None, _said("A model's id or alias.")] = None
    preferred_types: Annotated[
        tuple[BackendType, ...] | None, _said("Types to choose from first, the best one first.")
    ] = None
    required_protocols: Annotated[
        tuple[str, ...] | None, _said("Protocols that the backend must speak, all of them.")
    ] = None


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What route_inference_request takes."""

    task: _TaskName
    model: Annotated[str, _said("A model's id or alias; empty for the task's default.")]
    inputs: Annotated[
        str | list[Any] | dict[str, Any],
        _said(
            "The task's main input, or an object of its fields. Files are base64 in their field,"
            " never a path."
        ),
    ]
    parameters: Annotated[dict[str, Any] | None, _said("The task's parameters.")] = None
    backend_id: Annotated[str | None, _said("The only backend that may answer.")] = None
    timeout: Annotated[float | None, _said("Seconds until the request is given up.")] = None


async def list_backends(question: Question, arguments: Object) -> Reply:
    """List the backends that the caller may see."""
    asked = read(arguments, ListBackends)
    task = task_named(asked.task).name if asked.task else ""
    rows = [
        row
        for row in _backends(question)
        if asked.backend_type in (None, row["type"])
        and asked.status in (None, row["status"])
        and (not task or task in _strings(row["tasks"]))
    ]
    return as_json({"backends": rows, "count": len(rows)})


async def backend_status(question: Question, arguments: Object) -> Reply:
    """Report on all of them."""
    read(arguments, Nothing)
    report = question.context.gateway.report(question.principal)
    return as_json(msgspec.to_builtins(report))


async def select_backend(question: Question, arguments: Object) -> Reply:
    """Say which backend would be asked, and why the others wouldn't. Nothing is run."""
    asked = read(arguments, Select)
    request = InferenceRequest(
        id=question.id,
        task=task_named(asked.task).name,
        model=check_name("model", asked.model or ""),
    )
    explanation = question.context.gateway.explain(
        directed(request, question.asked), question.principal
    )
    known = {row["name"]: row for row in _backends(question)}
    wanted = set(asked.required_protocols or ())
    taken: list[_Row] = []
    refused: list[_Row] = []
    for candidate in sorted(explanation.candidates, key=lambda each: each.order):
        # One that may be asked and not listed is known by its name alone.
        row = known.get(candidate.backend, {"id": candidate.backend, "type": "", "protocols": ()})
        reason = "" if candidate.order else candidate.reason
        if not reason and (lacks := wanted - set(_strings(row["protocols"]))):
            reason = f"it doesn't speak {', '.join(sorted(lacks))}"
        if reason:
            refused.append({"id": candidate.backend, "reason": reason})
        else:
            taken.append({**row, "model": candidate.model})
    if explanation.error or not taken:
        why = explanation.error or "no backend meets what was asked"
        raise BackendUnavailable(
            f"no backend can be selected: {why}",
            hint="leave out required_protocols, or see list_inference_backends",
            details={"refused": refused},
        )
    preferred = [each.value for each in asked.preferred_types or ()]
    # What the node's own order says decides among the equally preferred.
    taken.sort(key=lambda row: _rank(row["type"], preferred))
    others = [row["id"] for row in taken[1:]]
    told = {"backend": taken[0], "alternatives": others, "refused": refused}
    return as_json({**told, "strategy": explanation.strategy, "decided": explanation.decided})


async def route(question: Question, arguments: Object) -> Reply:
    """Run a request, on the one backend that was named or the best."""
    asked = read(arguments, Route)
    way = with_deadline(question.asked, question.context.clock, asked.timeout)
    if asked.backend_id:
        name = check_name("backend_id", asked.backend_id)
        if way.get("backend", name) != name:
            raise InvalidRequest("backend_id and X-Inference-Backend contradict each other")
        way = way.copy()
        way["backend"] = name
    return await run_task(
        msgspec.structs.replace(question, asked=way),
        asked.task,
        asked.model,
        _payload(task_named(asked.task), asked.inputs),
        asked.parameters or {},
    )


async def supported_tasks(question: Question, arguments: Object) -> Reply:
    """List the tasks, and how many models each has and can run now."""
    read(arguments, Nothing)
    counts = question.context.gateway.tasks(question.principal)
    return as_json(
        {
            "tasks": [msgspec.to_builtins(count) for count in counts],
            "runnable": [count.name for count in counts if count.runnable],
        }
    )


TOOLS: Sequence[Tool] = (
    Tool(
        name="list_inference_backends",
        title="List inference backends",
        description="List this node's backends: what each is, how it fares, what it can do.",
        schema=schema_of(ListBackends),
        run=list_backends,
        only_reads=True,
    ),
    Tool(
        name="get_backend_status",
        title="Backend status",
        description="Report on all backends: how many of each type and status, what they did.",
        schema=schema_of(Nothing),
        run=backend_status,
        only_reads=True,
    ),
    Tool(
        name="select_backend_for_inference",
        title="Select a backend",
        description="Say which backend a request would go to, and why not to the others.",
        schema=schema_of(Select),
        run=select_backend,
        only_reads=True,
    ),
    Tool(
        name="route_inference_request",
        title="Run an inference request",
        description="Run a task with a model on the best backend, or on one that you name.",
        schema=schema_of(Route),
        run=route,
    ),
    Tool(
        name="get_supported_tasks",
        title="Supported tasks",
        description="List the tasks, and how many models can run each of them here now.",
        schema=schema_of(Nothing),
        run=supported_tasks,
        only_reads=True,
    ),
)


def _backends(question: Question) -> list[_Row]:
    report = question.context.gateway.report(question.principal)
    return [msgspec.to_builtins(row) for row in report.backends]


def _payload(task: Task, inputs: str | list[Any] | dict[str, Any]) -> dict[str, object]:
    """Return the task's fields; what isn't an object of them is the first that it needs."""
    if isinstance(inputs, dict):
        return inputs
    fields = [*task.inputs, *task.files]
    main = next((field for field in fields if field.required), fields[0])
    if isinstance(main, Field) and main.kind is FieldKind.MESSAGES and isinstance(inputs, str):
        return {main.name: [{"role": "user", "content": inputs}]}
    return {main.name: inputs}


def _strings(value: object) -> Sequence[str]:
    return value if isinstance(value, list | tuple) else ()


def _rank(kind: object, preferred: Sequence[str]) -> int:
    return preferred.index(kind) if isinstance(kind, str) and kind in preferred else len(preferred)
