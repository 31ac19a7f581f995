"""The ways in which the Hub and its router say no."""

from collections.abc import Mapping

from inferd.core.errors import (
    BackendDenied,
    BackendOverloaded,
    BackendRefused,
    ModelNotFound,
    NodeError,
)
from inferd.wire import failures, json

_BILLING = "https://huggingface.co/settings/billing"
_TOKENS = "https://huggingface.co/settings/tokens"
_ABSENT = (
    "model_not_found",
    "model_not_supported",
    "not supported by provider",
    "not supported by any provider",
    "does not exist",
    "no longer supported",
)
"""How the router says, with 400 or 410, that nobody serves a model."""


def failure(
    status: int,
    body: bytes,
    *,
    content_type: str = "",
    retry_after: float | None = None,
) -> NodeError:
    """Return the error that an answer of `status` means, as the Hub and its router mean it."""
    document = None if "html" in content_type.lower() else json.attempt(body)
    told = json.object_of(document)
    if retry_after is None:
        retry_after = _seconds(told.get("estimated_time"))
    error = failures.failure(status, body, content_type=content_type, retry_after=retry_after)
    match error:
        case BackendOverloaded() if status == 503 and "estimated_time" in told:
            error.message = "the model is still being loaded"
            error.hint = "try again in a while"
        case BackendRefused() if status == 402:
            return BackendDenied(
                "the Hugging Face account has no credits left",
                hint=f"see {_BILLING}, or choose another backend",
                retry_after=error.retry_after,
            )
        case BackendRefused() if status in (400, 410) and _is_absent(told, body):
            return ModelNotFound(
                "no inference provider of Hugging Face serves that model",
                hint="its page on the Hub lists the providers that do",
                retry_after=error.retry_after,
            )
        case BackendDenied() if status == 403:
            _explain_denial(error, body)
        case _:
            pass
    return error


def _explain_denial(error: NodeError, body: bytes) -> None:
    if b"gated" in body.lower():
        error.message = "the model is gated, and this account hasn't been let in"
        error.hint = "ask for access on the model's page"
    elif not error.hint:
        error.hint = f"the token may lack the permission to call Inference Providers: {_TOKENS}"


def _is_absent(told: Mapping[str, object], body: bytes) -> bool:
    inner = json.object_of(told.get("error"))
    code = inner.get("code")
    if isinstance(code, str) and code in _ABSENT:
        return True
    said = failures.stated_reason(told) or body[: 4 * failures.MAX_REASON].decode(errors="replace")
    return any(words in said.lower() for words in _ABSENT)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)
