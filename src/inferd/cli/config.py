"""`inferd config`: what the node is told, and where it was told so."""

import asyncio
from typing import Annotated, get_args

from cyclopts import App

from inferd.cli import screen
from inferd.cli.failure import Failure
from inferd.cli.settings import SETTINGS, SWITCH, Settings, read
from inferd.config.keys import all_keys
from inferd.config.load import Loaded
from inferd.config.show import Row, redacted, rows, value_at
from inferd.config.values import Size
from inferd.core.errors import NodeError
from inferd.telemetry.clock import SystemClock

app = App(name="config")

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@app.command
def show(*, json: Annotated[bool, SWITCH] = False, settings: Settings = SETTINGS) -> None:
    """Print every setting, its value without secrets, and its source.

    Args:
        json: Print JSON.
        settings: What to change.
    """
    loaded = read(settings, serves=False)
    found = list(rows(loaded))
    if json:
        screen.write_json([_typed(row, loaded) for row in found])
        return
    from rich.table import Table
    from rich.text import Text

    table = Table("key", "value", "source", box=None, pad_edge=False, header_style="bold")
    for row in found:
        note = f"  ({row.note})" if row.note else ""
        source = Text(row.source, style="dim" if row.source == "default" else "green")
        value = Text(_told(row, loaded)).append(note, style="yellow")
        table.add_row(Text(row.key), value, source)
    screen.show(table)
    _remark(loaded)


@app.command
def check(*, settings: Settings = SETTINGS) -> None:
    """Say whether the node would start with this configuration, and if not, all that is wrong."""
    loaded = read(settings, serves=True)
    asyncio.run(_composed(loaded))
    print(f"the configuration is sound: {_named(loaded)}")
    _remark(loaded)


def _typed(row: Row, loaded: Loaded) -> dict[str, object]:
    value = redacted(value_at(loaded.config, row.key))
    return {"key": row.key, "value": value, "source": row.source, "note": row.note}


def _told(row: Row, loaded: Loaded) -> str:
    value = value_at(loaded.config, row.key)
    return _size(value) if isinstance(value, int) and _is_size(row.key) else row.value


def _is_size(path: str) -> bool:
    return get_args(Size)[1] in all_keys()[path].field.metadata


def _size(size_bytes: int) -> str:
    """Return a size in the largest unit that divides it."""
    for unit, name in _UNITS:
        if size_bytes % unit == 0:
            return f"{size_bytes // unit} {name}"
    return f"{size_bytes} bytes"


async def _composed(loaded: Loaded) -> None:
    """Put the node's parts together as `inferd up` does, and ask nobody anything."""
    from inferd.gateway.routing.pool import Pool
    from inferd.node.compose import policy_rules, routing_rules, wanted
    from inferd.node.exposure import check_exposure
    from inferd.node.home import CannotStart
    from inferd.node.listening import certificate_of
    from inferd.node.roster import open_roster

    clock = SystemClock()
    try:
        check_exposure(loaded.config)
        certificate_of(loaded.config.server)
        policy_rules(loaded.config)
        routing_rules(loaded.config)
        async with open_roster(wanted(loaded.config), Pool((), clock), node="check", clock=clock):
            pass
    except (CannotStart, NodeError) as error:
        raise Failure(error.message, hint=error.hint) from error
    except ValueError as error:
        raise Failure(str(error)) from error


def _named(loaded: Loaded) -> str:
    file = str(loaded.path) if loaded.path else "no inferd.toml"
    preset = f", preset {loaded.preset}" if loaded.preset else ""
    return f"{file}{preset}, {screen.counted(len(loaded.sources), 'setting')} made"


def _remark(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        screen.note(f"note: {warning}")
    for key in loaded.awaiting():
        screen.note(f"note: {key.path} has no effect yet: it waits for {key.awaits}")
