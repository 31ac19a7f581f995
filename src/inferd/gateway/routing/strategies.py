"""The strategies by name: in which order equals are asked."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from inferd.core.errors import InvalidRequest
from inferd.gateway.routing.affinity import Affinity, PrefixAffinity
from inferd.gateway.routing.picking import (
    BestPerformance,
    LeastLoaded,
    Members,
    Only,
    Picker,
    TwoChoices,
)
from inferd.gateway.routing.prices import Cheapest


class Strategy(msgspec.Struct, frozen=True):
    """How equals share the work. `says` is why the first of them is the first, in words.

    `make` takes equals, the model each would run, and what is remembered of prompts.
    """

    name: str
    says: str
    make: Callable[[Members, Sequence[str], Affinity], Picker]

    def picker(self, members: Members, models: Sequence[str], affinity: Affinity) -> Picker:
        """Return who picks among these equals."""
        return Only(members) if len(members) == 1 else self.make(members, models, affinity)


ROUND_ROBIN = Strategy(
    "round_robin", "it is its turn", lambda members, _models, _affinity: Picker(members)
)
LEAST_LOADED = Strategy(
    "least_loaded",
    "it is at the fewest requests",
    lambda members, _models, _affinity: LeastLoaded(members),
)
BEST_PERFORMANCE = Strategy(
    "best_performance",
    "the shortest wait is expected there",
    lambda members, _models, _affinity: BestPerformance(members),
)
P2C = Strategy(
    "p2c",
    "it is the better of two that were drawn",
    lambda members, _models, _affinity: TwoChoices(members),
)
COST = Strategy(
    "cost", "it costs least", lambda members, models, _affinity: Cheapest(members, models)
)
PREFIX_AFFINITY = Strategy(
    "prefix_affinity",
    "it knows most of the prompt, or is the idlest",
    lambda members, _models, affinity: PrefixAffinity(members, affinity),
)

STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy
    for strategy in (
        ROUND_ROBIN,
        LEAST_LOADED,
        BEST_PERFORMANCE,
        P2C,
        COST,
        PREFIX_AFFINITY,
    )
}


def strategy_called(name: str) -> Strategy:
    """Return the strategy of that name.

    Raises:
        InvalidRequest: There is none; it says which there are.
    """
    found = STRATEGIES.get(name)
    if found is None:
        raise InvalidRequest(
            f"there is no strategy called {name[:100]}",
            hint=f"there are {', '.join(STRATEGIES)}",
            details={"param": "strategy", "strategies": list(STRATEGIES)},
        )
    return found
