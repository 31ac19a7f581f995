"""What OpenAPI says of /v1."""

from collections.abc import Mapping

_TEXT = {"type": "string"}
_ERROR = {
    "description": "A failure, in OpenAI's shape",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}},
}


def _answer(description: str, **content: object) -> dict[str, object]:
    return {"200": {"description": description, "content": content}, "default": _ERROR}


def _body(name: str) -> dict[str, object]:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


_JSON = {"schema": {"type": "object"}}
_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT}

PATHS: Mapping[str, object] = {
    "/v1/chat/completions": {
        "post": {
            "summary": "Answer a conversation",
            "tags": ["OpenAI"],
            "requestBody": _body("ChatRequest"),
            "responses": _answer(
                "The completion; with `stream`, its chunks and then `data: [DONE]`",
                **{"application/json": _JSON, "text/event-stream": {"schema": _TEXT}},
            ),
        }
    },
    "/v1/completions": {
        "post": {
            "summary": "Continue a text",
            "tags": ["OpenAI"],
            "requestBody": _body("CompletionRequest"),
            "responses": _answer(
                "The completion; with `stream`, its chunks and then `data: [DONE]`",
                **{"application/json": _JSON, "text/event-stream": {"schema": _TEXT}},
            ),
        }
    },
    "/v1/embeddings": {
        "post": {
            "summary": "Turn texts into vectors",
            "tags": ["OpenAI"],
            "requestBody": _body("EmbeddingsRequest"),
            "responses": _answer("One vector a text", **{"application/json": _JSON}),
        }
    },
    "/v1/models": {
        "get": {
            "summary": "List the models that the caller may use",
            "tags": ["OpenAI"],
            "responses": _answer("The list", **{"application/json": _JSON}),
        }
    },
    "/v1/models/{id}": {
        "get": {
            "summary": "Show one model, by its id or an alias",
            "tags": ["OpenAI"],
            "parameters": [_ID],
            "responses": _answer("The model", **{"application/json": _JSON}),
        }
    },
}

SCHEMAS: Mapping[str, object] = {
    "ChatRequest": {
        "type": "object",
        "required": ["messages"],
        "properties": {
            "model": _TEXT,
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            "stream": {"type": "boolean", "default": False},
        },
        "additionalProperties": True,
    },
    "CompletionRequest": {
        "type": "object",
        "required": ["prompt"],
        "properties": {
            "model": _TEXT,
            "prompt": {
                "description": "One text; a model behind OpenAI's API takes lists, and token ids",
                "anyOf": [_TEXT, {"type": "array", "minItems": 1}],
            },
            "stream": {"type": "boolean", "default": False},
            "echo": {"type": "boolean", "default": False},
        },
        "additionalProperties": True,
    },
    "EmbeddingsRequest": {
        "type": "object",
        "required": ["input"],
        "properties": {
            "model": _TEXT,
            "input": {"anyOf": [_TEXT, {"type": "array", "minItems": 1, "items": _TEXT}]},
            "encoding_format": {"enum": ["float", "base64"], "default": "float"},
        },
        "additionalProperties": True,
    },
    "OpenAIError": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": _TEXT,
                    "type": _TEXT,
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                    "kind": _TEXT,
                    "hint": _TEXT,
                    "request_id": _TEXT,
                },
            }
        },
    },
}
