"""What OpenAPI says of the operator's API."""

from collections.abc import Mapping

import msgspec

from inferd.frontends.admin.status import NodeStatus
from inferd.gateway.explanation import Explanation

_REFS = "#/components/schemas/{name}"


def _query(name: str, description: str) -> dict[str, object]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _answer(name: str, description: str) -> dict[str, object]:
    schema = {"$ref": _REFS.format(name=name)} if name else {}
    content = {"application/json": {"schema": schema}}
    failure = {"description": "A failure: error, reason, kind, hint and request_id"}
    return {"200": {"description": description, "content": content}, "default": failure}


_NAME: Mapping[str, object] = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
}


def _change(summary: str) -> Mapping[str, object]:
    return {
        "parameters": [_NAME],
        "post": {
            "summary": summary,
            "tags": ["Operator"],
            "responses": _answer("BackendReport", "The backend as it stands then"),
        },
    }


def _load(summary: str) -> Mapping[str, object]:
    content = {"application/json": {"schema": {"$ref": _REFS.format(name="LoadRequest")}}}
    return {
        "summary": summary,
        "tags": ["Operator"],
        "requestBody": {"required": True, "content": content},
        "responses": _answer("Residents", "It is done"),
    }


PATHS: Mapping[str, object] = {
    "/status": {
        "get": {
            "summary": "Show the node and its backends as they stand",
            "tags": ["Operator"],
            "responses": _answer("NodeStatus", "The node's state"),
        }
    },
    "/admin/discovery": {
        "get": {
            "summary": "Show what was found on this machine, and why it is used or isn't",
            "tags": ["Operator"],
            "responses": _answer("Discovery", "The last look round this machine"),
        },
        "post": {
            "summary": "Look round this machine now",
            "tags": ["Operator"],
            "responses": _answer("Discovery", "What was found"),
        },
    },
    "/admin/explain": {
        "post": {
            "summary": "Say who would be asked, in order, and why the others wouldn't",
            "tags": ["Operator"],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"$ref": _REFS.format(name="Question")}}
                },
            },
            "responses": _answer("Explanation", "Every backend, with the reason"),
        }
    },
    "/admin/backends": {
        "get": {
            "summary": "List backends with their live state",
            "tags": ["Operator"],
            "parameters": [
                _query("type", "Only gpu, api, cli, p2p, websocket, mcp or hybrid ones"),
                _query("status", "Only healthy, degraded, unhealthy, unknown, … ones"),
                _query("task", "Only those that do it"),
            ],
            "responses": _answer("BackendList", "The backends"),
        },
        "post": {
            "summary": "Register a backend that is an address; it lasts until the node stops",
            "tags": ["Operator"],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"$ref": _REFS.format(name="Registration")}}
                },
            },
            "responses": _answer("Registered", "It, and the lines of inferd.toml that keep it"),
        },
    },
    "/admin/backends/{name}": {
        "parameters": [_NAME],
        "get": {
            "summary": "Show a backend",
            "tags": ["Operator"],
            "responses": _answer("BackendReport", "The backend"),
        },
        "delete": {
            "summary": "Close a backend once its requests have ended",
            "tags": ["Operator"],
            "parameters": [_query("drain", "Seconds until those that still run are cut: 30")],
            "responses": _answer("Removed", "It is gone"),
        },
    },
    "/admin/backends/{name}/drain": _change("Give a backend no new request"),
    "/admin/backends/{name}/resume": _change("Give a drained backend new requests again"),
    "/admin/backends/{name}/check": _change("Ask a backend now what it offers"),
    "/models/load": {
        "get": {
            "summary": "List the models that are loaded here at the operator's word",
            "tags": ["Operator"],
            "responses": _answer("Residents", "Each, and whether it is in memory"),
        },
        "post": _load("Put a model into memory"),
    },
    "/models/unload": {"post": _load("Take a model out of memory")},
    "/admin/usage": {
        "get": {
            "summary": "Show what was used, by whom",
            "tags": ["Operator"],
            "parameters": [
                _query("by", "Comma-separated: principal, model, task, day, …"),
                _query("principal", "Only its requests; `me` for one's own, which anybody may see"),
                _query("since", "Only from then on: seconds since the epoch, or an ISO date"),
            ],
            "responses": _answer("", "The ledger's totals, the busiest group first"),
        }
    },
}


def schemas(*own: type[msgspec.Struct]) -> Mapping[str, object]:
    """Return the schemas of what is asked and answered here."""
    _, components = msgspec.json.schema_components(
        [*own, NodeStatus, Explanation], ref_template=_REFS
    )
    return components
