"""Listings that are made once for many callers."""

import pytest

from inferd.core.backend import Capabilities, Model
from inferd.core.errors import PermissionDenied
from inferd.core.request import OWNER, Principal
from inferd.gateway.admission.policy import Rule
from inferd.gateway.catalogue import Row
from tests.gateway.fakes import Bench, FakeBackend

CHAT = frozenset({"chat"})
ALICE, BOB, EVE = (Principal(id=f"key:{name}") for name in ("alice", "bob", "eve"))
RULES = (
    Rule(principal="key:*e", models=("a*",)),
    Rule(principal="key:bob", actions=("infer",)),
    Rule(principal="key:more*"),
)


class Made:
    """Makes a list of ids, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, rows: list[Row]) -> list[str]:
        self.times += 1
        return [row.id for row in rows]


def bench(*names: str, rules: tuple[Rule, ...] = RULES) -> Bench:
    models = tuple(Model(id=name, tasks=CHAT) for name in names)
    return Bench(FakeBackend(models=models), rules=rules)


def test_a_listing_is_made_once_for_all_of_whom_the_same_rules_speak() -> None:
    gateway, made = bench("a1", "b1").gateway, Made()
    for _ in range(3):
        assert gateway.made_of_models(ALICE, made) == ["a1"]
        assert gateway.made_of_models(EVE, made) == ["a1"]
    assert made.times == 1
    assert gateway.made_of_models(OWNER, made) == ["a1", "b1"]
    assert made.times == 2
    with pytest.raises(PermissionDenied):
        gateway.made_of_models(BOB, made)
    other = Made()
    assert gateway.made_of_models(ALICE, other) == ["a1"]
    assert (made.times, other.times) == (2, 1)


def test_it_is_made_anew_when_a_backend_offers_something_else() -> None:
    node, made = bench("a1"), Made()
    [member] = node.members
    assert node.gateway.made_of_models(ALICE, made) == ["a1"]
    member.offers(Capabilities(models=(Model(id="a1", tasks=CHAT),)))
    assert node.gateway.made_of_models(ALICE, made) == ["a1"]
    assert made.times == 1
    member.offers(Capabilities(models=(Model(id="a2", tasks=CHAT),)))
    assert node.gateway.made_of_models(ALICE, made) == ["a2"]


def test_few_are_kept() -> None:
    rules = tuple(Rule(principal=f"key:{number}") for number in range(20))
    gateway, made = bench("a1", rules=rules).gateway, Made()
    everyone = [Principal(id=f"key:{number}") for number in range(20)]
    for _ in range(2):
        for who in everyone:
            assert gateway.made_of_models(who, made) == ["a1"]
    assert made.times == 40
    for who in everyone[-8:]:
        gateway.made_of_models(who, made)
    assert made.times == 40
