"""What `inferd config show` prints: each key, its value without secrets, and its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from inferd.config.keys import all_keys
from inferd.config.load import Loaded

HIDDEN = "•••"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as people see it."""

    key: str
    value: str
    source: str
    note: str = ""


def rows(loaded: Loaded) -> Iterator[Row]:
    """Every setting, in the schema's order, with no secret's value."""
    for path, key in all_keys().items():
        note = ""
        if key.awaits and path in loaded.sources:
            note = f"read, no effect yet: waits for {key.awaits}"
        elif key.awaits:
            note = f"no effect yet: waits for {key.awaits}"
        yield Row(path, shown(value_at(loaded.config, path)), str(loaded.source(path)), note)


def value_at(config: BaseModel, path: str) -> object:
    """The value a key has."""
    value: object = config
    for part in path.split("."):
        value = getattr(value, part)
    return value


def shown(value: object) -> str:
    """A value as text, without secrets; nothing at all is a dash."""
    plain = redacted(value)
    if plain is None:
        return "-"
    if isinstance(plain, str):
        return plain
    return json.dumps(plain, ensure_ascii=False)


def redacted(value: object) -> object:
    """A value as plain data, every secret in it replaced."""
    match value:
        case SecretStr():
            return HIDDEN
        case BaseModel():
            names = (name for name in type(value).model_fields if name in value.model_fields_set)
            return {name: _inside(name, getattr(value, name)) for name in names}
        case tuple() | list():
            items: list[object] = list(value)
            return [redacted(item) for item in items]
        case Mapping():
            table: Mapping[object, object] = value
            return {str(name): redacted(inner) for name, inner in table.items()}
        case str():
            return _without_query(value)
        case Path():
            return str(value)
        case _:
            return value


def _inside(name: str, value: object) -> object:
    # A kind's own options aren't in the schema, so any of them may be a secret.
    if name == "options" and isinstance(value, Mapping):
        options: Mapping[object, object] = value
        return dict.fromkeys(map(str, options), HIDDEN)
    return redacted(value)


def _without_query(text: str) -> str:
    if "://" not in text or "?" not in text:
        return text
    return urlsplit(text)._replace(query=HIDDEN).geturl()
