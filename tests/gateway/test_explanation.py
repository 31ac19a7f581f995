"""Every candidate, gate by gate, and why the first one is first."""

import pytest

from inferd.core.backend import Model
from inferd.core.request import InferenceRequest, Limits, Principal, Tier
from inferd.gateway.admission.policy import Rule
from inferd.gateway.explanation import Candidate, Explanation, route_words
from tests.gateway.fakes import MODEL, Bench, FakeBackend

ALICE = Principal(id="secret:alice")


def ask(**fields: object) -> InferenceRequest:
    asked: dict[str, object] = {"id": "r", "task": "text-generation", "model": MODEL, **fields}
    return InferenceRequest(**asked)  # type: ignore[arg-type]


def of(found: Explanation, name: str) -> Candidate:
    return next(one for one in found.candidates if one.backend == name)


def gates(candidate: Candidate) -> str:
    marks = {"passed": "1", "failed": "0", "not checked": "-"}
    return "".join(marks[gate.state] for gate in candidate.gates)


def reason(candidate: Candidate) -> str:
    return next(gate.reason for gate in candidate.gates if gate.state == "failed")


def test_each_obstacle_is_a_gate_and_those_after_it_are_not_checked() -> None:
    other = (Model(id="acme/other", tasks=frozenset({"text-generation"})),)
    rules = (Rule(principal="secret:*", actions=("*",), tier=Tier.TEAM),)
    bench = Bench(
        FakeBackend("taken"),
        FakeBackend("lacks", models=other),
        FakeBackend("far", tier=Tier.CLOUD),
        FakeBackend("leaving"),
        FakeBackend("down"),
        rules=rules,
    )
    bench.members[3].drain()
    bench.members[4].found("connection refused", "")
    found = bench.gateway.explain(ask(), ALICE, reader=bench.owner)
    assert {one.backend: gates(one) for one in found.candidates} == {
        "taken": "11111",
        "lacks": "0----",
        "far": "10---",
        "leaving": "1110-",
        "down": "1110-",
    }
    assert "stops before cloud" in reason(of(found, "far"))
    assert reason(of(found, "down")) == "offline: connection refused"
    assert [one.backend for one in found.candidates if one.order] == ["taken", "down"]


def test_a_limit_that_is_reached_is_said_and_nothing_is_taken() -> None:
    limits = Limits(concurrency=1)
    rules = (Rule(principal="secret:*", actions=("*",), limits=limits),)
    bench = Bench(FakeBackend("a"), rules=rules)
    meter = bench.plans.of(ask(), ALICE).first(0.0, 0, ask()).meter
    assert meter is not None
    assert gates(of(bench.gateway.explain(ask(), ALICE), "a")) == "11111"
    with_hold = meter.hold(ALICE)
    told = of(bench.gateway.explain(ask(), ALICE), "a")
    assert (gates(told), reason(told)) == (
        "110--",
        "secret:alice has 1 requests running, its limit",
    )
    with_hold.release()
    assert gates(of(bench.gateway.explain(ask(), ALICE), "a")) == "11111"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("", "of 2 equals, it is its turn (round_robin)"),
        ("priority", "its priority number is lower"),
        ("broken", "it is well, and b isn't"),
        ("alone", "it is the only one that can and may"),
    ],
)
def test_what_decided_is_said(change: str, words: str) -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    if change == "priority":
        bench.members[1].priority = 5
    elif change == "broken":
        bench.members[1].took()
        bench.members[1].broke("HTTP 500", bench.clock.now())
    elif change == "alone":
        bench.pool.remove("b")
    assert bench.gateway.explain(ask(), bench.owner).decided == words


def test_the_rule_that_lets_the_caller_in_is_named() -> None:
    rules = (Rule(principal="secret:*", actions=("infer", "list")),)
    bench = Bench(FakeBackend("a"), rules=rules)
    assert "secret:*" in bench.gateway.explain(ask(), ALICE).rule


def test_a_reader_is_told_of_no_backend_that_it_may_not_see() -> None:
    rules = (Rule(principal="secret:*", actions=("*",), backends=("a",)),)
    bench = Bench(FakeBackend("a"), FakeBackend("b"), rules=rules)
    assert [one.backend for one in bench.gateway.explain(ask(), ALICE).candidates] == ["a"]
    owner = bench.gateway.explain(ask(), ALICE, reader=bench.owner)
    assert [one.backend for one in owner.candidates] == ["a", "b"]


def test_who_may_ask_and_not_list_is_told_of_nobody_but_who_would_answer() -> None:
    rules = (Rule(principal="secret:*", actions=("infer",)),)
    bench = Bench(FakeBackend("a"), FakeBackend("b"), rules=rules)
    found = bench.gateway.explain(ask(), ALICE)
    assert [one.backend for one in found.candidates] == ["a"]
    assert "b;" not in route_words(found)
    bench.members[1].found("connection refused", "")
    assert bench.gateway.explain(ask(), ALICE).decided == "it is well, and another isn't"


def test_a_header_says_it_in_short_and_in_ascii() -> None:
    bench = Bench(FakeBackend("a"), FakeBackend("b"))
    bench.members[1].found('bad "ü\r\nX-Evil: 1', "")
    words = route_words(bench.gateway.explain(ask(), bench.owner))
    assert words.startswith("strategy=round_robin, ")
    assert "a; order=1" in words
    assert words.isascii()
    assert words.isprintable()
    many = Bench(*(FakeBackend(f"backend-{n}") for n in range(300)))
    long = route_words(many.gateway.explain(ask(), many.owner))
    assert len(long) <= 1024
    assert long.endswith(", ...")
