"""Errors on the HF task wire: the original's keys, and back."""

from inferd.core.errors import ErrorKind, NodeError
from inferd.core.tasks import supported_tasks
from inferd.wire.failures import failure

INVALID_SPEC = "Invalid spec: "

_FACTS: dict[ErrorKind, str] = {
    ErrorKind.INVALID_REQUEST: "invalid request",
    ErrorKind.UNSUPPORTED_TASK: "Unsupported task",
    ErrorKind.MODEL_NOT_FOUND: "model not found",
    ErrorKind.PAYLOAD_TOO_LARGE: "payload too large",
    ErrorKind.NOT_CONFIGURED: "not configured",
    ErrorKind.LOOP_DETECTED: "loop detected",
    ErrorKind.UNAUTHENTICATED: "unauthenticated",
    ErrorKind.PERMISSION_DENIED: "permission denied",
    ErrorKind.RATE_LIMITED: "rate limited",
    ErrorKind.BACKEND_UNAVAILABLE: "backend unavailable",
    ErrorKind.BACKEND_OVERLOADED: "backend overloaded",
    ErrorKind.BACKEND_TIMEOUT: "backend timeout",
    ErrorKind.BACKEND_FAILED: "backend failed",
    ErrorKind.BACKEND_REFUSED: "backend refused",
    ErrorKind.INTERNAL: "internal error",
}


def encode_error(error: NodeError, request_id: str = "") -> dict[str, object]:
    """Return the reply's body: `error` is the fact, `reason` says it of this request.

    An unknown task and an unreadable spec keep the original's `detail`.
    """
    document: dict[str, object] = {
        "error": _FACTS[error.kind],
        "reason": error.message,
        "hint": error.hint,
        "kind": error.kind.value,
        "request_id": request_id,
    }
    if error.kind is ErrorKind.UNSUPPORTED_TASK and "task" in error.details:
        detail = {
            "error": "Unsupported task",
            "task": error.details["task"],
            "supported_tasks": error.details.get("supported_tasks", supported_tasks()),
        }
        return {"detail": detail, **document}
    if error.kind is ErrorKind.INVALID_REQUEST and error.message.startswith(INVALID_SPEC):
        return {"detail": error.message, **document}
    return document


def decode_error(
    status: int, content_type: str, body: bytes, *, retry_after: float | None = None
) -> NodeError:
    """Return the error that an upstream's failed answer means; never its insides."""
    return failure(status, body, content_type=content_type, retry_after=retry_after)
