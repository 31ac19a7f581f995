"""A caller's own bytes on their way to an upstream, changed as little as can be."""

import msgspec

from inferd.wire import json

_KEY = b'"model"'
_BLANK = b" \t\r\n"


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


def _spliced(body: bytes, model: str) -> bytes:
    """Put the name where the old one stands; nothing where its place isn't beyond doubt."""
    named = json.peek(_named, body)
    old = bytes(named.model) if named is not None else b""
    at = body.find(_KEY) + len(_KEY)
    if not old.startswith(b'"') or at < len(_KEY):
        return b""
    start = body.find(old, at)
    if body[at:start].strip(_BLANK) != b":":
        return b""
    view = memoryview(body)
    spliced = b"".join((view[:start], json.encode(model), view[start + len(old) :]))
    # A nested "model", before the one that was meant or beside one with escapes, isn't it.
    after = json.peek(_model, spliced)
    return spliced if after is not None and after.model == model else b""
