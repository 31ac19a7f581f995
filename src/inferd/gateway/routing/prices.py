"""What an answer costs, and asking where it costs least."""

from collections.abc import Sequence

import msgspec

from inferd.core.request import InferenceRequest, Tier
from inferd.gateway.admission.estimate import estimate, tokens_of_question
from inferd.gateway.routing.member import ANY_MODEL, Member
from inferd.gateway.routing.picking import LeastLoaded, Picker

_UNKNOWN = float("inf")


class _Group(msgspec.Struct, frozen=True):
    """A group at one price."""

    price: tuple[float, float]
    places: tuple[int, ...]
    picker: Picker


def price_of(member: Member, model: str) -> tuple[float, float]:
    """Return what a million tokens cost, read and written.

    Where nobody said, a hosted API's price is unknown, and so above every other; what runs on
    your own machines, or on those of people you know, is free.
    """
    price = member.prices.get(model) or member.prices.get(ANY_MODEL)
    if price is not None:
        return price.input, price.output
    return (_UNKNOWN, _UNKNOWN) if member.backend.tier is Tier.CLOUD else (0.0, 0.0)


class Cheapest(Picker):
    """Asks where this request costs least; among those, who is at the fewest requests."""

    __slots__ = ("_groups", "_place")

    def __init__(self, members: Sequence[Member], models: Sequence[str]) -> None:
        super().__init__(members)
        by_price: dict[tuple[float, float], list[int]] = {}
        for index, (member, model) in enumerate(zip(members, models, strict=True)):
            by_price.setdefault(price_of(member, model), []).append(index)
        self._groups = [
            _Group(price, tuple(places), LeastLoaded([members[index] for index in places]))
            for price, places in sorted(by_price.items())
        ]

    def first(self, turn: int, request: InferenceRequest, /) -> int:
        """Return the idlest of the cheapest."""
        group = self._groups[0]
        if len(self._groups) > 1:
            group = self._by_cost(request)[0]
        return group.places[group.picker.first(turn, request)]

    def order(self, turn: int, request: InferenceRequest) -> list[int]:
        """Return all indices, the cheapest first."""
        return [
            group.places[index]
            for group in self._by_cost(request)
            for index in group.picker.order(turn, request)
        ]

    def _by_cost(self, request: InferenceRequest) -> list[_Group]:
        read = tokens_of_question(request)
        written = estimate(request) - read
        return sorted(
            self._groups, key=lambda group: cost_of(group.price, read=read, written=written)
        )


def cost_of(price: tuple[float, float], *, read: int, written: int) -> float:
    """Return what so many tokens cost."""
    return (price[0] * read + price[1] * written) / 1e6
