"""All sources in, one frozen configuration out, and where each of its values came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import isfile
from pathlib import Path

from pydantic import ValidationError

from inferd.config.faults import problems_of
from inferd.config.keys import Key, all_keys, sections
from inferd.config.problems import ConfigError, Problem, closest, unknown
from inferd.config.schema import NodeConfig
from inferd.config.secrets import Surroundings
from inferd.config.sources import (
    DEFAULT,
    Entry,
    Layer,
    Source,
    read_dotenv,
    read_environment,
    read_flags,
    read_toml,
)

FILE_NAME = "inferd.toml"
_PRESETS = Path(__file__).with_name("presets")
_LOCAL_HOSTS = ("http://127.", "http://localhost", "http://[::1]")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and its story."""

    config: NodeConfig
    path: Path | None = None
    preset: str | None = None
    sources: Mapping[str, Source] = field(default_factory=dict[str, Source])
    warnings: tuple[str, ...] = ()

    def source(self, key: str) -> Source:
        """Where a key's value came from."""
        return self.sources.get(key, DEFAULT)

    def awaiting(self) -> tuple[Key, ...]:
        """The settings somebody has made that have no effect yet, because of what `awaits` says."""
        return tuple(key for path, key in all_keys().items() if key.awaits and path in self.sources)


def load(
    *,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str],
    path: Path | None = None,
    preset: str | None = None,
    cwd: Path,
    needs_secrets: bool = True,
) -> Loaded:
    """Read the configuration: flags, then environment, .env, inferd.toml, preset, defaults.

    Args:
        flags: Values by key (`{"server.port": 9000}`); `None` is a flag that wasn't given.
        environ: The environment; nothing else is read from the process.
        path: The file to read instead of looking for one.
        preset: The name of a preset to start from.
        cwd: Where `.env` and `inferd.toml` are looked for.
        needs_secrets: Whether a secret that can't be had is a problem, or only a warning: never
            serve with such a configuration.

    Raises:
        ConfigError: It can't be used; every problem that could be found is in it.
    """
    broken = Layer()
    dotenv = read_dotenv(cwd / ".env", broken)
    surroundings = _surroundings(environ, dotenv, cwd, needs_secrets=needs_secrets)
    outer = [
        broken,
        read_environment(dotenv, surroundings, kind=".env"),
        read_environment(environ, surroundings),
        read_flags(flags or {}, surroundings),
    ]
    found = _find_file(path, outer, surroundings)
    preset = preset or surroundings.environ.get("INFERD_PRESET", "").strip() or None
    layers = [_read_preset(preset), read_toml(found) if found else Layer(), *outer]
    config, sources = _merge(layers, surroundings, found)
    warnings = [warning for layer in layers for warning in layer.warnings]
    return Loaded(
        config=config,
        path=found,
        preset=preset,
        sources=sources,
        warnings=(*warnings, *surroundings.warnings, *_open_tokens(config)),
    )


def preset_names() -> tuple[str, ...]:
    """The presets that come with inferd."""
    return tuple(sorted(file.stem for file in _PRESETS.glob("*.toml")))


def preset_text(name: str) -> str:
    """A preset's own text, to read or to start a file from.

    Raises:
        ConfigError: There is no such preset.
    """
    names = preset_names()
    if name not in names:
        suggestion = closest(name, names) or f"one of {', '.join(names)}"
        raise ConfigError([Problem("preset", unknown("preset", name, suggestion))])
    return (_PRESETS / f"{name}.toml").read_text(encoding="utf-8")


def _surroundings(
    environ: Mapping[str, str], dotenv: Mapping[str, str], cwd: Path, *, needs_secrets: bool
) -> Surroundings:
    return Surroundings(
        environ={**dotenv, **{name: text for name, text in environ.items() if text.strip()}},
        folder=cwd,
        home=Path(environ["HOME"]) if environ.get("HOME") else Path.home(),
        warnings=[],
        needs_secrets=needs_secrets,
    )


def _read_preset(name: str | None) -> Layer:
    if name is None:
        return Layer()
    try:
        preset_text(name)
    except ConfigError as error:
        return Layer(problems=list(error.problems))
    return read_toml(_PRESETS / f"{name}.toml", "preset", name)


def _find_file(path: Path | None, outer: list[Layer], surroundings: Surroundings) -> Path | None:
    named = path or surroundings.environ.get("INFERD_CONFIG", "").strip()
    if named:
        return surroundings.expand(named)
    entries = [layer.entries["server.home"] for layer in outer if "server.home" in layer.entries]
    home = entries[-1].value if entries else "~/.inferd"
    folders = [surroundings.folder]
    if isinstance(home, (str, Path)):
        folders.append(surroundings.expand(home))
    return next((file for folder in folders if isfile(file := folder / FILE_NAME)), None)


def _merge(
    layers: list[Layer], surroundings: Surroundings, path: Path | None
) -> tuple[NodeConfig, dict[str, Source]]:
    entries: dict[str, Entry] = {}
    for layer in layers:
        entries.update(layer.entries)
    sources = {key: entry.source for key, entry in entries.items()}
    problems = [problem for layer in layers for problem in layer.problems]
    if path is not None:
        # A file may be moved with the secrets beside it; what the environment names stays put.
        surroundings = Surroundings(
            environ=surroundings.environ,
            folder=path.parent,
            home=surroundings.home,
            warnings=surroundings.warnings,
            needs_secrets=surroundings.needs_secrets,
        )
    try:
        config = NodeConfig.model_validate(_nested(entries), context=surroundings)
    except ValidationError as error:
        problems.extend(problems_of(error.errors(), sources))
    else:
        if not problems:
            return config, sources
    # Raised outside the handler: pydantic's own error carries the values, secrets among them.
    raise ConfigError(problems)


def _nested(entries: Mapping[str, Entry]) -> dict[str, object]:
    document: dict[str, object] = {}
    tables: dict[str, dict[str, object]] = {name: {} for name, _ in sections()}
    for key, entry in entries.items():
        section, dot, name = key.partition(".")
        if not dot:
            document[key] = entry.value
        else:
            tables.setdefault(section, {})[name] = entry.value
    return {**tables, **document}


def _open_tokens(config: NodeConfig) -> list[str]:
    return [
        f"the token for {node.url} travels unencrypted: use https"
        for node in config.remote.nodes
        if node.token and node.url.startswith("http://") and not node.url.startswith(_LOCAL_HOSTS)
    ]
