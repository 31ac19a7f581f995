"""A caller's own bytes on their way to an upstream, changed as little as can be."""

import msgspec

from inferd.wire import json
from inferd.wire.openai_stream_usage import unasked_usage

_KEY = b'"model"'
_BLANK = b" \t\r\n"
_ASK = b'"stream_options":{"include_usage":true}'


class _Named(msgspec.Struct):
    model: msgspec.Raw = msgspec.Raw()


class _Model(msgspec.Struct):
    model: str = ""


_named = msgspec.json.Decoder(_Named)
_model = msgspec.json.Decoder(_Model)


def with_model(body: bytes, model: str) -> bytes:
    """Return a body with another model; every other value keeps its bytes.

    Raises:
        InvalidRequest: The body isn't a JSON object.
    """
    return _spliced(body, model) or json.with_fields(body, {"model": model})


def with_usage(body: bytes) -> bytes:
    """Return a stream's body that asks for its usage; the same one where there is no need."""
    wish = unasked_usage(body)
    if not wish:
        return body
    stripped = body.rstrip(_BLANK)
    if b'"stream_options"' in body or not stripped.endswith(b"}") or _KEY not in body:
        return json.with_fields(body, wish)
    return stripped[:-1] + b"," + _ASK + b"}"


def _spliced(body: bytes, model: str) -> bytes:
    """Put the name where the old one stands; nothing where its place isn't beyond doubt."""
    named = json.peek(_named, body)
    old = bytes(named.model) if named is not None else b""
    if not old.startswith(b'"') or body.count(_KEY) != 1:
        return b""
    at = body.index(_KEY) + len(_KEY)
    start = body.find(old, at)
    if body[at:start].strip(_BLANK) != b":":
        return b""
    spliced = b"%b%b%b" % (body[:start], json.encode(model), body[start + len(old) :])
    # A nested "model", beside one that is written with escapes, isn't the one that was meant.
    after = json.peek(_model, spliced)
    return spliced if after is not None and after.model == model else b""
