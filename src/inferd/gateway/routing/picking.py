"""Whom to ask among equals. A picker is made for one group of them, and says who is first.

Nearly every request needs only the first, and it is found in about the same time whatever their
number: of many, so many are looked at as make a good choice likely.
"""

from collections.abc import Sequence

from inferd.core.request import InferenceRequest
from inferd.gateway.routing.member import Member

_LOOKED_AT = 12
"""Equals that a choice by load or wait looks at, from the turn's on: with more of them, the best
of a dozen is hardly worse than the best of all, and found at once."""
_UNEXPLORED = 1e6
"""Seconds that one is expected to take which is at its very first requests."""
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1

Members = Sequence[Member]


class Picker:
    """Asks equals in turn. `first` and `order` agree on who is first; `order` changes nothing."""

    __slots__ = ("count", "members")

    def __init__(self, members: Members) -> None:
        self.members = tuple(members)
        self.count = len(self.members)

    def first(self, turn: int, _request: InferenceRequest, /) -> int:
        """Return the index of the one to ask at this turn; there is at least one."""
        return turn % self.count

    def chosen(self, turn: int, request: InferenceRequest) -> int:
        """Return what `first` would, and remember nothing."""
        return self.first(turn, request)

    def order(self, turn: int, request: InferenceRequest) -> list[int]:
        """Return all indices, first to last."""
        if not self.count:
            return []
        start = turn % self.count
        following = [*range(start, self.count), *range(start)]
        following.sort(key=self._cost)
        first = self.chosen(turn, request)
        following.remove(first)
        return [first, *following]

    def _cost(self, _index: int) -> float:
        """Say how much is against the one at `index`; equals keep their turns."""
        return 0.0

    def _least(self, turn: int) -> int:
        """Return the index of whom least is against, of those that are looked at."""
        count, cost = self.count, self._cost
        index = best = turn % count
        least = cost(index)
        for _ in range(min(count, _LOOKED_AT) - 1):
            if not least:
                return best
            index += 1
            if index == count:
                index = 0
            against = cost(index)
            if against < least:
                least, best = against, index
        return best


class Only(Picker):
    """Asks the one there is."""

    __slots__ = ()

    def first(self, _turn: int, _request: InferenceRequest, /) -> int:
        """Return the first of one."""
        return 0


class LeastLoaded(Picker):
    """Asks who is at the fewest requests; among those, each in its turn."""

    __slots__ = ()

    def first(self, turn: int, _request: InferenceRequest, /) -> int:
        """Return the idlest."""
        return self._least(turn)

    def _cost(self, index: int) -> float:
        return self.members[index].in_flight


class BestPerformance(Picker):
    """Asks where the shortest wait is expected: time until it begins, times the requests there.

    One that was never used gets a request, and others once that has ended; of one that isn't
    used, what is remembered fades (Member.fade), so that it is tried again in time.
    """

    __slots__ = ()

    def first(self, turn: int, _request: InferenceRequest, /) -> int:
        """Return the quickest."""
        return self._least(turn)

    def _cost(self, index: int) -> float:
        return wait(self.members[index])


class TwoChoices(BestPerformance):
    """Asks the better of two, drawn anew for each turn: no herd runs to whoever looks best."""

    __slots__ = ()

    def first(self, turn: int, _request: InferenceRequest, /) -> int:
        """Return the better of two."""
        drawn = (turn * _GOLDEN) & _MASK
        drawn ^= drawn >> 29
        one = (drawn >> 32) % self.count
        other = (drawn & 0xFFFFFFFF) % (self.count - 1)
        if other >= one:
            other += 1
        return other if wait(self.members[other]) < wait(self.members[one]) else one


def wait(member: Member) -> float:
    """Return how long a request is expected to wait there for its answer to begin, in seconds."""
    latency = member.latency
    if not latency:
        # Exploring it is worth one request at a time: nobody knows yet what it can do.
        return member.in_flight * _UNEXPLORED
    return latency * (member.in_flight + 1)
