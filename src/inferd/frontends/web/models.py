"""The page "Models": every model somebody could run, and where it would run."""

from collections.abc import Mapping, Sequence

import msgspec

from inferd.core.errors import InvalidRequest, PermissionDenied, UnsupportedTask
from inferd.core.request import Action
from inferd.core.tasks import check_name, task_named
from inferd.core.words import size_words
from inferd.frontends._http.exchange import Exchange
from inferd.frontends._http.model_rows import row_of
from inferd.frontends.web import figures, model_filters, spreadsheet, trial
from inferd.frontends.web.model_filters import ROWS_A_PAGE, SORTS, Filters
from inferd.frontends.web.shell import may, show
from inferd.gateway.browse import Page, TaskCount
from inferd.gateway.catalogue import Row

_COLUMNS = (
    "id", "where", "label", "reason", "gated", "downloads", "likes", "trending",
    "parameters", "size_bytes", "library", "backends",
)  # fmt: skip


async def show_models(exchange: Exchange) -> None:
    """Show a task's models from what is known already; the page's script asks for the rest."""
    gateway = exchange.context.gateway
    try:
        tasks = gateway.tasks(exchange.principal)
    except PermissionDenied as refused:
        await _show_refused(exchange, refused)
        return
    try:
        filters = _filters(exchange, tasks)
    except UnsupportedTask as unknown:
        await _show_unknown(exchange, unknown, tasks)
        return
    if exchange.query.get("ask") == "hub":
        page = await gateway.browse(exchange.principal, filters.query)
    else:
        page = gateway.browse_known(exchange.principal, filters.query)
    await _show_list(exchange, filters, tasks, page)


async def _show_list(
    exchange: Exchange, filters: Filters, tasks: Sequence[TaskCount], page: Page
) -> None:
    rows = model_filters.ordered(page, filters)
    start = (filters.page - 1) * ROWS_A_PAGE
    shown = [facts(row) for row in rows[start : start + ROWS_A_PAGE]]
    count = next(task for task in tasks if task.name == filters.task)
    may_run = may(exchange, Action.INFER)
    knows = {
        "takes_any": may_run and _takes_any(exchange, filters.task),
        "is_operator": may(exchange, Action.ADMIN),
    }
    await show(
        exchange,
        "models.html",
        page="models",
        title="Models",
        problem="",
        filters=filters,
        kinds=_kinds(tasks),
        count=count,
        rows=shown,
        start=start,
        total=page.total,
        state=page,
        sorts=SORTS,
        may_run=may_run,
        run=_asked_to_run(exchange, filters) if may_run else None,
        is_new=_is_new(exchange),
        has_more=start + ROWS_A_PAGE < len(rows),
        compact=figures.compact,
        ago=figures.ago,
        **knows,
        data={
            "models": {
                **_for_script(filters, page, count),
                **knows,
                "rows": shown,
                "start": start,
                "mayRun": may_run,
            }
        },
    )


def _takes_any(exchange: Exchange, task: str) -> bool:
    """Whether some place would try a model that it doesn't list."""
    return task in exchange.context.gateway.doable(exchange.principal, "").unlisted


async def send_csv(exchange: Exchange) -> None:
    """Send the models that the page's filters leave, as a table for a spreadsheet."""
    gateway = exchange.context.gateway
    filters = _filters(exchange, gateway.tasks(exchange.principal))
    page = await gateway.browse(exchange.principal, filters.query)
    rows = map(_cells, model_filters.ordered(page, filters))
    await spreadsheet.send(exchange, f"models-{filters.task}.csv", _COLUMNS, rows)


def facts(row: Row) -> dict[str, object]:
    """Return a row in the shape of `GET /models`, which the page's script reads too."""
    return {
        **msgspec.to_builtins(row_of(row)),
        "sub": _second_line(row),
        "also": _also(row),
    }


def _also(row: Row) -> str:
    """Name the places beside the first that would run it."""
    return ", ".join([place.backend for place in row.places if place.usable][1:])


def _second_line(row: Row) -> str:
    """Say what is known of a model in few words; the twin of `secondLine` in models/rows.js."""
    if row.stands_for:
        return f"Stands for {', or else '.join(row.stands_for)}"
    said = ["Built in"] if any(place.backend == "local" for place in row.places) else []
    if row.gated != "false":
        said.append("Gated")
    if row.parameters:
        said.append(f"{figures.compact(row.parameters)} parameters")
    if row.size_bytes:
        said.append(size_words(row.size_bytes))
    if row.library:
        said.append(row.library)
    return " · ".join(said)


def _filters(exchange: Exchange, tasks: Sequence[TaskCount]) -> Filters:
    """Read the address; without a task it is the first one that something runs."""
    name = exchange.query.get("task", "")
    if name:
        return model_filters.read(exchange.query, task_named(name).name)
    first = next((task for task in tasks if task.runnable), tasks[0])
    return model_filters.read(exchange.query, first.name)


def _kinds(tasks: Sequence[TaskCount]) -> Mapping[str, Sequence[TaskCount]]:
    kinds: dict[str, list[TaskCount]] = {}
    for task in tasks:
        kinds.setdefault(task.category, []).append(task)
    return kinds


def _asked_to_run(exchange: Exchange, filters: Filters) -> Mapping[str, object] | None:
    try:
        model = check_name("run", exchange.query.get("run", ""))
    except InvalidRequest:
        return None
    return trial.form_values(exchange, filters.task, model) if model else None


def _is_new(exchange: Exchange) -> bool:
    """Whether the owner looks at a node that can reach nobody else yet."""
    pool = exchange.context.gateway.pool
    return exchange.principal.id == "owner" and all(each.source == "local" for each in pool)


def _for_script(filters: Filters, page: Page, count: TaskCount) -> Mapping[str, object]:
    return {
        "filters": filters.pairs(),
        "label": count.label,
        "models": count.models,
        "runnable": count.runnable,
        "total": page.total,
        "cache": page.cache,
        "age": page.age,
        "error": page.error,
        "hint": page.hint,
        "rests": (page.failure and page.failure.retry_after) or 0,
        "sorts": SORTS,
    }


async def _show_refused(exchange: Exchange, refused: PermissionDenied) -> None:
    await show(
        exchange,
        "models.html",
        page="models",
        title="Models",
        status=403,
        problem="You may not look at this node’s models",
        why=refused.hint or "Ask whoever runs the node for a key that may.",
        kinds={},
        filters=None,
    )


async def _show_unknown(
    exchange: Exchange, unknown: UnsupportedTask, tasks: Sequence[TaskCount]
) -> None:
    name = str(unknown.details.get("task", ""))[:80]
    await show(
        exchange,
        "models.html",
        page="models",
        title="Models",
        status=404,
        problem=f"No task is called ‘{name}’",
        why="Pick one of these instead.",
        kinds=_kinds(tasks),
        filters=None,
    )


def _cells(row: Row) -> Sequence[object]:
    verdict = row.verdict
    backends = " ".join(place.backend for place in row.places if place.usable)
    return (
        row.id, verdict.where, verdict.label, verdict.reason, row.gated, row.downloads, row.likes,
        row.trending_score, row.parameters, row.size_bytes, row.library, backends,
    )  # fmt: skip
