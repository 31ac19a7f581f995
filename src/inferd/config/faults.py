"""Pydantic's errors in our words: key, value if it is no secret, what was expected, where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from inferd.config.keys import all_keys, leaves, table_of
from inferd.config.problems import Problem, closest, printable, unknown
from inferd.config.schema import NodeConfig
from inferd.config.sources import Source

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Location = tuple[int | str, ...]

_PLAINER = {
    "tuple_type": "expected a list",
    "mapping_type": "expected a table",
    "model_type": "expected a table",
    "model_attributes_type": "expected a table",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected a text",
    "string_too_short": "expected a text that isn't empty",
    "too_short": "expected a list that isn't empty",
}


_KEY = "[key]"
"""Stands at the end of the place where it isn't the value that is wrong, but its name."""
_NOTHING = '""'


def problems_of(errors: Iterable[ErrorDetails], sources: Mapping[str, Source]) -> Iterator[Problem]:
    """One problem for each error."""
    for error in errors:
        location = error["loc"]
        key = dotted(location)
        message = _message(error, location, key)
        yield Problem(key, message, _where(location, sources))


def dotted(location: Location) -> str:
    """A place in the configuration as one writes it: `remote.endpoints[0].url`."""
    text = ""
    for part in location:
        if part != _KEY:
            text += f"[{part}]" if isinstance(part, int) else f".{part or _NOTHING}"
    return text.lstrip(".")


def _message(error: ErrorDetails, location: Location, key: str) -> str:
    match error["type"]:
        case "extra_forbidden":
            return unknown("key", key, _suggestion(location))
        case "missing":
            return f"{key} is missing"
        case "value_error":
            said = error["msg"].removeprefix("Value error, ")
        case _:
            said = _PLAINER.get(error["type"]) or error["msg"].partition(", unable")[0]
            said = said.replace("Input should be", "expected", 1)
    if len(location) == 1 and location[0] in NodeConfig.model_fields and " " in said:
        # A whole table's fault names its keys itself.
        return said if not said.startswith("expected") else f"{key}: {said}"
    value: object = error["input"]
    if isinstance(value, (str, int, float)) and _may_show(location):
        return f"{key} is {printable(value)}: {said}"
    return f"{key}: {said}"


def _where(location: Location, sources: Mapping[str, Source]) -> str:
    names = [part for part in location if isinstance(part, str)]
    if not names:
        return ""
    for key in (".".join(names[:2]), names[0]):
        if key in sources:
            return _place(sources[key], names[0])
    # The fault is the whole table's: name every place that says something about it.
    inside = [source for key, source in sources.items() if key.startswith(f"{names[0]}.")]
    return ", ".join(dict.fromkeys(_place(source, names[0]) for source in inside))


def _place(source: Source, table: str) -> str:
    return f"{source} [{table}]" if source.kind in {"file", "preset"} else str(source)


def _field_at(location: Location) -> tuple[type[BaseModel], FieldInfo | None]:
    """The field a location leads to, with the table it stands in; no field where none is known."""
    model: type[BaseModel] = NodeConfig
    found: FieldInfo | None = None
    inner: type[BaseModel] | None = NodeConfig
    for part in location:
        if isinstance(part, int):
            continue
        if inner is None:
            return model, None
        model = inner
        found = model.model_fields.get(part)
        inner = table_of(found) if found else None
    return model, found


def _may_show(location: Location) -> bool:
    field = _field_at(location)[1]
    if field is None or table_of(field) is not None:
        return False
    return SecretStr not in leaves(field.annotation) and object not in leaves(field.annotation)


def _suggestion(location: Location) -> str | None:
    model, _ = _field_at(location)
    *parents, last = location
    here = closest(str(last), list(model.model_fields))
    if here:
        return dotted((*parents, here))
    known = list(all_keys())
    elsewhere = [path for path in known if path.rpartition(".")[2] == str(last)]
    if elsewhere:
        return elsewhere[0]
    return closest(dotted(location), known)
