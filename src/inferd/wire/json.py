"""JSON to and from bytes, with the two errors that a codec may raise."""

from collections.abc import Collection, Mapping
from typing import TypeVar

import msgspec

from inferd.core.errors import BackendFailed, InvalidRequest, PayloadTooLarge
from inferd.core.tasks.values import check_name, is_name, wrong

T = TypeVar("T")

MOST_VALUES = 250_000
"""In a caller's JSON. Every list, object and number becomes an object of its own, many times as
long as it was written, and is looked at one by one."""

MOST_ANSWERED = 1_000_000
"""In an upstream's JSON, which holds vectors."""

MOST_COUNTED = 1 << 31
"""No answer takes more tokens, whatever an upstream says: budgets and limits are kept by it."""

MALFORMED = (msgspec.MsgspecError, ValueError, RecursionError)
"""What a decoder raises."""

_SEPARATORS = b",[{"

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_decode_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def encode(value: object) -> bytes:
    """Write JSON.

    Raises:
        InvalidRequest: The value can't be written as JSON.
    """
    try:
        return _encode(value)
    except (TypeError, *MALFORMED) as error:
        raise InvalidRequest("a value can't be written as JSON") from error


def request_value(body: bytes, *, name: str = "the body") -> object:
    """Read a caller's JSON, which errors call `name`.

    Raises:
        InvalidRequest: It isn't JSON, or nests too deep.
        PayloadTooLarge: It has more than MOST_VALUES.
    """
    _check_size(body, name)
    try:
        return _decode(body)
    except MALFORMED as error:
        raise _unreadable(name, "isn't JSON", error) from error


def request_fields(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Read only the fields of a caller's JSON that the decoder's type names; None if it isn't JSON.

    Raises:
        InvalidRequest: One of them is wrong.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"the body can't be read: {error}") from error
    except MALFORMED:
        return None


def request_object(body: bytes) -> dict[str, object]:
    """Read a caller's JSON object.

    Raises:
        InvalidRequest: It isn't one.
        PayloadTooLarge: It has more than MOST_VALUES.
    """
    value = request_value(body)
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object")
    return value


def answer(body: bytes) -> object:
    """Read an upstream's JSON.

    Raises:
        BackendFailed: It isn't JSON, or has more than MOST_ANSWERED values; it is not quoted.
    """
    if _holds_more(body, MOST_ANSWERED):
        raise BackendFailed(f"the upstream's answer holds more than {MOST_ANSWERED:,} values")
    try:
        return _decode(body)
    except MALFORMED as error:
        raise BackendFailed("the upstream's answer isn't JSON") from error


def answer_object(body: bytes) -> dict[str, object]:
    """Read an upstream's JSON object.

    Raises:
        BackendFailed: It isn't one.
    """
    value = answer(body)
    if not isinstance(value, dict):
        raise BackendFailed("the upstream's answer isn't a JSON object")
    return value


def peek(decoder: msgspec.json.Decoder[T], body: bytes) -> T | None:
    """Read only the fields that the decoder's type names; None when that fails."""
    try:
        return decoder.decode(body)
    except MALFORMED:
        return None


def attempt(body: bytes | str) -> object:
    """Read JSON that may as well be something else; None when it is, or has over MOST_VALUES."""
    if len(body) > MOST_VALUES:
        whole = body.encode(errors="replace") if isinstance(body, str) else body
        if _holds_more(whole, MOST_VALUES):
            return None
    try:
        return _decode(body)
    except MALFORMED:
        return None


def with_fields(body: bytes, fields: Mapping[str, object]) -> bytes:
    """Set `fields` of a JSON object; every other value keeps its bytes.

    Raises:
        InvalidRequest: The body isn't a JSON object.
        PayloadTooLarge: It has more than MOST_VALUES.
    """
    _check_size(body, "the body")
    try:
        document: dict[str, object] = dict(_decode_raw(body))
    except MALFORMED as error:
        raise _unreadable("the body", "isn't a JSON object", error) from error
    return encode(document | dict(fields))


def without_fields(body: bytes, names: Collection[str]) -> bytes:
    """Take `names` out of a JSON object; every other value keeps its bytes.

    Raises:
        InvalidRequest: The body isn't a JSON object.
        PayloadTooLarge: It has more than MOST_VALUES.
    """
    _check_size(body, "the body")
    try:
        document = _decode_raw(body)
    except MALFORMED as error:
        raise _unreadable("the body", "isn't a JSON object", error) from error
    return encode({name: value for name, value in document.items() if name not in names})


def text_of(document: Mapping[str, object], name: str, default: str = "") -> str:
    """Return a caller's optional text.

    Raises:
        InvalidRequest: It is something else.
    """
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise wrong(name, "text", value)
    return value


def name_of(document: Mapping[str, object], name: str) -> str:
    """Return a caller's optional name of a model or a task.

    Raises:
        InvalidRequest: It is something else, or no name that a log could show.
    """
    return check_name(name, text_of(document, name))


def told_name(value: object) -> str:
    """Return an upstream's name for a model; nothing where it gives none that a log could show."""
    return value if isinstance(value, str) and is_name(value) else ""


def flag_of(document: Mapping[str, object], name: str) -> bool:
    """Return a caller's optional boolean.

    Raises:
        InvalidRequest: It is something else.
    """
    value = document.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


def count_of(value: object) -> int:
    """Return an upstream's count, or 0 when it is anything else, or more than there can be."""
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else 0


def list_of(value: object) -> list[object]:
    """Return a list as it is, and an empty one for anything else."""
    return value if isinstance(value, list) else []


def object_of(value: object) -> Mapping[str, object]:
    """Return an object as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _unreadable(name: str, how: str, error: BaseException) -> InvalidRequest:
    if isinstance(error, RecursionError):
        return InvalidRequest(f"{name} nests too deep", hint="nest fewer lists and objects")
    # Msgspec says where, and never what stood there.
    where = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
    return InvalidRequest(f"{name} {how}{where}")


def check_fields(body: bytes, most: int = MOST_VALUES) -> None:
    """Count the named fields of a caller's JSON, which is passed on: values cost nothing there.

    Raises:
        PayloadTooLarge: There are more than `most`.
    """
    if _holds_more(body, most, b":"):
        raise _too_large("the body", most, "named fields")


def _check_size(body: bytes, name: str) -> None:
    """Count values before any is made."""
    if _holds_more(body, MOST_VALUES):
        raise _too_large(name, MOST_VALUES, "values")


def _too_large(name: str, most: int, what: str) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"{name} holds more than {most:,} {what}, the most this node reads at once",
        hint="split it into several requests",
        details={"limit": most},
    )


def _holds_more(body: bytes, most: int, signs: bytes = _SEPARATORS) -> bool:
    """Whether there are more values than that, by the signs that separate them."""
    # Each value is a byte at least: what nearly every request brings needn't be looked at.
    if len(body) <= most or _count(body, signs) <= most:
        return False
    # Commas and brackets inside texts don't count: what stands between every second pair of
    # quotes does.
    plain = body
    if body.find(b"\\") >= 0:
        plain = body.replace(rb"\\", b"").replace(rb"\"", b"")
    is_many = _count(plain, b'"') > 4 * most
    return is_many or _count(b'"'.join(plain.split(b'"')[::2]), signs) > most


def _count(text: bytes, of: bytes) -> int:
    # As fast however many there are, which bytes.count isn't.
    return len(text) - len(text.translate(None, of))
