"""What OpenAPI says of /mcp: that it is there. The protocol describes itself."""

from collections.abc import Mapping

_SESSION = {
    "name": "Mcp-Session-Id",
    "in": "header",
    "description": "Of the generation that opens with a handshake: the session",
    "schema": {"type": "string"},
}
_DEFAULT = {"description": "A failure: a JSON-RPC error"}


def _operation(summary: str, content: tuple[str, ...]) -> dict[str, object]:
    shown: dict[str, object] = {kind: {} for kind in content}
    answer = {"description": "JSON-RPC", **({"content": shown} if shown else {})}
    return {
        "summary": summary,
        "tags": ["MCP"],
        "parameters": [_SESSION],
        "responses": {"200": answer, "default": _DEFAULT},
    }


_EVENTS = "text/event-stream"

PATHS: Mapping[str, object] = {
    "/mcp": {
        "post": {
            **_operation(
                "Send a message of the Model Context Protocol", ("application/json", _EVENTS)
            ),
            "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
        },
        "get": _operation("Hear what a session's server says unasked", (_EVENTS,)),
        "delete": _operation("End a session", ()),
    }
}
