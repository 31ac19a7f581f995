"""What OpenAPI says of the models' URLs."""

_TEXT = {"type": "string"}
_FILE = {"type": "string", "format": "binary"}
_TAGS = ["Models"]
_MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "A model's id, with its slash, or an alias",
    "schema": _TEXT,
}
_TASK: dict[str, object] = {"name": "task", "description": "The task", "schema": _TEXT}
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "inputs": {},
                    "parameters": {"type": "object"},
                    "stream": {"type": "boolean"},
                },
            }
        },
        "image/*": {"schema": _FILE},
        "audio/*": {"schema": _FILE},
        "video/*": {"schema": _FILE},
        "application/octet-stream": {"schema": _FILE},
    },
}
_FAILURE = {
    "description": "A failure; `error` says it whole",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TaskError"}}},
}
_ANSWERS = {
    "200": {
        "description": "The result as Hugging Face's inference API shapes it, a file, or events",
        "content": {
            "application/json": {"schema": {}},
            "text/event-stream": {"schema": _TEXT},
            "image/*": {"schema": _FILE},
            "audio/*": {"schema": _FILE},
        },
    },
    "default": _FAILURE,
}


def _post(summary: str, *parameters: object) -> dict[str, object]:
    return {
        "post": {
            "summary": summary,
            "tags": _TAGS,
            "parameters": list(parameters),
            "requestBody": _BODY,
            "responses": _ANSWERS,
        }
    }


_IN_PATH = {**_TASK, "in": "path", "required": True}
MODELS: dict[str, object] = {
    "/models/{model}": {
        **_post("Ask one model, as Hugging Face's clients do", _MODEL, {**_TASK, "in": "query"}),
        "get": {
            "summary": "Say what a model does and where it runs",
            "tags": _TAGS,
            "parameters": [_MODEL],
            "responses": {
                "200": {
                    "description": "The model",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "default": _FAILURE,
            },
        },
    },
    "/models/{model}/pipeline/{task}": _post("Ask one model for one task", _MODEL, _IN_PATH),
}
PIPELINE: dict[str, object] = {
    "/pipeline/{task}": _post("Ask a task's default model", _IN_PATH),
    "/pipeline/{task}/{model}": _post("Ask one model for one task", _IN_PATH, _MODEL),
}
