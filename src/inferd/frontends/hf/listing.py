"""GET /models: the tasks, or one task's models and where each runs."""

import math
from urllib.parse import urlencode

from inferd.core.errors import UnsupportedTask
from inferd.core.tasks import Task, supported_tasks, task_named
from inferd.frontends._http.errors import HttpRefusal
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.model_rows import rows
from inferd.gateway.browse import MOST_ROWS, Page, Query, Sort

SORTS: tuple[Sort, ...] = ("trending", "downloads", "likes", "name")
MOST_SEARCH = 200
_MOST_CURSOR = 1000


async def models(exchange: Exchange) -> None:
    """Answer it; the tasks come from what is known, a task's models may ask the Hub."""
    gateway = exchange.context.gateway
    name = exchange.query.get("task", "")
    if not name:
        counts = gateway.tasks(exchange.principal)
        await exchange.reply_json({"available_tasks": supported_tasks(), "tasks": counts})
        return
    query = _query(exchange, _task(name).name)
    page = await gateway.browse(exchange.principal, query)
    if page.failure is not None and page.cache == "none" and not page.own:
        # Nothing of anybody's can be shown: an empty list would say that there is no such model.
        raise page.failure
    await exchange.reply_json(rows(page.rows), headers=_headers(exchange, page))


def _query(exchange: Exchange, task: str) -> Query:
    gated = exchange.query.get("gated", "")
    return Query(
        task=task,
        search=_short(exchange, "search", MOST_SEARCH),
        gated=_flag(exchange, "gated") if gated else None,
        runnable=_flag(exchange, "runnable"),
        sort=_sort(exchange.query.get("sort", "")),
        limit=_limit(exchange.query.get("limit", str(MOST_ROWS))),
        cursor=_short(exchange, "cursor", _MOST_CURSOR),
        remote=_flag(exchange, "include_remote"),
        hub=_flag(exchange, "include_hub", default="true"),
    )


def _headers(exchange: Exchange, page: Page) -> list[tuple[str, str]]:
    """Say how many there are, where the next ones are, and how good the Hub's part is."""
    headers = [("X-Total-Count", str(page.total)), ("X-HF-Cache", page.cache)]
    if page.next_cursor:
        said = [(name, text) for name, text in exchange.query.multi_items() if name != "cursor"]
        following = urlencode([*said, ("cursor", page.next_cursor)])
        headers.append(("Link", f'<{exchange.path}?{following}>; rel="next"'))
    if page.error:
        headers.append(("X-HF-Error", page.error))
    if page.failure is not None and page.failure.retry_after is not None:
        headers.append(("X-HF-Retry-After", str(max(1, math.ceil(page.failure.retry_after)))))
    if page.age is not None:
        headers.append(("X-HF-Age", str(round(page.age))))
    return headers


def _task(name: str) -> Task:
    """Return a task; where there is none, the original's listing has words of its own."""
    try:
        return task_named(name)
    except UnsupportedTask as error:
        raise UnsupportedTask(
            f"unsupported task {error.details['task']!r}",
            hint=error.hint,
            details={"supported": error.details["supported_tasks"]},
        ) from error


def _sort(text: str) -> Sort:
    for sort in ("", *SORTS):
        if text == sort:
            return sort
    raise HttpRefusal(422, f"sort must be one of {', '.join(SORTS)}", details={"param": "sort"})


def _limit(text: str) -> int:
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= limit <= MOST_ROWS:
        raise HttpRefusal(
            422, f"limit must be a whole number from 1 to {MOST_ROWS}", details={"param": "limit"}
        )
    return limit


def _short(exchange: Exchange, name: str, most: int) -> str:
    text = exchange.query.get(name, "")
    if len(text) > most:
        raise HttpRefusal(
            422, f"{name} may have {most} characters at most", details={"param": name}
        )
    return text


def _flag(exchange: Exchange, name: str, *, default: str = "false") -> bool:
    match exchange.query.get(name, default).strip().lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise HttpRefusal(422, f"{name} must be true or false", details={"param": name})
