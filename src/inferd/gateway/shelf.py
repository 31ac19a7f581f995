"""What was made of the models on offer, kept while no backend offers anything else."""

from collections.abc import Callable
from typing import Any, TypeVar

from inferd.core.request import Principal
from inferd.gateway.admission.policy import Policy
from inferd.gateway.catalogue import Row
from inferd.gateway.routing.member import Changes

T = TypeVar("T")

_MOST_KEPT = 8
"""Things kept together; each may be a listing of many megabytes."""

Make = Callable[[list[Row]], T]


class Shelf:
    """Keeps what is made of the models that a group of principals sees."""

    def __init__(self, policy: Policy, changes: Changes) -> None:
        self._policy = policy
        self._changes = changes
        self._offers = changes.offers
        self._kept: dict[tuple[int, Make[Any]], Any] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, principal: Principal, make: Make[T], rows: Callable[[], list[Row]]) -> T:
        """Return what `make` makes of `rows()`, from the shelf where it lies there.

        It goes by the rows' ids, tasks, aliases and details: where they run changes meanwhile.
        """
        if self._offers != self._changes.offers:
            self._offers = self._changes.offers
            self._kept.clear()
        key = (self._policy.group(principal), make)
        if key not in self._kept:
            while len(self._kept) >= _MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = make(rows())
        return self._kept[key]
