"""Errors on the HF task wire: the original's keys, and back."""

from collections.abc import Mapping

from inferd.core.errors import ErrorKind, InvalidRequest, NodeError
from inferd.core.hub import HubFailure
from inferd.core.tasks import supported_tasks

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
    ErrorKind.BACKEND_LIMITED: "backend limited",
    ErrorKind.BACKEND_TIMEOUT: "backend timeout",
    ErrorKind.BACKEND_FAILED: "backend failed",
    ErrorKind.BACKEND_DENIED: "backend denied",
    ErrorKind.BACKEND_REFUSED: "backend refused",
    ErrorKind.INTERNAL: "internal error",
}


class InvalidSpec(InvalidRequest):
    """The form field `spec` can't be read: the original has words of its own for that."""

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(f"Invalid spec: {message}", details=details)


def encode_error(error: NodeError, request_id: str = "") -> dict[str, object]:
    """Return the reply's body: `error` is the fact, `reason` says it of this request.

    An unknown task and an unreadable spec keep the original's `detail`; an unknown task whose
    models were to be listed, its `supported`; a Hub that fails, its `hf_api_failed`.
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
    if error.kind is ErrorKind.UNSUPPORTED_TASK and "supported" in error.details:
        return {**document, "error": error.message, "supported": error.details["supported"]}
    if isinstance(error, HubFailure):
        return {**document, "error": "hf_api_failed"}
    if isinstance(error, InvalidSpec):
        return {"detail": error.message, **document}
    return document
