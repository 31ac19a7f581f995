"""The usage of a raw stream, where this node wants it and its caller doesn't.

It is put into the request here, and taken out of the answer by a `StreamWatch`.
"""

import msgspec

from inferd.wire import json

_FIELD = "stream_options"
_FLAG = "include_usage"
_ASK = b'"stream_options":{"include_usage":true}}'
_BLANK = b" \t\r\n"
_ENOUGH = 64


class _Asked(msgspec.Struct):
    stream_options: msgspec.Raw = msgspec.Raw()


_asked = msgspec.json.Decoder(_Asked)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_usage(body: bytes) -> bytes:
    """Return a stream's request that asks for its usage: the same one where it does already.

    Whatever else than `true` the caller said there, some servers take for a no.
    """
    asked = json.peek(_asked, body)
    if asked is None:
        return body
    stated = bytes(asked.stream_options)
    options = json.peek(_fields, stated) or {}
    if bytes(options.get(_FLAG, b"")) == b"true":
        return body
    if stated or not _has_room(body):
        return json.with_fields(body, {_FIELD: {**options, _FLAG: True}})
    # Long bodies are neither searched nor written anew.
    return b"".join((memoryview(body)[: body.rindex(b"}")], b",", _ASK))


def _has_room(body: bytes) -> bool:
    """Whether a field can follow the last one: an empty object hasn't one."""
    last = body[-_ENOUGH:].rstrip(_BLANK).removesuffix(b"}").rstrip(_BLANK)
    return bool(last) and not last.endswith(b"{")


def without_usage(body: bytes) -> bytes:
    """Return a request of our own that doesn't ask for it."""
    document = json.request_object(body)
    document.pop(_FIELD, None)
    return json.encode(document)
