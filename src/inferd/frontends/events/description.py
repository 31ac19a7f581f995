"""What OpenAPI says of /events."""

from collections.abc import Mapping

import msgspec

from inferd.frontends._http.vitals import Vitals
from inferd.gateway.events import BackendEvent, InferenceEvent, QueueEvent

_REFS = "#/components/schemas/{name}"
_TOLD = (InferenceEvent, BackendEvent, QueueEvent, Vitals)


def _query(name: str, description: str) -> dict[str, object]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": "string"}}


PATHS: Mapping[str, object] = {
    "/events": {
        "get": {
            "summary": "Tell what happens on the node, as it happens",
            "tags": ["Operator"],
            "parameters": [
                _query(
                    "topics",
                    "Comma-separated: inference, backend, status, queue; all but queue if left out",
                ),
                _query("requests", "Comma-separated ids: tell of these requests and no others"),
            ],
            "responses": {
                "200": {
                    "description": "Server-sent events; `event` is the topic",
                    "content": {
                        "text/event-stream": {
                            "schema": {
                                "oneOf": [
                                    {"$ref": _REFS.format(name=kind.__name__)} for kind in _TOLD
                                ]
                            }
                        }
                    },
                },
                "default": {"description": "A failure: error, reason, kind, hint and request_id"},
            },
        }
    }
}


def schemas() -> Mapping[str, object]:
    """Return the schemas of what is told."""
    _, components = msgspec.json.schema_components(_TOLD, ref_template=_REFS)
    return components
