"""The messages of `/ws/{client_id}`: JSON objects told apart by their `type`, both ends.

Every message has exactly the fields of the brief's. What it has no field for (usage, why a text
ended, who answered, an error's kind) stands in `details`, for whoever asks for that.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from inferd.core.errors import BackendFailed, InvalidRequest, NodeError
from inferd.wire import json
from inferd.wire.ws_details import Details

MISSING = "Missing required fields: model and inputs"
NOT_JSON = "Invalid JSON format"
_EMPTY = frozenset({b"", b"null", b'""'})
_LONGEST_ID = 128
_MOST_BYTES = 8 << 10
"""Of topics, and of directions: a list of thousands isn't even taken apart."""

RequestId = str | int


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says, whatever its type: each reads the fields that are its own."""

    type: str = ""
    topics: msgspec.Raw = msgspec.Raw()
    request_id: RequestId | None = None
    model: str | None = None
    task: str | None = None
    inputs: msgspec.Raw = msgspec.Raw()
    parameters: msgspec.Raw = msgspec.Raw()
    stream: bool = False
    details: str | bool = False
    """How much to tell: of the node's status in a word, of an inference yes or no."""
    headers: msgspec.Raw = msgspec.Raw()

    @property
    def is_missing(self) -> bool:
        """Whether it lacks what every inference needs."""
        return not self.model or bytes(self.inputs) in _EMPTY

    def names(self) -> list[str] | None:
        """Return the topics that it names; None where it names none.

        Raises:
            Unreadable: They are no list of texts, or far more than there are.
        """
        return _small(_names, self.topics, "topics")

    def directions(self) -> Mapping[str, str]:
        """Return the directions that it gives, by their names in HTTP (`X-Inference-Tier`).

        Raises:
            Unreadable: They are no object of texts, or too long.
        """
        return _small(_directions, self.headers, "headers") or {}

    def body(self, *, is_chat: bool) -> bytes:
        """Return the question alone, as Hugging Face's own clients POST it.

        A chat's `inputs` are its messages, or the text of the first.
        """
        inputs = bytes(self.inputs)
        if is_chat and inputs.startswith(b'"'):
            inputs = b'[{"role":"user","content":%b}]' % inputs
        if is_chat and inputs.startswith(b"["):
            inputs = b'{"messages":%b}' % inputs
        return b'{"inputs":%b,"parameters":%b,"stream":%b}' % (
            inputs,
            bytes(self.parameters) or b"{}",
            b"true" if self.stream else b"false",
        )


class Unreadable(Exception):
    """What a client sent is no message; `told` says it in the protocol's words."""

    def __init__(self, told: str) -> None:
        super().__init__(told)
        self.told = told


T = TypeVar("T")

_asked = msgspec.json.Decoder(Asked)
_any = msgspec.json.Decoder(msgspec.Raw)
_names = msgspec.json.Decoder(list[str] | None)
_directions = msgspec.json.Decoder(dict[str, str] | None)


def _small(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, name: str) -> T | None:
    data = bytes(raw)
    if not data:
        return None
    if len(data) > _MOST_BYTES:
        raise Unreadable(f"{name} has at most {_MOST_BYTES} bytes")
    try:
        return decoder.decode(data)
    except json.MALFORMED as error:
        raise Unreadable(f"{name} can't be read: {error}") from error


def decode_asked(message: str | bytes) -> Asked:
    """Read a client's message.

    Raises:
        Unreadable: It is none.
    """
    try:
        asked = _asked.decode(message)
    except msgspec.ValidationError as error:
        text = str(error)
        if text.startswith("Expected `object`") and " at " not in text:
            # It was read no further than its first sign.
            raise Unreadable(_not_an_object(message, text)) from error
        raise Unreadable(f"The message can't be read: {text}") from error
    except json.MALFORMED as error:
        raise Unreadable(NOT_JSON) from error
    if isinstance(asked.request_id, str) and len(asked.request_id) > _LONGEST_ID:
        raise Unreadable(f"request_id has at most {_LONGEST_ID} characters")
    return asked


