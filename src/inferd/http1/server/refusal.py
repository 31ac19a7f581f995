"""What the server says no to by itself, before or beside any handler."""

import os
from typing import ClassVar

import msgspec

from inferd.core.errors import ErrorKind, RequestError


class Refusal(RequestError):
    """A request that HTTP, or a limit of the server, doesn't let through.

    `status` is HTTP's own word for it. The connection ends with it.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INVALID_REQUEST

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class TooLong(Refusal):
    """The body has more bytes than its handler takes."""

    kind: ClassVar[ErrorKind] = ErrorKind.PAYLOAD_TOO_LARGE

    def __init__(self, most: int) -> None:
        super().__init__(
            413,
            f"the body is longer than {most} bytes, the most this node takes",
            "send less, or raise server.max_body",
        )


class Unavailable(Refusal):
    """The server has no place or no time for the request; another moment may."""

    kind: ClassVar[ErrorKind] = ErrorKind.BACKEND_UNAVAILABLE

    def __init__(self, message: str, hint: str = "try again, or another node") -> None:
        super().__init__(503, message, hint)


class HandlerFailed(Refusal):
    """A fault of this program. The client learns the request id; the log has the rest."""

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL

    def __init__(self) -> None:
        super().__init__(
            500,
            "the node failed on this request",
            "give the request id to the node's owner: the log has the reason",
        )


def new_id() -> str:
    """Return an id for a request that no handler has given one."""
    return os.urandom(8).hex()


def encode_refusal(refusal: Refusal, request_id: str) -> tuple[bytes, bytes]:
    """Return the header lines and the body that tell a client of `refusal`."""
    told = {
        "error": refusal.kind.value.replace("_", " "),
        "reason": refusal.message,
        "hint": refusal.hint,
        "kind": refusal.kind.value,
        "request_id": request_id,
    }
    headers = b"content-type: application/json\r\nx-request-id: %b\r\n" % request_id.encode()
    if isinstance(refusal, Unavailable):
        headers += b"retry-after: 1\r\n"
    return headers, msgspec.json.encode(told)
