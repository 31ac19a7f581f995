"""Every failure that may cross a floor.

NodeError
├── RequestError                the caller can mend it
│   ├── InvalidRequest          a field is missing, wrong or unreadable
│   ├── UnsupportedTask         no such task, or this backend doesn't do it
│   ├── ModelNotFound           nobody here serves that model
│   ├── PayloadTooLarge         more bytes than the node takes
│   ├── NotConfigured           the request asks for something that is switched off
│   └── LoopDetected            the request has been here, or has travelled too far
├── AccessError                 who asks, what they may, how much
│   ├── Unauthenticated         no credential, or a wrong one
│   ├── PermissionDenied        known, and not allowed
│   └── RateLimited             allowed, and over a limit
└── BackendError                whatever was to answer didn't
    ├── BackendUnavailable      can't be reached, or refuses our credential
    │   └── BackendWithdrawn    was taken out of this node while it was asked
    ├── BackendOverloaded       asks us to come back later
    │   └── BackendLimited      as we asked it too often, or for too much
    ├── BackendTimeout          no answer in time
    ├── BackendFailed           answered nonsense, or broke off
    ├── BackendDenied           knows us, and doesn't allow us this
    └── BackendRefused          understood, and rejected this very request
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar


class ErrorKind(StrEnum):
    """What each wire's one table of statuses is keyed by."""

    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED_TASK = "unsupported_task"
    MODEL_NOT_FOUND = "model_not_found"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    NOT_CONFIGURED = "not_configured"
    LOOP_DETECTED = "loop_detected"
    UNAUTHENTICATED = "unauthenticated"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMITED = "rate_limited"
    BACKEND_UNAVAILABLE = "backend_unavailable"
    BACKEND_OVERLOADED = "backend_overloaded"
    BACKEND_LIMITED = "backend_limited"
    BACKEND_TIMEOUT = "backend_timeout"
    BACKEND_FAILED = "backend_failed"
    BACKEND_DENIED = "backend_denied"
    BACKEND_REFUSED = "backend_refused"
    INTERNAL = "internal"


class NodeError(Exception):
    """A failure that a caller may be told: the fact, and what to do next.

    `details` holds JSON-able facts for wires that have room for them; `retry_after` is in seconds;
    `sent_bytes` is what had gone upstream by then.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.INTERNAL
    retryable: ClassVar[bool] = False
    """Whether another backend may be tried with the same request."""
    is_fault: ClassVar[bool] = False
    """Whether it speaks against the backend's health."""
    was_refused: bool = False
    """Whether whoever was asked turned it away, and did no work for it."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        details: Mapping[str, object] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: Mapping[str, object] = details or {}
        self.retry_after = retry_after
        self.sent_bytes = 0

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class RequestError(NodeError):
    """The caller can mend it."""

    was_refused = True


class InvalidRequest(RequestError):
    """A field is missing, wrong or unreadable."""

    kind = ErrorKind.INVALID_REQUEST


class UnsupportedTask(RequestError):
    """No such task, or this backend doesn't do it."""

    kind = ErrorKind.UNSUPPORTED_TASK
    retryable = True


class ModelNotFound(RequestError):
    """Nobody here serves that model."""

    kind = ErrorKind.MODEL_NOT_FOUND
    retryable = True


class PayloadTooLarge(RequestError):
    """More bytes than the node takes."""

    kind = ErrorKind.PAYLOAD_TOO_LARGE


class NotConfigured(RequestError):
    """The request asks for something that is switched off."""

    kind = ErrorKind.NOT_CONFIGURED


class LoopDetected(RequestError):
    """The request has been here before, or has travelled too far."""

    kind = ErrorKind.LOOP_DETECTED
    retryable = True


class AccessError(NodeError):
    """Who asks, what they may, how much."""


class Unauthenticated(AccessError):
    """No credential, or a wrong one."""

    kind = ErrorKind.UNAUTHENTICATED


class PermissionDenied(AccessError):
    """Known, and not allowed."""

    kind = ErrorKind.PERMISSION_DENIED


class RateLimited(AccessError):
    """Allowed, and over a limit."""

    kind = ErrorKind.RATE_LIMITED


class BackendError(NodeError):
    """Whatever was to answer didn't."""

    retryable = True
    is_fault = True


class BackendUnavailable(BackendError):
    """It can't be reached, or refuses our credential."""

    kind = ErrorKind.BACKEND_UNAVAILABLE


class BackendWithdrawn(BackendUnavailable):
    """It was taken out of this node while it was asked: nothing that speaks against it."""

    is_fault = False


class BackendOverloaded(BackendError):
    """It asks us to come back later."""

    kind = ErrorKind.BACKEND_OVERLOADED
    was_refused = True


class BackendLimited(BackendOverloaded):
    """We asked it too often, or for too much: a limit of its own, not one of this node."""

    kind = ErrorKind.BACKEND_LIMITED


class BackendTimeout(BackendError):
    """No answer in time."""

    kind = ErrorKind.BACKEND_TIMEOUT


class BackendFailed(BackendError):
    """It answered nonsense, or broke off."""

    kind = ErrorKind.BACKEND_FAILED


class BackendDenied(BackendError):
    """It knows us, and doesn't allow us this: another backend may."""

    kind = ErrorKind.BACKEND_DENIED
    is_fault = False
    was_refused = True


class BackendRefused(BackendError):
    """It understood, and rejected this very request: another backend would too."""

    kind = ErrorKind.BACKEND_REFUSED
    retryable = False
    is_fault = False
    was_refused = True


class CallerLeft(Exception):
    """Nobody is left to tell: the caller broke off. It ends the call and is no failure of ours."""


ALL_KINDS: Mapping[ErrorKind, type[NodeError]] = {
    cls.kind: cls
    for cls in (
        InvalidRequest,
        UnsupportedTask,
        ModelNotFound,
        PayloadTooLarge,
        NotConfigured,
        LoopDetected,
        Unauthenticated,
        PermissionDenied,
        RateLimited,
        BackendUnavailable,
        BackendOverloaded,
        BackendLimited,
        BackendTimeout,
        BackendFailed,
        BackendDenied,
        BackendRefused,
    )
}
