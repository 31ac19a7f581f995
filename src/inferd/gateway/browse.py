"""The list of models as people look through it: merged, filtered, sorted, a page at a time."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.core.hub import Cache, HubFailure, HubQuery, Listing
from inferd.gateway.catalogue import Catalogue, Row

Sort = Literal["", "trending", "downloads", "likes", "name"]
MOST_ROWS = 1000
_MOST_TEXT = 200
_NO_LISTING = Listing()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: models of `task` whose names hold every word of `search`.

    `runnable`: only what a usable place runs now. An empty `sort` is what backends list, nearest
    first, and then the Hub's trending. `remote`: places beyond this machine count too. `hub`: so do
    models that no backend lists.
    """

    task: str
    search: str = ""
    gated: bool | None = None
    runnable: bool = False
    sort: Sort = ""
    limit: int = MOST_ROWS
    cursor: str = ""
    remote: bool = True
    hub: bool = True

    @property
    def of_hub(self) -> HubQuery:
        """What this asks of the Hub."""
        search = " ".join(self.search.split())[:_MOST_TEXT].lower()
        match self.sort:
            case "downloads" | "likes" as sort:
                return HubQuery(task=self.task, search=search, sort=sort)
            case _:
                return HubQuery(task=self.task, search=search)

    @property
    def want(self) -> int:
        """How many of the Hub's models it takes to answer: all, where rows are left out."""
        picks = self.gated is not None or self.runnable or self.sort == "name"
        return MOST_ROWS if picks else min(MOST_ROWS, _offset(self.cursor)[0] + self.limit)


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of `total` that are known to match; `next_cursor` is empty on the last page.

    `own` counts what backends list for the task, before any filter. `cache`, `age` (seconds) and
    `failure` say how good the Hub's part is.
    """

    rows: tuple[Row, ...]
    total: int
    next_cursor: str = ""
    own: int = 0
    cache: Cache = "none"
    age: float | None = None
    failure: HubFailure | None = None

    @property
    def error(self) -> str:
        """Why the Hub's part is old, or missing; empty where it isn't."""
        return "" if self.failure is None else self.failure.message

    @property
    def hint(self) -> str:
        """What to do about it."""
        return "" if self.failure is None else self.failure.hint


class TaskCount(msgspec.Struct, frozen=True, kw_only=True):
    """A task, and how many of its models are known, and run somewhere now."""

    name: str
    label: str
    category: str
    models: int
    runnable: int


def page(catalogue: Catalogue, query: Query, listing: Listing = _NO_LISTING) -> Page:
    """Return the page of `query` over what the backends list and `listing`.

    Raises:
        InvalidRequest: The cursor is none of ours.
    """
    own = catalogue.own(query.task)
    rows = _sorted(_picked(_merged(catalogue, query, own, listing), query), query.sort)
    start = _start(query.cursor, rows)
    end = start + query.limit
    shown = tuple(rows[start:end])
    has_more = end < len(rows) or (listing.more and bool(shown))
    return Page(
        rows=shown,
        total=len(rows),
        next_cursor=_cursor(start + len(shown), shown[-1].id) if has_more and shown else "",
        own=len(own),
        cache=listing.cache,
        age=listing.age,
        failure=listing.failure,
    )


def count(
    catalogue: Catalogue, name: str, label: str, category: str, listing: Listing
) -> TaskCount:
    """Count a task's models: what backends list, and what is known of the Hub."""
    own = catalogue.own(name)
    runnable = sum(row.verdict.where != "no" for row in own.values())
    others = [model for model in listing.models if model.id not in own]
    runnable += sum(catalogue.runs_hub_model(model, name) for model in others)
    return TaskCount(
        name=name,
        label=label,
        category=category,
        models=len(own) + len(others),
        runnable=runnable,
    )


def _merged(
    catalogue: Catalogue, query: Query, own: Mapping[str, Row], listing: Listing
) -> Iterable[Row]:
    """Yield what backends list, then the rest of the Hub's, in its order."""
    of_hub = {model.id: model for model in listing.models}
    for name, row in own.items():
        model = of_hub.pop(name, None)
        yield (model and catalogue.merged(model, query.task, row)) or row
    for model in of_hub.values():
        if (row := catalogue.merged(model, query.task, None)) is not None:
            yield row


def _picked(rows: Iterable[Row], query: Query) -> list[Row]:
    words = query.search.lower().split()
    return [
        row
        for row in rows
        if (query.gated is None or query.gated == (row.gated != "false"))
        and not (query.runnable and row.verdict.where in {"no", "download"})
        and all(_named(row, word) for word in words)
    ]


def _named(row: Row, word: str) -> bool:
    return word in row.id.lower() or any(word in alias.lower() for alias in row.aliases)


def _sorted(rows: list[Row], sort: Sort) -> list[Row]:
    match sort:
        case "":
            return rows
        case "name":
            return sorted(rows, key=lambda row: row.id.lower())
        case "trending":
            return sorted(rows, key=lambda row: _falling(row.trending_score))
        case "downloads":
            return sorted(rows, key=lambda row: _falling(row.downloads))
        case "likes":
            return sorted(rows, key=lambda row: _falling(row.likes))


def _falling(figure: float | None) -> float:
    """Sort the greatest first, and the unknown last."""
    return 1.0 if figure is None else -figure


def _cursor(offset: int, last: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode((offset, last))).decode().rstrip("=")


def _offset(cursor: str) -> tuple[int, str]:
    """Read a cursor: how many rows went before, and the last of them."""
    if not cursor:
        return 0, ""
    try:
        text = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        offset, last = msgspec.json.decode(text, type=tuple[int, str])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise InvalidRequest(
            "the cursor can't be read",
            hint="take it from the Link header, or leave it out",
            details={"param": "cursor"},
        ) from error
    return max(0, offset), last


def _start(cursor: str, rows: list[Row]) -> int:
    """Find the row after the last one shown, wherever the list has moved it since."""
    offset, last = _offset(cursor)
    if offset and offset <= len(rows) and rows[offset - 1].id == last:
        return offset
    for index, row in enumerate(rows):
        if last and row.id == last:
            return index + 1
    return offset
