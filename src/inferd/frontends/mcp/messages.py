"""What a message is. The protocol's package drops some that aren't, and tells others of itself."""

from collections.abc import Mapping

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.frontends._http.errors import HttpRefusal
from inferd.wire import json

PARSE_ERROR = -32700
INVALID_REQUEST = -32600

_KINDS: Mapping[type, str] = {
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number with a fraction",
    dict: "an object",
    type(None): "null",
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A message's envelope. `id` is None where no answer is due."""

    id: str | int | None = None
    method: str = ""


class NotAMessage(HttpRefusal):
    """What the protocol can't take; `code` is JSON-RPC's, `id` the message's where it has one."""

    def __init__(
        self,
        message: str,
        *,
        code: int = INVALID_REQUEST,
        id: str | int | None = None,  # noqa: A002 - the protocol's word
        status: int = 400,
        hint: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(status, message, hint=hint, details=details)
        self.code = code
        self.id = id


def read_message(body: bytes, *, name: str = "the body") -> Envelope:
    """Return the envelope of what a client sends.

    Raises:
        NotAMessage: It is no message of JSON-RPC, or more than one.
        PayloadTooLarge: It has too many values.
    """
    try:
        value = json.request_value(body, name=name)
    except InvalidRequest as error:
        raise NotAMessage(
            error.message, code=PARSE_ERROR, hint=error.hint, details=error.details
        ) from error
    if isinstance(value, list):
        raise NotAMessage("a batch isn't served here", hint="send each message by itself")
    if not isinstance(value, dict):
        raise NotAMessage(f"a message must be a JSON object, not {_kind(value)}")
    found = _id_of(value)
    if value.get("jsonrpc") != "2.0":
        raise NotAMessage('a message must have "jsonrpc": "2.0"', id=found)
    if "method" not in value:
        _check_answer(value, found)
        return Envelope()
    method, params = value["method"], value.get("params")
    if not isinstance(method, str):
        raise NotAMessage(f"method must be text, not {_kind(method)}", id=found)
    if params is not None and not isinstance(params, dict):
        raise NotAMessage(f"params must be an object, not {_kind(params)}", id=found)
    return Envelope(id=found, method=method)


def _id_of(value: Mapping[str, object]) -> str | int | None:
    if "id" not in value:
        return None
    found = value["id"]
    if isinstance(found, str) or (isinstance(found, int) and not isinstance(found, bool)):
        return found
    if found is None and "error" in value and "method" not in value:
        return None
    raise NotAMessage(
        f"id must be text or a whole number, not {_kind(found)}",
        hint="leave it out of a notification, which nobody answers",
    )


def _check_answer(value: Mapping[str, object], found: str | int | None) -> None:
    match value:
        case {"id": _, "result": dict()} | {"error": {"code": int(), "message": str()}}:
            return
        case {"result": _} | {"error": _}:
            raise NotAMessage("the answer has neither a result nor an error as an object", id=found)
        case _:
            raise NotAMessage("a message needs a method, and it is missing", id=found)


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "that")
