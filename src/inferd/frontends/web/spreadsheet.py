"""Tables for spreadsheets."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from inferd.frontends._http.exchange import Exchange

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins so for a formula."""


async def send(
    exchange: Exchange, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Answer with a CSV file called `name`."""
    text = StringIO()
    table = csv.writer(text)
    table.writerow(columns)
    table.writerows([_cell(value) for value in row] for row in rows)
    await exchange.reply(
        text.getvalue().encode(),
        content_type="text/csv; charset=utf-8",
        headers=[("Content-Disposition", f'attachment; filename="{name}"')],
    )


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet computes."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return value
