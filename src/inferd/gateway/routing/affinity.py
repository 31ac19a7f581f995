"""Who has read the beginning of a prompt already: engines keep what they made of it for a while."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from inferd.core.request import InferenceRequest
from inferd.gateway.routing.member import Member
from inferd.gateway.routing.picking import LeastLoaded

_FIRST_END = 256
"""Bytes of the shortest beginning that is worth remembering."""
_GROWTH = 1.5
_LONGEST = 64 << 10
_MOST_KEPT = 32_768
"""Beginnings that are remembered: about 4 MB."""
_SLACK = 8
"""Requests that the one who knows a beginning may have above twice the idlest's."""


def _ends() -> Iterator[int]:
    end = float(_FIRST_END)
    while end <= _LONGEST:
        yield int(end)
        end *= _GROWTH


_ENDS = tuple(_ends())


class Affinity:
    """The beginnings that were asked of late, and who was asked: the least recent goes first.

    Only hashes are kept, under a key that is this process's own.
    """

    __slots__ = ("_most", "_owners")

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._most = most
        self._owners: OrderedDict[int, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._owners)

    def owner(self, beginnings: Sequence[int]) -> str:
        """Return who was asked with the longest of `beginnings`; empty is nobody."""
        owners = self._owners
        for beginning in reversed(beginnings):
            name = owners.get(beginning)
            if name is not None:
                return name
        return ""

    def remember(self, beginnings: Iterable[int], name: str) -> None:
        """Note who is asked with these."""
        owners = self._owners
        for beginning in beginnings:
            owners[beginning] = name
            owners.move_to_end(beginning)
        while len(owners) > self._most:
            owners.popitem(last=False)


class PrefixAffinity(LeastLoaded):
    """Asks who knows most of the prompt's beginning, unless it is far busier than the idlest."""

    __slots__ = ("_affinity", "_places")

    def __init__(self, members: Sequence[Member], affinity: Affinity) -> None:
        super().__init__(members)
        self._affinity = affinity
        self._places = {member.name: index for index, member in enumerate(members)}

    def first(self, turn: int, request: InferenceRequest, /) -> int:
        """Return the one to ask, and remember it."""
        beginnings = beginnings_of(request)
        index = self._choose(turn, beginnings)
        if beginnings:
            self._affinity.remember(beginnings, self.members[index].name)
        return index

    def chosen(self, turn: int, request: InferenceRequest) -> int:
        """Return the one to ask."""
        return self._choose(turn, beginnings_of(request))

    def _choose(self, turn: int, beginnings: Sequence[int]) -> int:
        idlest = self._least(turn)
        owner = self._places.get(self._affinity.owner(beginnings)) if beginnings else None
        if owner is None:
            return idlest
        members = self.members
        bound = members[idlest].in_flight * 2 + _SLACK
        return owner if members[owner].in_flight <= bound else idlest


def beginnings_of(request: InferenceRequest) -> list[int]:
    """Return a hash for each beginning of the prompt, the shortest first; none if it is short."""
    text = _prompt(request)
    if len(text) < _FIRST_END:
        return []
    found: list[int] = []
    known, start = hash((request.model, request.task)), 0
    for end in _ENDS:
        if end > len(text):
            break
        known = hash((known, text[start:end]))
        found.append(known)
        start = end
    return found


def _prompt(request: InferenceRequest) -> bytes | str:
    """Return what is to be read, from its first word on; a body counts from its prompt on."""
    raw = request.raw
    if raw is not None:
        body = raw.body
        starts = (body.find(b'"messages"'), body.find(b'"prompt"'), body.find(b'"input"'))
        return body[max(0, min((at for at in starts if at >= 0), default=0)) :][:_LONGEST]
    return _flat(request.inputs)


def _flat(value: object) -> str:
    parts: list[str] = []
    _gather(value, parts)
    return "\x00".join(parts)[:_LONGEST]


def _gather(value: object, parts: list[str]) -> None:
    match value:
        case str():
            parts.append(value)
        case Mapping():
            for each in value.values():
                _gather(each, parts)
        case list() | tuple():
            for each in value:
                _gather(each, parts)
        case _:
            pass
