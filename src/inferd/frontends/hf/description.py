"""What OpenAPI says of the task API."""

from collections.abc import Mapping

import msgspec

from inferd.core.tasks import TASKS, json_schema
from inferd.frontends._http.model_rows import ModelRow
from inferd.frontends.hf.listing import SORTS
from inferd.gateway.browse import TaskCount

_REFS = "#/components/schemas/{name}"
_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}
_BINARY = {"schema": _FILE}
_FLAG = {"type": "string", "enum": ["true", "false"]}
_TAGS = ["Tasks"]
_FAILURE = {
    "description": "A failure: the fact, the reason, and what to do next",
    "content": {"application/json": {"schema": {"$ref": _REFS.format(name="TaskError")}}},
}


def paths() -> Mapping[str, object]:
    """Return the path items."""
    return {
        "/inference": {"post": _INFER, "head": _SOURCE},
        "/models": {"get": _MODELS},
        "/run": {"get": _RUN},
        "/healthz": {"get": _HEALTHZ},
    }


def schemas() -> Mapping[str, object]:
    """Return the schemas, with one for each task's payload."""
    _, components = msgspec.json.schema_components([ModelRow, TaskCount], ref_template=_REFS)
    payloads = {f"{name}-payload": json_schema(task) for name, task in TASKS.items()}
    return {**_SCHEMAS, **components, **payloads}


def _ref(name: str) -> dict[str, object]:
    return {"$ref": _REFS.format(name=name)}


def _query(name: str, description: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _json(description: str, schema: Mapping[str, object]) -> dict[str, object]:
    content = {"application/json": {"schema": schema}}
    return {"200": {"description": description, "content": content}, "default": _FAILURE}


_INFER: dict[str, object] = {
    "summary": "Run any task",
    "description": "`Accept: text/event-stream` streams the tasks that stream.",
    "tags": _TAGS,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": _ref("TaskForm"),
                "encoding": {"spec": {"contentType": "application/json"}},
            },
            "application/json": {"schema": _ref("TaskSpec")},
        },
    },
    "responses": {
        "200": {
            "description": "The result in its task's shape, a file, or events",
            "content": {
                "application/json": {"schema": {}},
                "text/event-stream": {"schema": _TEXT},
                "image/*": _BINARY,
                "audio/*": _BINARY,
                "video/*": _BINARY,
            },
        },
        "default": _FAILURE,
    },
}
_SOURCE: dict[str, object] = {
    "summary": "Say where a request would go now, in X-Inference-Source",
    "tags": _TAGS,
    "parameters": [
        _query("task", "The task; text-generation if left out", _TEXT),
        _query("model_id", "The model; the task's default if left out", _TEXT),
        _query("use_remote", "As in the form", _FLAG),
    ],
    "responses": {"200": {"description": "`local` or `remote`"}, "default": {"description": "No"}},
}
_MODELS: dict[str, object] = {
    "summary": "List the tasks, or one task's models and where each runs",
    "tags": _TAGS,
    "parameters": [
        _query("task", "List this task's models", _TEXT),
        _query("limit", "At most so many", {"type": "integer", "minimum": 1, "maximum": 1000}),
        _query("include_remote", "Models of other nodes and services too", _FLAG),
        _query("include_hub", "Models that only the Hub lists too; true if left out", _FLAG),
        _query("search", "Only names that hold every one of these words", _TEXT),
        _query("gated", "Only gated models, or only others", _FLAG),
        _query("runnable", "Only what a place that can be used runs now", _FLAG),
        _query("sort", "Nearest first if left out", {"type": "string", "enum": list(SORTS)}),
        _query("cursor", "From the Link header of the page before", _TEXT),
    ],
    "responses": _json(
        "The tasks, or the models",
        {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {
                        "available_tasks": {"type": "array", "items": _TEXT},
                        "tasks": {"type": "array", "items": _ref("TaskCount")},
                    },
                },
                {"type": "array", "items": _ref("ModelRow")},
            ]
        },
    ),
}
_RUN: dict[str, object] = {
    "summary": "Describe a task's form",
    "tags": _TAGS,
    "parameters": [{**_query("task", "The task", _TEXT), "required": True}],
    "responses": _json("The form", {"type": "object"}),
}
_HEALTHZ: dict[str, object] = {
    "summary": "Say that the process serves; needs no credential",
    "tags": _TAGS,
    "security": [],
    "responses": _json("It does", {"type": "object"}),
}
_SPEC: dict[str, object] = {
    "task": {"type": "string", "examples": ["text-generation"]},
    "model_id": {"type": "string", "description": "The task's default if left out"},
    "payload": {"type": "object", "description": "See the schema <task>-payload"},
    "extra_args": {"type": "object"},
}
_SCHEMAS: dict[str, object] = {
    "TaskSpec": {
        "type": "object",
        "required": ["task"],
        "properties": {**_SPEC, "use_remote": {"type": "boolean"}},
    },
    "TaskForm": {
        "type": "object",
        "required": ["spec"],
        "properties": {
            "spec": {"type": "object", "required": ["task"], "properties": _SPEC},
            "use_remote": _FLAG,
            "image": _FILE,
            "audio": _FILE,
            "video": _FILE,
        },
    },
    "TaskError": {
        "type": "object",
        "required": ["error", "reason", "hint", "kind", "request_id"],
        "properties": {
            "error": _TEXT,
            "reason": _TEXT,
            "hint": _TEXT,
            "kind": _TEXT,
            "request_id": _TEXT,
        },
    },
}
