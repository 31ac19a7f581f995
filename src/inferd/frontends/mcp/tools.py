"""What a tool is: its name, what it takes, and what it does. Nothing here knows the protocol."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from inferd.core.errors import InvalidRequest, NodeError
from inferd.core.request import Principal
from inferd.core.result import Media
from inferd.frontends._http.context import Context
from inferd.frontends.mcp.advice import hint_of, nearest
from inferd.wire.context import Context as Asked

Object = Mapping[str, object]
Say = Callable[[float, str], Awaitable[None]]
"""Tells the caller how far its request is: seconds since it began, and words."""
T = TypeVar("T", bound=msgspec.Struct)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A tool being called: by whom, under which request id, and how far its words may travel.

    `say` is None where the caller doesn't want to hear of progress.
    """

    context: Context
    principal: Principal
    id: str
    asked: Asked
    say: Say | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool gives: words for a model, the same as JSON for a program, or a file."""

    text: str = ""
    structured: Object = {}
    media: Media | None = None
    is_error: bool = False


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a client may call. `schema` is a JSON Schema of its arguments."""

    name: str
    title: str
    description: str
    schema: Object
    run: Callable[[Question, Object], Awaitable[Reply]]
    only_reads: bool = False


def schema_of(arguments: type) -> dict[str, object]:
    """Return the JSON Schema of a struct, in the plain words that every client understands.

    Nothing in it is a reference, and what may be left out isn't said to be null instead.
    """
    (root,), parts = msgspec.json.schema_components((arguments,), ref_template="{name}")
    schema = _plain(root, parts)
    assert isinstance(schema, dict)
    return schema


def read(arguments: Object, kind: type[T]) -> T:
    """Return a tool's arguments.

    Raises:
        InvalidRequest: They aren't what the tool takes; the hint says what that is.
    """
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    unknown = [name for name in arguments if name not in known]
    if unknown:
        raise InvalidRequest(
            f"there is no argument called {nearest(unknown, known)}", hint=_what_is_right(kind)
        )
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"the arguments can't be read: {error}", hint=_what_is_right(kind)
        ) from error


def as_json(structured: Object) -> Reply:
    """Return a reply that is the same to a model and to a program."""
    return Reply(text=msgspec.json.encode(structured).decode(), structured=structured)


def refusal(error: NodeError) -> Reply:
    """Return what a model is told of a failure: it may mend its call and try again."""
    told: dict[str, object] = {"kind": error.kind.value, "message": error.message}
    hint = hint_of(error)
    if hint:
        told["hint"] = hint
    if error.retry_after is not None:
        told["retry_after_seconds"] = error.retry_after
    if error.details:
        told["details"] = dict(error.details)
    text = f"{error.message}\n{hint}" if hint else error.message
    return Reply(text=text, structured={"error": told}, is_error=True)


def _what_is_right(kind: type[msgspec.Struct]) -> str:
    """Return a tool's arguments in a line, with the words that each may be."""
    properties = schema_of(kind)["properties"]
    assert isinstance(properties, dict)
    shown: list[str] = []
    for field in msgspec.structs.fields(kind):
        choices = " | ".join(_choices(properties[field.encode_name]))
        optional = "" if field.required else "?"
        shown.append(f"{field.encode_name}{optional}{choices and f': {choices}'}")
    return f"the arguments are {{{', '.join(shown)}}}" if shown else "this tool takes no arguments"


def _choices(schema: object) -> list[str]:
    match schema:
        case {"enum": [*words]}:
            return [str(word) for word in words]
        case {"anyOf": [*options]}:
            return [word for option in options for word in _choices(option)]
        case {"items": items}:
            return _choices(items)
        case _:
            return []


def _plain(value: object, parts: Object) -> object:
    match value:
        case {"$ref": str(name)}:
            part = parts[name]
            assert isinstance(part, dict)
            # What the code says of a type is for who reads the code.
            said = {key: each for key, each in part.items() if key not in ("title", "description")}
            return _plain({"type": "string", **said} if "enum" in said else said, parts)
        case {"anyOf": [only, {"type": "null"}], **others}:
            others.pop("default", None)
            found = _plain(only, parts)
            assert isinstance(found, dict)
            return {**found, **others}
        case dict():
            return {key: _plain(each, parts) for key, each in value.items()}
        case list():
            return [_plain(each, parts) for each in value]
        case _:
            return value
