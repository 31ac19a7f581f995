"""What OpenAPI says of the operator's API."""

from collections.abc import Mapping

import msgspec

from inferd.frontends.admin.status import NodeStatus
from inferd.gateway.gateway import Explanation

_REFS = "#/components/schemas/{name}"


def _query(name: str, description: str) -> dict[str, object]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


def _answer(name: str, description: str) -> dict[str, object]:
    schema = {"$ref": _REFS.format(name=name)} if name else {}
    content = {"application/json": {"schema": schema}}
    failure = {"description": "A failure: error, reason, kind, hint and request_id"}
    return {"200": {"description": description, "content": content}, "default": failure}


PATHS: Mapping[str, object] = {
    "/status": {
        "get": {
            "summary": "Show the node and its backends as they stand",
            "tags": ["Operator"],
            "responses": _answer("NodeStatus", "The node's state"),
        }
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


def schemas(question: type[msgspec.Struct]) -> Mapping[str, object]:
    """Return the schemas of what is asked and answered here."""
    _, components = msgspec.json.schema_components(
        [question, NodeStatus, Explanation], ref_template=_REFS
    )
    return components
