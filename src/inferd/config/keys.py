"""The schema as a flat list: one `Key` for each setting, with its names and its marks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from inferd.config.schema import NodeConfig

PREFIX = "INFERD_"
Shape = Literal["scalar", "list", "tables"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting."""

    path: str
    field: FieldInfo
    meaning: str
    generic: str
    aliases: tuple[str, ...]
    opposites: tuple[str, ...]
    """Environment names that say the contrary: true is off."""
    flag: str | None
    awaits: str | None
    example: str | None
    words: str | None

    @property
    def section(self) -> str:
        """The table it stands in; empty at the top."""
        return self.path.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its own name, in its table."""
        return self.path.rpartition(".")[2]

    @property
    def names(self) -> tuple[str, ...]:
        """Its environment names, the first of which wins."""
        return (self.generic, *self.aliases, *self.opposites)

    @property
    def is_secret(self) -> bool:
        """Whether its whole value is a secret, or several."""
        return SecretStr in leaves(self.field.annotation) and table_of(self.field) is None

    @property
    def is_path(self) -> bool:
        """Whether it is a path, which may be relative."""
        return self.field.annotation is Path

    @property
    def shape(self) -> Shape:
        """How it is written: one value, a list of values or a list of tables."""
        if table_of(self.field):
            return "tables"
        return "list" if get_origin(self.field.annotation) is tuple else "scalar"


def leaves(annotation: object) -> tuple[object, ...]:
    """The plain types inside an annotation: `SecretStr` of `tuple[SecretStr, ...] | None`."""
    inner = get_args(annotation)
    if not inner or get_origin(annotation) is Literal:
        return (annotation,)
    return tuple(leaf for part in inner for leaf in leaves(part))


def table_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that is a table or a list of tables."""
    for leaf in leaves(field.annotation):
        if isinstance(leaf, type) and issubclass(leaf, BaseModel):
            return leaf
    return None


def describe(path: str, field: FieldInfo) -> Key:
    """Read a field's marks."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return Key(
        path=path,
        field=field,
        meaning=field.description or "",
        generic=PREFIX + path.upper().replace(".", "__"),
        aliases=_texts(extra.get("env")),
        opposites=_texts(extra.get("off")),
        flag=_text(extra.get("flag")),
        awaits=_text(extra.get("awaits")),
        example=_text(extra.get("example")),
        words=_text(extra.get("words")),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the schema with its name."""
    for name, field in NodeConfig.model_fields.items():
        model = table_of(field)
        if model is not None and get_origin(field.annotation) is not tuple:
            yield name, model


@cache
def all_keys() -> Mapping[str, Key]:
    """Every setting by its path: `server.port`, …, `backends`."""
    found: dict[str, Key] = {}
    tables = dict(sections())
    for name, field in NodeConfig.model_fields.items():
        if name not in tables:
            found[name] = describe(name, field)
            continue
        for inner, inner_field in tables[name].model_fields.items():
            path = f"{name}.{inner}"
            found[path] = describe(path, inner_field)
    return found
