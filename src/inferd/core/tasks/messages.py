"""A conversation's turns: from the JSON that callers send, and back."""

from collections.abc import Mapping, Sequence

from inferd.core.content import Message
from inferd.core.errors import InvalidRequest, PayloadTooLarge
from inferd.core.tasks.values import kind_of, wrong

JsonObject = Mapping[str, object]

MOST_MESSAGES = 10_000


def decode_messages(value: object, *, name: str = "messages") -> tuple[Message, ...]:
    """Read a list of messages; one text counts as a user's only message.

    Raises:
        InvalidRequest: One isn't a message; `details["param"]` says which.
        PayloadTooLarge: There are more than MOST_MESSAGES.
    """
    if isinstance(value, str) and value:
        return (Message(role="user", text=value),)
    if not isinstance(value, list | tuple) or not value:
        raise wrong(name, "a list of messages", value)
    if len(value) > MOST_MESSAGES:
        raise PayloadTooLarge(
            f"{name} holds more than {MOST_MESSAGES:,} messages, the most for one request",
            hint="send the latest ones",
            details={"param": name, "limit": MOST_MESSAGES},
        )
    return tuple(_message(item, f"{name}[{number}]") for number, item in enumerate(value))


def encode_message(message: Message) -> dict[str, object]:
    """Return the message as OpenAI's JSON object."""
    document: dict[str, object] = {"role": message.role}
    if message.parts:
        text = [{"type": "text", "text": message.text}] if message.text else []
        document["content"] = [*text, *message.parts]
    elif message.text or not message.tool_calls:
        document["content"] = message.text
    else:
        document["content"] = None
    if message.name:
        document["name"] = message.name
    if message.tool_calls:
        document["tool_calls"] = list(message.tool_calls)
    if message.tool_call_id:
        document["tool_call_id"] = message.tool_call_id
    return document


def _message(value: object, name: str) -> Message:
    if isinstance(value, Message):
        return value
    if not isinstance(value, Mapping):
        raise wrong(name, "an object with role and content", value)
    role = _text(value, "role", name)
    if not role:
        raise InvalidRequest(f"{name}.role is missing", details={"param": f"{name}.role"})
    text, parts = _content(value.get("content"), f"{name}.content")
    return Message(
        role=role,
        text=text,
        parts=parts,
        name=_text(value, "name", name),
        tool_calls=_objects(value.get("tool_calls"), f"{name}.tool_calls"),
        tool_call_id=_text(value, "tool_call_id", name),
    )


def _text(value: JsonObject, key: str, name: str) -> str:
    text = value.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise wrong(f"{name}.{key}", "text", text)
    return text


def _content(value: object, name: str) -> tuple[str, tuple[JsonObject, ...]]:
    if value is None or isinstance(value, str):
        return value or "", ()
    texts: list[str] = []
    others: list[JsonObject] = []
    for number, part in enumerate(_objects(value, name)):
        if part.get("type") == "text":
            texts.append(_text(part, "text", f"{name}[{number}]"))
        else:
            others.append(part)
    return "\n".join(texts), tuple(others)


def _objects(value: object, name: str) -> tuple[JsonObject, ...]:
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise wrong(name, "a list of objects", value)
    found: list[JsonObject] = []
    for number, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise wrong(f"{name}[{number}]", f"an object, not {kind_of(item)}", item)
        found.append(item)
    return tuple(found)
