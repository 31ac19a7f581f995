"""A caller's body on OpenAI's wires, peeked at: what the node needs of it, and nothing else.

A body is passed on with its own bytes. What is governed by its model must be what an upstream
reads as its model, so a body that could be read in two ways is written anew.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from inferd.core.tasks import check_name
from inferd.wire import json

_MOST_REWRITTEN = 50_000
"""Named fields of a body that is written anew, which takes longer than passing it on."""

_BLANK = ord(" ")
_MODEL = b'"model"'
_ESCAPE = b"\\u00"
_ADDRESSES = ("http://", "https://")
"""What @huggingface/inference puts where nobody named a model: the address that it asks."""


class _StreamOptions(msgspec.Struct, gc=False):
    include_usage: bool | None = None


ROUTING = (
    "models",
    "route",
    "preset",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "user_config",
)
"""Fields by which OpenRouter and LiteLLM are told of other models than `model`."""

_NOTHING = msgspec.Raw()


class Peek(msgspec.Struct, gc=False):
    """What was read. `messages`, `input` and `prompt` are the bulk of a body, left as it is."""

    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    encoding_format: str | None = None
    inferd_continued: str | None = None
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    models: msgspec.Raw = _NOTHING
    route: msgspec.Raw = _NOTHING
    preset: msgspec.Raw = _NOTHING
    fallbacks: msgspec.Raw = _NOTHING
    context_window_fallbacks: msgspec.Raw = _NOTHING
    content_policy_fallbacks: msgspec.Raw = _NOTHING
    user_config: msgspec.Raw = _NOTHING

    def has_routing(self) -> bool:
        """Whether it has one of the ROUTING fields."""
        return not (
            self.models is _NOTHING
            and self.route is _NOTHING
            and self.preset is _NOTHING
            and self.fallbacks is _NOTHING
            and self.context_window_fallbacks is _NOTHING
            and self.content_policy_fallbacks is _NOTHING
            and self.user_config is _NOTHING
        )


_decode = msgspec.json.Decoder(Peek).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def peek(body: bytes) -> Peek | None:
    """Read those fields; None where that fails: whoever reads the body whole says why.

    Raises:
        PayloadTooLarge: It has so many named fields that looking at each would take long.
    """
    if len(body) > json.MOST_VALUES:
        json.check_fields(body)
    try:
        return _decode(body)
    except json.MALFORMED:
        return None


def unambiguous(body: bytes, key: bytes, bulk: msgspec.Raw) -> bytes:
    """Return the body with one field `model` at most; `bulk` is the value of `key`, as JSON.

    Of two, JSON's readers take the first or the last; some take `Model` for it as well.

    Raises:
        PayloadTooLarge: It has to be written anew, and has more than 50,000 named fields.
    """
    begin = body.find(key)
    if begin < 0:
        return with_one_model(body)
    begin += len(key)
    if body[begin] == _BLANK:
        begin += 1
    # What stands there is one whole value: it ends where the one that was read does.
    if body.startswith(bulk, begin) and (length := len(memoryview(bulk))):
        rest = body[:begin] + body[begin + length :]
        return body if _is_plain(rest) else _with_one_model(body)
    return with_one_model(body)


def with_one_model(body: bytes) -> bytes:
    """Return any body with one field `model` at most, as `unambiguous` does."""
    return body if _is_plain(body) else _with_one_model(body)


def has_routing(document: Mapping[str, object]) -> bool:
    """Whether a body that was read has one of the ROUTING fields."""
    return any(name in document for name in ROUTING)


def _with_one_model(body: bytes) -> bytes:
    json.check_fields(body, _MOST_REWRITTEN)
    fields = json.peek(_fields, body)
    if fields is None:
        return body
    for twin in [name for name in fields if name != "model" and name.lower() == "model"]:
        del fields[twin]
    return json.encode(fields)


def _is_plain(rest: bytes) -> bool:
    """Whether what is not the bulk can hold one `model` only."""
    lower = rest.lower()
    # With `find`, which is faster than `in` and `count`: every request passes here.
    return lower.find(_MODEL) == lower.rfind(_MODEL) and lower.find(_ESCAPE) < 0


@lru_cache(maxsize=512)
def model_of(name: str) -> str:
    """Return the model that a caller means by `name`: none, where a client made one up.

    Raises:
        InvalidRequest: A log couldn't show it.
    """
    return "" if check_name("model", name).startswith(_ADDRESSES) else name
