"""docs/configuration.md, from the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from inferd.config.keys import Key, all_keys, describe, leaves, sections, table_of
from inferd.config.load import preset_names, preset_text
from reference.examples import default_of, literal

_PROSE = """\
# Configuration

<!-- Written by `python scripts/docs.py --write` from src/inferd/config: change that. -->

One schema holds every setting. A value may come from six places; the first that has one wins:

1. flags of the command line;
2. the environment;
3. `.env` in the folder where inferd is started;
4. `inferd.toml`: the file that `--config` or `INFERD_CONFIG` names, else `./inferd.toml`, else
   `inferd.toml` in the home folder (`server.home`);
5. a preset, named by `--preset` or `INFERD_PRESET`;
6. the default.

A list is taken whole from the place that wins; lists are never joined. `inferd config show` prints
every value with the place it came from. A key or a name that means nothing is an error which says
what was probably meant, and all errors are reported at once.

## Environment

Every key has a name made from its place: `server.port` is `INFERD_SERVER__PORT`, `backends` is
`INFERD_BACKENDS`. Some have older names as well; where several are set, the first in the table
wins. An empty variable is an unset one. Lists are separated by commas, or written as JSON; lists of
tables are JSON. Truth is `true`/`false`, `1`/`0`, `yes`/`no` or `on`/`off`. The variables that
Kubernetes adds for a service called `inferd` are left alone.

## Secrets

No secret has to stand in `inferd.toml`. There, `"env:NAME"` is the value of an environment variable
and `"file:PATH"` the content of a file, beside `inferd.toml` unless the path is absolute. In the
environment, put `_FILE` after the name of any secret to give the path of a file instead
(`INFERENCE_SHARED_SECRET_FILE=/run/secrets/inferd`). A secret file that other users can read is
reported when the node starts. Secrets never appear in errors, logs or `inferd config show`.

## Values

Durations are seconds. Sizes are bytes, or a number with a unit (`64MiB`, `10MB`). URLs never carry
a user name or password. *Read, no effect yet* marks a setting whose feature is still to come: it is
checked, and does nothing.
"""


def reference() -> str:
    """The page about configuration."""
    parts = [_PROSE, *_presets(), "\n## Keys\n"]
    for name, model in sections():
        keys = [key for key in all_keys().values() if key.section == name]
        parts.append(f"\n### `[{name}]`\n\n{model.__doc__}\n\n{_table(keys)}")
        parts.extend(_inner(key) for key in keys)
    for key in (key for key in all_keys().values() if not key.section):
        names = " or ".join(f"`{name}`" for name in key.names)
        parts.append(f"\n### `{key.path}`\n\n{key.meaning} In the environment: {names}.\n")
        parts.append(_inner(key))
    return "".join(parts)


def _presets() -> Iterator[str]:
    yield "\n## Presets\n\nA preset is a file of the same kind, to start from.\n"
    for name in preset_names():
        yield f"\n### {name}\n\n```toml\n{preset_text(name)}```\n"


def _table(keys: Sequence[Key], *, environment: bool = True) -> str:
    titles = ["key", "type", "default", *(["environment"] if environment else []), "meaning"]
    lines = [titles, ["---"] * len(titles), *(_cells(key, environment) for key in keys)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(key: Key, environment: bool) -> list[str]:
    names = "<br>".join(f"`{name}`" for name in key.names)
    meaning = f"{key.meaning} Flag: `{key.flag}`." if key.flag else key.meaning
    if key.awaits:
        meaning += f" *Read, no effect yet: waits for {key.awaits}.*"
    default = key.words or _default(key)
    return [
        f"`{key.name}`",
        _type(key),
        default,
        *([names] if environment else []),
        meaning.replace("|", "\\|"),
    ]


def _default(key: Key) -> str:
    if key.field.is_required():
        return "*required*"
    value = default_of(key.field)
    return "–" if value in (None, ()) or isinstance(value, BaseModel) else f"`{literal(value)}`"


def _type(key: Key) -> str:
    annotation = _without_none(key.field.annotation)
    if table_of(key.field):
        return "tables" if get_origin(annotation) is tuple else "table"
    words = _leaf(leaves(annotation)[0], key)
    if get_origin(annotation) is tuple:
        return f"list of {words}" if words.startswith("`") else f"list of {words}s"
    return "table" if get_origin(annotation) is Mapping else words


def _leaf(leaf: object, key: Key) -> str:
    if get_origin(leaf) is Literal:
        return " \\| ".join(f"`{word}`" for word in get_args(leaf))
    if key.name == "max_body":
        return "size"
    if key.name.endswith("_minutes"):
        return "minutes"
    if key.name.endswith("_ratio"):
        return "share of 1"
    if key.path.startswith("backends.price"):
        return "money"
    words: dict[object, str] = {
        bool: "true or false",
        int: "number",
        float: "seconds",
        Path: "path",
        SecretStr: "secret",
    }
    return words.get(leaf, "text")


def _inner(key: Key) -> str:
    model = table_of(key.field)
    if model is None:
        return ""
    head = f"[[{key.path}]]" if get_origin(key.field.annotation) is tuple else key.path
    keys = [describe(f"{key.path}.{name}", field) for name, field in model.model_fields.items()]
    table = _table(keys, environment=False)
    return f"\n#### `{head}`\n\n{model.__doc__}\n\n{table}{''.join(map(_inner, keys))}"


def _without_none(annotation: object) -> object:
    """`X` of `X | None`."""
    if get_origin(annotation) is not Union and type(annotation).__name__ != "UnionType":
        return annotation
    left = [part for part in get_args(annotation) if part is not type(None)]
    return left[0] if len(left) == 1 else annotation
