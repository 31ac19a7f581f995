"""`inferd doctor`: every check in order, each with its fix."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from inferd.cli import screen
from inferd.cli.doctor import backends, discovery, hub, machine, node, remotes, routes
from inferd.cli.doctor.check import Check, Level, fail, warn
from inferd.cli.settings import SETTINGS, SWITCH, Settings, try_read
from inferd.config.load import Loaded
from inferd.config.problems import ConfigError
from inferd.config.schema import NodeConfig

_SIGNS = {Level.OK: ("ok  ", "green"), Level.WARN: ("warn", "yellow"), Level.FAIL: ("fail", "red")}


def doctor(*, json: Annotated[bool, SWITCH] = False, settings: Settings = SETTINGS) -> None:
    """Check this machine, the node, its backends and its remotes; each finding comes with its fix.

    Args:
        json: Print JSON.
        settings: Which configuration.
    """
    found = asyncio.run(_examine(settings, json))
    if json:
        screen.write_json(found)
    else:
        _show(found)
    if any(check.level is Level.FAIL for check in found):
        sys.exit(1)


async def _examine(settings: Settings, quiet: bool) -> list[Check]:
    found: list[Check] = []
    with screen.working("Examining …", quiet=quiet):
        async for check in _checks(settings):
            found.append(check)  # noqa: PERF401  an async comprehension would hide the order
    return found


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    for check in machine.software():
        yield check
    try:
        loaded = try_read(settings, serves=False)
    except ConfigError as error:
        for problem in error.problems:
            yield fail("configuration", str(problem), "mend it, then `inferd config check`")
        return
    for check in (*_configuration(loaded), *machine.home(loaded.config.server.home)):
        yield check
    if loaded.config.ledger.enabled:
        for check in machine.ledger(loaded.config.server.home):
            yield check
    for check in await node.listener(loaded.config):
        yield check
    yield await node.embedding(loaded.config)
    for examine in (backends.examine, routes.examine, remotes.examine, _hub, discovery.examine):
        for check in await examine(loaded.config):
            yield check


async def _hub(config: NodeConfig) -> list[Check]:
    return [await hub.examine(config)]


def _configuration(loaded: Loaded) -> Sequence[Check]:
    named = str(loaded.path) if loaded.path else "no inferd.toml"
    made = screen.counted(len(loaded.sources), "setting")
    found = [Check(what="configuration", found=f"{named}, {made} made")]
    for warning in loaded.warnings:
        fact, _, fix = warning.rpartition(": ")
        found.append(warn("configuration", fact or warning, fix if fact else ""))
    for key in loaded.awaiting():
        fact = f"{key.path} is set ({loaded.source(key.path)}) and has no effect yet"
        found.append(warn("configuration", fact, f"nothing to do: it waits for {key.awaits}"))
    return found


def _show(found: Sequence[Check]) -> None:
    from rich.text import Text

    for check in found:
        sign, style = _SIGNS[check.level]
        line = Text(sign, style).append(f"  {check.what}: ", "bold").append(check.found, "default")
        screen.show(line)
        if check.fix and check.level is not Level.OK:
            screen.show(Text(f"      fix: {check.fix}"))
    counts = [f"{sum(c.level is level for c in found)} {level.value}" for level in Level]
    screen.show(Text(", ".join(counts), "dim"))
