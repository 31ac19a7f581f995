"""What OpenAPI says of /ws/{client_id}."""

from collections.abc import Mapping

PATHS: Mapping[str, object] = {
    "/ws/{client_id}": {
        "get": {
            "summary": "Open a WebSocket: inferences, and what happens on the node",
            "description": "Messages are JSON objects with a `type`; docs/websocket.md has them.",
            "tags": ["Inference"],
            "parameters": [
                {
                    "name": "client_id",
                    "in": "path",
                    "required": True,
                    "description": "What the client calls itself",
                    "schema": {"type": "string"},
                }
            ],
            "responses": {
                "101": {"description": "A WebSocket"},
                "426": {"description": "The request asks for no WebSocket"},
                "default": {"description": "A failure: error, reason, kind, hint and request_id"},
            },
        }
    }
}
