"""The flags that name a configuration; each is drawn from the schema."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inferd.cli.failure import Failure, Misuse
from inferd.config.keys import all_keys
from inferd.config.load import Loaded, load, preset_names
from inferd.config.problems import ConfigError

URL_NAME = "INFERD_URL"
TOKEN_NAME = "INFERD_TOKEN"
# They are the command line's own: no setting of a node.
_NOT_SETTINGS = frozenset({URL_NAME, TOKEN_NAME})

SWITCH = Parameter(negative=(), show_default=False)
LIST = Parameter(negative=(), show_default=False, allow_leading_hyphen=True)


def schema_flag(path: str) -> Parameter:
    """Return the flag of a key of the configuration, as the schema describes it."""
    key = all_keys()[path]
    return Parameter(name=key.flag or f"--{key.name}", help=key.meaning)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Source:
    """Which configuration to read, and what to change in it."""

    home: Annotated[str | None, schema_flag("server.home")] = None
    config: Annotated[Path | None, Parameter(help="The file to read instead of inferd.toml.")] = (
        None
    )
    preset: Annotated[
        str | None, Parameter(help=f"Start from a preset: {', '.join(preset_names())}.")
    ] = None
    set: Annotated[
        tuple[str, ...],
        LIST,
        Parameter(name="--set", help="Any other setting, as SECTION.KEY=VALUE; again for more."),
    ] = ()

    def flags(self) -> Iterator[tuple[str, object]]:
        """Yield the settings that the command line makes, by key."""
        yield "server.home", self.home
        for text in self.set:
            key, equals, value = text.partition("=")
            if not equals:
                raise Misuse(f"--set {text} has no value", hint="write --set section.key=value")
            yield key.strip(), value


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Settings(Source):
    """Every setting that has a flag of its own."""

    host: Annotated[str | None, schema_flag("server.host")] = None
    port: Annotated[str | None, schema_flag("server.port")] = None
    unix_socket: Annotated[str | None, schema_flag("server.unix_socket")] = None
    tls_certificate: Annotated[str | None, schema_flag("server.tls_certificate")] = None
    tls_key: Annotated[str | None, schema_flag("server.tls_key")] = None
    log_level: Annotated[str | None, schema_flag("log.level")] = None
    log_format: Annotated[str | None, schema_flag("log.format")] = None

    def flags(self) -> Iterator[tuple[str, object]]:
        """Yield the settings that the command line makes, by key."""
        yield "server.host", self.host
        yield "server.port", self.port
        yield "server.unix_socket", self.unix_socket
        yield "server.tls_certificate", self.tls_certificate
        yield "server.tls_key", self.tls_key
        yield "log.level", self.log_level
        yield "log.format", self.log_format
        yield from super().flags()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Where(Source):
    """Which node to ask."""

    url: Annotated[
        str | None,
        Parameter(
            env_var=URL_NAME,
            help=f"The node to ask, if not this machine's own; {TOKEN_NAME} holds its secret.",
        ),
    ] = None


SOURCE = Source()
SETTINGS = Settings()
WHERE = Where()


def read(source: Source, *, serves: bool) -> Loaded:
    """Load the configuration that the command line names.

    Only who `serves` needs its secrets: beside a service, a shell doesn't have them.

    Raises:
        Failure: It can't be used; every problem is listed.
    """
    try:
        return try_read(source, serves=serves)
    except ConfigError as error:
        raise config_failure(error) from error


def try_read(source: Source, *, serves: bool) -> Loaded:
    """Load the configuration that the command line names, as `read` does.

    Raises:
        ConfigError: It can't be used.
    """
    return load(
        flags=dict(source.flags()),
        environ={name: text for name, text in os.environ.items() if name not in _NOT_SETTINGS},
        path=source.config,
        preset=source.preset,
        cwd=Path.cwd(),
        needs_secrets=serves,
    )


def config_failure(error: ConfigError) -> Failure:
    """Return a configuration's problems as a failure."""
    return Failure(str(error), hint="docs/configuration.md describes every key")
