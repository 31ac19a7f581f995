"""inferd.example.toml and .env.example, written from the schema so that they keep up with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from inferd.config.keys import Key, all_keys, describe, sections, table_of
from inferd.config.values import Section

_WIDTH = 96
_LISTS = ("secrets", "routes", "backends", "policy.rules", "remote.endpoints")


def literal(value: object) -> str:
    """A value as TOML; lists and tables of plain values only."""
    match value:
        case Path():
            return json.dumps(str(value))
        case tuple() | list():
            items: list[object] = list(value)
            return f"[{', '.join(literal(item) for item in items)}]"
        case Section():
            return "{}"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return json.dumps(value, ensure_ascii=False)


def default_of(field: FieldInfo) -> object:
    """A field's default, or nothing where it is worked out on the machine."""
    if field.default is PydanticUndefined:
        return None
    return field.default


def example_toml() -> str:
    """Every key of inferd.toml with an example; remove the `#` before a line to use it."""
    lines = [
        "# Every setting of inferd. A line with no space after its `#` is a setting, switched off:",
        "# take the `#` away to use it. docs/configuration.md says more.",
    ]
    for name, model in sections():
        lines += ["", *_comment(model.__doc__ or ""), f"[{name}]"]
        for key in all_keys().values():
            if key.section == name and key.path not in _LISTS:
                lines += _toml_lines(key)
    for path in reversed(_LISTS):
        key = all_keys()[path]
        model = table_of(key.field)
        if model is not None:
            lines += ["", *_comment(key.meaning), *_table_lines(path, model)]
    return "\n".join(lines) + "\n"


def example_env() -> str:
    """Every environment name with an example; the first name of a setting wins."""
    lines = [
        "# Environment names of inferd, for the environment itself or for a .env file beside it.",
        "# Every key also has a name made from its place: server.port is INFERD_SERVER__PORT.",
        "# A secret may be read from a file: put _FILE after its name, and a path as the value.",
        "",
        "# The configuration file to read, and the preset to start from.",
        "#INFERD_CONFIG=inferd.toml",
        "#INFERD_PRESET=laptop",
    ]
    for key in all_keys().values():
        if key.aliases:
            lines += ["", *_comment(f"{key.path}. {key.meaning}{_waits(key)}")]
            lines += [f"#{name}={_env_value(key)}" for name in key.aliases]
    return "\n".join(lines) + "\n"


def _toml_lines(key: Key) -> Iterator[str]:
    yield from _comment(f"{key.meaning}{_waits(key)}")
    yield f"#{key.name} = {example_of(key)}"


def _table_lines(path: str, model: type[BaseModel]) -> Iterator[str]:
    yield f"#[[{path}]]"
    for name, field in model.model_fields.items():
        key = describe(f"{path}.{name}", field)
        inner = table_of(field)
        yield from _comment(key.meaning)
        if inner is None or key.example:
            yield f"#{name} = {example_of(key)}"
            continue
        for inner_name, inner_field in inner.model_fields.items():
            inner_key = describe(inner_name, inner_field)
            yield f"#{name}.{inner_name} = {example_of(inner_key)}"


def example_of(key: Key) -> str:
    """A value to show for a key, as TOML."""
    default = default_of(key.field)
    return key.example or literal(default if default is not None else _by_name(key.name))


def _by_name(name: str) -> object:
    made_up = {"token": "env:TOKEN", "name": "lab", "tier": "team", "models": {}}
    return made_up.get(name, 60)


def _env_value(key: Key) -> str:
    if key.is_secret:
        return "change-me"
    if key.path == "remote.endpoints":
        return "https://a.example,https://b.example"
    text = example_of(key)
    if key.shape == "list":
        items: list[str] = json.loads(text)
        return ",".join(items)
    return text.strip('"')


def _waits(key: Key) -> str:
    return f" (Read, no effect yet: waits for {key.awaits}.)" if key.awaits else ""


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), _WIDTH)]
