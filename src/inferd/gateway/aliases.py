"""The names that routes give to models, as rows beside the models themselves."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from inferd.core.request import InferenceRequest
from inferd.gateway.catalogue import Row
from inferd.gateway.routing.routes import Route

_SIGNS = frozenset("*?[")


def aliases(routes: Iterable[Route], rows: Mapping[str, Row]) -> Iterator[Row]:
    """Yield a row for each name that routes put in a model's place, where they name one.

    It says of it what is said of the first of its models that is among `rows`; the tasks are
    those of all. A model that there is keeps its own row.
    """
    known = {alias: row for row in rows.values() for alias in row.aliases}
    known.update(rows)
    meant: dict[str, dict[str, Row]] = {}
    for route in routes:
        for name in route.models:
            if name in rows or not _SIGNS.isdisjoint(name):
                continue
            tasks = meant.setdefault(name, {})
            for row in (known[model] for model in route.use if model in known):
                for task in row.tasks:
                    if task not in tasks and route.covers(_asking(name, task)):
                        tasks[task] = row
    for name, tasks in meant.items():
        if tasks:
            first = next(iter(tasks.values()))
            yield msgspec.structs.replace(first, id=name, aliases=(), tasks=tuple(sorted(tasks)))


def _asking(name: str, task: str) -> InferenceRequest:
    return InferenceRequest(id="", task=task, model=name)
