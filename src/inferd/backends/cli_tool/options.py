"""What an operator says of a tool, and what comes of it."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from inferd.backends import Settings, read_options
from inferd.backends.cli_tool.command import Argument, check_command, places
from inferd.backends.cli_tool.presets import PRESETS, Tool
from inferd.backends.cli_tool.reading import Form, Paths
from inferd.process import GRACE_SECONDS

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`preset` is a tool that is known; whatever else is said goes before what it says.

    `command` is a list of arguments; those that go together are a list in it. `env` is set for
    the tool, `inherits` are names that it may see of the node's environment. `concurrency` run at
    a time, `queue` more wait. `most_output` is in bytes, `grace` in seconds.
    """

    preset: str = ""
    command: tuple[Argument, ...] = ()
    output: Form | None = None
    paths: Paths | None = None
    listing: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    inherits: tuple[str, ...] = ()
    concurrency: Positive = 2
    queue: Annotated[int, msgspec.Meta(ge=0)] = 8
    most_output: Positive = 16 << 20
    grace: Annotated[float, msgspec.Meta(gt=0, le=60)] = GRACE_SECONDS


def tool_of(settings: Settings) -> tuple[Options, Tool]:
    """Return what was said, and the tool that it makes.

    Raises:
        ValueError: It makes none.
    """
    options = read_options(settings, Options)
    try:
        tool = _tool(options)
        check_command(tool.command)
        models = settings.models or tool.models
        if "model" in places(tool.command) and not models and not tool.listing:
            raise ValueError("`models` is missing: the command has a place for a model")
    except ValueError as error:
        raise ValueError(f"backend {settings.name}: options: {error}") from error
    return options, msgspec.structs.replace(tool, models=dict(models))


def _tool(options: Options) -> Tool:
    if not options.preset:
        tool = Tool(command=options.command)
    elif options.preset in PRESETS:
        tool = PRESETS[options.preset]
    else:
        raise ValueError(
            f"there is no preset called {options.preset!r}; presets are {', '.join(PRESETS)}"
        )
    return msgspec.structs.replace(
        tool,
        command=options.command or tool.command,
        form=options.output or tool.form,
        paths=options.paths or tool.paths,
        listing=options.listing or tool.listing,
        inherits=(*tool.inherits, *options.inherits),
        env={**tool.env, **options.env},
    )
