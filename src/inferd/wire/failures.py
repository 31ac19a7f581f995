"""An upstream's failure as one of ours, with nothing of its insides."""

from collections.abc import Callable, Mapping
from functools import partial

from inferd.core.errors import (
    ALL_KINDS,
    BackendDenied,
    BackendFailed,
    BackendLimited,
    BackendOverloaded,
    BackendRefused,
    BackendTimeout,
    BackendUnavailable,
    ErrorKind,
    LoopDetected,
    ModelNotFound,
    NodeError,
    PayloadTooLarge,
    UnsupportedTask,
)
from inferd.core.tasks.values import is_name
from inferd.wire import json

MAX_REASON = 300
MAX_RETRY_AFTER = 86_400.0

Told = Callable[[int, bytes], NodeError]
"""What an upstream's word of its failure means, by a status and the JSON that it is told in."""

_LIMITED = "the remote limits how much it is asked: come back later"

_KINDS = {kind.value: kind for kind in ErrorKind}

# What the other node says about our credential, its own set-up or its own load is not the
# caller's fault: another backend may be tried.
_OUR_SIDE: dict[ErrorKind, tuple[type[NodeError], str]] = {
    ErrorKind.UNAUTHENTICATED: (BackendUnavailable, "the remote refused our credential"),
    ErrorKind.NOT_CONFIGURED: (BackendUnavailable, "the remote has this switched off"),
    ErrorKind.RATE_LIMITED: (BackendLimited, _LIMITED),
    ErrorKind.INTERNAL: (BackendFailed, "the remote failed"),
}

_STATUSES: dict[int, tuple[type[NodeError], str]] = {
    401: (BackendUnavailable, "the remote refused our credential"),
    403: (BackendDenied, "the remote doesn't allow it"),
    404: (ModelNotFound, "the remote doesn't have that model"),
    407: (BackendUnavailable, "a proxy refused our credential"),
    408: (BackendTimeout, "the remote gave no answer in time"),
    413: (PayloadTooLarge, "the remote takes fewer bytes than that"),
    429: (BackendLimited, _LIMITED),
    503: (BackendOverloaded, "the remote asks us to come back later"),
    504: (BackendTimeout, "the remote gave no answer in time"),
    508: (LoopDetected, "the remote has seen this request before"),
}


def failure(
    status: int,
    body: bytes,
    *,
    content_type: str = "",
    retry_after: float | None = None,
    is_node: bool = False,
) -> NodeError:
    """Return the error that an upstream's answer of `status` means.

    Only a node (`is_node`) is believed when it names the kind of its error: for anybody else the
    status decides who may be asked next.
    """
    retry_after = _bounded(retry_after)
    document = None if _is_html(content_type, body) else json.attempt(body)
    told = _told(document, retry_after) if is_node else None
    if told is not None:
        return told
    if status in _STATUSES:
        kind, message = _STATUSES[status]
        return kind(message, retry_after=retry_after)
    if 400 <= status < 500:
        reason = reason_of(content_type, body)
        return BackendRefused(
            f"the remote refused the request: {reason}"
            if reason
            else f"the remote refused the request (HTTP {status})",
            details=_what(document),
            retry_after=retry_after,
        )
    return BackendFailed(f"the remote failed (HTTP {status})", retry_after=retry_after)


node_failure = partial(failure, is_node=True)
"""The same, of an answer of another node."""


def reason_of(content_type: str, body: bytes) -> str:
    """Return why, in the upstream's words, or nothing where they aren't meant for people."""
    if _is_html(content_type, body):
        return ""
    document = json.attempt(body)
    if document is None:
        return shortened(body[: 4 * MAX_REASON].decode(errors="replace"))
    return stated_reason(document)


def stated_reason(document: object) -> str:
    """Return the reason that a JSON answer gives under one of its usual names."""
    match document:
        case str():
            return shortened(document)
        case Mapping():
            for name in ("reason", "error", "detail", "message", "msg"):
                if reason := stated_reason(document.get(name)):
                    return reason
        case list() if document:
            return stated_reason(document[0])
        case _:
            pass
    return ""


def shortened(text: str) -> str:
    """Return the first line, short and printable; nothing of a page or a stack of calls."""
    plain = text.strip()
    if plain.startswith("<") or "Traceback (most recent call last)" in plain:
        return ""
    line = plain.splitlines()[0] if plain else ""
    line = "".join(char if char.isprintable() else " " for char in line)
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"


def _what(document: object) -> Mapping[str, str]:
    """Return which parameter was wrong, and how, as OpenAI's API says it: programs act on these."""
    inner = document.get("error") if isinstance(document, Mapping) else None
    said = inner if isinstance(inner, Mapping) else {}
    return {
        name: value
        for name in ("param", "code")
        if isinstance(value := said.get(name), str) and value and is_name(value)
    }


def _told(document: object, retry_after: float | None) -> NodeError | None:
    """Read an error of ours: by its kind, or by the original's words for an unknown task."""
    if not isinstance(document, Mapping):
        return None
    detail = document.get("detail")
    if isinstance(detail, Mapping) and detail.get("error") == "Unsupported task":
        return UnsupportedTask("the remote doesn't do that task", retry_after=retry_after)
    inner = document.get("error")
    said = document if "kind" in document else inner if isinstance(inner, Mapping) else {}
    name = said.get("kind")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    if kind in _OUR_SIDE:
        cls, message = _OUR_SIDE[kind]
        return cls(message, retry_after=retry_after)
    hint = shortened(hint) if isinstance(hint := said.get("hint"), str) else ""
    told = (stated_reason(said.get(name)) for name in ("reason", "message", "error"))
    message = next(filter(None, told), "the remote failed").removesuffix(f" ({hint})")
    if kind is ErrorKind.PERMISSION_DENIED:
        message = f"the remote doesn't allow it: {message}"
        return BackendDenied(message, hint=hint, retry_after=retry_after)
    details = _what(document) if kind is ErrorKind.BACKEND_REFUSED else {}
    return ALL_KINDS[kind](message, hint=hint, details=details, retry_after=retry_after)


def _is_html(content_type: str, body: bytes) -> bool:
    return "html" in content_type.lower() or body.lstrip()[:1] == b"<"


def _bounded(retry_after: float | None) -> float | None:
    if retry_after is None or not 0 <= retry_after <= MAX_RETRY_AFTER:
        return None
    return retry_after
