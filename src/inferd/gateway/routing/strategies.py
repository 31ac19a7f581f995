"""In which order to try equals. A strategy says whom to ask first, and how to go on from there."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from inferd.core.request import InferenceRequest

if TYPE_CHECKING:
    from inferd.gateway.routing.member import Member

Members = Sequence["Member"]
First = Callable[[Members, int, InferenceRequest], int]
Order = Callable[[Members, int, InferenceRequest], list["Member"]]


class Strategy(msgspec.Struct, frozen=True):
    """How equals share the work; `turn` counts requests. The two ways of asking agree.

    Nearly every request needs only the first, so that is found without sorting the others.
    """

    first: First
    """`(equals, turn, request) -> index` of the one to ask; there is at least one."""
    order: Order
    """`(equals, turn, request) -> the same members`, first to last."""


def only(_members: Members, _turn: int, _request: InferenceRequest, /) -> int:
    """Return the first of one."""
    return 0


def _in_turn(members: Members, turn: int, _request: InferenceRequest) -> int:
    return turn % len(members)


def _from_turn(members: Members, turn: int) -> list["Member"]:
    start = turn % len(members) if members else 0
    return [*members[start:], *members[:start]]


def _each_in_turn(members: Members, turn: int, _request: InferenceRequest) -> list["Member"]:
    return _from_turn(members, turn)


def _idlest(members: Members, turn: int, _request: InferenceRequest) -> int:
    return _least([member.in_flight for member in members], turn)


def _by_load(members: Members, turn: int, _request: InferenceRequest) -> list["Member"]:
    return sorted(_from_turn(members, turn), key=lambda member: member.in_flight)


def _quickest(members: Members, turn: int, _request: InferenceRequest) -> int:
    return _least([member.latency * (member.in_flight + 1) for member in members], turn)


def _by_wait(members: Members, turn: int, _request: InferenceRequest) -> list["Member"]:
    return sorted(
        _from_turn(members, turn), key=lambda member: member.latency * (member.in_flight + 1)
    )


def _least(values: Sequence[float], turn: int) -> int:
    """Return the index of the least; among several, of the first from the turn's start on."""
    least = min(values)
    for index in range(turn % len(values), len(values)):
        if values[index] == least:
            return index
    return values.index(least)


ROUND_ROBIN = Strategy(_in_turn, _each_in_turn)
"""Each in its turn."""
LEAST_LOADED = Strategy(_idlest, _by_load)
"""Fewest requests in flight first; among those, each in its turn."""
BEST_PERFORMANCE = Strategy(_quickest, _by_wait)
"""Lowest expected wait first. One never used has no latency yet and so is explored."""

STRATEGIES: Mapping[str, Strategy] = {
    "round_robin": ROUND_ROBIN,
    "least_loaded": LEAST_LOADED,
    "best_performance": BEST_PERFORMANCE,
}
