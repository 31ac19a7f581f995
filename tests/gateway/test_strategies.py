"""Whom each strategy asks first among equals, and how little that costs."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferd.core.request import InferenceRequest, Raw, Tier
from inferd.gateway.routing.affinity import Affinity
from inferd.gateway.routing.member import ANY_MODEL, Member, Price
from inferd.gateway.routing.picking import Picker
from inferd.gateway.routing.strategies import STRATEGIES
from tests.gateway.fakes import MODEL, FakeBackend

ASK = InferenceRequest(id="r", task="text-generation", model=MODEL)


def loaded(name: str, in_flight: int = 0, *, latency: float = 0.0) -> Member:
    member = Member(FakeBackend(name), priority=0)
    member.in_flight, member.latency = in_flight, latency
    return member


def priced(name: str, price: Price | None, tier: Tier = Tier.CLOUD) -> Member:
    prices = {} if price is None else {ANY_MODEL: price}
    return Member(FakeBackend(name, tier=tier), priority=0, prices=prices)


def picker(strategy: str, members: list[Member], affinity: Affinity | None = None) -> Picker:
    models = [MODEL for _ in members]
    return STRATEGIES[strategy].picker(
        members, models, Affinity() if affinity is None else affinity
    )


def names(strategy: str, members: list[Member], turn: int = 0) -> list[str]:
    return [members[index].name for index in picker(strategy, members).order(turn, ASK)]


def prompt(text: str) -> InferenceRequest:
    messages = [{"role": "user", "content": text}]
    return InferenceRequest(id="r", task="chat", model=MODEL, inputs={"messages": messages})


@pytest.mark.parametrize("name", STRATEGIES)
@settings(max_examples=40)
@given(turn=st.integers(0, 10_000), loads=st.lists(st.integers(0, 5), min_size=1, max_size=16))
def test_a_strategy_keeps_every_member_and_its_first_is_the_first_in_order(
    name: str, turn: int, loads: list[int]
) -> None:
    members = [loaded(f"m{i}", load) for i, load in enumerate(loads)]
    for member in members[::2]:
        member.latency = 0.5
    picks = picker(name, members)
    order = picks.order(turn, ASK)
    assert sorted(order) == list(range(len(members)))
    assert picks.chosen(turn, ASK) == picks.first(turn, ASK) == order[0]


def test_round_robin_starts_one_further_each_turn() -> None:
    members = [loaded(name) for name in "abc"]
    assert [names("round_robin", members, turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_least_loaded_takes_the_idlest_whatever_the_turn() -> None:
    members = [loaded("busy", 3), loaded("idle", 0), loaded("some", 1)]
    for turn in range(5):
        assert names("least_loaded", members, turn) == ["idle", "some", "busy"]


def test_of_many_least_loaded_finds_an_idle_one_near_its_turn() -> None:
    members = [loaded(f"m{i}", 0 if i % 10 == 0 else 5) for i in range(1000)]
    picks = picker("least_loaded", members)
    assert {members[picks.first(turn, ASK)].in_flight for turn in range(1200)} == {0}


def test_best_performance_explores_the_one_never_used_and_does_not_flood_it() -> None:
    used, fresh = loaded("used", latency=0.01), loaded("fresh")
    assert names("best_performance", [used, fresh])[0] == "fresh"
    fresh.took()
    assert names("best_performance", [used, fresh])[0] == "used"
    fresh.gave(0.001)
    assert names("best_performance", [used, fresh])[0] == "fresh"


def test_best_performance_weighs_the_wait_and_not_only_the_speed() -> None:
    quick, slow = loaded("quick", 5, latency=0.1), loaded("slow", 0, latency=0.5)
    assert names("best_performance", [quick, slow])[0] == "slow"


def test_what_is_not_used_is_tried_again_once_its_slowness_has_faded() -> None:
    quick, slow = loaded("quick", latency=0.1), loaded("slow", latency=1.0)
    for times in range(20):
        if names("best_performance", [quick, slow])[0] == "slow":
            assert 4 < times < 10
            return
        slow.fade()
    pytest.fail("it starves")


def test_two_choices_spread_over_all_and_prefer_the_quicker() -> None:
    members = [loaded(f"m{i}", latency=0.1) for i in range(9)]
    members.append(loaded("slow", latency=10.0))
    picks = picker("p2c", members)
    counts = Counter(members[picks.first(turn, ASK)].name for turn in range(9000))
    assert counts["slow"] == 0
    assert all(800 < counts[f"m{i}"] < 1200 for i in range(9))


def test_cost_asks_the_cheapest_and_what_is_free_first() -> None:
    cheap, dear = Price(input=0.1, output=0.4), Price(input=3, output=15)
    members = [
        priced("unknown", None),
        priced("dear", dear),
        priced("here", None, Tier.LOCAL),
        priced("cheap", cheap),
    ]
    for turn in range(4):
        assert names("cost", members, turn) == ["here", "cheap", "dear", "unknown"]


def test_cost_goes_by_what_this_request_reads_and_writes() -> None:
    reader = priced("reader", Price(input=0.1, output=10))
    writer = priced("writer", Price(input=1, output=1))
    long_question = InferenceRequest(
        id="r",
        task="text-generation",
        inputs={"inputs": "word " * 10_000},
        parameters={"max_new_tokens": 10},
    )
    long_answer = InferenceRequest(
        id="r",
        task="text-generation",
        inputs={"inputs": "word"},
        parameters={"max_new_tokens": 4000},
    )
    picks = picker("cost", [reader, writer])
    assert picks.first(0, long_question) == 0
    assert picks.first(0, long_answer) == 1


def test_equally_cheap_ones_share_by_load() -> None:
    price = Price(input=1, output=1)
    members = [priced("a", price), priced("b", price)]
    members[0].in_flight = 3
    assert names("cost", members)[0] == "b"


def test_a_known_beginning_goes_where_it_is_known() -> None:
    members = [loaded(name) for name in "abc"]
    picks = picker("prefix_affinity", members)
    first = picks.first(1, prompt("Once upon a time " * 200))
    assert members[first].name == "b"
    for turn in range(6):
        assert picks.first(turn, prompt("Once upon a time " * 200 + f"turn {turn}")) == first
    assert {picks.first(turn, prompt("word " * 200 + str(turn) * 500)) for turn in range(6)} != {
        first
    }


def test_the_longest_known_beginning_decides() -> None:
    affinity = Affinity()
    members = [loaded(name) for name in "abc"]
    picks = picker("prefix_affinity", members, affinity)
    system = "You are helpful. " * 60
    one, other = prompt(system + "x" * 4000), prompt(system + "y" * 4000)
    members[0].in_flight = 1
    first = picks.first(1, one)
    members[first].in_flight = 30
    second = picks.first(2, other)
    assert second != first
    members[first].in_flight = 0
    assert picks.first(0, prompt(system + "x" * 4000 + "more")) == first
    assert picks.first(0, prompt(system + "y" * 4000 + "more")) == second


def test_who_knows_a_beginning_and_is_overloaded_is_not_asked() -> None:
    members = [loaded(name) for name in "ab"]
    picks = picker("prefix_affinity", members)
    text = prompt("Once upon a time " * 200)
    first = picks.first(0, text)
    members[first].in_flight = 9
    assert picks.first(0, text) != first


def test_explaining_remembers_nothing() -> None:
    affinity = Affinity()
    picker("prefix_affinity", [loaded("a"), loaded("b")], affinity).order(0, prompt("x" * 5000))
    assert len(affinity) == 0


def test_what_is_remembered_of_prompts_is_bounded() -> None:
    affinity = Affinity(most=100)
    picks = picker("prefix_affinity", [loaded("a"), loaded("b")], affinity)
    for number in range(200):
        picks.first(number, prompt(f"{number} " * 500))
    assert len(affinity) == 100


def test_a_body_counts_from_its_prompt_on() -> None:
    def raw(seed: int, text: str) -> InferenceRequest:
        body = b'{"model":"m","seed":%d,"messages":[{"role":"user","content":"%s"}]}'
        return InferenceRequest(
            id="r",
            task="chat",
            model=MODEL,
            raw=Raw(wire="openai", body=body % (seed, text.encode())),
        )

    members = [loaded(name) for name in "ab"]
    picks = picker("prefix_affinity", members)
    first = picks.first(0, raw(1, "x" * 3000))
    assert picks.first(1, raw(123456, "x" * 3000 + "y")) == first
