"""`inferd usage`: the ledger, added up. It reads the file, so the node may be down."""

import csv
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec
from cyclopts import Parameter

from inferd.cli import screen
from inferd.cli.failure import Failure, Misuse, did_you_mean
from inferd.cli.settings import SOURCE, SWITCH, Source, read
from inferd.core.records import Row
from inferd.node.home import Home
from inferd.storage.ledger import GROUPS, Ledger, LedgerBroken, Total
from inferd.telemetry.clock import SystemClock

T = TypeVar("T")

_AGO = re.compile(r"(\d+)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_BY = (
    f"Group by some of {', '.join(GROUPS)}. What is added up: tokens where a model counts them, "
    "units elsewhere: texts, rows or images."
)
_SUMS = ("requests", "failed", "input_tokens", "output_tokens", "units", "seconds")


def usage(
    *,
    by: Annotated[str, Parameter(name=["--by", "-b"], help=_BY)] = "principal,model",
    since: Annotated[str, Parameter(show_default=False)] = "",
    latest: Annotated[int | None, Parameter(name=["--latest", "-n"])] = None,
    json: Annotated[bool, SWITCH] = False,
    csv: Annotated[bool, SWITCH] = False,
    source: Source = SOURCE,
) -> None:
    """Show who used what, from the ledger; the node may be down.

    Args:
        by: What to group by.
        since: Only from then on: 7d, 12h, or a date like 2026-01-31.
        latest: Instead, show this many of the newest requests.
        json: Print JSON.
        csv: Print CSV.
        source: Which configuration.
    """
    groups, start = _groups(by), _start(since)
    home = Home(read(source, serves=False).config.server.home)
    if latest is None:
        totals = _asked(home, lambda ledger: ledger.totals(groups, since=start))
        _print(*_summed(groups, totals), json=json, as_csv=csv)
    else:
        rows = _asked(home, lambda ledger: ledger.latest(latest))
        found = (msgspec.structs.astuple(row) for row in rows if row.at >= start)
        _print(Row.__struct_fields__, found, json=json, as_csv=csv)


def _asked(home: Home, question: Callable[[Ledger], list[T]]) -> list[T]:
    """Ask the ledger, if there is one: opening it makes one, and asking for usage shouldn't."""
    if not home.ledger.exists():
        return []
    ledger = Ledger(home.ledger)
    try:
        return question(ledger)
    except LedgerBroken as error:
        raise Failure(f"{error.message}: {home.ledger}", hint=error.hint) from error
    finally:
        ledger.close()


def _groups(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in GROUPS:
            hint = did_you_mean(name, GROUPS, f"group by some of {', '.join(GROUPS)}")
            raise Misuse(f"usage isn't kept by {name}", hint=hint)
    if not names:
        raise Misuse("--by names nothing", hint=f"group by some of {', '.join(GROUPS)}")
    return names


def _start(text: str) -> float:
    """Return the moment that `--since` means, in seconds since the epoch."""
    if not text:
        return 0.0
    if ago := _AGO.fullmatch(text):
        return SystemClock.wall() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise Misuse(f"--since {text} is no time", hint="write 7d, 12h or 2026-01-31") from error


def _summed(
    groups: Sequence[str], totals: Iterable[Total]
) -> tuple[Sequence[str], list[Sequence[object]]]:
    columns = (*groups, *_SUMS)
    return columns, [(*each.group, *(getattr(each, name) for name in _SUMS)) for each in totals]


def _print(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, json: bool, as_csv: bool
) -> None:
    lines = list(rows)
    if json:
        screen.write_json([dict(zip(columns, line, strict=True)) for line in lines])
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)
        return
    if not lines:
        screen.note("nothing is recorded")
        return
    from rich.text import Text

    from inferd.cli.render import grid

    table = grid(*(name.replace("_", " ") for name in columns))
    for line in lines:
        table.add_row(
            *(Text(_cell(name, value)) for name, value in zip(columns, line, strict=True))
        )
    screen.show(table)


def _cell(column: str, value: object) -> str:
    if column == "at" and isinstance(value, float):
        try:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(value))
        except (ValueError, OverflowError, OSError):
            return f"{value:g}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return screen.printable(str(value)) or "-"
