"""What a reader of the models page looks for, as its address says it."""

from typing import Literal
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams

from inferd.gateway.browse import MOST_ROWS, Page, Query, Sort
from inferd.gateway.catalogue import Row

ROWS_A_PAGE = 30
SORTS: tuple[tuple[Sort, str], ...] = (
    ("", "What runs first"),
    ("trending", "Trending"),
    ("downloads", "Downloads"),
    ("likes", "Likes"),
    ("name", "Name"),
)
_MOST_TEXT = 200


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """The filters of `task`; `gated` is "" for both, `dir` is "" for a sort's own direction."""

    task: str
    q: str = ""
    gated: Literal["", "true", "false"] = ""
    runnable: bool = False
    sort: Sort = ""
    dir: Literal["", "asc", "desc"] = ""
    page: int = 1

    @property
    def query(self) -> Query:
        """What this asks of the gateway: everything that matches, in the sort's own direction."""
        return Query(
            task=self.task,
            search=self.q,
            gated=None if not self.gated else self.gated == "true",
            runnable=self.runnable,
            sort=self.sort,
            limit=MOST_ROWS,
        )

    @property
    def is_narrow(self) -> bool:
        """Whether something is left out."""
        return bool(self.q or self.gated or self.runnable)

    @property
    def direction(self) -> Literal["ascending", "descending", ""]:
        """How the sorted column runs; empty where none is sorted."""
        if not self.sort:
            return ""
        natural = "asc" if self.sort == "name" else "desc"
        return "ascending" if (self.dir or natural) == "asc" else "descending"

    @property
    def is_reversed(self) -> bool:
        """Whether it runs against the sort's own direction."""
        return bool(self.sort) and self.direction != _NATURAL.get(self.sort, "descending")

    def pairs(self, **changes: object) -> dict[str, str]:
        """Return what an address says of these filters once `changes` are made."""
        values = msgspec.to_builtins(msgspec.structs.replace(self, **changes))
        said = {name: _word(value) for name, value in values.items()}
        return {name: text for name, text in said.items() if text and (name, text) != ("page", "1")}

    def href(self, path: str = "/", **changes: object) -> str:
        """Return the address of the page with `changes` made; a new filter is on its first page."""
        return f"{path}?{urlencode(self.pairs(**{'page': 1, **changes}))}"


_NATURAL = {"name": "ascending"}


def read(query: QueryParams, task: str) -> Filters:
    """Read an address. What it says wrongly is as good as unsaid: an old link still opens."""
    gated, order, way = (query.get(name, "").lower() for name in ("gated", "sort", "dir"))
    page = query.get("page", "")
    return Filters(
        task=task,
        q=" ".join(query.get("q", "").split())[:_MOST_TEXT],
        gated=gated if gated in ("true", "false") else "",
        runnable=query.get("runnable", "").lower() in ("true", "1", "on"),
        sort=order if order in dict(SORTS) else "",
        dir=way if way in ("asc", "desc") else "",
        page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 4 else 1,
    )


def ordered(page: Page, filters: Filters) -> list[Row]:
    """Return the rows in the direction asked for; what isn't known comes last both ways."""
    rows = list(page.rows)
    if not filters.is_reversed:
        return rows
    known = [row for row in rows if _figure(row, filters.sort) is not None]
    return known[::-1] + [row for row in rows if _figure(row, filters.sort) is None]


def _figure(row: Row, sort: Sort) -> float | str | None:
    match sort:
        case "trending":
            return row.trending_score
        case "downloads":
            return row.downloads
        case "likes":
            return row.likes
        case _:
            return row.id


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return str(value)
