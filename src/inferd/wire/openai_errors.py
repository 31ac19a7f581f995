"""Errors on every `/v1` path: OpenAI's object."""

from inferd.core.errors import ErrorKind, NodeError

_TYPES: dict[ErrorKind, tuple[str, str]] = {
    ErrorKind.INVALID_REQUEST: ("invalid_request_error", "invalid_value"),
    ErrorKind.UNSUPPORTED_TASK: ("invalid_request_error", "unsupported_task"),
    ErrorKind.MODEL_NOT_FOUND: ("invalid_request_error", "model_not_found"),
    ErrorKind.PAYLOAD_TOO_LARGE: ("invalid_request_error", "payload_too_large"),
    ErrorKind.NOT_CONFIGURED: ("invalid_request_error", "not_configured"),
    ErrorKind.LOOP_DETECTED: ("api_error", "loop_detected"),
    ErrorKind.UNAUTHENTICATED: ("authentication_error", "invalid_api_key"),
    ErrorKind.PERMISSION_DENIED: ("permission_error", "permission_denied"),
    ErrorKind.RATE_LIMITED: ("rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.BACKEND_UNAVAILABLE: ("api_error", "backend_unavailable"),
    ErrorKind.BACKEND_OVERLOADED: ("api_error", "backend_overloaded"),
    ErrorKind.BACKEND_LIMITED: ("rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.BACKEND_TIMEOUT: ("api_error", "backend_timeout"),
    ErrorKind.BACKEND_FAILED: ("api_error", "backend_failed"),
    ErrorKind.BACKEND_DENIED: ("permission_error", "backend_denied"),
    ErrorKind.BACKEND_REFUSED: ("invalid_request_error", "backend_refused"),
    ErrorKind.INTERNAL: ("api_error", "internal"),
}


def encode_error(error: NodeError, request_id: str = "") -> dict[str, object]:
    """Return OpenAI's error object; `kind`, `hint` and `request_id` are ours."""
    name, code = _TYPES[error.kind]
    param = error.details.get("param")
    if error.kind is ErrorKind.BACKEND_REFUSED:
        code = error.details.get("code", code)
    document: dict[str, object] = {
        "message": str(error),
        "type": name,
        "param": param if isinstance(param, str) else None,
        "code": code,
        "kind": error.kind.value,
    }
    if error.hint:
        document["hint"] = error.hint
    if request_id:
        document["request_id"] = request_id
    return {"error": document}
