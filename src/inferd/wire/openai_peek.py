"""A caller's body on OpenAI's wires, peeked at: what the node needs of it, and nothing else.

A body is passed on with its own bytes. What is governed by its model must be what an upstream
reads as its model, so a body that could be read in two ways is written anew.
"""

import msgspec

from inferd.wire import json

_BLANK, _BACKSLASH = b" \\"


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


class Peek(msgspec.Struct, gc=False):
    """What was read. `messages`, `input` and `prompt` are the bulk of a body, left as it is."""

    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    encoding_format: str | None = None
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()

    @property
    def wants_usage(self) -> bool:
        """Whether a stream is to end with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage is True

    @property
    def most_tokens(self) -> int | None:
        """How much may be written at most, where that is said."""
        most = self.max_completion_tokens or self.max_tokens
        return most if most is not None and most > 0 else None


_decoder = msgspec.json.Decoder(Peek)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def peek(body: bytes) -> Peek | None:
    """Read those fields; None where that fails: whoever reads the body whole says why."""
    return json.peek(_decoder, body)


def unambiguous(body: bytes, key: bytes, bulk: msgspec.Raw) -> bytes:
    """Return the body with one field `model` at most; `bulk` is the value of `key`, as JSON.

    Of two, JSON's readers take the first or the last; some take `Model` for it as well.
    """
    begin = body.find(key)
    rest = body
    if begin >= 0:
        begin += len(key)
        begin += body[begin] == _BLANK
        if body.startswith(bulk, begin):
            # What stands there is one whole value: it ends where the one that was read does.
            rest = body[:begin] + body[begin + len(memoryview(bulk)) :]
    if rest.lower().count(b'"model"') <= 1 and (_BACKSLASH not in rest or b"\\u00" not in rest):
        return body
    fields = json.peek(_fields, body)
    if fields is None:
        return body
    for twin in [name for name in fields if name != "model" and name.lower() == "model"]:
        del fields[twin]
    return json.encode(fields)
