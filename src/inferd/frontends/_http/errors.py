"""Which HTTP status each failure is."""

import math
from collections.abc import Mapping, Sequence

from inferd.core.errors import ErrorKind, InvalidRequest, NodeError
from inferd.http1.server.refusal import Refusal

STATUS: Mapping[ErrorKind, int] = {
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.UNSUPPORTED_TASK: 400,
    ErrorKind.NOT_CONFIGURED: 400,
    ErrorKind.BACKEND_REFUSED: 400,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.PERMISSION_DENIED: 403,
    ErrorKind.BACKEND_DENIED: 403,
    ErrorKind.MODEL_NOT_FOUND: 404,
    ErrorKind.PAYLOAD_TOO_LARGE: 413,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.BACKEND_LIMITED: 429,
    ErrorKind.INTERNAL: 500,
    ErrorKind.BACKEND_FAILED: 502,
    ErrorKind.BACKEND_UNAVAILABLE: 503,
    ErrorKind.BACKEND_OVERLOADED: 503,
    ErrorKind.BACKEND_TIMEOUT: 504,
    ErrorKind.LOOP_DETECTED: 508,
}


class HttpRefusal(InvalidRequest):
    """A fault in the HTTP itself, for which HTTP has a status of its own."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        hint: str = "",
        headers: Sequence[tuple[str, str]] = (),
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status
        self.headers = tuple(headers)


class Unexpected(NodeError):
    """A fault of this program. The caller learns the request id; the log has the rest."""

    def __init__(self) -> None:
        super().__init__(
            "the node failed on this request",
            hint="give the request id to the node's owner: the log has the reason",
        )


def nothing_at(path: str) -> HttpRefusal:
    """Return the refusal of a path that leads nowhere."""
    return HttpRefusal(
        404,
        f"there is nothing at {path[:200]}",
        hint="GET / shows what this node offers, /openapi.json describes it",
    )


def status_of(error: NodeError) -> int:
    """Return the status that `error` is."""
    return error.status if isinstance(error, HttpRefusal | Refusal) else STATUS[error.kind]


def headers_of(error: NodeError) -> list[tuple[str, str]]:
    """Return the headers that HTTP wants beside the status."""
    headers = list(error.headers) if isinstance(error, HttpRefusal) else []
    if error.kind is ErrorKind.UNAUTHENTICATED:
        headers.append(("WWW-Authenticate", "Bearer"))
    if error.kind is ErrorKind.PAYLOAD_TOO_LARGE:
        # What is left of the body isn't worth reading.
        headers.append(("Connection", "close"))
    if error.retry_after is not None:
        headers.append(("Retry-After", str(max(1, math.ceil(error.retry_after)))))
    return headers
