"""The names that routes give to models, as rows beside the models themselves."""

from collections.abc import Iterable, Iterator, Mapping

from inferd.core.request import InferenceRequest
from inferd.gateway.catalogue import Row
from inferd.gateway.routing.routes import Route

_SIGNS = frozenset("*?[")


def aliases(routes: Iterable[Route], rows: Mapping[str, Row]) -> Iterator[Row]:
    """Yield a row for each name that routes put in a model's place, where they name one.

    It runs where the first of its models that is among `rows` does; it does what all of them do,
    and says which those are. A model that there is keeps its own row.
    """
    known = {alias: row for row in rows.values() for alias in row.aliases}
    known.update(rows)
    meant: dict[str, dict[str, list[Row]]] = {}
    for route in routes:
        for name in route.models:
            if name in rows or not _SIGNS.isdisjoint(name):
                continue
            tasks = meant.setdefault(name, {})
            for model in (model for model in route.use if model in known):
                for task in known[model].tasks:
                    asking = InferenceRequest(id="", task=task, model=name)
                    if route.covers(asking) and model in route.models_for(asking):
                        tasks.setdefault(task, []).append(known[model])
    for name, tasks in meant.items():
        if tasks:
            first = next(iter(tasks.values()))[0]
            yield Row(
                id=name,
                tasks=tuple(sorted(tasks)),
                stands_for=tuple(dict.fromkeys(row.id for each in tasks.values() for row in each)),
                places=first.places,
                gated=first.gated,
                verdict=first.verdict,
            )