def _not_an_object(message: str | bytes, text: str) -> str:
    try:
        _any.decode(message)
    except json.MALFORMED:
        return NOT_JSON
    return f"A message is a JSON object: {text}"


class Connected(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connection"):
    """The first message of every connection."""

    status: str = "connected"
    client_id: str
    timestamp: float


class Subscribed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="subscribed"):
    """From now on these topics are told of."""

    topics: Sequence[str]
    timestamp: float


class Unsubscribed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="unsubscribed"):
    """These topics are told of no more."""

    topics: Sequence[str]
    timestamp: float


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_started"):
    """An inference was taken in."""

    request_id: RequestId
    model: str
    task: str
    timestamp: float


class Piece(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_chunk"):
    """More of a streamed answer: its text, or an object where it is none.

    The first has `details` of who answers, for whoever asked for them.
    """

    request_id: RequestId
    chunk: object
    index: int
    timestamp: float
    details: Details | UnsetType = UNSET


class Complete(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_complete"
):
    """A streamed answer is whole."""

    request_id: RequestId
    timestamp: float
    details: Details | UnsetType = UNSET


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_result"):
    """A whole answer, in its task's shape."""

    request_id: RequestId
    result: object
    model: str
    task: str
    timestamp: float
    details: Details | UnsetType = UNSET


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_error"):
    """An inference came to nothing, or broke off."""

    request_id: RequestId
    error: str
    timestamp: float
    details: Mapping[str, object] | UnsetType = UNSET


class Cancelled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="inference_cancelled"
):
    """An inference was ended as its client asked."""

    request_id: RequestId
    timestamp: float


class Status(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="status"):
    """How the node and its backends stand."""

    timestamp: float
    detail_level: str
    backend_status: object


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="pong"):
    """The answer to `ping`."""

    timestamp: float


class Happened(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="event"):
    """Something of a topic that the client subscribed to."""

    topic: str
    data: object
    timestamp: float


class Dropped(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dropped"):
    """So many events were lost: the client reads too slowly."""

    dropped: int
    timestamp: float


class Wrong(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """A message that nothing came of."""

    request_id: RequestId | UnsetType = UNSET
    message: str
    timestamp: float | UnsetType = UNSET


Told = (
    Connected
    | Subscribed
    | Unsubscribed
    | Started
    | Piece
    | Complete
    | Answered
    | Failed
    | Cancelled
    | Status
    | Pong
    | Happened
    | Dropped
    | Wrong
)

_encode = msgspec.json.Encoder().encode
_told = msgspec.json.Decoder(Told)


def encode_told(told: Told) -> str:
    """Write what a node says.

    Raises:
        InvalidRequest: A value can't be written as JSON.
    """
    try:
        return _encode(told).decode()
    except (TypeError, *json.MALFORMED) as error:
        raise InvalidRequest("a value can't be written as JSON") from error


def decode_told(message: str | bytes) -> Told | None:
    """Read what a node said; None where that is a message of another kind.

    Raises:
        BackendFailed: It is no message at all.
    """
    try:
        return _told.decode(message)
    except msgspec.ValidationError:
        return None
    except json.MALFORMED as error:
        raise BackendFailed("the upstream's message isn't JSON") from error


def failed(request_id: RequestId, error: NodeError, now: float, *, in_full: bool) -> Failed:
    """Return what tells of a failure; `in_full` with its kind and what to do, by themselves."""
    details: dict[str, object] = {"kind": error.kind.value, "message": error.message}
    if error.hint:
        details["hint"] = error.hint
    if error.retry_after is not None:
        details["retry_after"] = error.retry_after
    return Failed(
        request_id=request_id,
        error=str(error),
        timestamp=now,
        details=details if in_full else UNSET,
    )
