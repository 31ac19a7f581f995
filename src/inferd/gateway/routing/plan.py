"""Whom to ask for one shape of request: sorted once, grouped anew when somebody falls ill."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from inferd.core.request import InferenceRequest
from inferd.gateway.routing.affinity import Affinity
from inferd.gateway.routing.breaker import State
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.strategies import Strategy

_NEVER = float("inf")

Rank = tuple[bool, bool, int, bool, int, int, int, bool]
"""Where a match stands while all are well, lowest first: asked for elsewhere and not there,
preferred elsewhere and not there, the place of its model among those a route names, another model
than the usual one, the place of its tier in the route, priority, tier, a node."""


class Match:
    """A backend that can and may answer, the id it knows the model by, and where it stands."""

    __slots__ = ("member", "model", "rank")

    def __init__(self, member: Member, model: str, rank: Rank) -> None:
        self.member = member
        self.model = model
        self.rank = rank

    @property
    def choice(self) -> tuple[int, bool]:
        """Which of the models that would do this is: the place of it in a route, and if usual."""
        return self.rank[2:4]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.member.name} as {self.model}>"


M = TypeVar("M", bound=Match)


class _Group(Generic[M]):
    """Equals, and how they share the work."""

    __slots__ = ("first", "matches", "picker", "strategy")

    def __init__(self, matches: Sequence[M], strategy: Strategy, affinity: Affinity) -> None:
        self.matches = tuple(matches)
        self.strategy = strategy
        self.picker = strategy.picker(
            [match.member for match in matches], [match.model for match in matches], affinity
        )
        self.first = self.picker.first

    def ordered(self, turn: int, request: InferenceRequest) -> Iterator[M]:
        return (self.matches[index] for index in self.picker.order(turn, request))


class Plan(Generic[M]):
    """Who may answer, best first. Whoever keeps one makes another when `offers` has changed.

    A backend that failed is asked last until its time is up: `health` is the pool's count of such
    changes, and the groups follow it. The first to ask costs the same whatever their number
    (where the strategy does), and the others are only put in order when it fails.
    """

    __slots__ = (
        "_affinity",
        "_groups",
        "_health",
        "_matches",
        "_nodes",
        "_others",
        "_until",
        "caches",
        "goes_on",
        "offers",
        "turn",
    )

    def __init__(
        self,
        matches: Sequence[M],
        strategy: Strategy,
        node_strategy: Strategy,
        *,
        affinity: Affinity | None = None,
        offers: int = 0,
        turn: int = 0,
    ) -> None:
        self._matches = tuple(matches)
        self._others = strategy
        self._nodes = node_strategy
        self._affinity = Affinity() if affinity is None else affinity
        self._groups: tuple[_Group[M], ...] = ()
        self._health = -1
        self._until = _NEVER
        self.goes_on = any(match.member.backend.traits.continues for match in matches)
        """Whether anybody goes on with what another has begun."""
        self.caches: bool | None = None
        """Whether a route says that answers may be kept, or mustn't; None where none does."""
        self.offers = offers
        self.turn = turn

    def __len__(self) -> int:
        return len(self._matches)

    def __repr__(self) -> str:
        return f"<Plan of {len(self._matches)}>"

    @property
    def strategy(self) -> Strategy:
        """The one by which the best equals are ordered; its own where nobody was asked for yet."""
        return self._groups[0].strategy if self._groups else self._others

    @property
    def equals(self) -> tuple[M, ...]:
        """The best of them, among whom the strategy chooses, as they were last grouped."""
        return self._groups[0].matches if self._groups else ()

    def first(self, now: float, health: int, request: InferenceRequest) -> M:
        """Return whom to ask; the next call is another turn. There must be somebody."""
        if health != self._health or now >= self._until:
            self._regroup(now, health)
        turn = self.turn
        self.turn = turn + 1
        group = self._groups[0]
        return group.matches[group.first(turn, request)]

    def chosen(self, now: float, health: int, request: InferenceRequest) -> M:
        """Return whom `first` would; whose turn it is doesn't change, and nothing is remembered."""
        if health != self._health or now >= self._until:
            self._regroup(now, health)
        group = self._groups[0]
        return group.matches[group.picker.chosen(self.turn, request)]

    def order(self, now: float, health: int, request: InferenceRequest) -> Iterator[M]:
        """Yield everybody as this turn would ask them; whose turn it is doesn't change."""
        if health != self._health or now >= self._until:
            self._regroup(now, health)
        turn = self.turn
        for group in self._groups:
            yield from group.ordered(turn, request)

    def _regroup(self, now: float, health: int) -> None:
        groups: dict[tuple[bool | int, ...], list[M]] = {}
        until = _NEVER
        for match in self._matches:
            is_aside, among_equals, changes_at = _standing(match.member, now)
            until = min(until, changes_at)
            # Asked for elsewhere, a node that just failed is still tried before this machine.
            elsewhere, *rest = match.rank
            groups.setdefault((elsewhere, is_aside, *rest, among_equals), []).append(match)
        self._groups = tuple(
            _Group(groups[key], self._nodes if key[-2] else self._others, self._affinity)
            for key in sorted(groups)
        )
        self._health, self._until = health, until


_ON_TRIAL, _WELL, _DEGRADED = range(3)


def _standing(member: Member, now: float) -> tuple[bool, int, float]:
    """Return whether it is asked last, where it stands among equals, and when that changes.

    One whose time is up is the first of its equals for one request, which tries it; until that
    has ended, the others keep away.
    """
    if not member.is_troubled:
        return False, _WELL, _NEVER
    breaker = member.breaker
    state = breaker.look(now)
    if state is State.OPEN:
        return True, _WELL, breaker.until
    if member.is_offline:
        return True, _WELL, _NEVER
    if state is State.HALF_OPEN:
        return breaker.is_on_trial, _ON_TRIAL, _NEVER
    if breaker.degraded_until > now:
        return False, _DEGRADED, breaker.degraded_until
    return False, _WELL, _NEVER
