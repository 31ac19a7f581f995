"""A task's form as the server draws it, and what comes back of it."""

from collections.abc import Mapping, Sequence

import msgspec

from inferd.core.errors import InvalidRequest, NodeError
from inferd.core.tasks.model import Field, FieldKind
from inferd.frontends.web.trial_sent import Sent
from inferd.wire import json

_PREFIX = "field."
_JSON_KINDS = (FieldKind.TABLE, FieldKind.ROWS, FieldKind.JSON)


def read_fields(fields: Sequence[Field], sent: Sent) -> dict[str, object]:
    """Return the values that were filled in, by name.

    Raises:
        InvalidRequest: One isn't what its field takes; `details["param"]` names it.
    """
    found: dict[str, object] = {}
    for field in fields:
        text = sent.texts.get(_PREFIX + field.name, "").replace("\r\n", "\n")
        if text.strip():
            found[field.name] = _value(field, text)
    return found


def _value(field: Field, text: str) -> object:
    """Read what was typed; the task's `check` says whether it fits."""
    match field.kind:
        case FieldKind.BOOLEAN:
            return text == "true"
        case FieldKind.STRINGS if not field.comma_separated:
            return [line for line in map(str.strip, text.split("\n")) if line]
        case FieldKind.MESSAGES if not text.lstrip().startswith("["):
            return text
        case FieldKind.INTEGER | FieldKind.NUMBER:
            return _json(field, text.strip(), "a number")
        case FieldKind.MESSAGES | FieldKind.TABLE | FieldKind.ROWS | FieldKind.JSON:
            return _json(field, text, "JSON")
        case _:
            return text


def _json(field: Field, text: str, expected: str) -> object:
    try:
        return json.request_value(text.encode(), name=field.label)
    except NodeError as error:
        error.details = {**error.details, "param": field.name}
        if isinstance(error.__cause__, msgspec.DecodeError):
            raise InvalidRequest(
                f"{field.label} must be {expected}", details=error.details
            ) from error
        raise


def draw_field(field: Field, sent: Sent) -> Mapping[str, object]:
    """Return what the template draws a field from; an empty `sent` shows the example."""
    name = _PREFIX + field.name
    is_list = field.kind is FieldKind.STRINGS and not field.comma_separated
    is_json = field.kind in _JSON_KINDS
    help_text = field.help
    if is_list:
        help_text = "One a line."
    elif field.kind is FieldKind.MESSAGES:
        help_text = "A question, or a conversation as JSON."
    return {
        "id": f"try-{field.name}",
        "name": name,
        "field": field.name,
        "label": field.label,
        "required": field.required,
        "help": help_text,
        "placeholder": field.placeholder,
        "choices": field.choices,
        "is_json": is_json,
        "control": _control(field),
        "value": sent.texts[name] if name in sent.texts else "" if sent.texts else _example(field),
    }


def _control(field: Field) -> str:
    if field.choices:
        return "select"
    if field.kind is FieldKind.BOOLEAN:
        return "choice"
    if field.kind in (FieldKind.STRING, FieldKind.INTEGER, FieldKind.NUMBER):
        return "text"
    return "text" if field.kind is FieldKind.STRINGS and field.comma_separated else "area"


def _example(field: Field) -> str:
    match field.example:
        case None:
            return ""
        case str(text):
            return text
        case [*items] if field.kind is FieldKind.STRINGS:
            return (", " if field.comma_separated else "\n").join(map(str, items))
        case [{"content": str(text)}]:
            return text
        case other:
            return msgspec.json.encode(other).decode()
