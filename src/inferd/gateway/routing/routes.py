"""Routes: what the owner says of some models or tasks, before anybody is chosen."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import msgspec

from inferd.core.request import InferenceRequest, Tier
from inferd.gateway.routing.strategies import Strategy

INCOMPARABLE = frozenset({"feature-extraction", "image-feature-extraction"})
"""Tasks whose answers of different models can't be compared: better none than another model's."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for the requests whose model and task match one of the patterns.

    `name` is how the owner finds it. `use` are the models asked for instead, the first that
    somebody can and may run; empty leaves the request's own. `order` are tiers, nearest to the
    owner's heart first; those that aren't named come after. After `hedge_after` seconds without
    a first byte, a second backend is asked too. `cache`: whether answers may be kept that a
    model would give otherwise each time; None leaves that to the node.
    """

    name: str = ""
    models: tuple[str, ...] = ("*",)
    tasks: tuple[str, ...] = ("*",)
    use: tuple[str, ...] = ()
    strategy: Strategy | None = None
    order: tuple[Tier, ...] = ()
    hedge_after: float | None = None
    cache: bool | None = None

    def covers(self, request: InferenceRequest) -> bool:
        """Whether it holds for this request."""
        return _any_fits(self.models, request.model) and _any_fits(self.tasks, request.task)

    def models_for(self, request: InferenceRequest) -> tuple[str, ...]:
        """Return the names to look for, in turn.

        Vectors of different models can't be compared, so that there is but one for those tasks.
        """
        names = self.use or (request.model,)
        return names[:1] if request.task in INCOMPARABLE else names

    def place_of(self, tier: Tier) -> int:
        """Return where backends that far away come."""
        order = self.order
        return order.index(tier) if tier in order else len(order)


NO_ROUTE = Route()


def route_of(routes: Sequence[Route], request: InferenceRequest) -> Route:
    """Return the first route that covers the request; one that says nothing where none does."""
    return next((route for route in routes if route.covers(request)), NO_ROUTE)


def _any_fits(patterns: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
