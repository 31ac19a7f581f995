"""What an OpenAI answer says it took, and how it ended: read whole, or peeked at in raw bytes."""

from collections.abc import Mapping

import msgspec

from inferd.core.result import NO_USAGE, FinishReason, Usage
from inferd.wire import json

_REASONS: Mapping[str, FinishReason] = {
    **{reason.value: reason for reason in FinishReason},
    "function_call": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
}


_NAME = b'"usage"'
_END_BYTES = 16 << 10
_DONE = (b"data: [DONE]", b"data:[DONE]")


class _Tokens(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Whole(msgspec.Struct):
    usage: _Tokens | None = None


_whole = msgspec.json.Decoder(_Whole)
_tokens = msgspec.json.Decoder(_Tokens)


def encode_usage(usage: Usage) -> dict[str, int]:
    """Return the usage as OpenAI names it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def read_usage(value: object) -> Usage | None:
    """Return the usage in a decoded answer, or None where it says nothing."""
    if not isinstance(value, dict):
        return None
    return Usage(
        input_tokens=json.count_of(value.get("prompt_tokens")),
        output_tokens=json.count_of(value.get("completion_tokens")),
    )


def finish_reason_of(value: object) -> FinishReason | None:
    """Return why it stopped; a reason that OpenAI doesn't have counts as a plain stop."""
    if not isinstance(value, str) or not value:
        return None
    return _REASONS.get(value, FinishReason.STOP)


def usage_of(body: bytes) -> Usage:
    """Peek at the usage of a whole raw answer."""
    whole = json.peek(_whole, body)
    return _plain(whole.usage) if whole and whole.usage else NO_USAGE


def usage_of_field(field: bytes) -> Usage:
    """Read the field `usage` of a raw answer, cut out of it."""
    tokens = json.peek(_tokens, field) if field else None
    return _plain(tokens) if tokens else NO_USAGE


def looks_like_answer(body: bytes) -> bool:
    """Whether the ends of a long whole answer are those of one; between them nothing is read."""
    head = body[:_END_BYTES]
    is_object = head.lstrip()[:1] == b"{" and body[-_END_BYTES:].rstrip().endswith(b"}")
    return is_object and any(name in head for name in (b'"data":', b'"choices":'))


def usage_at_end(body: bytes) -> Usage:
    """Peek at the usage of a long whole answer, where it is the last that it says."""
    tail = body[-_END_BYTES:]
    at = tail.rfind(_NAME)
    # What follows it closes the answer, as often as its own braces leave it open.
    field = tail[at:].rstrip().removesuffix(b"}") if at >= 0 else b""
    return usage_of(b"{%b}" % field)


def is_complete(tail: bytes) -> bool:
    """Whether the last bytes of a raw stream say that it ended, rather than broke off."""
    return any(line.rstrip() in _DONE for line in tail.splitlines())


def _plain(tokens: _Tokens) -> Usage:
    return Usage(
        input_tokens=json.count_of(tokens.prompt_tokens),
        output_tokens=json.count_of(tokens.completion_tokens),
    )
