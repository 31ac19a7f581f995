"""What an operator says of a tool, and what comes of it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from inferd.backends import Settings, read_options, secrets_of
from inferd.core.hiding import Secrets
from inferd.core.hosts import is_loopback
from inferd.core.request import Tier
from inferd.core.tasks import Task, task_named
from inferd.http1.client import parse_url
from inferd.process import environment

_PLACE = re.compile(r"\{([a-z_]+)\}")
Positive = Annotated[int, msgspec.Meta(ge=1)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tool` answers `task`. `command` is a list of arguments, instead of a `base_url`.

    `arguments` is what the tool is called with: a value `"{prompt}"` stands for the task's field or
    parameter of that name, and is left out where the request has none; without it the tool is
    given the task's own fields and parameters. `path` leads to the result within the answer's
    JSON, by names with dots between. `env` is set for the command, `inherits` are names that it
    may see of the node's environment. `concurrency` calls at a time, `queue` more wait.
    """

    tool: str
    task: str = "text-generation"
    command: tuple[str, ...] = ()
    arguments: dict[str, Any] = {}
    path: str = ""
    env: Mapping[str, str] = {}
    inherits: tuple[str, ...] = ()
    concurrency: Positive = 4
    queue: Annotated[int, msgspec.Meta(ge=0)] = 32


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A tool, and how to come by it: `url`, or `command` with `environ`."""

    options: Options
    task: Task
    tier: Tier
    url: str = ""
    command: tuple[str, ...] = ()
    environ: Mapping[str, str] = {}
    secrets: Secrets = Secrets()

    def __repr__(self) -> str:
        # The environment may hold secrets.
        return f"<Wanted {self.options.tool} of {self.url or self.command[0]}>"


def wanted_of(settings: Settings, environ: Mapping[str, str]) -> Wanted:
    """Return what was asked for.

    Raises:
        ValueError: It makes no tool.
    """
    options = read_options(settings, Options)
    name = f"backend {settings.name}"
    if bool(settings.base_url) == bool(options.command):
        raise ValueError(f"{name}: give either base_url or options.command")
    try:
        task = task_named(options.task)
    except Exception as error:
        raise ValueError(f"{name}: options: {error}") from error
    _check_places(name, task, options.arguments)
    tier = settings.tier
    secrets = secrets_of(settings, options.env, options.inherits, environ)
    if options.command:
        if not options.command[0] or any("\0" in part for part in options.command):
            raise ValueError(f"{name}: options.command must name a program")
        # What a program does with words, nobody knows.
        return Wanted(
            options=options,
            task=task,
            tier=Tier.CLOUD if tier is None else tier,
            command=options.command,
            environ=environment(environ, inherited=options.inherits, own=options.env),
            secrets=secrets,
        )
    url = parse_url(settings.base_url)
    usual = Tier.LOCAL if is_loopback(url.host) else Tier.CLOUD
    return Wanted(
        options=options,
        task=task,
        tier=usual if tier is None else tier,
        url=settings.base_url.rstrip("/"),
        secrets=secrets,
    )


def fill(wanted: Wanted, given: Mapping[str, object]) -> tuple[dict[str, object], set[str]]:
    """Return the tool's arguments, and the names in `given` that it isn't told of."""
    if not wanted.options.arguments:
        return dict(given), set()
    filled: dict[str, object] = {}
    untold = set(given)
    for name, value in wanted.options.arguments.items():
        place = _PLACE.fullmatch(value) if isinstance(value, str) else None
        if place is None:
            filled[name] = value
        elif place[1] in given:
            filled[name] = given[place[1]]
            untold.discard(place[1])
    return filled, untold


def _check_places(name: str, task: Task, arguments: Mapping[str, object]) -> None:
    known = {field.name for field in (*task.inputs, *task.parameters, *task.files)}
    for value in arguments.values():
        place = _PLACE.fullmatch(value) if isinstance(value, str) else None
        if place is not None and place[1] not in known:
            raise ValueError(
                f"{name}: options.arguments: {value} stands for nothing; {task.name} has "
                + ", ".join(sorted(known))
            )
