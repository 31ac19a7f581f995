"""One reader for each place a value may come from; each gives entries by key, and its problems."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from inferd.config.keys import PREFIX, Key, all_keys
from inferd.config.problems import Problem, closest, unknown
from inferd.config.secrets import Surroundings
from inferd.config.values import split_secrets

SourceKind = Literal["default", "preset", "file", ".env", "env", "secret-file", "flag"]

# Names that start as ours and say something else than a setting's value.
OTHER_NAMES = (
    "INFERD_CONFIG",
    "INFERD_PRESET",
    "INFERD_REQUIRE_ALL",
    "INFERD_TOKEN",
    "INFERD_URL",
)
# A misspelt secret must not leave a door open.
_OWN_PREFIXES = (PREFIX, "REMOTE_INFERENCE_", "INFERENCE_SHARED_", "INFERENCE_LOGIN_")
# Kubernetes adds these to every container beside a service called inferd or inferd-something.
_SERVICE_LINK = re.compile(
    r"INFERD(_[A-Z0-9_]+)?_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)"
)
_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value came from."""

    kind: SourceKind
    detail: str = ""

    def __str__(self) -> str:
        words = "environment" if self.kind == "env" else self.kind
        words = "" if self.kind == "file" else words
        return f"{words} {self.detail}".strip()


DEFAULT = Source("default")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as it was found."""

    value: object = field(repr=False)
    source: Source


@dataclass(slots=True)
class Layer:
    """What one place says: entries by key, problems, and remarks that stop nobody."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])
    problems: list[Problem] = field(default_factory=list[Problem])
    warnings: list[str] = field(default_factory=list[str])

    def take(self, key: Key, text: str, source: Source, surroundings: Surroundings) -> None:
        """Add a value that was given as text; a path stands in the folder it was given in."""
        try:
            value = surroundings.expand(text) if key.is_path else _decode(key, text)
            self.entries[key.path] = Entry(value, source)
        except ValueError as error:
            self.problems.append(Problem(key.path, f"{key.path}: {error}", str(source)))


def read_toml(path: Path, kind: SourceKind = "file", detail: str = "") -> Layer:
    """Read a TOML file; a preset is one too."""
    layer = Layer()
    where = detail or str(path)
    try:
        document: dict[str, object] = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        layer.problems.append(Problem("", f"can't read the file: {error.strerror}", where))
        return layer
    except UnicodeDecodeError:
        layer.problems.append(Problem("", "not UTF-8 text", where))
        return layer
    except (ValueError, RecursionError) as error:
        text = str(error)
        line = _LINE.search(text)
        place = f"{where}:{line[1]}:{line[2]}" if line else where
        layer.problems.append(Problem("", f"not TOML: {_LINE.sub('', text)}", place))
        return layer
    source = Source(kind, where)
    known = all_keys()
    for name, value in document.items():
        if isinstance(value, dict) and value and name not in known:
            table: dict[object, object] = {**value}
            for inner, inner_value in table.items():
                layer.entries[f"{name}.{inner}"] = Entry(inner_value, source)
        else:
            layer.entries[name] = Entry(value, source)
    return layer


def read_environment(
    environ: Mapping[str, str], surroundings: Surroundings, *, kind: SourceKind = "env"
) -> Layer:
    """Read the environment, or a .env file's content: generic names, aliases, and `X_FILE`."""
    layer = Layer()
    place = "" if kind == "env" else f"{kind} "
    for key in all_keys().values():
        found = list(_named(key, environ, surroundings, kind, layer))
        if not found:
            continue
        (name, text, source), *others = found
        layer.take(key, text, source, surroundings)
        for other, other_text, _ in others:
            if other_text != text:
                layer.warnings.append(f"{place}{name} and {other} differ: {name} is used")
    layer.problems.extend(_unknown_names(environ, "environment" if kind == "env" else kind))
    return layer


def read_flags(flags: Mapping[str, object], surroundings: Surroundings) -> Layer:
    """Read flags, by key; `None` is a flag that wasn't given."""
    layer = Layer()
    known = all_keys()
    for path, value in flags.items():
        if value is None:
            continue
        key = known.get(path)
        if key is None:
            message = unknown("key", path, closest(path, list(known)))
            layer.problems.append(Problem(path, message, "flag"))
            continue
        source = Source("flag", key.flag or path)
        if isinstance(value, str):
            layer.take(key, value, source, surroundings)
        else:
            layer.entries[path] = Entry(value, source)
    return layer


def read_dotenv(path: Path, layer: Layer) -> dict[str, str]:
    """Read a .env file, leaving the process's environment alone; problems go to the layer."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        layer.problems.append(Problem("", f"can't read the file: {error.strerror}", str(path)))
        return {}
    except UnicodeDecodeError:
        layer.problems.append(Problem("", "not UTF-8 text", str(path)))
        return {}
    # Only who has such a file pays for these imports.
    import io

    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            place = f"{path}:{binding.original.line}"
            layer.problems.append(Problem("", "expected NAME=value", place))
        elif binding.key and binding.value:
            values[binding.key] = binding.value
    return values


def _named(
    key: Key,
    environ: Mapping[str, str],
    surroundings: Surroundings,
    kind: SourceKind,
    layer: Layer,
) -> Iterator[tuple[str, str, Source]]:
    for name in key.names:
        text = environ.get(name, "").strip()
        if text:
            said = _contrary(text) if name in key.opposites else text
            yield name, said, Source(kind, name)
        file_name = f"{name}_FILE"
        path = environ.get(file_name, "").strip()
        if not path or not key.is_secret:
            continue
        source = Source("secret-file", f"{path} ({file_name})")
        if text:
            message = f"{name} and {file_name} are both set: keep one"
            layer.problems.append(Problem(key.path, message, str(source)))
            continue
        try:
            yield file_name, surroundings.read(surroundings.expand(path)), source
        except ValueError as error:
            layer.problems.append(Problem(key.path, f"{key.path}: {error}", file_name))


def _contrary(text: str) -> str:
    """Turn a switch round; what is no switch stays, for the setting itself to refuse."""
    for yes, no in (("1", "0"), ("true", "false"), ("yes", "no"), ("on", "off")):
        if text.lower() in {yes, no}:
            return no if text.lower() == yes else yes
    return text


def _decode(key: Key, text: str) -> object:
    if key.is_secret:
        return split_secrets(text) if key.shape == "list" else SecretStr(text)
    if key.shape == "scalar":
        return text
    if key.path in {"backends", "policy.rules"} or text.lstrip()[:1] in {"[", "{"}:
        try:
            value: object = json.loads(text)
        except (ValueError, RecursionError):
            # An IPv6 host in brackets is no JSON, and no mistake.
            if key.shape == "tables":
                raise ValueError("expected a JSON list") from None
        else:
            return [value] if isinstance(value, dict) else value
    return [piece.strip() for piece in text.split(",") if piece.strip()]


def _unknown_names(environ: Mapping[str, str], where: str) -> Iterator[Problem]:
    known: set[str] = {*OTHER_NAMES}
    for key in all_keys().values():
        known.update(key.names)
        if key.is_secret:
            known.update(f"{name}_FILE" for name in key.names)
    for name, text in environ.items():
        if name in known or not name.startswith(_OWN_PREFIXES) or not text.strip():
            continue
        if _SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and "://" in text):
            continue
        guess = closest(name, sorted(known))
        yield Problem(name, unknown("environment variable", name, guess), where)
