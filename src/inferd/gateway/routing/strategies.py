"""In which order to try equals. A strategy is one function: members in, the same members out."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferd.gateway.routing.pool import Member

Strategy = Callable[[Sequence["Member"], int], list["Member"]]
"""`(equals, turn) -> order`; `turn` counts requests."""


def round_robin(members: Sequence["Member"], turn: int) -> list["Member"]:
    """Each in its turn."""
    start = turn % len(members) if members else 0
    return [*members[start:], *members[:start]]


def least_loaded(members: Sequence["Member"], turn: int) -> list["Member"]:
    """Fewest requests in flight first; among those, each in its turn."""
    return sorted(round_robin(members, turn), key=lambda member: member.in_flight)


def best_performance(members: Sequence["Member"], turn: int) -> list["Member"]:
    """Lowest expected wait first. One never used has no latency yet and so is explored."""
    return sorted(
        round_robin(members, turn), key=lambda member: member.latency * (member.in_flight + 1)
    )


STRATEGIES: Mapping[str, Strategy] = {
    "round_robin": round_robin,
    "least_loaded": least_loaded,
    "best_performance": best_performance,
}
