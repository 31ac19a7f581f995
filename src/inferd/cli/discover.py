"""`inferd discover`: what this machine has that runs models, and what to do about the rest."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from cyclopts import Parameter

from inferd.cli import screen
from inferd.cli.client import open_client
from inferd.cli.settings import SWITCH, WHERE, Where
from inferd.core.found import Found, Verdict

_STYLES = {
    Verdict.USABLE: "green",
    Verdict.IN_USE: "green",
    Verdict.NEEDS_KEY: "yellow",
    Verdict.OFF: "yellow",
    Verdict.NOT_THERE: "dim",
}
_MOST_NAMES = 3


class _Look(msgspec.Struct):
    on: bool
    found: list[Found]


def discover(
    *,
    all: Annotated[bool, Parameter(name=["--all", "-a"], show_default=False)] = False,  # noqa: A002
    json: Annotated[bool, SWITCH] = False,
    where: Where = WHERE,
) -> None:
    """Look round the node's machine: servers, hosted APIs, command-line tools, accelerators.

    Args:
        all: Show what isn't there too, with what to do about it.
        json: Print JSON.
        where: Which node.
    """
    asyncio.run(_discover(all, json, where))


async def _discover(shows_all: bool, json: bool, where: Where) -> None:
    async with open_client(where) as client:
        with screen.working(f"Looking round {client.name} …", quiet=json):
            look = await client.post("/admin/discovery", {}, _Look)
    if json:
        screen.write_json(look.found)
        return
    absent = [each for each in look.found if _is_absent(each)]
    _show(look.found if shows_all else [each for each in look.found if each not in absent])
    if absent and not shows_all:
        screen.note(f"not there: {', '.join(each.name for each in absent)} (--all says more)")
    if not look.on:
        screen.note("discovery.auto is off: nothing that is found is asked")


def _is_absent(found: Found) -> bool:
    """Whether there is nothing of it: hosted APIs are there once their keys are."""
    return found.verdict is Verdict.NOT_THERE or (
        found.verdict is Verdict.NEEDS_KEY and "isn't set" in found.reason
    )


def _show(found: Sequence[Found]) -> None:
    from rich.text import Text

    from inferd.cli.render import grid

    table = grid("", "what", "where", "models", "why, and what to do")
    for each in found:
        mark = Text(each.verdict, _STYLES[each.verdict])
        why = each.reason + (f"\n{each.hint}" if each.hint else "")
        name = f"{each.name} {each.version}".strip()
        cells = (name, each.endpoint, _models(each.models), why)
        table.add_row(mark, *(Text(screen.printable(cell)) for cell in cells))
    screen.show(table)


def _models(names: Sequence[str]) -> str:
    shown = "\n".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown}\nand {more} more" if more > 0 else shown
